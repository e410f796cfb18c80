"""Windows of time that are exported one by one, and how the time that is to be read is cut into them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from source_fullstory import epochs
from source_fullstory.events.bundles import Bundle
from source_fullstory.events.coverage import HOUR, Span
from source_fullstory.events.ledger import Tally
from source_fullstory.files.fetch import Fetch


@dataclass(slots=True)
class Window:
    """[start, stop) in Unix seconds, and the operation that exports it, once it is ordered."""

    start: int
    stop: int
    operation: str = ""
    orders: int = 0
    fetch: Fetch | None = None
    tally: Tally = field(default_factory=Tally)
    is_read: bool = False

    @property
    def seconds(self) -> int:
        return self.stop - self.start

    @property
    def bundle(self) -> Bundle:
        """The window as if it were a bundle, numbered as all known bundles are, start * 100 + length in half hours: so
        the cursor grows with time whichever way events come."""
        return Bundle(self.stop, self.start, self.start * 100 + (self.stop - self.start) // (HOUR // 2))

    def halves(self) -> list[Window]:
        """Two windows in its place, cut at a full hour; none if it is too short."""
        middle = (self.start + self.stop) // 2 // HOUR * HOUR
        if middle <= self.start:
            middle += HOUR
        return [Window(self.start, middle), Window(middle, self.stop)] if middle < self.stop else []

    def __str__(self) -> str:
        return f"the export of {epochs.to_text(self.start)} to {epochs.to_text(self.stop)}"


def plan(spans: Iterable[Span], grid: int, ordered: Sequence[Window]) -> list[Window]:
    """Windows for all of `spans`, oldest first: those that are ordered already, as they are, and for the rest of the
    time new ones, cut where a multiple of `grid` seconds since 1970 lies."""
    spans = [(start, stop) for start, stop in spans if start < stop]
    kept: list[Window] = []
    for window in ordered:
        around = next(((a, b) for a, b in spans if a <= window.start and window.stop <= b), None)
        if around and window.start < window.stop:
            kept.append(window)
            spans.remove(around)
            rest = [(around[0], window.start), (window.stop, around[1])]
            spans += [(start, stop) for start, stop in rest if start < stop]
    new = [Window(start, stop) for span in spans for start, stop in _cut(*span, grid)]
    return sorted(kept + new, key=lambda window: window.start)


def _cut(start: int, stop: int, grid: int) -> Iterator[Span]:
    while start < stop:
        edge = min(stop, (start // grid + 1) * grid)
        yield start, edge
        start = edge
