"""Streams that go by what the event log tells, beside their windows."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from source_closeio.event_log.changes import Changes
from source_closeio.event_log.events import HISTORY, LATE
from source_closeio.http.errors import Missing, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Window
from source_closeio.stream import CloseStream

POSITION = "events_read_to"
_MOST_NOTED = 20_000  # some 3 MB, in each of many streams

_CHANGES = Window(datetime.min.replace(tzinfo=UTC), None)
"""The slice of changes; only its identity matters."""

logger = logging.getLogger("airbyte")


class EventReader(CloseStream):
    """A stream that asks for `changes`; source.py sets them."""

    changes: Changes

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        """From when on this stream needs events, if it starts from this state; None if it needs none."""
        position = times.parse_or_none(state.get(POSITION)) or times.parse_or_none(state.get(self.cursor_field))
        return position and min(position, self.api.sync_start) - LATE


class FollowingStream(EventReader):
    """Reads its windows, and then the rows outside of them that changed, as the event log tells.

    State, beside the cursor: {"events_read_to": everything that was logged before this time has been taken in}. A
    first sync has it as well: rows that it read early may change before it is through, if it is killed and goes on.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._since: datetime | None = None
        self._pending = False
        self._position: datetime | None = None
        self.noted: set[Any] = set()
        """Ids of rows that the windows gave, while changes are pending: they need not be fetched again."""

    def open(self, state: Mapping[str, Any]) -> None:
        since = self.events_since(state)
        if since and since < self.api.sync_start - HISTORY and self._must_begin_anew(since, state):
            since, state = None, {}
        super().open(state)
        self._since = since
        self._position = since and since + LATE
        self._pending = since is not None
        if self._pending:
            self.changes.begin()

    def _must_begin_anew(self, since: datetime, state: Mapping[str, Any]) -> bool:
        """What changed before the oldest event that Close still has is not known any more: only reading everything
        again tells. A state without a position in the event log is of an older version, or was made by hand."""
        if not self.changes.is_offered():
            return False
        anew = POSITION in state
        remedy = "All rows are read again." if anew else "To have them right, reset (clear) the stream."
        logger.warning(
            f"{self.name}: the event log was last read up to {since:%Y-%m-%d %H:%M}, and Close keeps it for 30 days: "
            f"which older rows have changed in between can no longer be known. {remedy}"
        )
        return anew

    # reader.Stream: the changes are one more slice, behind all windows

    def take_slice(self) -> Window | None:
        window = super().take_slice()
        if window is None and self._changes_are_next():
            self._pending = False
            return _CHANGES
        return window

    def has_slices(self) -> bool:
        return super().has_slices() or self._changes_are_next()

    def _changes_are_next(self) -> bool:
        return self._pending and self.frontier.low_water() is None

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        if window is _CHANGES:
            yield from self._read_changes()
            return
        for page in self.read_window(window):
            if self._pending and isinstance(page, list) and len(self.noted) < _MOST_NOTED:
                self.noted.update(row.get("id") for row in page)
            yield page

    def finish_slice(self, window: Window) -> Mapping[str, Any]:
        state = super().finish_slice(window)
        position = min(self._position or self.api.sync_start, self.api.sync_start)
        return {**state, POSITION: times.to_text(times.floor_second(position))}

    def _read_changes(self) -> Iterator[Page]:
        if self._since is None or not self.changes.wait(self.client):
            return
        for page in self.changed_pages(self._since):
            fresh = [row for row in page if row.get("id") not in self.noted and self._is_wanted(row)]
            self.noted.update(row.get("id") for row in fresh)
            yield fresh
        self._position = self.api.sync_start

    def _is_wanted(self, row: Mapping[str, Any]) -> bool:
        """Rows before the start date are not read, changed or not."""
        start, moment = self.config.start_date, times.parse_or_none(row.get(self.cursor_field))
        return start is None or moment is None or moment >= start

    # for subclasses

    @abstractmethod
    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
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
