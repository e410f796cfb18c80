"""What Close has: the one table of list endpoints.  A further endpoint is a further row."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

ACTIVITY_FILTERS: Final = ("user_id", "contact_id", "_type", "custom_activity_type_id")


@dataclass(frozen=True)
class Endpoint:
    """One list: where it is, which rows it shows, which parameters it understands."""

    path: str
    collection: str = ""  # "" means: the same name as the path
    kinds: tuple[str, ...] = ()  # () means all
    paging: Literal["offset", "none"] = "offset"
    total: bool = False  # total_results in the body
    order: str = "-date_created"
    orders: tuple[str, ...] = ()  # what _order_by may name
    dates: tuple[str, ...] = ()  # moments with __gt, __gte, __lt, __lte
    equals: tuple[str, ...] = ()  # plain filters, also with __in
    with_lead: tuple[str, ...] = ()  # filters that are dropped unless lead_id is given
    needs_one_of: tuple[str, ...] = ()  # 400 without any of these
    by_second: bool = False  # date filters are precise to the second
    detail_only: tuple[str, ...] = ()  # fields that only `GET /x/{id}/` shows
    omit_shared: bool = False  # custom fields: shared ones have their own list

    @property
    def source(self) -> str:
        return self.collection or self.path


@dataclass(frozen=True)
class ActivityType:
    """One type of activity: https://developer.close.com/api/resources/activities"""

    path: str
    literal: str  # the value of _type
    object_type: str  # its name in the event log and in search


ACTIVITY_TYPES: Final = (
    ActivityType("call", "Call", "call"),
    ActivityType("created", "Created", "created"),
    ActivityType("custom", "CustomActivity", "custom_activity"),
    ActivityType("email", "Email", "email"),
    ActivityType("emailthread", "EmailThread", "email_thread"),
    ActivityType("form_submission", "FormSubmission", "form_submission"),
    ActivityType("import_update", "ImportUpdate", "import_update"),
    ActivityType("lead_merge", "LeadMerge", "lead_merge"),
    ActivityType("meeting", "Meeting", "meeting"),
    ActivityType("note", "Note", "note"),
    ActivityType("sms", "SMS", "sms"),
    ActivityType("status_change/lead", "LeadStatusChange", "lead_status_change"),
    ActivityType("status_change/opportunity", "OpportunityStatusChange", "opportunity_status_change"),
    ActivityType("task_completed", "TaskCompleted", "task_completed"),
    ActivityType("whatsapp_message", "WhatsAppMessage", "whatsapp_message"),
)
TASK_TYPES: Final = (
    "lead",
    "incoming_email",
    "email_followup",
    "missed_call",
    "answered_detached_call",
    "voicemail",
    "opportunity_due",
    "incoming_sms",
    "outgoing_call",
)
HIDDEN: Final = {"activity": frozenset({"recording_transcript", "voicemail_transcript", "transcripts"})}
"""Fields that come only when `_fields` names them (changelog 2023-10-26 and 2025-08-14)."""

OPPORTUNITY_ORDERS: Final = (
    "date_won",
    "date_updated",
    "date_created",
    "confidence",
    "user_name",
    "value",
    "annualized_value",
    "annualized_expected_value",
)


def _activities() -> list[Endpoint]:
    paths: list[tuple[str, tuple[str, ...]]] = [("activity", ())]
    paths += [(f"activity/{each.path}", (each.literal,)) for each in ACTIVITY_TYPES]
    return [
        Endpoint(
            path,
            collection="activity",
            kinds=kinds,
            dates=("date_created", "activity_at"),
            equals=("lead_id", "form_id", "opportunity_id", "external_whatsapp_message_id"),
            with_lead=ACTIVITY_FILTERS,
            by_second=True,
        )
        for path, kinds in paths
    ]


CUSTOM_FIELD_TYPES: Final = ("lead", "contact", "opportunity", "activity", "custom_object_type", "shared")
UNPAGED_FIELD_TYPES: Final = ("custom_object_type", "shared")

ENDPOINTS: Final = (
    Endpoint("lead", total=True, order="-date_updated"),
    Endpoint("contact", equals=("lead_id",)),
    Endpoint(
        "opportunity",
        total=True,
        orders=OPPORTUNITY_ORDERS,
        dates=("date_created", "date_updated", "date_won"),
        equals=(
            "lead_id",
            "user_id",
            "status_id",
            "status_label",
            "status_type",
            "value_period",
            "is_stalled",
        ),
    ),
    Endpoint(
        "task",
        total=True,
        order="-date",
        orders=("date", "date_created"),
        dates=("date_updated", "date_created", "date", "due_date"),
        equals=("id", "lead_id", "is_complete", "assigned_to"),
    ),
    *_activities(),
    Endpoint(
        "user",
        order="date_created",
        orders=("date_created", "date_updated", "first_name", "last_name", "email"),
    ),
    *(
        Endpoint(
            f"custom_field/{each}",
            paging="none" if each in UNPAGED_FIELD_TYPES else "offset",
            order="date_created",
            omit_shared=True,
        )
        for each in CUSTOM_FIELD_TYPES
    ),
    # -- definitions
    Endpoint("custom_activity", paging="none", order="date_created"),
    Endpoint("custom_object_type", paging="none", order="date_created"),
    Endpoint("custom_object", equals=("lead_id", "custom_object_type_id"), needs_one_of=("lead_id",)),
    Endpoint("status/lead", paging="none", order="date_created"),
    Endpoint("status/opportunity", paging="none", order="date_created"),
    Endpoint("pipeline", paging="none", order="date_created"),
    Endpoint("outcome", order="date_created"),
    Endpoint("playbook", order="created_at"),
    Endpoint("form", order="date_created", equals=("is_archived",)),
    # -- people
    Endpoint("role", order="date_created"),
    Endpoint("group", paging="none", order="date_created", detail_only=("members",)),
    # -- outreach
    Endpoint("email_template", equals=("is_archived", "is_shared")),
    Endpoint("sms_template"),
    Endpoint("sequence"),
    Endpoint(
        "sequence_subscription",
        equals=("sequence_id", "contact_id", "lead_id"),
        needs_one_of=("sequence_id", "contact_id", "lead_id"),
    ),
    Endpoint("saved_search", equals=("type",)),
    Endpoint("scheduling_link", paging="none"),
    Endpoint("shared_scheduling_link", paging="none"),
    # -- telephony and accounts
    Endpoint("phone_number", equals=("number", "user_id", "is_group_number")),
    Endpoint("blocked_phone_number"),
    Endpoint("unsubscribe/email", paging="none"),
    Endpoint("dialer", equals=("source_type", "source_value", "status", "user_id")),
    Endpoint("connected_account", paging="none", equals=("user_id",)),
    Endpoint("send_as", paging="none", equals=("allowing_user_id", "allowed_user_id")),
    Endpoint("integration_link", paging="none"),
    Endpoint("webhook", paging="none", order="date_created"),
    # -- comments and jobs
    Endpoint("comment_thread", order="-created_at"),
    Endpoint(
        "comment",
        order="-created_at",
        equals=("object_id", "thread_id"),
        needs_one_of=("object_id", "thread_id"),
    ),
    Endpoint("bulk_action/email", equals=("template_id",)),
    Endpoint("bulk_action/edit"),
    Endpoint("bulk_action/delete"),
    Endpoint("bulk_action/sequence_subscription"),
    Endpoint("export"),
)
BY_PATH: Final = {endpoint.path: endpoint for endpoint in ENDPOINTS}
COLLECTIONS: Final = tuple(dict.fromkeys([each.source for each in ENDPOINTS] + ["event", "me", "organization"]))

PREFIXES: Final = {
    "activity": "acti",
    "lead": "lead",
    "contact": "cont",
    "opportunity": "oppo",
    "task": "task",
    "user": "user",
    "me": "user",
    "organization": "orga",
    "event": "ev",
    "custom_activity": "actitype",
    "custom_object_type": "cotype",
    "custom_object": "custobj",
    "status/lead": "stat",
    "status/opportunity": "stat",
    "pipeline": "pipe",
    "outcome": "outc",
    "playbook": "playb",
    "email_template": "tmpl",
    "sms_template": "smstmpl",
    "sequence": "seq",
    "sequence_subscription": "sub",
    "saved_search": "save",
    "phone_number": "phon",
    "connected_account": "emailacct",
    "webhook": "whsub",
    "role": "role",
    "group": "group",
}
"""What the ids of a collection begin with; custom fields have `cf`, the rest the start of their name."""

NAIVE: Final = frozenset(
    [
        "event",
        "pipeline",
        "sequence",
        "sequence_subscription",
        "dialer",
        "sms_template",
        "role",
        "custom_activity",
        "custom_object_type",
        "webhook",
    ]
)
"""Collections whose dates come without a zone."""


UNLOGGED: Final = frozenset(
    [
        "event",
        "user",
        "outcome",
        "playbook",
        "form",
        "role",
        "scheduling_link",
        "shared_scheduling_link",
        "blocked_phone_number",
        "dialer",
        "connected_account",
        "send_as",
        "integration_link",
        "webhook",
    ]
)
"""Collections whose changes leave no events: they are not in the list of event types."""


def prefix_of(collection: str) -> str:
    if collection.startswith("custom_field/"):
        return "cf"
    return PREFIXES.get(collection, collection.replace("/", "_"))


def object_type(collection: str, kind: str) -> str:
    """How the event log names an object of a collection."""
    if collection == "activity":
        return next((f"activity.{each.object_type}" for each in ACTIVITY_TYPES if each.literal == kind), "activity")
    if collection == "task":
        return f"task.{kind}"
    name, _, rest = collection.partition("/")
    plain = {
        "custom_field": "custom_fields." + rest.replace("custom_object_type", "custom_object"),
        "custom_activity": "custom_activity_type",
        "status": f"status.{rest}",
        "bulk_action": f"bulk_action.{rest}",
        "unsubscribe": "unsubscribed_email",
        "export": "export.lead",
    }
    return plain.get(name, name)
