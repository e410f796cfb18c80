"""Comments: https://developer.close.com/api/resources/comments. Close lists them one thread at a time only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from source_closeio.event_log.change_reading import POSITION, EventReader
from source_closeio.event_log.events import HISTORY
from source_closeio.families.per_parent import Parents, PartitionStream
from source_closeio.http.errors import Missing
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.lists import offset_pages, whole_list

_LIMIT = 100
_CHANGED: Parents = ("changed",)
"""The only slice of a sync that goes by the event log."""


class CommentStream(PartitionStream, EventReader):
    """At first the comments of all threads, later those that changed, as the event log tells.

    State: {"events_read_to": everything that was logged before this time has been taken in}, under the cursor's name as
    well.
    """

    parents = "comment_thread/"
    is_incremental = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._since: datetime | None = None
        self._before: Mapping[str, Any] = {}
        self._unfinished = 0

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        since = super().events_since(state)
        return since if since and since >= self.api.sync_start - HISTORY else None

    def open(self, state: Mapping[str, Any]) -> None:
        self._before, self._since = state, self.events_since(state)
        if self._since:
            self.changes.begin()
            self._waiting.append(_CHANGED)
        else:
            super().open({})
        self._unfinished = len(self._waiting)

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        if stream_slice is _CHANGED and self._since and self.changes.wait(self.client):
            for id_ in self.changes.touched("comment", self._since):
                try:
                    yield [self.client.get(f"comment/{id_}/")]
                except Missing:
                    continue  # deleted since
        elif stream_slice is _CHANGED:
            for page in whole_list(self.client, self.parents):
                yield from super().read_slice([row["id"] for row in page])
        else:
            yield from super().read_slice(stream_slice)

    def pages_of(self, parent: str) -> Iterator[Page]:
        return offset_pages(self.client, "comment/", {"thread_id": parent}, _LIMIT)

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        self._unfinished -= 1
        if self._unfinished:
            return self._before
        now = times.to_text(times.floor_second(self.api.sync_start))
        return {self.cursor_field: now, POSITION: now}
