"""What the event log calls the objects of a list."""

from __future__ import annotations

ACTIVITIES = {
    "call": "activity.call",
    "created": "activity.created",
    "custom": "activity.custom_activity",
    "email": "activity.email",
    "emailthread": "activity.email_thread",
    "form_submission": "activity.form_submission",
    "import_update": "activity.import_update",
    "lead_merge": "activity.lead_merge",
    "meeting": "activity.meeting",
    "note": "activity.note",
    "sms": "activity.sms",
    "status_change/lead": "activity.lead_status_change",
    "status_change/opportunity": "activity.opportunity_status_change",
    "task_completed": "activity.task_completed",
    "whatsapp_message": "activity.whatsapp_message",
}
"""By the part of the path behind `activity/`."""
_BARE = {kind.removeprefix("activity."): kind for kind in ACTIVITIES.values()}


def kind_of(object_type: object) -> str:
    """Close's documentation names the activities `activity.note`, its examples `note`."""
    text = str(object_type)
    return _BARE.get(text, text)


def is_one_of(kind: str, kinds: tuple[str, ...]) -> bool:
    """`task.` stands for all kinds of tasks."""
    return any(kind == each or (each.endswith(".") and kind.startswith(each)) for each in kinds)
