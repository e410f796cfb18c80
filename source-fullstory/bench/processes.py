"""Child processes: what they cost, and the simulator as one of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from simulator import TRICKS

CONNECTOR = Path(__file__).parent.parent
DAY = "2025-06-01"
_STOP = "2025-06-02"
_NOW = 1_748_995_200  # 2025-06-04, when the bundle is listed, and its events are final
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024
_READABLE = TRICKS - {"surrogates"}
"""What a plain program stumbles over is left out: orjson refuses half of a surrogate pair."""


@dataclass(frozen=True, slots=True)
class Spent:
    """What a process took from start to end."""

    wall: float
    cpu: float
    peak_mb: float
    """Never less than this process has: Linux counts a child's memory from before its program is loaded."""


def run(*arguments: str, output: Path | None = None) -> Spent:
    """Run `python ARGUMENTS` to its end. SystemExit if it fails."""
    with (output or Path(os.devnull)).open("wb") as stdout:
        began = time.perf_counter()
        process = subprocess.Popen([sys.executable, *arguments], cwd=CONNECTOR, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"python {' '.join(arguments)} ended with status {process.returncode}")
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT / 1e6)


@dataclass(frozen=True, slots=True)
class FullStory:
    """A running simulator."""

    url: str
    key: str


@contextmanager
def simulator(events: int) -> Iterator[FullStory]:
    """A FullStory with one bundle, that of DAY, with so many events."""
    # The bytes are made before the first line is printed; so no program waits for them.
    options = ["--port", "0", "--days", "1", "--until", _STOP, "--downloads-per-minute", "0", "--prepare"]
    # By its clock, the time after the bundle is still to come: so one export brings all there is.
    settings = {"tricks": json.dumps(sorted(_READABLE)), "stream_above": 0, "now": _NOW, "export_polls": 0}
    options += [word for name, value in settings.items() for word in ("--set", f"{name}={value}")]
    command = [sys.executable, "-m", "simulator", *options, "--events-per-bundle", str(events)]
    with subprocess.Popen(command, cwd=CONNECTOR, stdout=subprocess.PIPE, text=True) as process:
        try:
            # its first line: FullStory simulator at http://127.0.0.1:12345 with key na1...
            *_, url, _, _, key = (process.stdout or sys.exit("no output")).readline().split()
            yield FullStory(url, key)
        finally:
            process.terminate()
