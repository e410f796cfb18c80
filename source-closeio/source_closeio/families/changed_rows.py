"""Streams that read, beside their windows, what the event log says has changed outside of them."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from source_closeio.event_log.log_pages import LATE, is_offered, oldest_event
from source_closeio.http.errors import Missing, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Window
from source_closeio.stream import Changed, CloseStream, Slice

POSITION = "events_read_to"
_MOST_NOTED = 20_000  # some 3 MB, in each of many streams

logger = logging.getLogger("airbyte")


class FollowingStream(CloseStream):
    """Reads its windows, and then the rows outside of them that changed.

    State, beside the position of the windows: {"events_read_to": everything that was logged before this time has been
    taken in}. A first sync has it as well: rows that it read early may change before it is through, if it is killed and
    goes on.
    """

    cursor_field = "date_updated"

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._pending = False
        self._position: datetime | None = None
        self.noted: set[Any] = set()
        """Ids of rows that the windows gave, while changes are pending: they need not be fetched again."""

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        if not state:
            return None
        oldest = oldest_event(self.api.sync_start)
        position = times.parse_or_none(state.get(POSITION))
        if position is None or position < oldest + LATE:
            return oldest
        return min(position, self.api.sync_start) - LATE

    def open(self, state: Mapping[str, Any]) -> None:
        position = times.parse_or_none(state.get(POSITION))
        if state and self._is_behind(position) and self._must_begin_anew(position):
            state, position, self.since = {}, None, None
        super().open(state)
        self._pending = self.since is not None
        # Without a position of its own an old state goes on without one until the whole log is taken in.
        self._position = min(position or self.api.sync_start, self.api.sync_start) if position or not state else None

    def _is_behind(self, position: datetime | None) -> bool:
        """Did something happen that the event log no longer has?"""
        return position is None or position < oldest_event(self.api.sync_start) + LATE

    def _must_begin_anew(self, position: datetime | None) -> bool:
        """What changed before the oldest event that Close still has is not known any more: only reading everything
        again tells. A state without a position in the event log is of version 0.1, or was made by hand."""
        if not self.api.once("event_log", lambda: is_offered(self.client)):
            return False
        last = f"was last read up to {position:%Y-%m-%d %H:%M}" if position else "was not read before"
        remedy = "All rows are read again." if position else "To have them right, reset (clear) the stream."
        logger.warning(
            f"{self.name}: the event log {last}, and Close keeps it for 30 days: which older rows have changed in "
            f"between can no longer be known. {remedy}"
        )
        return position is not None

    # The changes are one more slice, behind all windows and the end of the event log.

    def take_slice(self) -> Slice | None:
        stream_slice = super().take_slice()
        if stream_slice is None and self._changes_are_next():
            self._pending = False
            return Changed()
        return stream_slice

    def has_slices(self) -> bool:
        return super().has_slices() or self._changes_are_next()

    def is_waiting(self) -> bool:
        return self._pending

    def _changes_are_next(self) -> bool:
        return self._pending and self.changes.is_over and self.frontier.low_water() is None

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        for page in self.rows_of(window):
            if self._pending and isinstance(page, list) and len(self.noted) < _MOST_NOTED:
                self.noted.update(row.get("id") for row in page)
            yield page

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        state = super().finish_slice(stream_slice)
        if self._position is None:
            return state
        return {**state, POSITION: times.to_text(times.floor_second(self._position))}

    def read_changes(self) -> Iterator[Page]:
        if self.since is None or not self.changes.are_known():
            return
        for page in self.changed_pages(self.since):
            fresh = [row for row in page if row.get("id") not in self.noted and self._is_wanted(row)]
            self.noted.update(row.get("id") for row in fresh)
            yield fresh
        self._position = self.api.sync_start

    def _is_wanted(self, row: Mapping[str, Any]) -> bool:
        """Rows before the start date are not read, changed or not."""
        start, moment = self.config.start_date, times.parse_or_none(row.get(self.window_field))
        return start is None or moment is None or moment >= start

    # for subclasses

    @abstractmethod
    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        """The rows of the window, page by page."""

    def changed_pages(self, since: datetime) -> Iterator[Page]:
        """Rows that changed since then, in a way that the windows may not show: those that moved to another lead."""
        for lead_id in self.changes.merged_into(since):
            try:
                yield from self.pages_of_lead(lead_id)
            except Missing:
                continue  # gone since, into yet another lead
            except Refused as refused:
                logger.warning(f"{self.name}: some rows may still name the lead that became {lead_id}. {refused}")

    @abstractmethod
    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        """The rows that belong to a lead."""
