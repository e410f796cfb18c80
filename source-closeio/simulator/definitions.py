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
        "fields": [],
        "is_archived": False,
        "role_permissions": None,
    }
    object_type: Row = BY | {
        "api_create_only": False,
        "back_reference_fields": [],
        "description": None,
        "editable_with_roles": [],
        "fields": [],
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
        "custom_field_ids": [],
        "description": None,
        "organization_id": "{{organization}}",
        "outcome_ids": [],
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
        "visibility_user_lcf_ids": [],
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
    }
    text = BY | {"attachments": [], "is_shared": False, "text": "Hi 👋"}
    sequence = BY_ID | {
        "allow_manual_enrollment": True,
        "owner_id": None,
        "schedule": None,
        "schedule_id": None,
        "steps": [{"delay": 86400, "id": "seqstep_1", "step_type": "email"}],
        "timezone": "Europe/Berlin",
        "trigger_query": None,
    }
    subscription: Row = BY_ID | {
        "calls_assigned_to": [],
        "contact_email": "ada@example.com",
        "contact_id": "{{contact}}",
        "from_phone_number_id": None,
        "initial_email_id": None,
        "lead_id": "{{lead}}",
        "pause_reason": None,
        "sender_account_id": None,
        "sender_email": None,
        "sender_name": None,
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
        "user_id": "{{user}}",
    }
    link = DATED | {"description": "", "name": "30 minutes", "url": "https://scheduling.example.com/x"}
    personal = {"created_by_id": "{{user}}", "duration_in_minutes": 30, "source_id": None, "source_type": None}
    return {
        "email_template": [
            template | {"is_archived": archived, "name": "Intro", "subject": "Hi"} for archived in (False, True)
        ],
        "sms_template": [text | {"name": status, "status": status} for status in ("active", "archived")],
        "sequence": [sequence | {"name": name, "status": name} for name in ("active", "paused")],
        "sequence_subscription": [subscription, subscription | {"status": "paused", "pause_reason": "manual"}],
        "saved_search": [
            view | {"name": f"All {kind}s", "type": kind}
            for kind in ("lead", "contact", "opportunity", "call", "email", "meeting", "custom_activity")
        ],
        "scheduling_link": [link | personal | {"user_id": "{{user}}"}],
        "shared_scheduling_link": [link],
    }


def accounts() -> Row:
    """Telephony, mail accounts, links, webhooks."""
    number = DATED | {
        "address_id": None,
        "bundle_id": None,
        "carrier": "twilio",
        "carrier_type": "voip",
        "country": "US",
        "forward_to": None,
        "forward_to_enabled": False,
        "forward_to_formatted": None,
        "is_premium": False,
        "is_verified": False,
        "last_billed_price": 1.15,
        "mms_enabled": True,
        "next_billing_on": "2026-12-01T00:00:00",
        "number": "+16505550100",
        "number_formatted": "+1 650-555-0100",
        "participants": [],
        "phone_numbers": [],
        "phone_numbers_formatted": [],
        "press_1_to_accept": False,
        "sms_enabled": True,
        "supports_mms_to_countries": ["CA", "US"],
        "supports_sms_to_countries": ["CA", "US"],
        "type": "internal",
        "voicemail_greeting_url": None,
        "was_ported": False,
    }
    dialer: Row = DATED | {
        "caller_id": None,
        "is_user_dependent": False,
        "music_preference": None,
        "ring_mode": None,
        "source_type": "saved-search",
        "source_value": "save_1",
        "status": "stopped",
        "type": "power",
        "user_id": "{{user}}",
        "users": [],
        "visibility_mode": "all",
    }
    account = OWN | {"email": "me@example.com", "identities": [], "synced_calendars": [], "user_id": "{{user}}"}
    mail = {"imap": {"host": "imap.example.com", "port": 993}, "smtp": {"host": "smtp.example.com", "port": 587}}
    webhook = BY | {
        "counters": {"delivered": 3},
        "events": [{"action": "created", "object_type": "lead"}],
        "health_status": None,
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
            number | {"is_group_number": True, "label": "Büro", "user_id": None},
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
        "comment_ids": [],
        "participants": [],
    }
    thread |= {"date_created": "{{created}}", "date_updated": "{{updated}}", "comments": [], "n_comments": 2}
    comment: Row = BY | {"thread_id": "{{comment_thread}}", "mentions": [], "date_removed": None, "removed_by": None}
    export = JOB | {
        "date_format": "original",
        "download_url": "https://example.com/export.csv.gz?sig=x",
        "fields": None,
    }
    for name in (
        "n_leads",
        "n_leads_processed",
        "n_objects",
        "n_objects_processed",
        "results_limit",
        "s_query",
        "sort",
    ):
        export.pop(name)
    export |= {"format": "csv", "include_activities": False, "n_docs": 3, "n_docs_processed": 3, "type": "leads"}
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
        "comment": [comment | {"body": "@Ada schau mal 👀"}, comment | {"body": None, "removed_by": "{{user}}"}],
        "bulk_action/email": [JOB | person | {"email_account_id": None}],
        "bulk_action/edit": [JOB | value],
        "bulk_action/delete": [JOB | {"bulk_object_type": "lead"}],
        "bulk_action/sequence_subscription": [JOB | steps],
        "export": [export | {"user_id": "{{user}}"}],
    }


def all_rows() -> Iterator[tuple[str, Row]]:
    """Collection and row, with {{marks}}; rows without an id get one of their collection."""
    for group in (definitions(), people(), outreach(), accounts(), jobs()):
        for collection, rows in group.items():
            for row in rows:
                yield collection, row
