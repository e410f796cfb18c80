"""The requests that a simulator has answered, one JSON line each: what the floor program sends.

`python -m bench.pages URL`: a process of its own, because a large log would count as memory of the programs
that are started after it was read (see simkit.processes.Spent).
"""

from __future__ import annotations

import sys

import orjson

from simkit.command_line import Running


def main(url: str) -> None:
    for asked in Running(url, key="").ask("requests"):
        wanted = {name: asked[name] for name in ("method", "path", "params", "body")}
        sys.stdout.buffer.write(orjson.dumps(wanted, option=orjson.OPT_APPEND_NEWLINE))


if __name__ == "__main__":
    main(*sys.argv[1:])
