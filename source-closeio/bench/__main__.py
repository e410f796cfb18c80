"""`python -m bench [cpu] [rate] [organization] [incremental] ... [--quick]`: measure, and print a table."""

from __future__ import annotations

import argparse

from bench.cases import CASES, QUICK, Size
from bench.table import Row, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description="Measure the connector, as ratios.")
    parser.add_argument("cases", nargs="*", metavar="|".join(CASES), help="default: all")
    parser.add_argument("--quick", action="store_true", help="less data, fewer runs: a rough picture")
    options = parser.parse_args()
    if unknown := set(options.cases) - set(CASES):
        parser.error(f"no such case: {', '.join(sorted(unknown))}")
    rows: list[Row] = []
    for name in options.cases or CASES:
        print(f"measuring {name} ...", flush=True)
        rows += CASES[name](QUICK if options.quick else Size())
    print()
    show(rows)


if __name__ == "__main__":
    main()
