"""`python -m bench [CASE] ... [--quick]`: measure, and print a table."""

from bench.cases import CASES, QUICK, Size
from simkit.benchmark import main

LEGEND = """
floor: the same bundle, downloaded before, read by a plain program, one thread. Time and CPU are those of the
events alone: what the same program takes for an empty bundle is subtracted.
"""

if __name__ == "__main__":
    main(CASES, Size(), QUICK, LEGEND)
