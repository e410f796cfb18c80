"""`python -m bench`: which cases, how much of each, and the table."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping
from typing import TypeVar

from .table import Row, show

Size = TypeVar("Size")


def main(cases: Mapping[str, Callable[[Size], Iterable[Row]]], whole: Size, quick: Size, legend: str) -> None:
    """Measure the cases that the command line names, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the connector, as ratios.")
    parser.add_argument("cases", nargs="*", metavar="|".join(cases), help="default: all")
    parser.add_argument("--quick", action="store_true", help="less data, fewer runs: a rough picture")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(cases):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in options.cases or cases:
        print(f"measuring {name} ...", flush=True)
        rows += cases[name](quick if options.quick else whole)
    print()
    show(rows)
    print(legend, end="")
