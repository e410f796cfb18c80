"""What happened in a span of time, whichever bundles it lies in: what exports and individuals are made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .bulk import BulkEvents
from .rows import Dated, DatedSource, EventSource, decode, encode, identity, instant
from .shop import RENAMED, modern

if TYPE_CHECKING:
    from .bundles import Bundle

SECOND = 1_000_000_000
OLD_NAMES = tuple(f'"{name}"'.encode() for name in RENAMED.values())


@dataclass(frozen=True)
class Selection:
    """The events of all bundles as they are now; bundles that come or go later change nothing."""

    sources: tuple[EventSource, ...]

    @classmethod
    def of(cls, bundles: Iterable[Bundle]) -> Selection:
        """Of bundles, oldest first, whether they are listed or not: an export waits for no bundle."""
        return cls(tuple(bundle.events for bundle in bundles))

    def events(self, start: int, stop: int) -> Iterator[Dated]:
        """Every event of [start, stop), nanoseconds since 1970, once, by time, under the newer names.

        Events that are poured in bulk are never held, and taken as they come; all others that several bundles
        have are counted as `united` counts them.
        """
        if self.is_bulk(start, stop):
            for source in self.sources:
                yield from dated(source, start, stop)
            return
        shares = [share for source in self.sources if (share := list(dated(source, start, stop)))]
        yield from sorted(_united(shares) if len(shares) > 1 else (shares or [[]])[0], key=lambda event: event[0])

    def count(self, start: int, stop: int) -> int:
        """How many `events` gives, where they are bulk; those need not be made for it."""
        return sum(
            source.counted(start, stop)
            if isinstance(source, BulkEvents)
            else sum(1 for _ in dated(source, start, stop))
            for source in self.sources
        )

    def is_bulk(self, start: int, stop: int) -> bool:
        """Whether there may be too many to hold."""
        bulk = [source for source in self.sources if isinstance(source, BulkEvents)]
        return any(source.counted(start, stop) for source in bulk)


def dated(source: EventSource, start: int, stop: int) -> Iterator[Dated]:
    """The source's events of [start, stop). A row without a proper `EventStart` is in no span."""
    if isinstance(source, DatedSource):
        yield from source.dated(start, stop)
        return
    for raw in source.rows():
        try:
            row = decode(raw)
            at = instant(row.get("EventStart"))
        except (ValueError, AttributeError):
            continue
        if at is not None and start <= at < stop:
            yield at, encode(modern(row)) if any(name in raw for name in OLD_NAMES) else raw


def _united(shares: list[list[Dated]]) -> list[Dated]:
    best: dict[str, list[Dated]] = {}
    for share in shares:
        groups: dict[str, list[Dated]] = defaultdict(list)
        for event in share:
            groups[identity(decode(event[1]))].append(event)
        best.update({key: group for key, group in groups.items() if len(group) >= len(best.get(key, ()))})
    return [event for group in best.values() for event in group]
