"""What is printed."""

from __future__ import annotations

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
LEGEND = """
floor: the same pages read by a plain program, one thread; for the wall time, the requests of the busiest
endpoint group ÷ rate, or all requests ÷ the organization's rate; of an up-to-date sync, without its start-up,
all requests ÷ 8 at once, each with its latency, and each list asked for once; for the start-up,
`import airbyte_cdk.entrypoint`.
"""


def times(value: float, floor: float) -> str:
    return f"{value / floor:.2f}x"


def show(rows: list[Row]) -> None:
    cells = [astuple(row) for row in (HEAD, *rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    rule = tuple("-" * width for width in widths)
    for first, *others in (cells[0], rule, *cells[1:]):
        padded = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        print("  ".join([first.ljust(widths[0]), *padded]))
    print(LEGEND, end="")
