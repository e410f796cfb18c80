"""What the event log tells of the time since the last syncs: taken in once a sync, for all streams that ask.

https://developer.close.com/api/resources/events/list-of-event-types. Whoever reads the log (families/events.py) shows
its pages here, in any order. Memory holds ids; what was deleted waits in temporary files.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from typing import Any

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.event_log.kinds import ACTIVITIES, is_one_of, kind_of
from source_closeio.event_log.spool import Spool
from source_closeio.http.errors import NotOffered
from source_closeio.kit import times
from source_closeio.kit.contract import Page

_FOLLOWED = ("activity.", "comment")
"""Kinds of which every change is noted; of others only what shows that a deleted object may be back."""
_MOST_UPDATED = 100_000
"""Objects of those others, some 25 MB."""

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Deletion:
    """An object that is gone."""

    kind: str
    id: str
    moment: datetime
    last_version: Mapping[str, Any]
    """All of it, or nothing: keys without admin rights see it for an hour only."""
    is_certain: bool
    """Not where another event is of the same moment, or a later one changed it; nor in a merge, for which Close writes
    events of deletion about children that move, too."""


class Changes:
    """Notes on the events since the earliest moment that a stream wants. Complete once `is_over`. Thread-safe."""

    def __init__(self) -> None:
        self.since: datetime | None = None
        """None: nobody wants any."""
        self.is_over = False
        self._failure: Exception | None = None
        self._touched: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        self._updated: dict[str, datetime] = {}
        self._gone: dict[str, datetime] = {}
        self._merged_into: dict[str, datetime] = {}
        self._merges: dict[str, dict[str, Any]] = {}
        self._deletions = Spool()
        self._marked: set[str] = set()
        self._last_versions: defaultdict[str, Spool] = defaultdict(Spool)
        self._lock = Lock()
        self._told = False

    def want(self, since: datetime | None, marked: tuple[str, ...] = ()) -> None:
        """For a stream, before the log is read: from when on, and the kinds of objects whose deletions it marks."""
        if since:
            self.since = min(since, self.since or since)
            self._marked.update(marked)

    # for the reader of the log

    def take(self, events: Page) -> None:
        """Note what matters of a page of events."""
        if self.since is None or self.is_over:
            return
        dated = [(event, times.parse_or_none(event.get("date_updated"))) for event in events]
        try:
            with self._lock:
                for event, moment in dated:
                    if moment and moment >= self.since:
                        self._note(event, moment)
        except AirbyteTracedException as no_room:  # that is the end for those who need it, not for the event log
            self.end(no_room)

    def end(self, failure: Exception | None = None) -> None:
        """The log was read to its end, or cannot be. Only the first call counts."""
        with self._lock:
            if not self.is_over:
                self._failure, self.is_over = failure, True

    def _note(self, event: Mapping[str, Any], moment: datetime) -> None:
        kind, id_, action = kind_of(event.get("object_type")), str(event.get("object_id")), event.get("action")
        meta = _object(event.get("meta"))
        # All events of a merge have it, whatever they are about.
        destination = meta.get("merge_destination_lead_id") and str(meta["merge_destination_lead_id"])
        if into := destination or _merged_into(event, kind):
            _keep_latest(self._merged_into, into, moment)
        if action == "deleted":
            self._note_deletion(event, kind, id_, moment, destination)
        elif action == "merged" and meta.get("merge_source_lead_id"):
            # The event is about the lead that stays. The other one's deletion has an event of its own, as a rule, of
            # which no document says that it tells of the merge.
            source = str(meta["merge_source_lead_id"])
            self._merges[source] = _deletion(event, moment, source, destination) | {"lead_id": source}
        elif action != "updated" or kind.startswith(_FOLLOWED):
            _keep_latest(self._touched[kind], id_, moment)
        elif len(self._updated) < _MOST_UPDATED and self._is_marked(kind):
            _keep_latest(self._updated, id_, moment)

    def _note_deletion(
        self, event: Mapping[str, Any], kind: str, id_: str, moment: datetime, destination: str | None
    ) -> None:
        if kind == "comment":  # a removed one may stay in its thread, without its text
            _keep_latest(self._touched[kind], id_, moment)
        else:
            _keep_latest(self._gone, id_, moment)
        self._deletions.add(_deletion(event, moment, id_, destination if kind == "lead" else None))
        if self._is_marked(kind):
            is_of_merge = bool(destination) and kind != "lead"
            row = {"id": id_, "at": times.to_text(moment), "last": _object(event.get("previous_data"))}
            self._last_versions[kind].add({**row, "is_of_merge": is_of_merge})

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

    def touched(self, kinds: tuple[str, ...], since: datetime) -> list[str]:
        """The ids of objects of these kinds that were created or changed, and not deleted since."""
        found = [ids for kind, ids in self._touched.items() if is_one_of(kind, kinds)]
        return [
            id_ for ids in found for id_, moment in ids.items() if moment >= since and not self._is_gone(id_, moment)
        ]

    def merged_into(self, since: datetime) -> list[str]:
        """The ids of the leads that others were merged into."""
        return [lead for lead, moment in self._merged_into.items() if moment >= since]

    def gone(self, kinds: tuple[str, ...], since: datetime) -> Iterator[list[Deletion]]:
        """The objects of these kinds that were deleted or merged away and are not back, each once."""
        merges = dict(self._merges) if "lead" in kinds else {}
        for kind in [each for each in self._last_versions if is_one_of(each, kinds)]:
            for page in self._last_versions[kind].pages():
                for row in page:
                    merges.pop(row["id"], None)
                found = [self._as_deletion(kind, row) for row in page]
                yield [each for each in found if each and each.moment >= since]
        moments = {id_: times.parse(row["deleted_at"]) for id_, row in merges.items()}
        yield [Deletion("lead", id_, at, {}, is_certain=True) for id_, at in moments.items() if at >= since]

    def deletions(self) -> Iterator[Page]:
        """What was deleted or merged away, by its events."""
        merges = dict(self._merges)
        for page in self._deletions.pages():
            for row in page:
                if merge := merges.pop(row["object_id"], None):
                    row["merged_into"] = merge["merged_into"]
            yield page
        yield list(merges.values())

    def _is_gone(self, id_: str, touched: datetime) -> bool:
        """Moments are cut to milliseconds: of two events of one moment none is known to be the later one."""
        gone = self._gone.get(id_)
        return gone is not None and gone > touched

    def _as_deletion(self, kind: str, row: Mapping[str, Any]) -> Deletion | None:
        """None if a later event is about the object: it was deleted twice, or is back."""
        id_, moment = row["id"], times.parse(row["at"])
        back = self._touched.get(kind, {}).get(id_)
        if self._gone[id_] > moment or (back and back > moment):
            return None
        is_certain = not row["is_of_merge"] and back != moment and not self._may_be_updated(id_, moment)
        return Deletion(kind, id_, moment, row["last"], is_certain)

    def _may_be_updated(self, id_: str, since: datetime) -> bool:
        """True as well where more objects were updated than are remembered."""
        updated = self._updated.get(id_)
        return len(self._updated) >= _MOST_UPDATED or (updated is not None and updated >= since)

    def _is_marked(self, kind: str) -> bool:
        return is_one_of(kind, tuple(self._marked))


def _merged_into(event: Mapping[str, Any], kind: str) -> str | None:
    """The lead that another was merged into, where no meta tells: the merge's activity names it, too, and changes once
    more when all that belongs to the other has moved."""
    if kind == ACTIVITIES["lead_merge"]:
        lead = _object(event.get("data")).get("destination_lead_id")
        return str(lead) if lead else None
    return str(event.get("object_id")) if (kind, event.get("action")) == ("lead", "merged") else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


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
