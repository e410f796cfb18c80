"""Complete activities of every type, in the shape that the API lists them.

Field names and types: https://developer.close.com/api/resources/activities and the page of each type.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Final

from .words import PHONES, email, formatted, person, sentence

Row = dict[str, Any]
Rng = random.Random


def maybe(rng: Rng, value: Any, chance: float = 0.3) -> Any:
    """The value, or null now and then."""
    return value if rng.random() < chance else None


def a_phone(rng: Rng, name: str) -> Row:
    phone = rng.choice(PHONES)
    country = {"+1": "US", "+4": "DE", "+3": "IT"}[phone[:2]]
    return {
        name: phone,
        f"{name}_formatted": formatted(phone),
        f"{name.replace('phone', 'country_iso')}": country,
    }


def sequence(rng: Rng) -> Row:
    used = rng.random() < 0.2
    return {
        "sequence_id": "seq_3Xr7tYb2" if used else None,
        "sequence_name": "Onboarding ✉️" if used else None,
        "sequence_subscription_id": f"sub_{rng.getrandbits(64):016x}" if used else None,
    }


def outcome(rng: Rng) -> Row:
    return {
        "conversation_type_id": None,
        "conversation_type_reason": None,
        "notetaker_id": maybe(rng, "ntk_1aB", 0.1),
        "outcome_autofill_confidence": maybe(rng, "high"),
        "outcome_autofill_reasoning": maybe(rng, sentence(rng)),
        "outcome_id": maybe(rng, "outc_7Qm2"),
        "outcome_reason": None,
        "playbook_id": None,
        "playbook_reason": None,
    }


def attachment(rng: Rng) -> Row:
    return {
        "content_type": "application/pdf",
        "filename": "Angebot №5.pdf",
        "size": rng.randrange(100, 9_000_000),
        "thumbnail_url": None,
        "url": "https://app.close.com/go/file/2d7c/",
    }


def note_fields(rng: Rng) -> Row:
    text = sentence(rng)
    return {
        "note": text,
        "note_html": f"<p>{text}</p>",
        "note_mentions": [],
        "note_date_updated": maybe(rng, "{{updated}}"),
    }


def call(rng: Rng) -> Row:
    duration = rng.choice((0, 0, 17, 384, 5021))
    row = {
        "agent_config_id": None,
        "call_method": rng.choice(("regular", "power", "predictive")),
        "coach_legs": [],
        "cost": maybe(rng, f"{rng.randrange(1, 90)}.{rng.randrange(10)}"),
        "date_answered": maybe(rng, "{{created}}", 0.6),
        "dialer_id": None,
        "dialer_saved_search_id": None,
        "direction": rng.choice(("inbound", "outbound")),
        "disposition": rng.choice(("answered", "no-answer", "vm-left", "busy", "error", None)),
        "duration": duration,
        "forwarded_to": None,
        "has_recording": duration > 0,
        "is_forwarded": False,
        "is_joinable": False,
        "is_to_group_number": rng.random() < 0.1,
        "parent_meeting_id": None,
        "phone": rng.choice(PHONES),
        "quality_info": None,
        "recording_duration": duration or None,
        "recording_expires_at": maybe(rng, "{{updated}}"),
        "recording_history": [],
        "recording_url": maybe(rng, "https://api.close.com/call/{{id}}/recording/"),
        "source": rng.choice(("Close.io", "External")),
        "status": rng.choice(("completed", "no-answer", "busy", "failed", "timeout", "cancel")),
        "transferred_from": None,
        "transferred_from_user_id": None,
        "transferred_to": None,
        "transferred_to_user_id": None,
        "voicemail_duration": rng.choice((0, 0, 12)),
        "voicemail_url": None,
    }
    row |= outcome(rng) | note_fields(rng) | sequence(rng)
    return row | a_phone(rng, "local_phone") | a_phone(rng, "remote_phone")


def created(rng: Rng) -> Row:
    return {"import_id": maybe(rng, "import_5Hx"), "source": rng.choice(("ui", "import", "api", None))}


def custom(rng: Rng) -> Row:
    return {
        "custom_activity_type_id": "{{activity_type}}",
        "last_published_at": maybe(rng, "{{created}}", 0.8),
        "mentions": [],
        "mentions_updated_at": None,
        "pinned": rng.random() < 0.1,
        "pinned_at": maybe(rng, "{{updated}}", 0.1),
        "source": "ui",
        "status": rng.choice(("published", "published", "draft")),
    }


def email_fields(rng: Rng) -> Row:
    text, incoming = sentence(rng), rng.random() < 0.5
    sender, to = email(rng), email(rng)
    return {
        "agent_action_reason": None,
        "agent_config_id": None,
        "ai_draft": None,
        "attachments": [attachment(rng)] if rng.random() < 0.2 else [],
        "bcc": [],
        "body_html": f"<p>{text}</p>",
        "body_html_quoted": [{"expand": False, "html": f"<p>{text}</p>"}],
        "body_preview": text[:120],
        "body_text": text,
        "body_text_quoted": [{"expand": False, "text": text}],
        "bulk_email_action_id": None,
        "cc": [email(rng)] if rng.random() < 0.2 else [],
        "date_scheduled": None,
        "date_sent": maybe(rng, "{{created}}", 0.9),
        "direction": "incoming" if incoming else "outgoing",
        "email_account_id": maybe(rng, "emailacct_9sT"),
        "envelope": envelope(sender, to),
        "followup_sequence_add_cc_bcc": False,
        "followup_sequence_delay": maybe(rng, 172800),
        "followup_sequence_id": None,
        "has_reply": rng.random() < 0.3,
        "in_reply_to_id": None,
        "message_ids": [f"<{rng.getrandbits(64):x}@mail.example.com>"],
        "need_smtp_credentials": False,
        "opens": [
            {
                "ip_address": "203.0.113.7",
                "opened_at": "{{updated}}",
                "opened_by": to,
                "user_agent": "Mail/16",
            }
        ]
        if rng.random() < 0.2
        else [],
        "opens_summary": maybe(rng, "Opened 2 times 👀"),
        "references": [],
        "send_as_id": None,
        "send_attempts": [],
        "sender": f'"{person(rng)}" <{sender}>',
        "status": "inbox" if incoming else rng.choice(("sent", "draft", "scheduled", "outbox", "error")),
        "subject": rng.choice(("Angebot 🚀", "Re: price?", "", "שאלה", "Fwd: Fwd: contract")),
        "template_id": None,
        "template_name": None,
        "thread_id": f"acti_{rng.getrandbits(200):043x}"[:48],
        "to": [to],
    } | sequence(rng)


def bodies(rng: Rng, size: int) -> Row:
    """A long mail."""
    words = " ".join(sentence(rng).strip() for _ in range(size // 20)).replace("{{", "")
    html = "".join(f'<p style="margin:0">{line}</p>' for line in words.splitlines())
    return {"body_html": html[:size], "body_text": words[: size // 2]} if size else {}


def envelope(sender: str, to: str) -> Row:
    return {
        "bcc": [],
        "cc": [],
        "date": "Fri, 17 Sep 2021 21:29:12 GMT",
        "from": [{"email": sender, "name": "Ada"}],
        "in_reply_to": None,
        "is_autoreply": False,
        "message_id": "<1@mail.example.com>",
        "reply_to": [],
        "sender": [],
        "subject": "Angebot 🚀",
        "to": [{"email": to, "name": ""}],
    }


def email_thread(rng: Rng) -> Row:
    mail = {
        "body_preview": sentence(rng),
        "date_created": "{{created}}",
        "id": "{{id}}",
        "sender": email(rng),
        "status": "inbox",
        "subject": "Re: price?",
        "to": [],
    }
    summary = {"status": "done", "summary_html": "<p>…</p>", "summary_text": sentence(rng)}
    return {
        "comment_summary": None,
        "emails": [mail | {"_type": "Email", "attachments": []}],
        "importance": maybe(rng, {"reason": "has-response", "type": "important"}),
        "latest_emails": [mail],
        "latest_normalized_subject": "price?",
        "n_emails": rng.randrange(1, 30),
        "participants": [{"email": email(rng), "name": person(rng)}],
        "summary": maybe(rng, summary),
    }


def form_submission(rng: Rng) -> Row:
    name = person(rng)
    return {
        "form_configuration_id": "formconf_2Lk",
        "form_id": "form_8Wd",
        "form_name": "Contact us",
        "ip_address": maybe(rng, "2001:db8::7"),
        "origin": maybe(rng, "https://example.com"),
        "source_url": maybe(rng, "https://example.com/kontakt?utm_source=x&y=1"),
        "source_url_normalized": maybe(rng, "https://example.com/kontakt"),
        "values": {"field_1": name, "field_2": None, "field_3": ["a", "b"]},
        "values_by_name": {"Name": name, "Größe": None, "Choices": ["a", "b"]},
    }


def import_update(rng: Rng) -> Row:
    return {"import_id": f"import_{rng.getrandbits(40):010x}", "reverted": rng.random() < 0.1}


def lead_merge(rng: Rng) -> Row:
    return {
        "destination_display_name": person(rng),
        "destination_lead_id": "{{lead}}",
        "error_message": None,
        "merge_status": rng.choice(("completed", "completed", "in_progress")),
        "source_display_name": person(rng),
        "source_lead_id": f"lead_{rng.getrandbits(200):043x}"[:48],
    }


def meeting(rng: Rng) -> Row:
    attendee = {
        "contact_id": None,
        "email": email(rng),
        "is_organizer": True,
        "name": person(rng),
        "status": "yes",
    }
    row = {
        "actual_duration": maybe(rng, 1712),
        "attached_call_ids": [],
        "attendees": [attendee, attendee | {"user_id": "{{user}}", "status": "noreply", "name": None}],
        "calendar_event_link": maybe(rng, "https://calendar.example.com/e?eid=1"),
        "calendar_event_uids": [f"{rng.getrandbits(60):x}@example.com"],
        "conference_links": [{"type": "ZOOM", "url": "https://zoom.example.com/j/1"}] if rng.random() < 0.5 else [],
        "connected_account_id": maybe(rng, "emailacct_9sT"),
        "duration": rng.choice((900, 1800, 3600)),
        "ends_at": "{{ends}}",
        "integrations": [{"type": "zoom"}] if rng.random() < 0.3 else [],
        "is_recurring": rng.random() < 0.2,
        "location": rng.choice((None, "", "Zoom", "Caffè Größenwahn, Straße 1")),
        "note": sentence(rng),
        "provider_calendar_event_id": maybe(rng, "79k4dh2i"),
        "provider_calendar_ids": ["primary"],
        "provider_calendar_type": maybe(rng, "google"),
        "source": rng.choice(("calendar", "manual")),
        "starts_at": "{{created}}",
        "status": rng.choice(("upcoming", "in-progress", "completed", "canceled", "declined-by-lead")),
        "summary": maybe(rng, {"html": "<p>…</p>", "text": sentence(rng)}),
        "title": rng.choice(("Demo 🎯", "Kick-off", "اجتماع")),
        "user_note": sentence(rng),
        "user_note_date_updated": maybe(rng, "{{updated}}"),
        "user_note_html": "<p></p>",
        "user_note_mentions": [],
    }
    return row | outcome(rng)


def note(rng: Rng) -> Row:
    return {
        "attachments": [attachment(rng)] if rng.random() < 0.2 else [],
        "pinned": rng.random() < 0.1,
        "pinned_at": maybe(rng, "{{updated}}", 0.1),
        "source": "ui",
        "title": maybe(rng, sentence(rng)),
    } | note_fields(rng)


def sms(rng: Rng) -> Row:
    row = {
        "agent_action_reason": None,
        "agent_config_id": None,
        "attachments": [attachment(rng) | {"media_id": "media_1Gn"}] if rng.random() < 0.3 else [],
        "cost": maybe(rng, "0.79"),
        "date_scheduled": None,
        "date_sent": maybe(rng, "{{created}}", 0.9),
        "direction": rng.choice(("inbound", "outbound")),
        "error_message": None,
        "source": rng.choice(("Close.io", "External")),
        "status": rng.choice(("inbox", "sent", "draft", "scheduled", "outbox", "error")),
        "template_id": None,
        "text": sentence(rng),
    }
    return row | sequence(rng) | a_phone(rng, "local_phone") | a_phone(rng, "remote_phone")


def lead_status_change(rng: Rng) -> Row:
    return {
        "new_status_id": "stat_2Q",
        "new_status_label": "Qualified",
        "new_status_type": None,
        "old_status_id": maybe(rng, "stat_1P", 0.9),
        "old_status_label": "Potential",
        "old_status_type": None,
    }


def opportunity_status_change(rng: Rng) -> Row:
    row = {
        "new_pipeline_id": "pipe_1S",
        "new_pipeline_name": "Sales",
        "old_pipeline_id": "pipe_1S",
        "old_pipeline_name": "Sales",
        "opportunity_confidence": rng.randrange(101),
        "opportunity_date_won": maybe(rng, "2026-02-28T00:00:00+00:00", 0.6),
        "opportunity_id": "{{opportunity}}",
        "opportunity_value": maybe(rng, rng.randrange(10**7), 0.9),
        "opportunity_value_currency": "USD",
        "opportunity_value_formatted": "$5,000 monthly",
        "opportunity_value_period": rng.choice(("one_time", "monthly", "annual")),
    }
    return row | lead_status_change(rng) | {"new_status_type": "won", "old_status_type": "active"}


def task_completed(rng: Rng) -> Row:
    return {
        "comment_summary": None,
        "task_assigned_to": "{{user}}",
        "task_assigned_to_name": person(rng),
        "task_id": "{{task}}",
        "task_text": sentence(rng),
    }


def whatsapp_message(rng: Rng) -> Row:
    text = sentence(rng)
    row = {
        "attachments": [],
        "direction": rng.choice(("incoming", "outgoing")),
        "external_whatsapp_message_id": f"wamid.{rng.getrandbits(80):x}",
        "integration_link": maybe(rng, "https://hub.example.com/messages/1"),
        "integration_name": maybe(rng, "Hub"),
        "message_html": f"<p>{text}</p>",
        "message_markdown": text,
        "response_to_id": maybe(rng, f"acti_{rng.getrandbits(200):043x}"[:48]),
        "source": "api",
        "text": text,
    }
    phones = a_phone(rng, "local_phone") | a_phone(rng, "remote_phone")
    return row | sequence(rng) | {name: value for name, value in phones.items() if "country" not in name}


BUILDERS: Final[dict[str, Callable[[Rng], Row]]] = {
    "Call": call,
    "Created": created,
    "CustomActivity": custom,
    "Email": email_fields,
    "EmailThread": email_thread,
    "FormSubmission": form_submission,
    "ImportUpdate": import_update,
    "LeadMerge": lead_merge,
    "Meeting": meeting,
    "Note": note,
    "SMS": sms,
    "LeadStatusChange": lead_status_change,
    "OpportunityStatusChange": opportunity_status_change,
    "TaskCompleted": task_completed,
    "WhatsAppMessage": whatsapp_message,
}
WEIGHTS: Final = {
    "Email": 50,
    "Call": 25,
    "Note": 10,
    "SMS": 10,
    "Meeting": 8,
    "TaskCompleted": 6,
    "EmailThread": 8,
}
"""How often a type occurs among generated activities; the others count 2."""


def activity(kind: str, rng: Rng) -> Row:
    """One activity with {{marks}} for what depends on its place in the data."""
    common = {
        "_type": kind,
        "activity_at": "{{created}}",
        "contact_id": rng.choice(("{{contact}}", None)),
        "created_by": "{{user}}",
        "created_by_name": "{{user_name}}",
        "date_created": "{{created}}",
        "date_updated": "{{updated}}",
        "id": "{{id}}",
        "lead_id": "{{lead}}",
        "organization_id": "{{organization}}",
        "updated_by": rng.choice(("{{user}}", None)),
        "updated_by_name": "{{user_name}}",
        "user_id": "{{user}}",
        "user_name": "{{user_name}}",
        "users": ["{{user}}"],
    }
    if kind == "TaskCompleted":
        del common["contact_id"]
    return common | BUILDERS[kind](rng)


def hidden(kind: str) -> Row:
    """What an activity has besides, shown only when `_fields` names it."""
    if kind == "Call":
        said = {"agent_id": None, "summary_html": "<p>…</p>", "utterances": [{"speaker_side": "close-user"}]}
        return {"recording_transcript": said, "voicemail_transcript": None}
    if kind == "Meeting":
        return {"transcripts": [{"utterances": [], "summary_text": "Short."}]}
    return {}
