"""The event log (https://developer.close.com/api/resources/events): newest first, 50 a page, 30 days back.

`date_updated` bounds only the first page for certain; with a `_cursor` Close may ignore it. So the walk drops rows
outside its window and stops when a whole page is older.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta

from source_closeio import times
from source_closeio.errors import NotOffered, Refused
from source_closeio.reader import Estimate, Page
from source_closeio.stream import CloseStream
from source_closeio.windows import Progress, Window

_LIMIT = 50
_PATH = "event/"
_HISTORY = timedelta(days=30)

logger = logging.getLogger("airbyte")


class EventStream(CloseStream):
    """Events by `date_updated`, which moves when Close consolidates recent events of one object."""

    lookback = timedelta(minutes=5)  # what Close advises
    rows_per_window = 40 * _LIMIT

    def first_second(self, saved: datetime | None) -> datetime:
        start = super().first_second(saved)
        oldest = times.floor_second(self.api.sync_start - _HISTORY)
        if start < oldest:
            lost = "" if saved is None else " Events between the last sync and then can no longer be read."
            logger.warning(f"{self.name}: Close keeps 30 days of events, so this begins {oldest:%Y-%m-%d %H:%M}.{lost}")
        return max(start, oldest)

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        progress = Progress()
        for page in self._pages(window):
            moments = [times.parse_or_none(row.get(self.cursor_field)) for row in page]
            known = [moment for moment in moments if moment]
            fresh = [row for row, moment in zip(page, moments, strict=True) if _within(window, moment)]
            yield fresh
            if known and max(known) < window.start:
                return
            if known and min(known) >= window.start:
                progress.add(known[0], max(min(known), window.start), len(fresh))
                self.split_below(window, progress)

    def _pages(self, window: Window) -> Iterator[Page]:
        """Pages down from the window's end. Raises NotOffered if the plan has no event log (Close answers 400)."""
        bounds = {f"{self.cursor_field}__gte": window.start, f"{self.cursor_field}__lt": window.end}
        first = {name: times.to_text(bound) for name, bound in bounds.items() if bound}
        try:
            body = self.client.get_list(_PATH, {"_limit": _LIMIT, **first})
        except Refused as refused:
            self._prove_not_offered(refused)
            raise NotOffered(refused.status, refused.endpoint, refused.text) from refused
        cursors: set[str] = set()
        while True:
            yield body["data"]
            cursor = body.get("cursor_next")
            if not cursor or not body["data"]:
                return
            if cursor in cursors:
                raise Refused(200, f"GET /{_PATH}", "the same cursor twice, which would never end")
            cursors.add(cursor)
            body = self.client.get_list(_PATH, {"_limit": _LIMIT, "_cursor": cursor})

    def _prove_not_offered(self, refused: Refused) -> None:
        """Raise the refusal itself if Close does have an event log, but dislikes how it was asked."""
        try:
            self.client.get_list(_PATH, {"_limit": 1})
        except Refused:
            return
        raise refused


def _within(window: Window, moment: datetime | None) -> bool:
    return moment is None or (window.start <= moment and (window.end is None or moment < window.end))
