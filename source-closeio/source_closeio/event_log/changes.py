"""What the event log tells of the time since the last syncs: taken in once a sync, for all streams that ask.

https://developer.close.com/api/resources/events/list-of-event-types. Whoever reads the log (families/events.py) shows
its pages here. Memory holds ids; deletions, of which there may be many, wait in a temporary file.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from threading import Lock
from typing import Any

from source_closeio.event_log.spool import Spool
from source_closeio.http.errors import NotOffered
from source_closeio.kit import times
from source_closeio.kit.contract import Page

_NOTED = ("activity.", "comment")

logger = logging.getLogger("airbyte")


class Changes:
    """Notes on the events since the earliest moment that a stream wants. Complete once `is_over`. Thread-safe."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        """None: nobody wants any."""
        self.is_over = False
        self._failure: Exception | None = None
        self._touched: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        self._merged_into: dict[str, datetime] = {}
        self._merges: dict[str, dict[str, Any]] = {}
        self._gone: set[Any] = set()
        self._deletions = Spool()
        self._lock = Lock()
        self._told = False

    def want(self, since: datetime | None) -> None:
        """For a stream, before the log is read."""
        if since:
            self.since = min(since, self.since or since)

    # for the reader of the log

    def take(self, events: Page) -> None:
        """Note what matters of a page of events."""
        if self.since is None:
            return
        with self._lock:
            for event in events:
                moment = times.parse_or_none(event.get("date_updated"))
                if moment and moment >= self.since:
                    self._note(event, moment)

    def end(self, failure: Exception | None = None) -> None:
        """The log was read to its end, or cannot be. Only the first call counts."""
        with self._lock:
            if not self.is_over:
                self._failure, self.is_over = failure, True

    def _note(self, event: Mapping[str, Any], moment: datetime) -> None:
        kind, id_, action = str(event.get("object_type")), str(event.get("object_id")), event.get("action")
        meta = event.get("meta") or {}
        # All events of a merge have it, whatever they are about.
        destination = meta.get("merge_destination_lead_id")
        if destination:
            _keep_latest(self._merged_into, destination, moment)
        if action == "deleted":
            if kind.startswith("activity."):
                self._gone.add(id_)
            elif kind == "comment":  # a removed one stays in its thread, without its text
                _keep_latest(self._touched[kind], id_, moment)
            self._deletions.add(_deletion(event, moment, id_, destination if kind == "lead" else None))
        elif action == "merged":
            # The event is about the lead that stays. The other one's deletion has an event of its own, as a rule, of
            # which no document says that it tells of the merge.
            source = meta.get("merge_source_lead_id")
            if source:
                self._merges[source] = _deletion(event, moment, source, destination) | {"lead_id": source}
        elif kind.startswith(_NOTED):
            _keep_latest(self._touched[kind], id_, moment)

    # for the streams, once the log is over

    def are_known(self) -> bool:
        """False if Close does not offer the log. Raises what kept it from being read."""
        if self._failure is None:
            return True
        if not isinstance(self._failure, NotOffered):
            raise self._failure
        with self._lock:
            told, self._told = self._told, True
        if not told:
            logger.warning(
                "Close does not offer the event log to this API key. Deletions, and changes outside of the time that "
                f"each sync reads again, are not seen. {self._failure}"
            )
        return False

    def touched(self, kind: str, since: datetime) -> list[str]:
        """The ids of objects of this type that were created or changed, and not deleted; for `activity.`, of all types
        of activity."""
        found = [ids for name, ids in self._touched.items() if name == kind or kind == name.partition(".")[0] + "."]
        return [id_ for ids in found for id_, moment in ids.items() if moment >= since and id_ not in self._gone]

    def merged_into(self, since: datetime) -> list[str]:
        """The ids of the leads that others were merged into."""
        return [lead for lead, moment in self._merged_into.items() if moment >= since]

    def deletions(self) -> Iterator[Page]:
        """What was deleted or merged away, each object once. For one reader."""
        merges = dict(self._merges)
        for page in self._deletions.pages():
            for row in page:
                if merge := merges.pop(row["object_id"], None):
                    row["merged_into"] = merge["merged_into"]
            yield page
        yield list(merges.values())


def _keep_latest(moments: dict[str, datetime], id_: str, moment: datetime) -> None:
    moments[id_] = max(moment, moments.get(id_, moment))


def _deletion(event: Mapping[str, Any], moment: datetime, object_id: Any, merged_into: Any) -> dict[str, Any]:
    return {
        "id": event.get("id"),
        "object_type": event.get("object_type"),
        "object_id": object_id,
        "lead_id": event.get("lead_id"),
        "deleted_at": times.to_text(moment),
        "user_id": event.get("user_id"),
        "merged_into": merged_into,
    }
