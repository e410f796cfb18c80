"""What the event log tells of the time since the last syncs: read once a sync, for all streams that ask.

https://developer.close.com/api/resources/events/list-of-event-types. If the stream event_log is selected, its workers
read the log and this takes note of what passes; else threads of its own read it. Memory holds ids; deletions, of which
there may be many, wait in a temporary file.
"""

from __future__ import annotations

import logging
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice
from threading import Condition, Thread
from typing import Any

import orjson

from source_closeio.event_log.events import EventStream
from source_closeio.http.api import Client
from source_closeio.http.errors import NotOffered
from source_closeio.kit import times
from source_closeio.kit.contract import Page, Stopped

_READERS = 4
_PAGE = 1000
_IN_MEMORY_BYTES = 1 << 20
_POLL_SECONDS = 0.5
_NOTED = ("activity.", "comment")

logger = logging.getLogger("airbyte")


class Changes:
    """Notes on the events from `since` on (None: nobody asks for any). They are complete once `wait` returns.

    Thread-safe.
    """

    def __init__(self, log: EventStream, since: datetime | None, *, log_is_selected: bool) -> None:
        self._log = log
        self._since = since
        self._log_is_selected = log_is_selected
        self._touched: defaultdict[str, dict[str, datetime]] = defaultdict(dict)
        self._merged_into: dict[str, datetime] = {}
        self._merges: dict[str, dict[str, Any]] = {}
        self._gone: set[Any] = set()
        self._deletions = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - as long as the sync
        self._changed = Condition()
        self._begun = False
        self._over = False
        self._failure: Exception | None = None
        self._told = False
        self._offered: bool | None = None
        log.pass_on(self, since)

    # for the readers of the log

    def take(self, events: Page) -> None:
        """Note what matters of a page of events."""
        if self._since is None:
            return
        with self._changed:
            for event in events:
                moment = times.parse_or_none(event.get("date_updated"))
                if moment and moment >= self._since:
                    self._note(event, moment)

    def end(self, failure: Exception | None = None) -> None:
        """The log was read to its end, or cannot be."""
        with self._changed:
            self._failure = self._failure if self._over else failure
            self._over = True
            self._changed.notify_all()

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
            self._write(_deletion(event, moment, id_, destination if kind == "lead" else None))
        elif action == "merged":
            # The event is about the lead that stays. The other one's deletion has an event of its own, as a rule, of
            # which no document says that it tells of the merge.
            source = meta.get("merge_source_lead_id")
            if source:
                self._merges[source] = _deletion(event, moment, source, destination) | {"lead_id": source}
        elif kind.startswith(_NOTED):
            _keep_latest(self._touched[kind], id_, moment)

    def _write(self, row: dict[str, Any]) -> None:
        self._deletions.write(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE))

    # for the streams

    def begin(self) -> None:
        """See to it that the log is being read."""
        with self._changed:
            if self._begun:
                return
            self._begun = True
        if not self._log_is_selected and self._since:
            self._log.open_for_listener(self._since)
            for number in range(_READERS):
                Thread(target=self._read, name=f"events-{number}", daemon=True).start()

    def _read(self) -> None:
        try:
            while not self._over:
                window = self._log.take_slice()
                if window:
                    for _ in self._log.read_slice(window):
                        pass
                    self._log.finish_slice(window)
                else:
                    with self._changed:
                        self._changed.wait(_POLL_SECONDS)
        except Exception as error:  # noqa: BLE001 - whoever waits for the log tells the user
            self.end(error)

    def wait(self, client: Client) -> bool:
        """Wait until the log was read; False if Close does not offer it. Raises what kept it from being read."""
        self.begin()
        with self._changed:
            while not self._over:
                if client.stopped.is_set():
                    raise Stopped
                self._changed.wait(_POLL_SECONDS)
            failure, told, self._told = self._failure, self._told, True
        if failure is None:
            return True
        if not isinstance(failure, NotOffered):
            raise failure
        if not told:
            logger.warning(
                "Close does not offer the event log to this API key. Deletions, and changes outside of the time that "
                f"each sync reads again, are not seen. {failure}"
            )
        return False

    def is_offered(self) -> bool:
        """Whether Close lets this key read the event log at all."""
        with self._changed:
            if self._offered is None:
                self._offered = self._log.is_offered()
            return self._offered

    def touched(self, kind: str, since: datetime) -> list[str]:
        """The ids of objects of this type that were created or changed, and not deleted; for `activity.`, of all types
        of activity."""
        with self._changed:
            found = [ids for name, ids in self._touched.items() if name == kind or kind == name.partition(".")[0] + "."]
            return [id_ for ids in found for id_, moment in ids.items() if moment >= since and id_ not in self._gone]

    def merged_into(self, since: datetime) -> list[str]:
        """The ids of the leads that others were merged into."""
        with self._changed:
            return [lead for lead, moment in self._merged_into.items() if moment >= since]

    def deletions(self) -> Iterator[Page]:
        """What was deleted or merged away, each object once. For one reader, after `wait`."""
        merges = dict(self._merges)
        self._deletions.seek(0)
        while lines := list(islice(self._deletions, _PAGE)):
            page = [orjson.loads(line) for line in lines]
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
