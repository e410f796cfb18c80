"""A few rows for each of the smaller collections: definitions, people, templates, accounts, jobs.

Shapes: the page of each resource on https://developer.close.com/api/resources
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

Row = dict[str, Any]

BY: Final[Row] = {
    "created_by": "{{user}}",
    "date_created": "{{created}}",
    "date_updated": "{{updated}}",
    "organization_id": "{{organization}}",
    "updated_by": "{{user}}",
}
BY_ID: Final[Row] = {
    "created_by_id": "{{user}}",
    "date_created": "{{created}}",
    "date_updated": "{{updated}}",
    "organization_id": "{{organization}}",
    "updated_by_id": "{{user}}",
}
DATED: Final[Row] = {
    "date_created": "{{created}}",
    "date_updated": "{{updated}}",
    "organization_id": "{{organization}}",
}
OWN: Final[Row] = {"organization_id": "{{organization}}"}
LONG_AGO: Final[Row] = {"date_created": "0001-01-01T00:00:00", "date_updated": "0001-01-01T00:00:00"}
QUERY: Final[Row] = {"type": "and", "queries": [{"type": "object_type", "object_type": "lead"}]}
JOB: Final[Row] = BY | {
    "n_leads": 12,
    "n_leads_processed": 12,
    "n_objects": 12,
    "n_objects_processed": 12,
    "query": "",
    "results_limit": None,
    "s_query": {"query": QUERY, "sort": []},
    "send_done_email": True,
    "sort": [],
    "status": "done",
}


def definitions() -> Row:
    """What the organization itself defined: types, statuses, outcomes, forms."""
    activity_type: Row = BY | {
        "api_create_only": False,
        "description": "Größe 📏",
        "editable_with_roles": [],
        "fields": [{"accepts_multiple_values": False, "converting_to_type": None, "name": "Ort", "type": "text"}],
        "is_archived": False,
        "role_permissions": None,
    }
    object_type: Row = BY | {
        "api_create_only": False,
        "back_reference_fields": [],
        "description": "What customers drive",
        "editable_with_roles": ["admin"],
        "fields": [{"accepts_multiple_values": True, "name": "Owner", "type": "contact"}],
    }
    statuses = [
        {"id": "stat_active", "label": "Active", "type": "active"},
        {"id": "stat_won", "label": "Won", "type": "won"},
    ]
    outcome = BY | {"applies_to": ["calls", "meetings"], "description": "", "type": "custom"}
    playbook: Row = {
        "archived_at": None,
        "archived_by_id": None,
        "created_at": "{{created}}",
        "created_by_id": "{{user}}",
        "custom_field_ids": ["cf_aU54"],
        "description": "First call",
        "organization_id": "{{organization}}",
        "outcome_ids": ["outcome_030X"],
        "summary_guidance": "",
        "updated_at": "{{updated}}",
        "updated_by_id": "{{user}}",
    }
    form = DATED | {"field_definitions": [{"id": "field_1", "label": "Name", "type": "text"}]}
    return {
        "custom_activity": [activity_type | {"name": name} for name in ("Site visit 🏗️", "Inspektion")],
        "custom_object_type": [object_type | {"name": "Vehicle", "name_plural": "Vehicles"}],
        "custom_object": [
            BY | {"custom_object_type_id": "{{custom_object_type}}", "lead_id": "{{lead}}", "name": f"Car {number}"}
            for number in range(3)
        ],
        "status/lead": [
            OWN | {"color": color, "id": id_, "label": label}
            for id_, label, color in (
                ("stat_1P", "Potential", "#ffa900"),
                ("stat_2Q", "Qualified", None),
                ("stat_3C", "Customer ⭐", ""),
            )
        ],
        "status/opportunity": [OWN | {"pipeline_id": "pipe_1S"} | each for each in statuses],
        "pipeline": [BY | {"id": "pipe_1S", "name": "Sales", "statuses": statuses}],
        "outcome": [outcome | {"name": "Interested"}, outcome | {"name": "Voicemail", "type": "vm-dropped"}],
        "playbook": [
            playbook | {"name": "Discovery", "position": 1},
            playbook | {"name": "Old", "position": None, "archived_at": "{{updated}}", "archived_by_id": "{{user}}"},
        ],
        "form": [form | {"name": "Contact us", "is_archived": False}, form | {"name": "Old", "is_archived": True}],
    }


def people() -> Row:
    """Roles (the built-in ones are as old as the calendar) and groups."""
    role = OWN | {
        "permissions": [],
        "visibility_user_lcf_behavior": "require_assignment",
        "visibility_user_lcf_ids": ["cf_pHEk"],
    }
    built_in = [
        role | LONG_AGO | {"id": id_, "name": name, "editable": False}
        for id_, name in (
            ("admin", "Admin"),
            ("superuser", "Super User"),
            ("user", "User"),
            ("restricteduser", "Restricted"),
        )
    ]
    return {
        "role": [*built_in, role | DATED | {"name": "Näher", "editable": True, "permissions": ["export"]}],
        "group": [
            OWN | {"name": "Vertrieb", "members": [{"user_id": "{{user}}"}]},
            OWN | {"name": "Empty", "members": []},
        ],
    }


def outreach() -> Row:
    """Templates (some archived), sequences with their subscriptions, Smart Views, scheduling links."""
    template = BY | {
        "attachments": [],
        "body": "<p>Hi {{ contact.first_name }}</p>".replace("{{", "{"),
        "is_shared": True,
        "used_by_sequences": [{"id": "{{sequence}}", "name": "active"}],
    }
    text = BY | {"attachments": [], "is_shared": False, "owned_by": "{{user}}", "text": "Hi 👋"}
    sequence = BY_ID | {
        "allow_manual_enrollment": True,
        "owner_id": None,
        "schedule": None,
        "schedule_id": None,
        "steps": [{"delay": 86400, "id": "seqstep_1", "step_type": "email"}],
        "subscription_counts_by_status": {"active": 1, "error": 0, "finished": 0, "goal": 0, "paused": 1},
        "timezone": "Europe/Berlin",
        "trigger_query": None,
    }
    subscription: Row = BY_ID | {
        "calls_assigned_to": ["{{user}}"],
        "contact_email": "ada@example.com",
        "contact_id": "{{contact}}",
        "lead_id": "{{lead}}",
        "sender_account_id": "emailacct_0oCd",
        "sender_email": "ada@example.com",
        "sender_name": "Ada",
        "sequence_id": "{{sequence}}",
        "start_date": "{{created}}",
        "status": "active",
        "status_reason": None,
    }
    view: Row = DATED | {
        "description": None,
        "is_shared": True,
        "is_user_dependent": False,
        "query": "",
        "s_query": {"query": QUERY, "sort": []},
        "selected_fields": [],
        "shared_with": [],
        "sharing_settings": {"whole_org": True, "user_ids": [], "group_ids": []},
        "used_recently": False,
        "user_id": "{{user}}",
    }
    link: Row = OWN | {
        "description": "",
        "duration_in_minutes": None,
        "name": "30 minutes",
        "source": "MANUAL",
        "source_id": None,
        "source_type": None,
        "template_tag": "thirty_minutes",
        "type": "SHARED",
        "url": None,
        "user_id": None,
    }
    personal: Row = {
        "duration_in_minutes": 30,
        "oauth_client_id": "oa2client_5Nvo",
        "source": "THIRD_PARTY",
        "source_id": "74241bb7",
        "source_type": "Multi-Use",
        "template_tag": None,
        "type": "USER",
        "url": "https://scheduling.example.com/x",
        "user_id": "{{user}}",
    }
    return {
        "email_template": [
            template | {"is_archived": archived, "name": "Intro", "subject": "Hi"} for archived in (False, True)
        ],
        "sms_template": [text | {"name": status, "status": status} for status in ("active", "archived")],
        "sequence": [sequence | {"name": name, "status": name} for name in ("active", "paused")],
        "sequence_subscription": [subscription, subscription | {"status": "paused", "status_reason": "manual"}],
        "saved_search": [
            view | {"name": f"All {kind}s", "type": kind}
            for kind in ("lead", "contact", "opportunity", "call", "email", "meeting", "custom_activity")
        ],
        "scheduling_link": [link | personal],
        "shared_scheduling_link": [link],
    }


def accounts() -> Row:
    """Telephony, mail accounts, links, webhooks."""
    number = DATED | {
        "address_id": None,
        "bundle_id": None,
        "carrier": "twilio",
        "carrier_type": "local",
        "country": "US",
        "forward_to": None,
        "forward_to_enabled": False,
        "forward_to_formatted": None,
        "is_premium": False,
        "inbound_ring_duration": 30,
        "is_verified": False,
        "last_billed_price": 1.15,
        "mms_enabled": True,
        "next_billing_on": "2026-12-01T00:00:00+00:00",
        "number": "+16505550100",
        "number_formatted": "+1 650-555-0100",
        "participants": ["{{user}}"],
        "phone_numbers": ["+16505550100"],
        "phone_numbers_formatted": ["+1 650-555-0100"],
        "press_1_to_accept": False,
        "sms_enabled": True,
        "supports_mms_to_countries": ["CA", "US"],
        "supports_sms_to_countries": ["CA", "US"],
        "type": "internal",
        "voicemail_greeting_url": None,
        "was_ported": False,
    }
    dialer: Row = DATED | {
        "caller_id": "+16505550100",
        "is_user_dependent": False,
        "music_preference": "tone1",
        "ring_mode": "more-voicemails",
        "source_type": "saved-search",
        "source_value": "save_1",
        "status": "stopped",
        "type": "power",
        "user_id": "{{user}}",
        "users": [{"is_active": False, "state": "inactive", "user_id": "{{user}}"}],
        "visibility_mode": "all",
    }
    account: Row = OWN | {
        "email": "me@example.com",
        "identities": [{"email": "me@example.com", "name": "Ada"}],
        "synced_calendars": ["me@example.com"],
        "user_id": "{{user}}",
    }
    mail = {"imap": {"host": "imap.example.com", "port": 993}, "smtp": {"host": "smtp.example.com", "port": 587}}
    webhook = BY | {
        "counters": {"delivered": 3},
        "events": [{"action": "created", "object_type": "lead"}],
        "health_status": "healthy",
        "history": {},
        "latest_error": None,
        "pause_reason": None,
        "recent_consecutive_fail_buckets_cnt": 0,
        "status": "active",
        "url": "https://example.com/hook",
        "verify_ssl": True,
    }
    webhook.pop("organization_id")
    return {
        "phone_number": [
            number | {"is_group_number": False, "label": "", "user_id": "{{user}}"},
            number
            | {
                "is_group_number": True,
                "label": "Büro",
                "last_billed_price": "1.15",
                "next_billing_on": "2026-12-01",
                "user_id": None,
            },
        ],
        "blocked_phone_number": [BY | {"phone": "+16505550199", "reason": "spam"}],
        "unsubscribe/email": [{"email": "stop@example.com"}, {"email": "basta@example.com"}],
        "dialer": [dialer],
        "connected_account": [
            account | {"_type": "google", "imap": None, "smtp": None},
            account | mail | {"_type": "custom_email"},
        ],
        "send_as": [OWN | {"allowed_user_id": "{{user}}", "allowing_user_id": "{{user}}"}],
        "integration_link": [BY | {"name": "Wiki", "type": "lead", "url": "https://example.com/{{lead}}"}],
        "webhook": [webhook],
    }


def jobs() -> Row:
    """Comments, bulk actions and exports."""
    thread: Row = OWN | {
        "object_id": "{{opportunity}}",
        "object_type": "opportunity",
        "participating": ["{{user}}"],
    }
    dates = {"created_at": "{{created}}", "lead_id": "{{lead}}", "updated_at": "{{updated}}"}
    thread |= dates | {"num_comments": 2}
    comment: Row = OWN | dates | {"created_by": "{{user}}", "mentions": [], "thread_id": "{{comment_thread}}"}
    comment |= {"removed_at": None, "removed_by": None, "updated_by": "{{user}}"}
    export = JOB | {
        "date_format": "original",
        "download_url": "https://example.com/export.csv.gz?sig=x",
        "fields": ["id", "name"],
    }
    for name in ("n_leads", "n_leads_processed", "n_objects", "n_objects_processed", "query"):
        export.pop(name)
    export |= {"format": "csv", "n_docs": 3, "n_docs_processed": 3, "s_query": QUERY, "type": "leads"}
    opportunities = {name: value for name, value in export.items() if name not in ("results_limit", "s_query", "sort")}
    removed = {"body": None, "removed_at": "{{updated}}", "removed_by": "{{user}}"}
    person = {"contact_preference": "lead", "sender": '"Ada" <ada@example.com>', "template_id": "tmpl_1"}
    value = {
        "custom_field_name": None,
        "custom_field_value": None,
        "lead_status_id": "stat_2Q",
        "type": "set_lead_status",
    }
    steps: Row = {
        "action_type": "subscribe",
        "calls_assigned_to": [],
        "contact_preference": "contact",
        "from_phone_number_id": None,
        "sender_account_id": None,
        "sender_email": "ada@example.com",
        "sender_name": "Ada",
        "sequence_id": "{{sequence}}",
    }
    return {
        "comment_thread": [thread],
        "comment": [comment | {"body": "@Ada schau mal 👀"}, comment | removed],
        "bulk_action/email": [JOB | person | {"email_account_id": "emailacct_9sT"}],
        "bulk_action/edit": [JOB | value],
        "bulk_action/delete": [JOB | {"bulk_object_type": "lead"}],
        "bulk_action/sequence_subscription": [JOB | steps],
        "export": [export, opportunities | {"params": {"status_type": "won"}, "type": "opps"}],
    }


def all_rows() -> Iterator[tuple[str, Row]]:
    """Collection and row, with {{marks}}; rows without an id get one of their collection."""
    for group in (definitions(), people(), outreach(), accounts(), jobs()):
        for collection, rows in group.items():
            for row in rows:
                yield collection, row
