"""Streams that are read by segment exports: one window of time after the other, some ordered ahead.

    plan windows -> order (state: the operation) -> wait, spool -> rows ... (state: the window is done)

Ordering is a slice of its own, so that its operation is in the state before anything else happens: a sync that is
killed goes on with what it had ordered, and orders nothing twice.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import epochs
from source_fullstory.events.coverage import Coverage
from source_fullstory.events.event_rows import Tally
from source_fullstory.events.export_windows import HOUR, Window, plan
from source_fullstory.events.exports import ExportFailed, ExportLost, fetch, operation_id, order_body
from source_fullstory.files.spool import Fetch, Spool, parsed
from source_fullstory.http import errors
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.rows.decode import BadBundle, batches
from source_fullstory.stream import FullStoryStream

_PATH = "/segments/v1/exports"
_MOST_ORDERS = 3
"""Of one window, before it is halved, or given up."""

logger = logging.getLogger("airbyte")


def _expect_rows(spool: Spool, declared: Collection[str]) -> None:
    """Raises BadBundle if no row has any field that rows have: then it is, say, an error object."""
    rows = next(batches(spool.chunks()), [])
    if rows and not any(name in declared for row in rows for name in row):
        spool.close()
        raise BadBundle(f"holds something else than rows, with the fields {', '.join(rows[0])[:120]}")


@dataclass(frozen=True, slots=True)
class _Order:
    """Slice: order this window."""

    window: Window


@dataclass(frozen=True, slots=True)
class _Read:
    """Slice: read this window (None: there is nothing to read)."""

    window: Window | None


class ExportStream(FullStoryStream):
    """State: what was read (see coverage.py), and `exports`: the windows that are ordered and not yet read."""

    kind: ClassVar[str]
    """Of export: TYPE_EVENT or TYPE_INDIVIDUAL."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._coverage: Coverage | None = None
        self._had_exports = False
        self._windows: list[Window] = []
        self._busy = self._through = False
        self._at_once = self._most_at_once = self.config.num_workers + 1
        self._rows = 0
        self.columns = self.declared()
        self.floor = 0
        """Rows before this time (Unix seconds) are not wanted."""

    # planning

    def open(self, state: Mapping[str, Any]) -> None:
        self.client.learn_clock()
        self._had_exports = bool(state)
        self._coverage = self.load(state)
        start = self.config.start_date if self._coverage else self.config.first_start(self.api.sync_start)
        self.floor = start or 0
        self._coverage = self._coverage or Coverage(min(self.floor, self.api.sync_start))
        self._coverage.begin_at(min(self.floor, self.api.sync_start))
        source = self.config.events_source
        grid = source.window_hours * HOUR
        horizon = (self.api.sync_start - source.settle_hours * HOUR) // grid * grid
        again = max(self.floor, self._coverage.read_to - source.lookback_hours * HOUR)
        holes = [(hole.start, min(hole.stop, again, horizon)) for hole in self._coverage.holes]
        self._windows = plan([*holes, (again, horizon)], self.longest(grid), self._saved(state))
        logger.info(
            f"{self.name}: {len(self._windows):,} windows to export, up to {epochs.to_text(horizon)}; "
            f"{self._ordered()} of them ordered before"
        )

    def _saved(self, state: Mapping[str, Any]) -> list[Window]:
        """What an earlier sync ordered and did not read."""
        try:
            return [
                Window(epochs.parse(each["start"]), epochs.parse(each["stop"]), str(each["operation_id"]))
                for each in state.get("exports") or []
                if each.get("segment_id") == self.config.events_source.segment_id
            ]
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise self.unreadable_state(state) from error

    # reader.Stream

    def take_slice(self) -> _Order | _Read | None:
        """One at a time: the next one only after the one before has been finished."""
        if not self.has_slices():
            return None
        self._busy = True
        # Not before the states of the orders have been handed over: a kill must not find an order that no state has.
        for window in self._windows:
            if window.operation and not window.fetch:
                self._begin(window)
        first = self._windows[0] if self._windows else None
        unordered = next((window for window in self._windows if not window.operation), None)
        ahead = self._ordered() < self._at_once and self.api.orders.is_free()
        if unordered and (unordered is first or ahead):
            return _Order(unordered)
        return _Read(first)

    def has_slices(self) -> bool:
        return not self._busy and not self._through

    def read_slice(self, stream_slice: _Order | _Read) -> Iterator[Page | Estimate]:
        window = stream_slice.window
        if window is None:
            return
        if isinstance(stream_slice, _Order):
            self._order(window)
            return
        try:
            yield from self._read(window)
        except ExportLost as lost:
            logger.info(f"{self.name}: {window} is lost ({lost}); ordering it again")
            self._order_again(window, lost)
        except (ExportFailed, BadBundle) as failure:
            self._divide(window, failure)

    def finish_slice(self, stream_slice: _Order | _Read) -> Mapping[str, Any]:
        self._busy, window = False, stream_slice.window
        if window is None:
            self._through = True
        elif window.is_read:
            self._windows.remove(window)
            self._through = not self._windows
            self.coverage.add(window.start, window.stop, self.api.sync_start)
            self._tell(window)
            self.passed(window)
        return {**self.save(), "exports": self._running()}

    def stop(self) -> None:
        super().stop()
        for window in self._windows:
            if window.fetch:
                window.fetch.drop()

    @property
    def coverage(self) -> Coverage:
        if self._coverage is None:
            raise RuntimeError("open() comes first")
        return self._coverage

    def _ordered(self) -> int:
        return sum(bool(window.operation) for window in self._windows)

    def _running(self) -> list[dict[str, str]]:
        return [
            {
                "start": epochs.to_text(window.start),
                "stop": epochs.to_text(window.stop),
                "operation_id": window.operation,
                "segment_id": self.config.events_source.segment_id,
            }
            for window in self._windows
            if window.operation
        ]

    # one window

    def _order(self, window: Window) -> None:
        body = order_body(self.kind, self.config.events_source.segment_id, window.start, window.stop)
        try:
            # The first is waited for, however long; what comes behind it, only if it costs no waiting.
            waits = window is self._windows[0]
            answer = self.client.order(_PATH, body) if waits else self.client.order_if_free(_PATH, body)
            if answer is None:
                self._at_once = max(1, self._ordered())  # as many as FullStory makes at once, for now
                return
            window.operation = operation_id(answer)
        except (errors.Denied, errors.Missing, errors.Refused) as error:
            raise self._refused(error) from error
        except ExportFailed as failure:
            raise self._given_up(window, failure) from failure
        self._had_exports = True
        window.orders += 1

    def _begin(self, window: Window) -> None:
        what = str(window)
        logger.info(f"{self.name}: waits for {what}")
        begin = partial(fetch, self.client, window.operation, what, is_new=window.orders > 0)
        window.fetch = Fetch(self.client, window.operation, begin)

    def _read(self, window: Window) -> Iterator[Page | Estimate]:
        if window.fetch is None:
            raise RuntimeError("a window is ordered before it is read")
        spool = window.fetch.take()
        _expect_rows(spool, self.columns)
        yield Estimate(self._rows + spool.lines * len(self._windows))

        def read(spool: Spool) -> Iterator[Page]:
            window.tally, window.wire_bytes = Tally(), spool.wire_bytes
            return self.pages(spool, window)

        yield from parsed(
            self.client, str(window), spool, read, partial(fetch, self.client, window.operation, str(window))
        )
        self._at_once = min(self._at_once + 1, self._most_at_once)
        self._rows += window.tally.rows
        window.is_read = True

    def _order_again(self, window: Window, problem: Exception) -> None:
        if window.orders >= _MOST_ORDERS:
            raise self._given_up(window, problem) from problem
        window.operation, window.fetch = "", None

    def _divide(self, window: Window, failure: Exception) -> None:
        """Two smaller windows in its place; one that is too short for that is ordered again."""
        halves = window.halves()
        if not halves:
            logger.info(f"{self.name}: {window} failed ({failure}); ordering it again")
            self._order_again(window, failure)
            return
        logger.warning(f"{self.name}: {window} failed ({failure}); trying two halves of it")
        at = self._windows.index(window)
        self._windows[at : at + 1] = halves

    def _tell(self, window: Window) -> None:
        tally = window.tally
        notes = f"{tally.rows:,} rows, {window.wire_bytes / 1e6:,.1f} MB"
        if tally.dropped:
            notes += f", {tally.dropped:,} left out that lie before the start date"
        if tally.outside:
            notes += f", {tally.outside:,} dated outside the window"
        complete = epochs.to_text(self.coverage.complete_through)
        logger.info(f"{self.name}: complete through {complete} after {window}: {notes}")

    # for subclasses

    @abstractmethod
    def load(self, state: Mapping[str, Any]) -> Coverage | None:
        """What earlier syncs have read; None on the first sync."""

    @abstractmethod
    def save(self) -> Mapping[str, Any]:
        """The state but for `exports`."""

    @abstractmethod
    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        """The records of an export; counts them in `window.tally`. Raises BadBundle."""

    def longest(self, grid: int) -> int:
        """How long a window may be, in seconds: a multiple of the grid."""
        return grid

    def passed(self, window: Window) -> None:
        """The window was read to its end, and is in the coverage."""

    # errors

    def _refused(self, error: errors.FullStoryError) -> Exception:
        """An account that has never had exports goes on without them; one that had them is told."""
        segment = self.config.events_source.segment_id
        missing = isinstance(error, errors.Missing) and segment == "everyone"
        if (isinstance(error, errors.Denied) or missing) and not self._had_exports:
            return self.not_offered(error)
        message = (
            f"FullStory does not export segment {segment!r} for stream {self.name} ({error}). The key needs the "
            "permission Architect or Admin, the account the add-on Segment Export (ask FullStory), and the segment id "
            "must be one of the stream segments."
        )
        return AirbyteTracedException(
            message=message, internal_message=str(error), failure_type=FailureType.config_error
        )

    def _given_up(self, window: Window, problem: Exception) -> AirbyteTracedException:
        return AirbyteTracedException(
            message=f"{self.name}: FullStory could not make {window}: {problem}. The windows before it are kept, and "
            "the next sync goes on with this one. If it fails again, ask FullStory's support about exports of this "
            "time, or read it from bundles.",
            internal_message=f"{window}: {problem}",
            failure_type=FailureType.transient_error,
        )
