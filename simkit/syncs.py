"""A sync in a process of its own: its command line, what a destination keeps of its output, and how it is killed."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from .destination import Destination, Message
from .request import Request


def arguments(
    folder: Path,
    config: object,
    streams: Iterable[str],
    state: object = None,
    mode: str = "incremental",
    schema: object = None,
) -> list[str]:
    """`read` with its files, which are written to the folder; with a schema, all streams have that one."""
    entry = {"supported_sync_modes": ["full_refresh", "incremental"], "json_schema": schema or {}}
    catalog = [
        {"stream": {"name": name, **entry}, "sync_mode": mode, "destination_sync_mode": "append"} for name in streams
    ]
    files = {"config": config, "catalog": {"streams": catalog}, "state": state}
    found = ["read"]
    for name, content in files.items():
        if content is not None:
            path = folder / f"{name}.json"
            path.write_text(json.dumps(content))
            found += [f"--{name}", str(path)]
    return found


def count_records(output: Path) -> int:
    """How many a sync has written to a file."""
    with output.open("rb") as lines:
        return sum(line.startswith(b'{"type":"RECORD"') for line in lines)


class Sync:
    """`python -m PACKAGE ARGUMENTS`, read to its end, or killed at a line of its output or at a request."""

    def __init__(self, package: str, arguments: Iterable[str]) -> None:
        command = [sys.executable, "-m", package, *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE)

    def read(self, destination: Destination, lines: int | None = None) -> int:
        """The exit status of the sync, which is killed after so many lines."""
        destination.load(self._messages(lines))
        return self.process.wait()

    def _messages(self, lines: int | None) -> Iterator[Message]:
        assert self.process.stdout
        with self.process.stdout as output:
            for number, line in enumerate(output):
                if number == lines:
                    self.process.kill()
                try:
                    yield json.loads(line)
                except ValueError:  # cut off by the kill
                    return

    def kill(self) -> None:
        """Kill it, whatever it is doing."""
        self.process.kill()
        self.process.communicate()

    def killer(self, path: str = "", after: int = 0) -> Callable[[Request], None]:
        """For `on_request`: kills it when so many requests with `path` in them, and one more, have come."""
        met = itertools.count()

        def kill(request: Request) -> None:
            if path in request.target and next(met) == after:
                self.process.kill()

        return kill
