"""A sync killed at any moment and resumed from its last state ends with the table of one that never was."""

import json
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault, Request
from unit_tests.syncs import ROOT, Account, assert_rows

KILLS = 6


class Destination:
    """A table by key, and the last state whose records are all in it."""

    def __init__(self) -> None:
        self.table: dict[str, dict[str, Any]] = {}
        self.state: list[Any] | None = None

    def take(self, line: bytes) -> bool:
        """False for a line that was cut off by the kill."""
        try:
            message = json.loads(line)
        except ValueError:
            return False
        if message["type"] == "RECORD":
            data = message["record"]["data"]
            self.table[data["event_key"]] = data
        elif message["type"] == "STATE":
            self.state = [message["state"]]
        return True


def test_killed_and_resumed_syncs_end_with_the_same_table(account: Account, tmp_path: Path) -> None:
    sim, rng, destination = account.sim, random.Random(1), Destination()
    sim.settings.change(events_per_day=2000, regenerate={"order"}, page_size=5)
    sim.add_period("2024-01-01", "2024-01-03", hours=6)
    sim.add_period("2024-01-03", "2024-01-05", hours=24)
    sim.add_period("2024-01-02", "2024-01-06", hours=12)
    late = sim.bundles[3]
    sim.remove_bundle(late.id)
    sim.fault(Fault("/get", "cut", probability=0.1, at=2000))

    for number in range(KILLS):
        lines = rng.randrange(7_000)
        killed = run(account.arguments(tmp_path, state=destination.state), destination, lines)
        assert killed or number > 0
        if number == KILLS // 2:
            sim.add_bundle(late.start, late.stop)
    sim.clear_faults()
    assert not run(account.arguments(tmp_path, state=destination.state), destination, None)

    assert_rows(destination.table.values(), sim.truth())
    assert destination.state
    assert destination.state[0]["stream"]["stream_state"]["holes"] == []


def run(arguments: list[str], destination: Destination, lines: int | None) -> bool:
    """Run a sync, and kill it after so many lines; was it?"""
    process = subprocess.Popen([sys.executable, "-m", "source_fullstory", *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    with process.stdout:
        for number, line in enumerate(process.stdout):
            if number == lines:
                process.kill()
            if not destination.take(line):
                break
    return process.wait() != 0


def test_a_sync_killed_during_downloads_leaves_nothing_behind(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    account.sim.add_period("2024-01-01", "2024-01-03", events=500)
    account.sim.fault(Fault("/get", "stall_body", at=5000, times=9))
    arguments = account.arguments(tmp_path)
    process = subprocess.Popen(
        [sys.executable, "-m", "source_fullstory", *arguments], cwd=ROOT, stdout=subprocess.DEVNULL
    )

    def under_way(request: Request) -> bool:
        return "/get" in request.path and request.sent > 0

    while not any(map(under_way, account.sim.requests)):
        assert process.poll() is None
    process.kill()
    process.wait()
    assert not [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size > 1000]
