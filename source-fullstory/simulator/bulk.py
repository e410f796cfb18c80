"""Bundles of any size: rows are poured from templates, so that neither side of a test has to hold them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from functools import cached_property
from typing import TYPE_CHECKING

from .rows import encode
from .world import SECOND, World, generated

if TYPE_CHECKING:
    from .rows import Dated, Row

TEMPLATES = 400
MILLISECOND = 1_000_000
# What a template leaves open, with a value that occurs nowhere else while the template is made.
OPEN_IDS = {
    "UserId": 1_111_111_111_111_111_111,
    "SessionId": 2_222_222_222_222_222_222,
    "PageId": 3_333_333_333_333_333_333,
}
OPEN_TIME = "EVENT-START"


class BulkEvents:
    """`count` events spread evenly over [start, stop), all different, by time, in milliseconds.

    Users have 40 events each, sessions 20, pages 7; everything else comes from the world's templates.
    """

    def __init__(self, world: World, start: int, stop: int, count: int) -> None:
        self._world = world
        self._start = start
        self._stop = stop
        self._count = count

    def __len__(self) -> int:
        return self._count

    @cached_property
    def _templates(self) -> list[bytes]:
        return self._made(self._world)

    @cached_property
    def _new_templates(self) -> list[bytes]:
        return self._made(replace(self._world, generation="new"))

    def _made(self, world: World) -> list[bytes]:
        calm = replace(world, tricks=world.tricks - {"identical", "same_time", "fine_times", "zones"})
        return [_template(row) for row in generated(calm, self._start, self._stop, TEMPLATES)]

    def rows(self) -> Iterator[bytes]:
        """About half a million a second."""
        return self._poured(self._templates, range(self._count))

    def dated(self, start: int, stop: int) -> Iterator[Dated]:
        """The same events under the newer names, those of [start, stop) in nanoseconds (of whole milliseconds)."""
        numbers = range(self._first(start), self._first(stop))
        for number, row in zip(numbers, self._poured(self._new_templates, numbers), strict=True):
            at = self._instant(number)
            yield at - at % MILLISECOND, row

    def counted(self, start: int, stop: int) -> int:
        """How many `dated` would give."""
        return self._first(stop) - self._first(start)

    def _instant(self, number: int) -> int:
        return self._start * SECOND + number * (self._stop - self._start) * SECOND // self._count

    def _first(self, at: int) -> int:
        """The number of the first event that is not before that instant."""
        span = (self._stop - self._start) * SECOND
        return min(self._count, max(0, -(-(at - self._start * SECOND) * self._count // span)))

    def _poured(self, templates: list[bytes], numbers: range) -> Iterator[bytes]:
        span = (self._stop - self._start) * SECOND
        second, prefix = -1, b""
        for number in numbers:
            instant = self._start * SECOND + number * span // self._count
            if instant // SECOND != second:
                second = instant // SECOND
                prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            yield templates[number % TEMPLATES] % {
                b"time": b"%b.%03dZ" % (prefix, instant % SECOND // MILLISECOND),
                b"UserId": 2**53 + number // 40,
                b"SessionId": 5_916_567_459_329_900_000 + number // 20,
                b"PageId": 4_376_064_173_749_300_000 + number // 7,
            }


def _template(row: Row) -> bytes:
    """The row's JSON as a format for bytes; a null session stays null."""
    opened = {name: value for name, value in OPEN_IDS.items() if row[name] is not None}
    text = encode({**row, **opened, "EventStart": OPEN_TIME}).replace(b"%", b"%%")
    for name, value in opened.items():
        text = text.replace(b"%d" % value, b"%%(%b)d" % name.encode())
    return text.replace(OPEN_TIME.encode(), b"%(time)b")
