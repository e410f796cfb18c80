"""WHAT Close has: one class per stream, and the one ordered registry.

To add a stream: a class here, schemas/<name>.json, sample data in the simulator, a row in docs/streams.md, and lines in
integration_tests/*.json; the tests over STREAMS insist on each. CONTRIBUTING.md says which base class suits which API.
HOW Close behaves stands in families/.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property

from source_closeio.families.activities import ActivityStream
from source_closeio.families.comments import CommentStream
from source_closeio.families.custom_fields import CUSTOM_ACTIVITY, definitions
from source_closeio.families.custom_objects import each_type
from source_closeio.families.deletions import DeletionStream
from source_closeio.families.events import EventStream
from source_closeio.families.lists import ChangedListStream, ListStream
from source_closeio.families.opportunities import OpportunityStream
from source_closeio.families.organizations import MembershipStream, OrganizationStream
from source_closeio.families.per_parent import GroupStream, SubscriptionStream
from source_closeio.families.search import SearchStream
from source_closeio.families.smart_views import SmartViewStream
from source_closeio.families.tasks import TaskStream
from source_closeio.http.api import Params
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import whole_list
from source_closeio.stream import CloseStream

_ARCHIVED_TOO: tuple[Params, ...] = ({}, {"is_archived": "true"})
"""Whether archived rows are listed unless asked for is not documented."""


class Leads(SearchStream):
    """https://developer.close.com/api/resources/leads"""

    name = "leads"
    object_type = "lead"
    custom_fields_of = ("lead",)

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        yield [self.client.get(f"lead/{lead_id}/", self.named)]


class Contacts(SearchStream):
    """https://developer.close.com/api/resources/contacts"""

    name = "contacts"
    object_type = "contact"
    custom_fields_of = ("contact",)


class Opportunities(OpportunityStream):
    """https://developer.close.com/api/resources/opportunities"""

    name = "opportunities"
    custom_fields_of = ("opportunity",)


class CustomObjects(SearchStream):
    """https://developer.close.com/api/resources/custom-objects"""

    name = "custom_objects"
    object_type = "custom_object"
    is_listed = False  # but for one lead at a time
    custom_fields_of = ("custom_object_type",)

    def probe(self) -> None:
        each_type(self.client)

    def conditions(self) -> list[Mapping[str, str]]:
        return self._types

    @cached_property
    def _types(self) -> list[Mapping[str, str]]:
        return each_type(self.client)


class Activities(ActivityStream):
    """Every type in one table. https://developer.close.com/api/resources/activities"""

    name = "activities"
    path = "activity/"
    also = "activity/emailthread/"
    custom_fields_of = (CUSTOM_ACTIVITY, "activity")


class CallActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/calls"""

    name = "call_activities"
    path = "activity/call/"
    custom_fields_of = ("activity",)  # those of no type of custom activity: which ones calls have is not documented


class CreatedActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/created"""

    name = "created_activities"
    path = "activity/created/"


class CustomActivityInstances(ActivityStream):
    """https://developer.close.com/api/resources/activities/custom-activities"""

    name = "custom_activity_instances"
    path = "activity/custom/"
    custom_fields_of = (CUSTOM_ACTIVITY,)


class EmailActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/emails"""

    name = "email_activities"
    path = "activity/email/"


class EmailThreadActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/email-threads"""

    name = "email_thread_activities"
    path = "activity/emailthread/"


class FormSubmissionActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/form-submissions"""

    name = "form_submission_activities"
    path = "activity/form_submission/"


class ImportUpdateActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/import-updates"""

    name = "import_update_activities"
    path = "activity/import_update/"


class LeadMergeActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/lead-merges"""

    name = "lead_merge_activities"
    path = "activity/lead_merge/"


class LeadStatusChangeActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/lead-status-changes"""

    name = "lead_status_change_activities"
    path = "activity/status_change/lead/"


class MeetingActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/meetings"""

    name = "meeting_activities"
    path = "activity/meeting/"


class NoteActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/notes"""

    name = "note_activities"
    path = "activity/note/"


class OpportunityStatusChangeActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/opportunity-status-changes"""

    name = "opportunity_status_change_activities"
    path = "activity/status_change/opportunity/"


class SmsActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/sms"""

    name = "sms_activities"
    path = "activity/sms/"


class TaskCompletedActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/task-completed"""

    name = "task_completed_activities"
    path = "activity/task_completed/"


class WhatsappMessageActivities(ActivityStream):
    """https://developer.close.com/api/resources/activities/whatsapp-messages"""

    name = "whatsapp_message_activities"
    path = "activity/whatsapp_message/"


class Tasks(TaskStream):
    """Every type in one table. https://developer.close.com/api/resources/tasks"""

    name = "tasks"


class Users(ChangedListStream):
    """https://developer.close.com/api/resources/users"""

    name = "users"
    path = "user/"


class CustomFields(ChangedListStream):
    """The definitions of custom fields, of all object types. https://developer.close.com/api/resources/custom-fields"""

    name = "custom_fields"
    is_probed = False

    def pages(self) -> Iterator[Page]:
        return definitions(self.client)


# -- definitions


class CustomActivityTypes(ListStream):
    """https://developer.close.com/api/resources/custom-activity-types"""

    name = "custom_activity_types"
    path = "custom_activity/"


class CustomObjectTypes(ListStream):
    """https://developer.close.com/api/resources/custom-object-types"""

    name = "custom_object_types"
    path = "custom_object_type/"


class LeadStatuses(ListStream):
    """https://developer.close.com/api/resources/lead-statuses"""

    name = "lead_statuses"
    path = "status/lead/"


class OpportunityStatuses(ListStream):
    """https://developer.close.com/api/resources/opportunity-statuses"""

    name = "opportunity_statuses"
    path = "status/opportunity/"


class Pipelines(ListStream):
    """https://developer.close.com/api/resources/pipelines"""

    name = "pipelines"
    path = "pipeline/"


class Outcomes(ListStream):
    """https://developer.close.com/api/resources/outcomes"""

    name = "outcomes"
    path = "outcome/"


class Playbooks(ListStream):
    """https://developer.close.com/api/resources/playbooks"""

    name = "playbooks"
    path = "playbook/"


class Forms(ListStream):
    """https://developer.close.com/api/resources/forms"""

    name = "forms"
    path = "form/"
    filters = _ARCHIVED_TOO


# -- people


class Organizations(OrganizationStream):
    """https://developer.close.com/api/resources/organizations"""

    name = "organizations"


class Memberships(MembershipStream):
    """https://developer.close.com/api/resources/memberships"""

    name = "memberships"


class Roles(ListStream):
    """https://developer.close.com/api/resources/roles"""

    name = "roles"
    path = "role/"


class Groups(GroupStream):
    """https://developer.close.com/api/resources/groups"""

    name = "groups"


# -- outreach


class EmailTemplates(ListStream):
    """https://developer.close.com/api/resources/email-templates"""

    name = "email_templates"
    path = "email_template/"
    filters = _ARCHIVED_TOO


class SmsTemplates(ListStream):
    """https://developer.close.com/api/resources/sms-templates"""

    name = "sms_templates"
    path = "sms_template/"


class Sequences(ListStream):
    """https://developer.close.com/api/resources/sequences"""

    name = "sequences"
    path = "sequence/"


class SequenceSubscriptions(SubscriptionStream):
    """https://developer.close.com/api/resources/sequence-subscriptions"""

    name = "sequence_subscriptions"


class SmartViews(SmartViewStream):
    """https://developer.close.com/api/resources/smart-views"""

    name = "smart_views"


class SchedulingLinks(ListStream):
    """https://developer.close.com/api/resources/scheduling-links"""

    name = "scheduling_links"
    path = "scheduling_link/"


class SharedSchedulingLinks(ListStream):
    """https://developer.close.com/api/resources/shared-scheduling-links"""

    name = "shared_scheduling_links"
    path = "shared_scheduling_link/"


# -- telephony and accounts


class PhoneNumbers(ListStream):
    """https://developer.close.com/api/resources/phone-numbers"""

    name = "phone_numbers"
    path = "phone_number/"


class BlockedPhoneNumbers(ListStream):
    """https://developer.close.com/api/resources/blocked-phone-numbers"""

    name = "blocked_phone_numbers"
    path = "blocked_phone_number/"


class UnsubscribedEmails(ListStream):
    """https://developer.close.com/api/resources/unsubscribed-emails"""

    name = "unsubscribed_emails"
    path = "unsubscribe/email/"
    primary_key = ("email",)


class Dialers(ListStream):
    """https://developer.close.com/api/resources/dialer"""

    name = "dialers"
    path = "dialer/"


class ConnectedAccounts(ListStream):
    """https://developer.close.com/api/resources/connected-accounts"""

    name = "connected_accounts"
    path = "connected_account/"


class SendAs(ListStream):
    """https://developer.close.com/api/resources/send-as"""

    name = "send_as"
    path = "send_as/"

    def pages(self) -> Iterator[Page]:
        """Where the caller allows others, and where others allow the caller: unless told, Close lists the first."""
        me = self.api.me(self.client).get("id")
        return whole_list(self.client, self.path, ({"allowing_user_id": me}, {"allowed_user_id": me}) if me else ({},))


class IntegrationLinks(ListStream):
    """https://developer.close.com/api/resources/integration-links"""

    name = "integration_links"
    path = "integration_link/"


class Webhooks(ListStream):
    """https://developer.close.com/api/resources/webhooks"""

    name = "webhooks"
    path = "webhook/"
    secrets = ("signature_key",)


# -- jobs


class EmailBulkActions(ListStream):
    """https://developer.close.com/api/resources/bulk-actions"""

    name = "email_bulk_actions"
    path = "bulk_action/email/"


class EditBulkActions(ListStream):
    """https://developer.close.com/api/resources/bulk-actions"""

    name = "edit_bulk_actions"
    path = "bulk_action/edit/"


class DeleteBulkActions(ListStream):
    """https://developer.close.com/api/resources/bulk-actions"""

    name = "delete_bulk_actions"
    path = "bulk_action/delete/"


class SequenceSubscriptionBulkActions(ListStream):
    """https://developer.close.com/api/resources/bulk-actions"""

    name = "sequence_subscription_bulk_actions"
    path = "bulk_action/sequence_subscription/"


class Exports(ListStream):
    """https://developer.close.com/api/resources/exports"""

    name = "exports"
    path = "export/"
    secrets = ("download_url",)


# -- comments and changes


class CommentThreads(ListStream):
    """https://developer.close.com/api/resources/comments"""

    name = "comment_threads"
    path = "comment_thread/"


class Comments(CommentStream):
    """https://developer.close.com/api/resources/comments"""

    name = "comments"


class EventLog(EventStream):
    """https://developer.close.com/api/resources/events"""

    name = "event_log"


class Deletions(DeletionStream):
    """What is gone; ours, made from https://developer.close.com/api/resources/events"""

    name = "deletions"


STREAMS: tuple[type[CloseStream], ...] = (
    *(Leads, Contacts, Opportunities, Tasks, CustomObjects, CommentThreads, Comments),
    *(
        Activities,
        CallActivities,
        CreatedActivities,
        CustomActivityInstances,
        EmailActivities,
        EmailThreadActivities,
        FormSubmissionActivities,
        ImportUpdateActivities,
        LeadMergeActivities,
        LeadStatusChangeActivities,
        MeetingActivities,
        NoteActivities,
        OpportunityStatusChangeActivities,
        SmsActivities,
        TaskCompletedActivities,
        WhatsappMessageActivities,
    ),
    *(
        CustomFields,
        CustomActivityTypes,
        CustomObjectTypes,
        LeadStatuses,
        OpportunityStatuses,
        Pipelines,
        Outcomes,
        Playbooks,
        Forms,
    ),
    *(Users, Organizations, Memberships, Roles, Groups),
    *(
        EmailTemplates,
        SmsTemplates,
        Sequences,
        SequenceSubscriptions,
        SmartViews,
        SchedulingLinks,
        SharedSchedulingLinks,
    ),
    *(
        PhoneNumbers,
        BlockedPhoneNumbers,
        UnsubscribedEmails,
        Dialers,
        ConnectedAccounts,
        SendAs,
        IntegrationLinks,
        Webhooks,
    ),
    *(EmailBulkActions, EditBulkActions, DeleteBulkActions, SequenceSubscriptionBulkActions, Exports),
    *(EventLog, Deletions),
)
