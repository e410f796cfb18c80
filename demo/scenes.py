"""What `make demo` shows of each connector: its simulator, what happens there between the syncs, and which rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any, ClassVar

from simkit.command_line import Running


class Scene(ABC):
    """One connector's. `before` and `queries` are headings and SQL, of what to show after the first sync and after the
    second; `{now}` stands for "written by the second sync"."""

    api: ClassVar[str]
    schema: ClassVar[str]
    options: ClassVar[dict[str, Any]]
    news: ClassVar[str]
    before: ClassVar[dict[str, str]] = {}
    queries: ClassVar[dict[str, str]]

    def __init__(self, simulator: Running) -> None:
        self.simulator = simulator

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """All but the key."""

    def prepare(self) -> None:  # noqa: B027 - most have nothing to prepare
        """Before the first sync."""

    @abstractmethod
    def happen(self) -> None:
        """Between the syncs: what `news` says."""


_MEETING = """
    SELECT title, starts_at, date_created, date_updated
    FROM close.meeting_activities WHERE title = 'Talk about the contract'
"""
_CONTACT = "SELECT name, date_updated, _ab_cdc_deleted_at FROM close.contacts WHERE name = 'Leaves Soon'"
_CONTACTS = """
    SELECT count(*) AS contacts, count(*) FILTER (name = 'Leaves Soon') AS "of them Leaves Soon"
    FROM close.contacts WHERE _ab_cdc_deleted_at IS NULL
"""


def _newest(table: str, columns: str, cursor: str = "date_updated") -> str:
    order = f"_airbyte_extracted_at DESC, {cursor} DESC"
    return f"SELECT {columns}, {cursor} FROM close.{table} ORDER BY {order} LIMIT 4"


class Close(Scene):
    api = "Close"
    schema = "close"
    options: ClassVar = {"leads": 400, "activities": 5000, "tasks": 800, "events": 2000, "latency-ms": 50}
    news = (
        "Someone works in Close: a lead is added, another one renamed, a note taken, a task ticked off, the oldest "
        "note of all edited, a meeting moved to an earlier day, a contact deleted"
    )
    before: ClassVar = {
        f"{what}, after the first sync": query
        for what, query in (("the meeting", _MEETING), ("the contact", _CONTACT), ("contacts", _CONTACTS))
    }
    queries: ClassVar = {
        "the meeting, moved to an earlier day": _MEETING,
        "the contact, deleted in Close (most destinations remove it; PyAirbyte shows the time)": _CONTACT,
        "contacts, without what was deleted": _CONTACTS,
        "leads, the newest": _newest("leads", "display_name, status_label"),
        "activities, the newest": _newest("activities", "_type, lead_id, user_name"),
        "tasks, the newest": _newest("tasks", "_type, text, is_complete"),
        "event_log, the newest": _newest("event_log", "object_type, action, object_id"),
        "deletions, the newest": _newest("deletions", "object_type, object_id, lead_id", "deleted_at"),
        "activities, changed long after": """
            SELECT _type, note, date_created, date_updated
            FROM close.activities WHERE {now} AND date_created < CURRENT_DATE - 30
        """,
    }

    def config(self) -> dict[str, Any]:
        return {"api_url": self.simulator.url, "start_date": "2020-01-01T00:00:00Z"}

    def prepare(self) -> None:
        self.meeting = max(self._activities("Meeting"), key=_created)
        self._update("activity", self.meeting, title="Talk about the contract")
        self.contact = self.simulator.ask("truth/contact")[0]
        self._update("contact", self.contact, name="Leaves Soon")

    def happen(self) -> None:
        lead, task = self.simulator.ask("truth/lead")[0], self.simulator.ask("truth/task")[0]
        self._update("lead", lead, **_named("Renamed GmbH"))
        new = self.simulator.tell("change", collection="lead", action="make", row=_named("Brand New Ltd"))
        note = {"type": "Note", "lead_id": new["id"], "note": "They called back. Send the contract!"}
        self.simulator.tell("change", collection="activity", action="make", row=note)
        self._update("task", task, is_complete=True)
        self._update("activity", min(self._activities("Note"), key=_created), note="Edited long after")
        earlier = (datetime.fromisoformat(_created(self.meeting)) - timedelta(days=3)).isoformat()
        self._update("activity", self.meeting, starts_at=earlier, date_created=earlier, activity_at=earlier)
        self.simulator.tell("change", collection="contact", id=self.contact["id"], action="delete")

    def _activities(self, type_: str) -> list[dict[str, Any]]:
        return [row for row in self.simulator.ask("truth/activity") if row["_type"] == type_]

    def _update(self, collection: str, row: dict[str, Any], **fields: Any) -> None:
        self.simulator.tell("change", collection=collection, id=row["id"], row=fields)


class FullStory(Scene):
    api = "FullStory"
    schema = "fullstory"
    options: ClassVar = {
        "days": 7,
        "events-per-bundle": 2000,
        "downloads-per-minute": 600,
        "latency-ms": 50,
        "tricks": ["big_ids", "identical", "same_time"],
    }
    news = (
        "A day later in FullStory: the next bundle is listed, and so is one from the middle that was late; a setting "
        "is changed, a user deleted"
    )
    queries: ClassVar = {
        "events, day by day": """
            SELECT strftime(bundle_start, '%Y-%m-%d') AS day, count(*) AS events,
                count(DISTINCT sessionid) AS sessions, count(*) FILTER ({now}) AS "of them written now"
            FROM fullstory.events GROUP BY ALL ORDER BY day
        """,
        "events, the newest": """
            SELECT eventstart, eventtype, eventcustomname, sessionid, evt_vars::VARCHAR AS evt_vars
            FROM fullstory.events ORDER BY eventstart DESC LIMIT 6
        """,
        "geo_settings_history, the newest": """
            SELECT last_updated, recordgeomode, recordgeozones::VARCHAR AS zones
            FROM fullstory.geo_settings_history ORDER BY last_updated DESC LIMIT 3
        """,
        "operations, the newest": """
            SELECT createdat, type, state, details::VARCHAR AS details
            FROM fullstory.operations WHERE type LIKE 'DELETE%' ORDER BY createdat DESC LIMIT 3
        """,
    }

    def config(self) -> dict[str, Any]:
        return {"api_url": self.simulator.url, "export_url": self.simulator.url, "downloads_per_minute": 600}

    def prepare(self) -> None:
        self._list_later(10_000_000)

    def happen(self) -> None:
        self._list_later(0)
        self.simulator.tell("setting", kind="geo")
        self.simulator.tell("operation", type="DELETE_USER", details={"uid": "cust-7"})

    def _list_later(self, seconds: int) -> None:
        """The newest bundle, and one from the middle."""
        bundles = self.simulator.ask("bundles")
        for bundle in (bundles[3], bundles[-1]):
            self.simulator.tell("bundle", action="late", id=bundle["id"], seconds=seconds)


SCENES: dict[str, type[Scene]] = {"source-closeio": Close, "source-fullstory": FullStory}


def _created(row: dict[str, Any]) -> str:
    return str(row["date_created"])


def _named(name: str) -> dict[str, str]:
    return {"name": name, "display_name": name}
