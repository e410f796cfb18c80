"""The event log as a stream, and read for other streams alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from source_closeio.event_log.log_pages import EVENTS, EVENTS_A_PAGE, LATE, log_pages, oldest_event
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.kit.errors import system_error
from source_closeio.paging.windows import Progress, Window
from source_closeio.stream import CloseStream, Slice

_NEVER = datetime.max.replace(tzinfo=UTC)

logger = logging.getLogger("airbyte")


class EventStream(CloseStream):
    """Events by `date_updated`, which moves when Close consolidates recent events of one object.

    All that is read is shown to `changes`; put out is what this stream's own state asks for.
    """

    cursor_field = "date_updated"
    lookback = LATE
    rows_per_window = 40 * EVENTS_A_PAGE

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._first = _NEVER

    @property
    def probe_path(self) -> str:
        return EVENTS

    def open(self, state: Mapping[str, Any]) -> None:
        with self._telling():
            super().open(state)

    def first_second(self, saved: datetime | None) -> datetime:
        self._first = self.first_event(saved)
        if self.changes.since is None:
            return self._first
        return min(self._first, max(times.floor_second(self.changes.since), oldest_event(self.api.sync_start)))

    def first_event(self, saved: datetime | None) -> datetime:
        """From when on events are put out."""
        return history_start(self.name, super().first_second(saved), self.api.sync_start, lost=saved is not None)

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        with self._telling():
            yield from self._read(window)

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        state = super().finish_slice(stream_slice)
        if self.frontier.low_water() is None:
            self.changes.end()
        return state

    def stop(self) -> None:
        super().stop()
        # Nobody shall wait for a log that is read no further.
        self.changes.end(system_error("The event log was not read to its end.", "event log stopped"))

    @contextmanager
    def _telling(self) -> Iterator[None]:
        """Those who need the log hear of a failure, too."""
        try:
            yield
        except Exception as error:
            self.changes.end(error)
            raise

    def _read(self, window: Window) -> Iterator[Page]:
        progress = Progress()
        for page in log_pages(self.client, window):
            moments = [times.parse_or_none(row.get(self.cursor_field)) for row in page]
            known = [moment for moment in moments if moment]
            fresh = [(row, moment) for row, moment in zip(page, moments, strict=True) if _within(window, moment)]
            self.changes.take([row for row, _ in fresh])
            yield [row for row, moment in fresh if moment is None or moment >= self._first]
            if known and max(known) < window.start:
                return
            if known and min(known) >= window.start:
                progress.add(known[0], max(min(known), window.start), len(fresh))
                self.split_below(window, progress)


class UnlistedEventStream(EventStream):
    """The event log where it is not selected: for `changes` alone."""

    name = "event_log"

    def first_event(self, saved: datetime | None) -> datetime:
        return _NEVER


def history_start(stream: str, start: datetime, now: datetime, *, lost: bool) -> datetime:
    """Where reading can begin at all; a warning if that is later than wanted. `lost`: since earlier syncs, that is."""
    oldest = oldest_event(now)
    if start < oldest:
        note = " Events between the last sync and then can no longer be read." if lost else ""
        logger.warning(f"{stream}: Close keeps 30 days of events, so this begins {oldest:%Y-%m-%d %H:%M}.{note}")
    return max(start, oldest)


def _within(window: Window, moment: datetime | None) -> bool:
    return moment is None or (window.start <= moment and (window.end is None or moment < window.end))
