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
    from .rows import Row

TEMPLATES = 400
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
        world = replace(self._world, tricks=self._world.tricks - {"identical", "same_time", "fine_times", "zones"})
        return [_template(row) for row in generated(world, self._start, self._stop, TEMPLATES)]

    def rows(self) -> Iterator[bytes]:
        """About half a million a second."""
        templates = self._templates
        span = (self._stop - self._start) * SECOND
        second, prefix = -1, b""
        for number in range(self._count):
            instant = self._start * SECOND + number * span // self._count
            if instant // SECOND != second:
                second = instant // SECOND
                prefix = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S").encode()
            yield templates[number % TEMPLATES] % {
                b"time": b"%b.%03dZ" % (prefix, instant % SECOND // 1_000_000),
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
