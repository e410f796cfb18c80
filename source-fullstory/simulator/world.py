"""Events made up from a seed: the same ones at the same time, whatever bundles they are cut into."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from functools import cached_property
from random import Random
from typing import TYPE_CHECKING

from . import shop
from .bundles import HALF_HOUR
from .rows import Dated, Row, encode, instant
from .settings import TRICKS
from .tricks import ROW_TRICKS

if TYPE_CHECKING:
    from .settings import Edge, Generation, Settings

SECOND = 1_000_000_000
SLOT = HALF_HOUR * SECOND
SLOTS_A_DAY = 48
VISITORS = 200
DIGITS = (3, 6, 9, 0)  # of the fraction, in "fine_times"
ZONES = tuple(timezone(timedelta(minutes=minutes)) for minutes in (120, 330, -480))


@dataclass(frozen=True)
class Moment:
    """An instant in nanoseconds and how it is written."""

    instant: int
    digits: int = 3
    zone: timezone | None = None

    def text(self) -> str:
        """RFC 3339, `Z` or an offset, with exactly that many digits of the fraction."""
        seconds, fraction = divmod(self.instant, SECOND)
        when = datetime.fromtimestamp(seconds, self.zone or UTC)
        tail = f".{fraction:09d}"[: self.digits + 1] if self.digits else ""
        return when.strftime("%Y-%m-%dT%H:%M:%S") + tail + (when.isoformat()[-6:] if self.zone else "Z")


Timed = tuple[Moment, Row]


@dataclass(frozen=True)
class World:
    """All that ever happened in the shop, made half hour by half hour on demand.

    The first event of each half hour is exactly on its first instant, so every bundle has an event on its edge.
    """

    seed: str
    per_day: int
    generation: Generation = "legacy"
    tricks: frozenset[str] = TRICKS
    trick_rate: float = 0.05

    @classmethod
    def of(cls, settings: Settings) -> World:
        """The world that the settings describe."""
        s = settings
        return cls(str(s.seed), s.events_per_day, s.generation, s.tricks)

    def size(self, slot: int) -> int:
        """How many events half hour number `slot` (since 1970) has; a day has exactly `per_day`."""
        return (slot + 1) * self.per_day // SLOTS_A_DAY - slot * self.per_day // SLOTS_A_DAY

    def slot(self, number: int) -> list[Timed]:
        """The events of one half hour, by time."""
        rng = Random(f"{self.seed}/{number}")
        wanted = self.size(number)
        events: list[Timed] = []
        while len(events) < wanted:
            events.extend(self._page_view(rng, number))
        del events[wanted:]
        events.sort(key=lambda event: event[0].instant)
        if events:
            events[0] = _moved(events[0], Moment(number * SLOT))
        return events

    def between(self, start: int, stop: int) -> Iterator[Timed]:
        """The events of [start, stop), Unix seconds, by time."""
        for number in range(start // HALF_HOUR, -(-stop // HALF_HOUR)):
            for event in self.slot(number):
                if start * SECOND <= event[0].instant < stop * SECOND:
                    yield event

    def _page_view(self, rng: Random, slot: int) -> list[Timed]:
        big_ids = "big_ids" in self.tricks
        visitor = Random(f"{self.seed}:{rng.randrange(VISITORS)}")
        begun = rng.randrange(SLOT)
        common = shop.visitor(visitor, big_ids=big_ids)
        page = shop.page(rng, (slot * SLOT + begun) // SECOND, big_ids=big_ids)
        old = {"legacy": True, "new": False, "mixed": page["PageId"] % 2 == 0}[self.generation]
        events: list[Timed] = []
        offset = begun
        for _ in range(rng.randint(1, 12)):
            if events and self._plays(rng, "identical"):
                events.append((events[-1][0], dict(events[-1][1])))
                continue
            if events and self._plays(rng, "same_time"):
                moment = events[-1][0]
            else:
                offset = (offset + rng.randrange(20 * SECOND)) % SLOT
                moment = self._moment(rng, slot * SLOT + offset)
            row = self._event(rng, {**common, **page}, moment)
            events.append((moment, shop.legacy(row) if old else row))
        return events

    def _plays(self, rng: Random, trick: str) -> bool:
        return trick in self.tricks and rng.random() < self.trick_rate

    def _moment(self, rng: Random, instant: int) -> Moment:
        digits = rng.choice(DIGITS) if self._plays(rng, "fine_times") else 3
        zone = rng.choice(ZONES) if self._plays(rng, "zones") else None
        return Moment(instant - instant % 10 ** (9 - digits), digits, zone)

    def _event(self, rng: Random, common: Row, moment: Moment) -> Row:
        kind, _, extra = rng.choices(shop.KINDS, [weight for _, weight, _ in shop.KINDS])[0]
        row = {**common, "EventStart": moment.text(), "EventType": kind, **extra(rng)}
        row["EventPageOffset"] = rng.randrange(900_000)
        row["EventSessionOffset"] = rng.randrange(3_600_000)
        for trick, play in ROW_TRICKS.items():
            if self._plays(rng, trick):
                play(rng, row)
        return row


@dataclass(frozen=True)
class WorldEvents:
    """A bundle's share of the world.

    No page says which of two bundles has an event exactly between them; [start, stop) is what public clients
    assume. `edge` chooses: the bundle that starts there, the one that stops there, or both.
    """

    world: World
    start: int
    stop: int
    edge: Edge = "start"

    def __len__(self) -> int:
        """Counted by half hours where they are whole."""
        if self.start % HALF_HOUR or self.stop % HALF_HOUR:
            return sum(1 for _ in self.rows())
        first, last = self.start // HALF_HOUR, self.stop // HALF_HOUR
        inside = sum(self.world.size(number) for number in range(first, last))
        if self.edge == "start":
            return inside
        at_start, at_stop = (sum(1 for _ in self._at(second)) for second in (self.start, self.stop))
        return inside + at_stop - (at_start if self.edge == "stop" else 0)

    def rows(self) -> Iterator[bytes]:
        """By time."""
        for moment, row in self.world.between(self.start, self.stop):
            if self.edge != "stop" or moment.instant != self.start * SECOND:
                yield encode(row)
        if self.edge != "start":
            yield from (encode(row) for _, row in self._at(self.stop))

    def dated(self, start: int, stop: int) -> Iterator[Dated]:
        """The same events under the newer names, those of [start, stop) in nanoseconds."""
        world = replace(self.world, generation="new")
        first, last = max(self.start, start // SECOND), min(self.stop + 1, -(-stop // SECOND))
        for moment, row in world.between(first, last):
            if self._has(moment.instant) and start <= moment.instant < stop:
                yield moment.instant, encode(row)

    def _has(self, at: int) -> bool:
        first, last = self.start * SECOND, self.stop * SECOND
        return first < at < last or (at == first and self.edge != "stop") or (at == last and self.edge != "start")

    def _at(self, second: int) -> Iterator[Timed]:
        return (event for event in self.world.between(second, second + 1) if event[0].instant == second * SECOND)


@dataclass(frozen=True)
class GeneratedEvents:
    """Exactly `count` events of a world of their own."""

    world: World
    start: int
    stop: int
    count: int

    def __len__(self) -> int:
        return self.count

    def rows(self) -> Iterator[bytes]:
        """By time."""
        return iter(self._rows)

    def dated(self, start: int, stop: int) -> Iterator[Dated]:
        """The same events under the newer names, those of [start, stop) in nanoseconds."""
        return (event for event in self._dated if start <= event[0] < stop)

    @cached_property
    def _rows(self) -> list[bytes]:
        return [encode(row) for row in generated(self.world, self.start, self.stop, self.count)]

    @cached_property
    def _dated(self) -> list[Dated]:
        rows = generated(replace(self.world, generation="new"), self.start, self.stop, self.count)
        return [(instant(row["EventStart"]) or 0, encode(row)) for row in rows]


def generated(world: World, start: int, stop: int, count: int) -> list[Row]:
    """Exactly `count` events spread over [start, stop), by time, the first one on its start."""
    seed = f"{world.seed}:{start}:{stop}:{count}"
    events = replace(world, seed=seed, per_day=count * SLOTS_A_DAY).slot(0)
    span = (stop - start) * SECOND
    moved = []
    for moment, row in events:
        instant = start * SECOND + moment.instant * span // SLOT
        instant -= instant % 10 ** (9 - moment.digits)
        moved.append(_moved((moment, row), replace(moment, instant=instant)))
    return [row for _, row in sorted(moved, key=lambda event: event[0].instant)]


def showcase(start: int, stop: int, seed: int = 1, tricks: frozenset[str] = TRICKS, each: int = 12) -> list[Row]:
    """At least `each` events of every trick, for tests that must meet them all; one trick after the other."""
    rows: list[Row] = []
    for trick in sorted(tricks):
        world = World(f"{seed}:{trick}", 0, "mixed", frozenset({trick}), trick_rate=1.0)
        rows.extend(generated(world, start, stop, each))
        rows.extend(_neighbours(trick, rows[-1], start))
    return rows


def _neighbours(trick: str, row: Row, start: int) -> list[Row]:
    """Rows that chance might not put beside each other: equal, at one time, or within one microsecond."""
    if trick == "identical":
        return [dict(row), dict(row)]
    if trick == "same_time":
        return [{**row, "EventType": "thrash"}]
    if trick == "fine_times":
        moments = [Moment(start * SECOND + 900_000_000 + nanos, digits) for digits in (1, 3, 6, 9) for nanos in (0, 1)]
        return [{**row, "EventStart": moment.text()} for moment in moments]
    if trick == "zones":
        return [{**row, "EventStart": Moment(start * SECOND, 3, zone).text()} for zone in ZONES]
    return []


def _moved(event: Timed, moment: Moment) -> Timed:
    return moment, {**event[1], "EventStart": moment.text()}
