"""WHAT Close has: one class per stream, and the one ordered registry.

To add a stream: a class here, schemas/<name>.json, sample data in the simulator, and a row in the README's table;
the tests over STREAMS insist on the rest. HOW Close behaves stands in activities.py, events.py, lists.py, search.py
and tasks.py.
"""

from __future__ import annotations

from collections.abc import Iterator

from source_closeio.activities import ActivityStream
from source_closeio.custom_fields import definitions
from source_closeio.custom_objects import CustomObjectStream
from source_closeio.deletions import DeletionStream
from source_closeio.events import EventStream
from source_closeio.lists import ListStream
from source_closeio.opportunities import OpportunityStream
from source_closeio.reader import Page
from source_closeio.search import SearchStream
from source_closeio.stream import CloseStream
from source_closeio.tasks import TaskStream


class Leads(SearchStream):
    """https://developer.close.com/api/resources/leads"""

    name = "leads"
    object_type = "lead"
    custom_fields_of = ("lead",)

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        yield [self.client.get(f"lead/{lead_id}/")]


class Contacts(SearchStream):
    """https://developer.close.com/api/resources/contacts"""

    name = "contacts"
    object_type = "contact"
    custom_fields_of = ("contact",)


class Opportunities(OpportunityStream):
    """https://developer.close.com/api/resources/opportunities"""

    name = "opportunities"
    custom_fields_of = ("opportunity",)


class CustomObjects(CustomObjectStream):
    """https://developer.close.com/api/resources/custom-objects"""

    name = "custom_objects"
    object_type = "custom_object"
    custom_fields_of = ("custom_object_type",)


class Activities(ActivityStream):
    """Every type in one table. https://developer.close.com/api/resources/activities"""

    name = "activities"
    path = "activity/"
    also = "activity/emailthread/"
    custom_fields_of = ("activity",)


class Tasks(TaskStream):
    """Every type in one table. https://developer.close.com/api/resources/tasks"""

    name = "tasks"


class Users(ListStream):
    """https://developer.close.com/api/resources/users"""

    name = "users"
    path = "user/"


class CustomFields(ListStream):
    """The definitions of custom fields, of all object types. https://developer.close.com/api/resources/custom-fields"""

    name = "custom_fields"

    def pages(self) -> Iterator[Page]:
        return definitions(self.client)


class EventLog(EventStream):
    """https://developer.close.com/api/resources/events"""

    name = "event_log"


class Deletions(DeletionStream):
    """What is gone; ours, made from https://developer.close.com/api/resources/events"""

    name = "deletions"


STREAMS: tuple[type[CloseStream], ...] = (
    *(Leads, Contacts, Opportunities, CustomObjects, Activities, Tasks),
    *(Users, CustomFields, EventLog, Deletions),
)
