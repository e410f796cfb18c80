"""The requests that a simulator has answered, one JSON line each: what the floor program sends.

`python -m bench.pages URL`: a process of its own, because a large log would count as memory of the programs
that are started after it was read (see processes.Spent).
"""

from __future__ import annotations

import sys

import orjson

from bench.processes import request_log


def main(url: str) -> None:
    for asked in request_log(url):
        wanted = {name: asked[name] for name in ("method", "path", "params", "body")}
        sys.stdout.buffer.write(orjson.dumps(wanted, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
