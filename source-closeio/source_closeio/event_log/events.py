"""The event log (https://developer.close.com/api/resources/events): newest first, 50 a page, 30 days back.

`date_updated` bounds only the first page for certain; with a `_cursor` Close may ignore it. So the walk drops rows
outside its window and stops when a whole page is older.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Frontier, Progress, Window
from source_closeio.stream import CloseStream

_LIMIT = 50
_PATH = "event/"
HISTORY = timedelta(days=30)
LATE = timedelta(minutes=5)
"""So late an event may still appear or move, as Close says."""

_EARLIEST = datetime.min.replace(tzinfo=UTC)

logger = logging.getLogger("airbyte")


class Listener(Protocol):
    """Whoever wants to see all events as they are read (changes.py)."""

    def take(self, events: Page) -> None: ...

    def end(self, failure: Exception | None = None) -> None: ...


class EventStream(CloseStream):
    """Events by `date_updated`, which moves when Close consolidates recent events of one object."""

    lookback = LATE
    rows_per_window = 40 * _LIMIT

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._listener: Listener | None = None
        self._wanted_from: datetime | None = None
        self._first = _EARLIEST

    def pass_on(self, listener: Listener, since: datetime | None) -> None:
        """Show every event from `since` on to the listener; of this stream are only those that its own state wants."""
        self._listener, self._wanted_from = listener, since

    def open(self, state: Mapping[str, Any]) -> None:
        with self._telling():
            super().open(state)

    def open_for_listener(self, since: datetime) -> None:
        """Plan the log for the listener alone."""
        self._frontier = Frontier(Window(self._in_history(since), None))

    def first_second(self, saved: datetime | None) -> datetime:
        self._first = history_start(self.name, super().first_second(saved), self.api.sync_start, lost=saved is not None)
        return min(self._first, self._in_history(self._wanted_from)) if self._wanted_from else self._first

    def _in_history(self, moment: datetime) -> datetime:
        return max(times.floor_second(moment), oldest_event(self.api.sync_start))

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        with self._telling():
            yield from self._read(window)

    def finish_slice(self, window: Window) -> Mapping[str, Any]:
        state = super().finish_slice(window)
        if self._listener and self.frontier.low_water() is None:
            self._listener.end()
        return state

    def is_offered(self) -> bool:
        """Whether the plan and the role give an event log."""
        try:
            self.client.get_list(_PATH, {"_limit": 1})
        except (Refused, Missing, NotOffered):
            return False
        return True

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """The listener hears of a failure, too."""
        try:
            yield
        except Exception as error:
            if self._listener:
                self._listener.end(error)
            raise

    def _read(self, window: Window) -> Iterator[Page]:
        progress = Progress()
        for page in self._pages(window):
            moments = [times.parse_or_none(row.get(self.cursor_field)) for row in page]
            known = [moment for moment in moments if moment]
            fresh = [(row, moment) for row, moment in zip(page, moments, strict=True) if _within(window, moment)]
            if self._listener:
                self._listener.take([row for row, _ in fresh])
            yield [row for row, moment in fresh if moment is None or moment >= self._first]
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
        except (Refused, Missing) as refusal:
            if self.is_offered():  # Close dislikes how it was asked
                raise
            raise NotOffered(refusal.status, refusal.endpoint, refusal.text) from refusal
        cursors: set[str] = set()
        while True:
            yield body["data"]
            cursor = body.get("cursor_next")
            if not cursor or not body["data"]:
                return
            if cursor in cursors:
                raise Refused(200, f"GET /{_PATH}", "the same cursor twice, which would never end")
            cursors.add(cursor)
            body = self._next_page(cursor, body["data"])

    def _next_page(self, cursor: str, page: Page) -> dict[str, Any]:
        """How long a cursor lives is not documented: where it is refused, the walk goes on by time."""
        try:
            return self.client.get_list(_PATH, {"_limit": _LIMIT, "_cursor": cursor})
        except Refused:
            first, last = page[0].get(self.cursor_field), page[-1].get(self.cursor_field)
            if first == last:  # nothing older would be reached
                raise
            return self.client.get_list(
                _PATH, {"_limit": _LIMIT, f"{self.cursor_field}__lte": times.to_text(times.parse(str(last)))}
            )


def oldest_event(now: datetime) -> datetime:
    return times.floor_second(now - HISTORY)


def history_start(stream: str, start: datetime, now: datetime, *, lost: bool) -> datetime:
    """Where reading can begin at all; a warning if that is later than wanted. `lost`: since earlier syncs, that is."""
    oldest = oldest_event(now)
    if start < oldest:
        note = " Events between the last sync and then can no longer be read." if lost else ""
        logger.warning(f"{stream}: Close keeps 30 days of events, so this begins {oldest:%Y-%m-%d %H:%M}.{note}")
    return max(start, oldest)


def _within(window: Window, moment: datetime | None) -> bool:
    return moment is None or (window.start <= moment and (window.end is None or moment < window.end))
