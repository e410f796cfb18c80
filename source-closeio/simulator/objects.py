"""Complete leads, contacts, opportunities, tasks, users and definitions, in the shape that the API lists them.

https://developer.close.com/api/resources/leads, …/contacts, …/opportunities, …/tasks, …/users, …/custom-fields
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from .activities import attachment, maybe
from .words import COMPANIES, FIRST_NAMES, LAST_NAMES, PHONES, email, formatted, person, sentence

Row = dict[str, Any]
Rng = random.Random

STATUSES: Final = (("stat_1P", "Potential"), ("stat_2Q", "Qualified"), ("stat_3C", "Customer ⭐"))
BY: Final = {
    "created_by": "{{user}}",
    "date_created": "{{created}}",
    "date_updated": "{{updated}}",
    "organization_id": "{{organization}}",
    "updated_by": "{{user}}",
}


def lead(rng: Rng) -> Row:
    company = rng.choice(COMPANIES)
    status_id, label = rng.choice(STATUSES)
    address = {
        "address_1": "1 Main St",
        "address_2": "",
        "city": "Zürich",
        "country": "CH",
        "label": "business",
        "state": "",
        "tz_ids": ["Europe/Zurich"],
        "zipcode": "8001",
    }
    return BY | {
        "addresses": [address] if rng.random() < 0.5 else [],
        "contact_ids": "{{*contact_ids}}",
        "contacts": "{{*contacts}}",
        "created_by_name": "{{user_name}}",
        "description": sentence(rng),
        "display_name": company,
        "html_url": "https://app.close.com/lead/{{id}}/",
        "id": "{{id}}",
        "integration_links": [{"name": "Google", "url": "https://www.google.com/search?q=x&ie=utf-8"}],
        "name": company,
        "opportunities": "{{*opportunities}}",
        "status_id": status_id,
        "status_label": label,
        "tasks": "{{*tasks}}",
        "updated_by_name": "{{user_name}}",
        "url": maybe(rng, "https://example.com/ü"),
    }


def contact(rng: Rng) -> Row:
    name, phone = person(rng), rng.choice(PHONES)
    one = {
        "country": "US",
        "outbound_sms_blocked": False,
        "phone": phone,
        "phone_formatted": formatted(phone),
        "type": "office",
        "tz_ids": [],
    }
    return BY | {
        "display_name": name,
        "emails": [{"email": email(rng), "is_unsubscribed": False, "type": "office"}] if rng.random() < 0.8 else [],
        "id": "{{id}}",
        "integration_links": [],
        "lead_id": "{{lead}}",
        "name": name,
        "phones": [one] if rng.random() < 0.6 else [],
        "timezone": maybe(rng, "Asia/Tokyo"),
        "timezone_source": maybe(rng, "phone"),
        "title": rng.choice(("CEO", "", None, "Geschäftsführerin")),
        "urls": [{"type": "url", "url": "https://example.com"}] if rng.random() < 0.3 else [],
    }


def opportunity(rng: Rng) -> Row:
    kind = rng.choice(("active", "active", "won", "lost"))
    value = rng.choice((None, 0, 500000, 2**53 + 1, rng.randrange(10**6)))
    return BY | {
        "annualized_expected_value": None if value is None else value // 2,
        "annualized_value": value,
        "attachments": [],
        "comment_summary": None,
        "confidence": rng.randrange(101),
        "contact_id": maybe(rng, "{{contact}}"),
        "contact_name": maybe(rng, person(rng)),
        "created_by_name": "{{user_name}}",
        "date_lost": "{{updated}}" if kind == "lost" else None,
        "date_won": "2026-03-01" if kind == "won" else None,
        "expected_value": None if value is None else value // 2,
        "id": "{{id}}",
        "integration_links": [],
        "is_stalled": rng.random() < 0.2,
        "lead_id": "{{lead}}",
        "lead_name": rng.choice(COMPANIES),
        "note": sentence(rng),
        "note_html": f"<p>{sentence(rng)}</p>",
        "pipeline_id": "pipe_1S",
        "pipeline_name": "Sales",
        "stall_status": None,
        "status_display_name": kind.title(),
        "status_id": f"stat_{kind}",
        "status_label": kind.title(),
        "status_type": kind,
        "suggested_action": None,
        "updated_by_name": "{{user_name}}",
        "user_id": "{{user}}",
        "user_name": "{{user_name}}",
        "value": value,
        "value_currency": "USD",
        "value_formatted": "$5,000",
        "value_period": rng.choice(("one_time", "monthly", "annual")),
    }


def task_phone(rng: Rng) -> Row:
    phone = rng.choice(PHONES)
    return {
        "local_phone": "+16505550100",
        "phone": phone,
        "phone_formatted": formatted(phone),
        "phone_number_description": maybe(rng, "California"),
    }


TASK_EXTRAS: Final[dict[str, Callable[[Rng], Row]]] = {
    "lead": lambda rng: {"text": sentence(rng), "priority": maybe(rng, "high")},
    "incoming_email": lambda rng: {
        "body_preview": sentence(rng),
        "cleared_followups": [],
        "emails": [f"acti_{rng.getrandbits(200):043x}"[:48]],
        "subject": "Re: price?",
    },
    "email_followup": lambda rng: {
        "body_preview": sentence(rng),
        "email_id": f"acti_{rng.getrandbits(200):043x}"[:48],
        "subject": "",
        "total_emails_count_in_thread": rng.randrange(9),
    },
    "missed_call": task_phone,
    "answered_detached_call": lambda rng: (
        task_phone(rng) | {"recording_url": maybe(rng, "https://s3.example.com/aaa.mp3")}
    ),
    "voicemail": lambda rng: (
        task_phone(rng)
        | {
            "voicemail_duration": rng.randrange(60),
            "voicemail_url": "https://api.close.com/call/x/voicemail/",
        }
    ),
    "opportunity_due": lambda rng: {
        "opportunity_note": sentence(rng),
        "opportunity_value": rng.randrange(10**6),
        "opportunity_value_currency": "EUR",
        "opportunity_value_formatted": "€5,000",
        "opportunity_value_period": "annual",
    },
    "incoming_sms": lambda rng: {
        "local_phone": "+16505550100",
        "attachments": [attachment(rng) | {"media_id": "media_1Gn"}] if rng.random() < 0.5 else [],
        "remote_phone": rng.choice(PHONES),
        "remote_phone_description": maybe(rng, "California"),
        "remote_phone_formatted": None,
    },
    "outgoing_call": lambda rng: (
        task_phone(rng)
        | {
            "sequence_id": maybe(rng, "seq_3Xr7tYb2"),
            "sequence_subscription_id": maybe(rng, "sub_wRlA"),
            "step_id": maybe(rng, "step_5aH9"),
            "text": sentence(rng),
        }
    ),
}


def task(kind: str, rng: Rng) -> Row:
    done = rng.random() < 0.4
    due = rng.choice(("{{day}}", "{{day}}", "{{created}}", None))
    row = BY | {
        "_type": kind,
        "agent_config_id": None,
        "assigned_to": "{{user}}",
        "assigned_to_name": "{{user_name}}",
        "contact_id": maybe(rng, "{{contact}}"),
        "contact_name": maybe(rng, person(rng)),
        "created_by_name": "{{user_name}}",
        "date": due,
        "deduplication_key": None,
        "due_date": due,
        "id": "{{id}}",
        "is_complete": done,
        "is_dateless": due is None,
        "is_primary_lead_notification": True,
        "lead_id": "{{lead}}",
        "lead_name": rng.choice(COMPANIES),
        "object_id": maybe(rng, f"acti_{rng.getrandbits(200):043x}"[:48]),
        "object_type": maybe(rng, "call"),
        "priority": None,
        "resolution": None,
        "sequence_id": None,
        "sequence_subscription_id": None,
        "updated_by_name": "{{user_name}}",
        "view": "archive" if done else rng.choice(("inbox", "future")),
    }
    return row | TASK_EXTRAS[kind](rng)


def user(rng: Rng) -> Row:
    first, last = rng.choice(FIRST_NAMES), rng.choice(LAST_NAMES)
    return {
        "date_created": "{{created}}",
        "date_updated": "{{updated}}",
        "email": f"{first.lower()}.{rng.randrange(10**6)}@example.com",
        "email_verified_at": maybe(rng, "{{created}}", 0.8),
        "first_name": first,
        "google_profile_image_url": None,
        "id": "{{id}}",
        "image": maybe(rng, "https://www.gravatar.com/avatar/0?s=100"),
        "last_name": last,
        "last_used_timezone": maybe(rng, "America/Los_Angeles", 0.7),
        "organizations": ["{{organization}}"],
    }


def event(rng: Rng) -> Row:
    return {
        "action": "updated",
        "api_key_id": maybe(rng, "api_5hXqVm0ZkT7c1sWnE3RbYd"),
        "changed_fields": [],
        "data": None,
        "date_created": "{{created}}",
        "date_updated": "{{updated}}",
        "id": "{{id}}",
        "lead_id": None,
        "meta": {"request_method": "PUT", "request_path": "/api/v1/"},
        "oauth_client_id": None,
        "oauth_scope": None,
        "object_id": None,
        "object_type": "lead",
        "organization_id": "{{organization}}",
        "previous_data": {},
        "request_id": f"req_{rng.getrandbits(100):x}",
        "user_id": None,
    }


# -- custom fields: https://developer.close.com/api/resources/custom-fields ----------------------------------------

FIELD_TYPES: Final = (
    ("text", False),
    ("number", False),
    ("date", False),
    ("datetime", False),
    ("choices", False),
    ("choices", True),
    ("user", False),
    ("user", True),
    ("contact", False),
    ("textarea", False),
    ("hidden", False),
    ("checkbox", False),
    ("text", True),
    ("custom_object", False),
)
"""Types and whether they hold several values, in the order in which generated fields have them."""


def custom_field(kind: str, multiple: bool, number: int) -> Row:
    several = " (several)" if multiple else ""
    return BY | {
        "accepts_multiple_values": multiple,
        "always_visible": number % 2 == 0,
        "back_reference_is_visible": False,
        "choices": ["Größe S", "Größe M", "👍"] if kind == "choices" else None,
        "description": "" if number % 3 else f"A {kind} field",
        "editable_with_roles": ["admin"] if number % 5 == 4 else [],
        "enrichment_enabled": False,
        "enrichment_options": None,
        "id": "{{id}}",
        "is_shared": False,
        "name": f"{kind.title()}{several} {number}",
        "referenced_custom_type_id": "cotype_7Kd" if kind == "custom_object" else None,
        "required": False,
        "type": kind,
    }


def custom_value(field: Row, rng: Rng) -> Any:
    """A value for a custom field, typed as its definition says."""
    makers: dict[str, Callable[[], Any]] = {
        "number": lambda: rng.choice((0, -1, 3.5, 2**53 + 1, 2**63 - 1, -(2**63))),
        "date": lambda: rng.choice(("2026-02-28", "1969-12-31", "2100-01-01")),
        "datetime": lambda: rng.choice(("2026-06-19T11:04:19.934000+00:00", "2026-06-19T11:04:19+00:00")),
        "choices": lambda: rng.choice(("Größe S", "Größe M", "👍")),
        "user": lambda: "{{user}}",
        "contact": lambda: "{{contact}}",
        "checkbox": lambda: rng.choice(("Yes", "No")),
    }
    make = makers.get(str(field["type"]), lambda: sentence(rng))
    return [make(), make()] if field["accepts_multiple_values"] else make()
