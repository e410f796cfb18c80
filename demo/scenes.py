"""What `make demo` shows of each connector: its simulator, what happens there between the syncs, and which rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from simkit.command_line import Running


class Scene(ABC):
    """One connector's. `queries` are headings and SQL; `{now}` stands for "written by the second sync"."""

    api: ClassVar[str]
    schema: ClassVar[str]
    options: ClassVar[dict[str, Any]]
    news: ClassVar[str]
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


class Close(Scene):
    api = "Close"
    schema = "close"
    options: ClassVar = {"leads": 400, "activities": 5000, "tasks": 800, "events": 2000, "latency-ms": 50}
    news = (
        "Someone works in Close: a lead is added, another one renamed, a note taken, a task ticked off, the oldest "
        "note of all edited, a contact deleted"
    )
    queries: ClassVar = {
        f"{table}, the newest": (
            f"SELECT {columns}, {cursor} FROM close.{table} ORDER BY _airbyte_extracted_at DESC, {cursor} DESC LIMIT 4"
        )
        for table, columns, cursor in (
            ("leads", "display_name, status_label", "date_updated"),
            ("activities", "_type, lead_id, user_name", "date_created"),
            ("tasks", "_type, text, is_complete", "date_updated"),
            ("event_log", "object_type, action, object_id", "date_updated"),
            ("deletions", "object_type, object_id, lead_id", "deleted_at"),
        )
    } | {
        "activities, changed long after": """
            SELECT _type, note, date_created, date_updated
            FROM close.activities WHERE {now} AND date_created < CURRENT_DATE - 30
        """
    }

    def config(self) -> dict[str, Any]:
        return {"api_url": self.simulator.url, "start_date": "2020-01-01T00:00:00Z"}

    def happen(self) -> None:
        lead, task = self.simulator.ask("truth/lead")[0], self.simulator.ask("truth/task")[0]
        self.simulator.tell("change", collection="lead", id=lead["id"], row=_named("Renamed GmbH"))
        new = self.simulator.tell("change", collection="lead", action="make", row=_named("Brand New Ltd"))
        note = {"type": "Note", "lead_id": new["id"], "note": "They called back. Send the contract!"}
        self.simulator.tell("change", collection="activity", action="make", row=note)
        self.simulator.tell("change", collection="task", id=task["id"], row={"is_complete": True})
        notes = [row for row in self.simulator.ask("truth/activity") if row["_type"] == "Note"]
        oldest = min(notes, key=lambda row: str(row["date_created"]))
        self.simulator.tell("change", collection="activity", id=oldest["id"], row={"note": "Edited long after"})
        contact = self.simulator.ask("truth/contact")[0]
        self.simulator.tell("change", collection="contact", id=contact["id"], action="delete")


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


def _named(name: str) -> dict[str, str]:
    return {"name": name, "display_name": name}
