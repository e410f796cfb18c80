"""Streams that are read by segment exports: one window of time after the other, some ordered ahead.

    plan windows -> order (state: the operation) -> wait, spool -> rows ... (state: the window is done)

Ordering is a slice of its own, so that its operation is in the state before anything else happens: a sync that is
killed goes on with what it had ordered, and orders nothing twice.
"""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import epochs
from source_fullstory.events.bundles import Bundle, oldest_start
from source_fullstory.events.coverage import HOUR
from source_fullstory.events.export_windows import Window, plan
from source_fullstory.events.exports import ExportFailed, ExportLost, fetch, operation_id, order_body
from source_fullstory.events.ledger import Ledger, Tally
from source_fullstory.files.fetch import Fetch
from source_fullstory.files.space import SPACE, Share
from source_fullstory.files.spool import Spool, parsed
from source_fullstory.http import errors
from source_fullstory.jobs import this_job
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.kit.errors import config_error, transient_error
from source_fullstory.rows.unpack import BadBundle
from source_fullstory.stream import FullStoryStream

_PATH = "/segments/v1/exports"
_MOST_ORDERS = 3
"""Of one window, before it is halved, or given up."""

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class _Order:
    """Slice: order this window."""

    window: Window


@dataclass(frozen=True, slots=True)
class _Read:
    """Slice: read this window."""

    window: Window


class _Nothing:
    """Slice: all was read before."""


_Slice = _Order | _Read | _Nothing


class ExportStream(FullStoryStream[_Slice]):
    """State: what was read (see Ledger), and `exports`: the windows that are ordered and not yet read."""

    kind: ClassVar[str]
    """Of export: TYPE_EVENT or TYPE_INDIVIDUAL."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.ledger = Ledger(self)
        self._had_exports = False
        self._windows: list[Window] = []
        self._busy = self._through = False
        self._at_once = self._most_at_once = self.config.num_workers + 1
        self._rows = self._seconds = 0
        self.columns = self.declared()
        self.floor = 0
        """Rows before this time (Unix seconds) are not wanted."""

    # planning

    def open(self, state: Mapping[str, Any]) -> None:
        self.client.learn_clock()
        self._had_exports = bool(state)
        ledger = self.ledger
        self.load(state)
        self.floor = (self.config.start_date if ledger.is_begun else self._first_start()) or 0
        ledger.begin(min(self.floor, ledger.now))
        source = self.config.events_source
        grid = source.window_hours * HOUR
        horizon = (ledger.now - source.settle_hours * HOUR) // grid * grid
        again = max(self.floor, ledger.coverage.read_to - source.lookback_hours * HOUR)
        holes = [(hole.start, min(hole.stop, again, horizon)) for hole in ledger.coverage.holes]
        self._windows = plan([*holes, (again, horizon)], self.longest(grid), self._saved(state))
        self._tell_of_plan(horizon)

    def _first_start(self) -> int:
        """Nothing is ordered for the time before the account's first data, where the list of bundles tells it."""
        wanted = self.config.first_start(self.ledger.now)
        oldest = oldest_start(self.client)
        if oldest is None or oldest <= wanted:
            return wanted
        level = logging.WARNING if self.config.start_date else logging.INFO
        logger.log(
            level,
            f"{self.name}: FullStory's oldest bundle begins {epochs.to_text(oldest)}; no export is ordered for the "
            "time before that",
        )
        return oldest

    def _tell_of_plan(self, horizon: int) -> None:
        ordered = self._ordered()
        first = f" from {epochs.to_text(self._windows[0].start)}" if self._windows else ""
        logger.info(
            f"{self.name}: this sync orders {len(self._windows) - ordered:,} exports{first} up to "
            f"{epochs.to_text(horizon)}; {ordered} were ordered before"
        )

    def _saved(self, state: Mapping[str, Any]) -> list[Window]:
        """What an earlier sync ordered and did not read."""
        try:
            return [
                Window(epochs.parse_saved(each["start"]), epochs.parse_saved(each["stop"]), str(each["operation_id"]))
                for each in state.get("exports") or []
                if each.get("segment_id") == self.config.events_source.segment_id
            ]
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise self.unreadable_state(state) from error

    # reader.Stream

    def take_slice(self) -> _Slice | None:
        """One at a time: the next one only after the one before has been finished."""
        if not self.has_slices():
            return None
        self._busy = True
        # Not before the states of the orders have been handed over: a kill must not find an order that no state has.
        for window in self._windows:
            self._begin(window)
        if not self._windows:
            return _Nothing()
        unordered = next((window for window in self._windows if not window.operation), None)
        ahead = self._ordered() < self._at_once and self.api.orders.is_free()
        if unordered and (unordered is self._windows[0] or ahead):
            return _Order(unordered)
        return _Read(self._windows[0])

    def has_slices(self) -> bool:
        return not self._busy and not self._through

    def read_slice(self, stream_slice: _Slice) -> Iterator[Page | Estimate]:
        if isinstance(stream_slice, _Order):
            self._order(stream_slice.window)
        elif isinstance(stream_slice, _Read):
            yield from self._read_or_repair(stream_slice.window)

    def finish_slice(self, stream_slice: _Slice) -> Mapping[str, Any]:
        self._busy = False
        if isinstance(stream_slice, _Read) and stream_slice.window.is_read:
            window = stream_slice.window
            self._windows.remove(window)
            self.ledger.add(self.bundle_of(window))
            self.ledger.tell(window, window.tally)
        if not self._windows:
            self._through = True
            self.close()
        return {**self.save(), "exports": self._running(), **this_job()}

    def stop(self) -> None:
        super().stop()
        for window in self._windows:
            if window.fetch:
                window.fetch.drop()

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
        """Have its file fetched ahead, if it is ordered, and that is not begun."""
        if window.fetch:
            window.fetch.resume()
        elif window.operation:
            logger.info(f"{self.name}: waits for {window}")
            begin = partial(self._fetch, window, is_new=window.orders > 0)
            window.fetch = Fetch(self.client, window.operation, begin)

    def _fetch(self, window: Window, share: Share, *, is_new: bool = False) -> Spool:
        return fetch(self.client, window.operation, str(window), share, self.columns, is_new=is_new)

    def _read_or_repair(self, window: Window) -> Iterator[Page | Estimate]:
        try:
            yield from self._read(window)
        except ExportLost as lost:
            logger.info(f"{self.name}: {window} is lost ({lost}); ordering it again")
            self._order_again(window, lost)
        except ExportFailed as failure:
            self._divide(window, failure)
        except BadBundle as error:  # it came whole: a smaller one, or another order, would be no better
            raise self._unreadable(window, error) from error

    def _read(self, window: Window) -> Iterator[Page | Estimate]:
        if window.fetch is None:
            raise RuntimeError("a window is ordered before it is read")
        spool = window.fetch.take()
        yield Estimate(self._expected(window, spool.content.lines))

        def read(spool: Spool) -> Iterator[Page]:
            window.tally = Tally(wire_bytes=spool.wire_bytes)
            return self.pages(spool, window)

        def again() -> Spool:
            return self._fetch(window, SPACE.share(ahead=False))

        yield from parsed(self.client, str(window), spool, read, again)
        self._at_once = min(self._at_once + 1, self._most_at_once)
        self._rows += window.tally.rows
        self._seconds += window.seconds if self._rows else 0
        window.is_read = True

    def _expected(self, window: Window, lines: int) -> int:
        """How many rows there will be, as far as the windows since the first row tell."""
        left = sum(each.seconds for each in self._windows) - window.seconds
        return self.estimate(self._rows + lines, left / (self._seconds + window.seconds))

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

    # for subclasses

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what earlier syncs have read."""
        self.ledger.load(state)

    def save(self) -> Mapping[str, Any]:
        """The state but for `exports`."""
        return self.ledger.to_state()

    @abstractmethod
    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        """The records of an export; counts them in `window.tally`. Raises BadBundle."""

    def bundle_of(self, window: Window) -> Bundle:
        """The window as if it were a bundle."""
        return window.bundle

    def estimate(self, known: int, left: float) -> int:
        """How many rows there will be. So many are known; `left` is how much time is left, as a part of the time that
        brought them."""
        return int(known * (1 + left))

    def longest(self, grid: int) -> int:
        """How long a window may be, in seconds: a multiple of the grid."""
        return grid

    def close(self) -> None:
        """All windows have been read."""

    # errors

    def _refused(self, error: errors.FullStoryError) -> Exception:
        """An account that has never had exports goes on without them; one that had them is told."""
        segment = self.config.events_source.segment_id
        missing = isinstance(error, errors.Missing) and segment == "everyone"
        if (isinstance(error, errors.Denied) or missing) and not self._had_exports:
            return self.not_offered(error)
        return config_error(
            f"FullStory does not export segment {segment!r} for stream {self.name} ({error}). The key needs the "
            "permission Architect or Admin, the account the add-on Segment Export (ask FullStory), and the segment id "
            "must be one of the stream segments.",
            str(error),
        )

    def _given_up(self, window: Window, problem: Exception) -> AirbyteTracedException:
        return transient_error(
            f"{self.name}: FullStory could not make {window}: {problem}. The windows before it are kept, and "
            "the next sync goes on with this one. If it fails again, ask FullStory's support about exports of this "
            "time, or read it from bundles.",
            f"{window}: {problem}",
        )

    def _unreadable(self, window: Window, error: BadBundle) -> AirbyteTracedException:
        return transient_error(
            f"{self.name}: {window} came whole, but {error}. The windows before it are kept, and the next sync reads "
            "this one again. If it stays so, ask FullStory's support about exports of this time, or read it from "
            "bundles.",
            f"{window} {error}",
        )
