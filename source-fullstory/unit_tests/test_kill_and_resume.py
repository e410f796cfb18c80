"""A sync killed at any moment and resumed from its last state ends with the table of one that never was."""

import itertools
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault, Request
from source_fullstory import epochs
from unit_tests.syncs import ROOT, Account, assert_rows

KILLS = 6
DAY = 86_400


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
    sim.settings.change(events_per_day=2000, regenerate={"order"}, page_size=5, listing_lag=0)
    start = int(time.time()) // DAY * DAY - 5 * DAY
    sim.add_period(start, start + 2 * DAY, hours=6)
    sim.add_period(start + 2 * DAY, start + 4 * DAY, hours=24)
    sim.add_period(start + DAY, start + 5 * DAY, hours=12)
    account.config["start_date"] = epochs.to_text(start)
    late = sim.bundles[-2]
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


@pytest.fixture
def exporting(account: Account) -> Account:
    """Four days of events that come by segment export."""
    today = int(time.time()) // 86_400 * 86_400
    account.sim.settings.change(events_per_day=500, export_polls=0, row_order="shuffled")
    account.sim.add_period(today - 5 * 86_400, today - 86_400)
    account.config["start_date"] = epochs.to_text(today - 5 * 86_400)
    account.config["events_source"] = {"method": "segment_export", "window_hours": 24, "settle_hours": 12}
    return account


def windows(account: Account) -> list[tuple[str, str]]:
    return [export.order.window for export in account.sim.exports]


PHASES = {
    "an order": "/segments/v1/exports",
    "a look at the operation": "/operations/v1/",
    "the address": "/results",
    "the download": "fullstoryapp-search-export",
}


@pytest.mark.parametrize("phase", list(PHASES))
def test_a_sync_killed_in_a_phase_of_an_export_goes_on_with_it(exporting: Account, tmp_path: Path, phase: str) -> None:
    sim, destination, rng = exporting.sim, Destination(), random.Random(phase)
    killed = 0
    for _ in range(2):
        processes: list[subprocess.Popen[bytes]] = []
        sim.on_request = _killer(processes, PHASES[phase], rng.randrange(4))
        arguments = exporting.arguments(tmp_path, state=destination.state)
        killed += run(arguments, destination, None, processes)
    sim.on_request = None
    assert killed
    assert not run(exporting.arguments(tmp_path, state=destination.state), destination, None)

    first, last = sim.bundles[0].start, sim.bundles[-1].stop
    assert_rows(destination.table.values(), sim.event_truth(first, last))
    # A kill while an order is on its way leaves nobody who could know of it.
    assert len(windows(exporting)) - len(set(windows(exporting))) <= (killed if phase == "an order" else 0)


def test_exports_killed_anywhere_and_resumed_end_with_the_same_table(exporting: Account, tmp_path: Path) -> None:
    sim, rng, destination = exporting.sim, random.Random(3), Destination()
    for _ in range(KILLS):
        run(exporting.arguments(tmp_path, state=destination.state), destination, rng.randrange(1_500))
    assert not run(exporting.arguments(tmp_path, state=destination.state), destination, None)
    assert_rows(destination.table.values(), sim.event_truth(sim.bundles[0].start, sim.bundles[-1].stop))
    assert destination.state
    assert destination.state[0]["stream"]["stream_state"]["exports"] == []


def _killer(processes: list[subprocess.Popen[bytes]], path: str, after: int) -> Callable[[Request], None]:
    """Kills the process when so many requests of that phase, and one more, have come."""
    met = itertools.count()

    def kill(request: Request) -> None:
        if path in request.target and next(met) >= after:
            processes[0].kill()

    return kill


def run(
    arguments: list[str],
    destination: Destination,
    lines: int | None,
    processes: list[subprocess.Popen[bytes]] | None = None,
) -> bool:
    """Run a sync (and put it into `processes`), and kill it after so many lines; was it?"""
    process = subprocess.Popen([sys.executable, "-m", "source_fullstory", *arguments], cwd=ROOT, stdout=subprocess.PIPE)
    assert process.stdout
    if processes is not None:
        processes.append(process)
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
