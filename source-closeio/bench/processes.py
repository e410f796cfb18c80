"""Child processes: what they cost, and the simulator as one of them."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

CONNECTOR = Path(__file__).parent.parent
_RSS_UNIT = 1 if sys.platform == "darwin" else 1024


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
class Close:
    """A running simulator."""

    url: str
    key: str


def request_log(url: str) -> list[dict[str, Any]]:
    """What the simulator at `url` was asked."""
    asked: list[dict[str, Any]] = requests.get(_control(url, "requests"), timeout=60).json()
    return asked


def change(url: str, **settings: float) -> None:
    """Change settings of the simulator, and let its log begin anew."""
    requests.post(_control(url, "settings"), json=settings, timeout=60).raise_for_status()
    requests.delete(_control(url, "requests"), timeout=60).raise_for_status()


def _control(url: str, action: str) -> str:
    return url.replace("/api/v1/", f"/_simulator/{action}")


@contextmanager
def simulator(**settings: float) -> Iterator[Close]:
    """A Close with so much data and no more; the settings are the simulator's."""
    nothing = dict.fromkeys(("leads", "activities", "tasks", "events", "custom-fields"), 0)
    options = [word for name, value in (nothing | settings).items() for word in ("--" + name, str(value))]
    # A cursor outlives the connector's run, so that the floor program can read the same pages.
    command = [sys.executable, "-m", "simulator", "--port", "0", "--cursor-seconds", "3600", *options]
    with subprocess.Popen(command, cwd=CONNECTOR, stdout=subprocess.PIPE, text=True) as process:
        try:
            # its first line ends with: http://127.0.0.1:12345/api/v1/ key api_...
            *_, url, _, key = (process.stdout or sys.exit("no output")).readline().split()
            yield Close(url, key)
        finally:
            process.terminate()
