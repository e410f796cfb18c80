"""Child processes, and what they cost."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

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
        process = subprocess.Popen([sys.executable, *arguments], stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"python {' '.join(arguments)} ended with status {process.returncode}")
    return Spent(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * _RSS_UNIT / 1e6)
