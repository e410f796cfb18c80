"""Deletions: what the event log says was deleted or merged away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from source_closeio.event_log.log_pages import EVENTS, LATE, oldest_event
from source_closeio.families.events import history_start
from source_closeio.http.errors import NotOffered
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Window
from source_closeio.stream import CloseStream, Slice


class DeletionStream(CloseStream):
    """One row per object that is gone. Close lists no deleted objects; only the event log tells."""

    cursor_field = "deleted_at"
    lookback = LATE

    @property
    def probe_path(self) -> str:
        return EVENTS

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        oldest = oldest_event(self.api.sync_start)
        saved = times.parse_or_none(state.get(self.cursor_field))
        return max(saved - LATE, oldest) if saved and saved > oldest else oldest

    def first_second(self, saved: datetime | None) -> datetime:
        return history_start(self.name, super().first_second(saved), self.api.sync_start, lost=saved is not None)

    # The only slice comes once the event log was read to its end.

    def take_slice(self) -> Slice | None:
        return super().take_slice() if self.changes.is_over else None

    def has_slices(self) -> bool:
        return self.changes.is_over and super().has_slices()

    def is_waiting(self) -> bool:
        return super().has_slices()

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        if not self.changes.are_known():
            raise NotOffered(400, "GET /event/", "no event log")
        for page in self.changes.deletions():
            yield [row for row in page if times.parse(row["deleted_at"]) >= window.start]
