"""`python -m bench [CASE] ... [--quick]`: measure, and print a table."""

from bench.cases import CASES, QUICK, Size
from simkit.benchmark import main

LEGEND = """
floor: the same pages read by a plain program, one thread; for the wall time, the requests of the busiest
endpoint group ÷ rate, or all requests ÷ the organization's rate; of an up-to-date sync, without its start-up,
all requests ÷ 8 at once, each with its latency, and each list asked for once; for the start-up,
`import airbyte_cdk.entrypoint`.
"""

if __name__ == "__main__":
    main(CASES, Size(), QUICK, LEGEND)
