"""Comments: https://developer.close.com/api/resources/comments. Close lists them one thread at a time only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from source_closeio.event_log.log_pages import LATE, oldest_event
from source_closeio.families.changed_rows import POSITION
from source_closeio.families.per_parent import ParentStream
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import offset_pages
from source_closeio.stream import Changed, Slice

_LIMIT = 100


class CommentStream(ParentStream):
    """At first the comments of all threads, later those that changed, as the event log tells.

    State: {"events_read_to": everything that was logged before this time has been taken in}, under the cursor's name as
    well, which was date_updated up to version 0.2.
    """

    parents = "comment_thread/"
    cursor_field = "updated_at"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._before: Mapping[str, Any] = {}
        self._unfinished = 0

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        position = self._position(state)
        if position is None or position < oldest_event(self.api.sync_start) + LATE:
            return None
        return min(position, self.api.sync_start) - LATE

    def open(self, state: Mapping[str, Any]) -> None:
        position = self._position(state)
        self._before = self._state_at(position) if position else {}
        if self.since:
            self.plan(Changed())
        else:
            self.plan_parents()

    def plan(self, *slices: Slice) -> None:
        self._unfinished += len(slices)
        super().plan(*slices)

    # The changes come once the event log was read to its end.

    def take_slice(self) -> Slice | None:
        return super().take_slice() if self._may_go_on() else None

    def has_slices(self) -> bool:
        return super().has_slices() and self._may_go_on()

    def is_waiting(self) -> bool:
        return super().has_slices()

    def _may_go_on(self) -> bool:
        return self.since is None or self.changes.is_over

    def read_changes(self) -> Iterator[Page]:
        if self.since is None or not self.changes.are_known():
            self.plan_parents()
            return
        for id_ in self.changes.touched(("comment",), self.since):
            try:
                yield [self.client.get(f"comment/{id_}/")]
            except (Missing, NotOffered, Refused) as error:
                self.client.leave_out(error)

    def pages_of(self, parent: str) -> Iterator[Page]:
        return offset_pages(self.client, "comment/", {"thread_id": parent}, _LIMIT)

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        self._unfinished -= 1
        if self._unfinished:
            return self._before
        return self._state_at(self.api.sync_start)

    def _position(self, state: Mapping[str, Any]) -> datetime | None:
        values = (state.get(name) for name in (POSITION, self.cursor_field, "date_updated"))
        return next(filter(None, map(times.parse_or_none, values)), None)

    def _state_at(self, moment: datetime) -> Mapping[str, Any]:
        at = times.to_text(times.floor_second(moment))
        return {self.cursor_field: at, POSITION: at, **self.said_in_states}
