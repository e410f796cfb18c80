"""Windows of time, and the frontier between what was read and what was not.

    start_date                              start of the sync
        |--- done ---|--- done ---|... being read ...|--- waiting ---|
                                  ^
                                  low-water mark: everything before it was read to the end

A window that turns out dense is split while it is read, so that several workers share it and a crash costs
minutes. The low-water mark, and with it the state, only ever covers windows that were read to the end.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from threading import Lock

from source_closeio.kit.times import SECOND, floor_second

_PAGES_MEASURED = 6
MOST_PARTS = 4


@dataclass(eq=False, slots=True)
class Window:
    """A half-open span of time [start, end) in whole seconds, UTC; `end` None means no upper bound."""

    start: datetime
    end: datetime | None

    def __str__(self) -> str:
        end = "open" if self.end is None else f"{self.end:%Y-%m-%d %H:%M:%S}"
        return f"[{self.start:%Y-%m-%d %H:%M:%S}, {end})"


class Frontier:
    """The unfinished windows of one stream. Thread-safe."""

    def __init__(self, window: Window) -> None:
        self._lock = Lock()
        self._waiting = [window]
        self._running: set[Window] = set()

    def take(self) -> Window | None:
        """The oldest window that nobody reads yet."""
        with self._lock:
            if not self._waiting:
                return None
            window = self._waiting.pop(0)
            self._running.add(window)
            return window

    def close(self, window: Window) -> None:
        """This window was read to its end."""
        with self._lock:
            self._running.discard(window)

    def waiting(self) -> bool:
        with self._lock:
            return bool(self._waiting)

    def low_water(self) -> datetime | None:
        """Everything before this time was read; None when no unfinished window is left."""
        with self._lock:
            return min((window.start for window in (*self._waiting, *self._running)), default=None)

    def cut_below(self, window: Window, edge: datetime, parts: int) -> None:
        """Split what is left of a window read newest first, which has come down to `edge`.

        The window keeps the newest part; the older ones wait for a worker.
        """
        bounds = _bounds(window.start, floor_second(edge), parts)
        self._replace(window, bounds[-2], window.end, bounds[:-1])

    def cut_above(self, window: Window, edge: datetime, horizon: datetime, parts: int) -> None:
        """Split what is left of a window read oldest first, which has come up to `edge`.

        The window keeps the oldest part; the newer ones wait for a worker, the last as open as it was.
        `horizon` stands for the end of a window that has none.
        """
        bounds: list[datetime | None] = list(_bounds(floor_second(edge), window.end or horizon, parts))
        bounds[-1] = window.end
        self._replace(window, window.start, bounds[1], bounds[1:])

    def _replace(
        self, window: Window, start: datetime, end: datetime | None, rest: list[datetime | None] | list[datetime]
    ) -> None:
        pieces = [Window(a, b) for a, b in pairwise(rest) if a is not None]
        with self._lock:
            # The pieces go in before the window shrinks: the low-water mark must never jump over them.
            self._waiting = sorted([*self._waiting, *pieces], key=lambda piece: piece.start)
            window.start, window.end = start, end


def _bounds(start: datetime, end: datetime, parts: int) -> list[datetime]:
    """Cut [start, end) into at most `parts` contiguous pieces of whole seconds: their bounds, both ends included."""
    seconds = int((end - start) / SECOND)
    parts = max(1, min(parts, seconds))
    return [start + timedelta(seconds=seconds * i // parts) for i in range(parts)] + [end]


class Progress:
    """How far a walk through a window has come, and how dense it found the last pages."""

    def __init__(self) -> None:
        self.rows = 0
        self._marks: deque[tuple[datetime, int]] = deque(maxlen=_PAGES_MEASURED)

    def add(self, first: datetime, edge: datetime, rows: int) -> None:
        """A page of so many new rows brought the walk to `edge`; `first` is where a walk begins."""
        if not self._marks:
            self._marks.append((first, 0))
        self.rows += rows
        self._marks.append((edge, self.rows))

    @property
    def edge(self) -> datetime | None:
        return self._marks[-1][0] if self._marks else None

    def parts(self, span_left: timedelta, rows_per_window: int) -> int:
        """Into how many windows to cut what is left, if it is as dense as the last pages (1: leave it whole)."""
        if len(self._marks) < 2:
            return 1
        (start, before), (end, after) = self._marks[0], self._marks[-1]
        rows_left = (after - before) * (span_left / max(abs(end - start), SECOND))
        if rows_left <= 2 * rows_per_window:
            return 1
        return min(MOST_PARTS, math.ceil(rows_left / rows_per_window))
