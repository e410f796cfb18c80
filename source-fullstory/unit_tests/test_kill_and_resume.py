"""A sync killed at any moment and resumed from its last state ends with the table of one that never was."""

import random
import time
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault, Request
from source_fullstory import epochs
from source_fullstory.streams import STREAMS
from unit_tests.syncs import Account, assert_rows

from simkit.destination import Destination
from simkit.syncs import Sync

KILLS = 6
DAY = 86_400


class Syncs:
    """Syncs one after the other, each from the last state of those before, into the same table."""

    def __init__(self, folder: Path, account: Account) -> None:
        self.folder, self.account = folder, account
        self.destination = Destination(STREAMS)

    def run(self, *, lines: int | None = None, path: str = "", requests: int | None = None) -> int:
        """The exit status of a sync that is killed after so many lines or requests, if it gets that far."""
        sync = Sync("source_fullstory", self.account.arguments(self.folder, state=self.destination.state))
        self.account.sim.on_request = None if requests is None else sync.killer(path, requests)
        return sync.read(self.destination, lines)

    def rows(self) -> list[dict[str, Any]]:
        return list(self.destination.tables["events"].values())

    def state(self) -> dict[str, Any]:
        state: dict[str, Any] = self.destination.states["events"]["stream"]["stream_state"]
        return state


def test_killed_and_resumed_syncs_end_with_the_same_table(account: Account, tmp_path: Path) -> None:
    sim, rng, syncs = account.sim, random.Random(1), Syncs(tmp_path, account)
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
        killed = syncs.run(lines=rng.randrange(7_000))
        assert killed or number > 0
        if number == KILLS // 2:
            sim.add_bundle(late.start, late.stop)
    sim.clear_faults()
    assert not syncs.run()

    assert_rows(syncs.rows(), sim.truth())
    assert syncs.state()["holes"] == []


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
    sim, syncs, rng = exporting.sim, Syncs(tmp_path, exporting), random.Random(phase)
    killed = sum(syncs.run(path=PHASES[phase], requests=rng.randrange(4)) != 0 for _ in range(2))
    assert killed
    assert not syncs.run()

    first, last = sim.bundles[0].start, sim.bundles[-1].stop
    assert_rows(syncs.rows(), sim.event_truth(first, last))
    # A kill while an order is on its way leaves nobody who could know of it.
    assert len(windows(exporting)) - len(set(windows(exporting))) <= (killed if phase == "an order" else 0)


def test_exports_killed_anywhere_and_resumed_end_with_the_same_table(exporting: Account, tmp_path: Path) -> None:
    sim, rng, syncs = exporting.sim, random.Random(3), Syncs(tmp_path, exporting)
    for _ in range(KILLS):
        syncs.run(lines=rng.randrange(1_500))
    assert not syncs.run()
    assert_rows(syncs.rows(), sim.event_truth(sim.bundles[0].start, sim.bundles[-1].stop))
    assert syncs.state()["exports"] == []


def test_a_sync_killed_during_downloads_leaves_nothing_behind(
    account: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = tmp_path / "spool"
    spool.mkdir()
    monkeypatch.setenv("TMPDIR", str(spool))
    account.sim.add_period("2024-01-01", "2024-01-03", events=500)
    account.sim.fault(Fault("/get", "stall_body", at=5000, times=9))
    sync = Sync("source_fullstory", account.arguments(tmp_path))

    def under_way(request: Request) -> bool:
        return "/get" in request.path and request.sent > 0

    while not any(map(under_way, account.sim.requests)):
        assert sync.process.poll() is None
    sync.kill()
    assert not [path for path in spool.rglob("*") if path.is_file() and path.stat().st_size > 1000]
