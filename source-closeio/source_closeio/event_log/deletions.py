"""Deletions: what the event log says was deleted or merged away."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from source_closeio.event_log.change_reading import EventReader
from source_closeio.event_log.events import LATE, history_start, oldest_event
from source_closeio.http.errors import NotOffered
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Window


class DeletionStream(EventReader):
    """One row per object that is gone. Close lists no deleted objects; only the event log tells."""

    cursor_field = "deleted_at"
    lookback = LATE

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        saved = times.parse_or_none(state.get(self.cursor_field))
        return saved - LATE if saved else oldest_event(self.api.sync_start)

    def open(self, state: Mapping[str, Any]) -> None:
        super().open(state)
        self.changes.begin()

    def first_second(self, saved: datetime | None) -> datetime:
        return history_start(self.name, super().first_second(saved), self.api.sync_start, lost=saved is not None)

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        if not self.changes.wait(self.client):
            raise NotOffered(400, "GET /event/", "no event log")
        for page in self.changes.deletions():
            yield [row for row in page if times.parse(row["deleted_at"]) >= window.start]
