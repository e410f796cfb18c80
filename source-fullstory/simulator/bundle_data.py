"""The bundles of an account, and the truth about their events."""

from __future__ import annotations

import time
from collections.abc import Iterable

from .bulk import BulkEvents
from .bundles import Bundle, Moment, Shelf, bundle_id, epoch
from .delivery import rows_of
from .rows import EventSource, ListedEvents, Row, decode, united
from .settings import Encoding, Settings, Style
from .world import GeneratedEvents, World, WorldEvents

Events = int | Iterable[Row | bytes] | EventSource | None


class BundleData:
    """Bundles may come and go at any time."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.shelf = Shelf()

    def now(self) -> float:
        """The server's clock, in Unix seconds."""
        return time.time() if self.settings.now is None else self.settings.now

    @property
    def bundles(self) -> list[Bundle]:
        """All of them, oldest stop first, whether listed yet or not."""
        return self.shelf.all()

    def add_bundle(
        self,
        start: Moment,
        stop: Moment,
        events: Events = None,
        id: int | None = None,  # noqa: A002 - it is the bundle's id
        available_at: float | None = None,
        encoding: Encoding | None = None,
        style: Style | None = None,
    ) -> Bundle:
        """A bundle of [start, stop) with the given rows, that many made-up ones, or (None) its share of the world.

        Bundles that share in the world have the same events wherever they overlap, so `None` is the choice for
        changing periods. Large numbers (`settings.stream_above`) are poured from templates and never held.
        """
        first, last = epoch(start), epoch(stop)
        key = bundle_id(first, last) if id is None else id
        bundle = Bundle(key, first, last, self._source(first, last, events), available_at, encoding, style)
        self.shelf.add(bundle)
        return bundle

    def add_period(self, start: Moment, stop: Moment, hours: float = 24, events: int | None = None) -> list[Bundle]:
        """Bundles of that many hours one after the other, each with its share of the world or `events` events."""
        step, first, last = int(hours * 3600), epoch(start), epoch(stop)
        return [self.add_bundle(at, at + step, events) for at in range(first, last, step)]

    def remove_bundle(self, id: int) -> None:  # noqa: A002 - it is the bundle's id
        """As after a deletion: neither listed nor delivered."""
        self.shelf.remove(id)

    def late(self, id: int, seconds: float) -> None:  # noqa: A002 - it is the bundle's id
        """The bundle is listed that much later than it should be."""
        bundle = self.shelf.get(id)
        bundle.available_at = bundle.stop + self.settings.listing_lag + seconds

    def events(self, bundle_id: int) -> list[Row]:
        """The rows as the bundle's last download delivered them (or its first one will)."""
        return [decode(row) for row in rows_of(self.shelf.get(bundle_id), self.settings)]

    def truth(self, *, listed: bool = False) -> list[Row]:
        """Every event of all bundles (or of those `listed` by now), once although bundles overlap."""
        bundles = [b for b in self.bundles if not listed or b.is_listed(self.settings, self.now())]
        if any(isinstance(bundle.events, BulkEvents) for bundle in bundles):
            raise ValueError("too many events to hold; use count()")
        return united([self.events(bundle.id) for bundle in bundles])

    def count(self, bundle_id: int | None = None) -> int:
        """Rows of one bundle, or of all (rows in two overlapping bundles count twice)."""
        if bundle_id is not None:
            return len(self.shelf.get(bundle_id).events)
        return sum(len(bundle.events) for bundle in self.bundles)

    def _source(self, start: int, stop: int, events: Events) -> EventSource:
        if events is None:
            return WorldEvents(World.of(self.settings), start, stop, self.settings.edge)
        if isinstance(events, EventSource):
            return events
        if not isinstance(events, int):
            return ListedEvents(events)
        if events > self.settings.stream_above:
            return BulkEvents(World.of(self.settings), start, stop, events)
        return GeneratedEvents(World.of(self.settings), start, stop, events)
