"""The organization behind the API: its rows, what belongs to the key, and what one change brings about elsewhere."""

from __future__ import annotations

import time
from threading import RLock
from typing import Final

from .endpoints import COLLECTIONS, HIDDEN, NAIVE
from .events import EventLog
from .moments import naive, to_milliseconds, zoned
from .organization import me, organization
from .pages import Pages
from .rows import Rows
from .search import Search
from .settings import Settings
from .store import Change, Collection, Row

CHILDREN: Final = {"contact": "contacts", "opportunity": "opportunities", "task": "tasks", "activity": ""}
MOVING: Final = (*CHILDREN, "custom_object", "sequence_subscription")


class Close(Rows):
    """An organization, and the lists, searches and events that the API answers with."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self._lock = RLock()
        for name in COLLECTIONS:
            self.data[name] = self._collection(name)
        self._organization = organization(self._world.organization, self._world.users[0]["id"], {})
        self.pages = Pages(self.settings, self.data, self.micros)
        self.search = Search(self.settings, self.data, self.micros, time.monotonic)
        self.events = EventLog(self.settings, self.data, self.micros, self.make_event)
        self._fill()
        for collection in self.data.values():
            collection.observers += [
                self.events.observe,
                self.search.observe,
                self._touch_lead,
                self._follow_lead,
            ]

    def users(self) -> list[Row]:
        """The users, the owner of the key first."""
        owner = self._world.users[0]["id"]
        return sorted(self.data["user"].rows(), key=lambda row: (row["id"] != owner, str(row["date_created"])))

    def organization(self) -> Row:
        """The organization with the definitions that it carries."""
        parts = {
            "lead_statuses": self.data["status/lead"].rows(),
            "opportunity_statuses": self.data["status/opportunity"].rows(),
            "pipelines": self.data["pipeline"].rows(),
            "lead_custom_fields": self.data["custom_field/lead"].rows(),
            "contact_custom_fields": self.data["custom_field/contact"].rows(),
            "opportunity_custom_fields": self.data["custom_field/opportunity"].rows(),
            "shared_custom_fields": self.data["custom_field/shared"].rows(),
        }
        return self._organization | parts

    def me(self) -> Row:
        return me(self.settings, self.users() or [self._world.users[0]], self.organization())

    def merge_leads(self, source_id: str, destination_id: str, *, quiet: bool = False) -> Row:
        """Merge one lead into another: its children move, it is deleted, and a `merged` event tells.

        All events of a merge have both ids in `meta`; the `merged` one is about the lead that stays (list of event
        types). Whether a child that moves is touched, and has an event of its own, is not certain: not if `quiet`.
        """
        meta = {"merge_source_lead_id": source_id, "merge_destination_lead_id": destination_id}
        with self._lock, self.events.meanwhile(meta):
            for name in MOVING:
                collection = self.data[name]
                for slot in [each for each in collection.slots() if collection.value(each, "lead_id") == source_id]:
                    id_ = collection.id_of(slot)
                    kept = {"date_updated": collection.value(slot, "date_updated")} if quiet else {}
                    collection.update(id_, {"lead_id": destination_id, **kept}, log=not quiet)
            merge = self.make_activity("LeadMerge", lead_id=destination_id, source_lead_id=source_id)
            self.data["activity"].add(merge)
            self.data["lead"].delete(source_id)
            stays = self.data["lead"].get(destination_id) or {}
            return self.events.write("lead", "merged", stays)

    def _collection(self, name: str) -> Collection:
        ids = self._world.ids(name)
        return Collection(
            name,
            now=lambda: to_milliseconds(self.micros()),
            stamp=naive if name in NAIVE else zoned,
            new_id=lambda: ids.of(next(self._numbers)),
            lock=self._lock,
            kind_of=(lambda row: f"{row['object_type']}/{row['action']}") if name == "event" else None,
            hidden=HIDDEN.get(name, frozenset()),
            key="email" if name == "unsubscribe/email" else "id",
            tie_by_slot=name == "event",
        )

    def _fill(self) -> None:
        for name in ("contact", "opportunity", "task", "lead", "activity", "event"):
            self.data[name].use(self._world.bulk(name))
        for user in self._world.users:
            self.data["user"].add(user, log=False)
        for name, row in self._world.small_rows():
            self.data[name].add(row, log=False)
        for owner, rows in self._world.fields.items():
            for row in rows:
                self.data[f"custom_field/{owner}"].add(row, log=False)

    def _touch_lead(self, change: Change) -> None:
        """A changed child moves its lead's `date_updated`, without an event of the lead; nested rows follow."""
        name = change.collection.name
        if name not in CHILDREN or not self.settings.touch_leads:
            return
        leads = self.data["lead"]
        for lead_id in {(change.before or {}).get("lead_id"), (change.after or {}).get("lead_id")}:
            if lead_id not in leads:
                continue
            lead, nested = leads.get(str(lead_id)) or {}, CHILDREN[name]
            changes: Row = {}
            if nested and (name != "task" or (change.after or change.before or {}).get("_type") == "lead"):
                gone = (change.before or change.after or {})["id"]
                kept = [each for each in lead.get(nested) or [] if each["id"] != gone]
                now_here = change.after if (change.after or {}).get("lead_id") == lead_id else None
                changes[nested] = [*kept, now_here] if now_here else kept
                if nested == "contacts":
                    changes["contact_ids"] = [each["id"] for each in changes[nested]]
            leads.update(str(lead_id), changes, log=False)

    def _follow_lead(self, change: Change) -> None:
        """Deleting a lead deletes what belongs to it."""
        if change.collection.name != "lead" or change.action != "deleted" or not change.log:
            return
        lead_id = (change.before or {})["id"]
        for name in CHILDREN:
            collection = self.data[name]
            for slot in [each for each in collection.slots() if collection.value(each, "lead_id") == lead_id]:
                collection.delete(collection.id_of(slot))
