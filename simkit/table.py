"""What a benchmark prints."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement; `floor` is what the connector is compared with."""

    what: str
    connector: str
    floor: str
    ratio: str
    aim: str


HEAD = Row("what", "connector", "floor", "ratio", "aim")


def times(value: float, floor: float) -> str:
    return f"{value / floor:.2f}x"


def show(rows: Sequence[Row]) -> None:
    cells = [astuple(row) for row in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = tuple("-" * width for width in widths)
    for first, *others in (cells[0], rule, *cells[1:]):
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *padded]))
