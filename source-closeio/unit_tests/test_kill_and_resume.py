"""A sync killed at any moment, any number of times, and resumed from its last state, ends with the same tables."""

from __future__ import annotations

import json
import random
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from simulator import CloseSimulator, Settings
from source_closeio import streams
from unit_tests.syncs import config

from simkit.destination import Destination
from simkit.syncs import Sync, arguments

Close = Callable[..., CloseSimulator]
STREAMS = {"leads": "lead", "activities": "activity", "tasks": "task", "event_log": "event"}


class Syncs:
    """Syncs one after the other, each from the last state of those before, into the same tables."""

    def __init__(self, folder: Path, sim: CloseSimulator, names: Iterable[str]) -> None:
        self.folder, self.sim, self.names = folder, sim, list(names)
        self.destination = Destination(streams.STREAMS)

    def run(self, *, lines: int | None = None, requests: int | None = None) -> int:
        """The exit status of a sync that is killed after so many lines or requests, if it gets that far."""
        given = arguments(self.folder, config(self.sim), self.names, self.destination.state)
        sync = Sync("source_closeio", given)
        self.sim.on_request = None if requests is None else sync.killer(after=requests)
        return sync.read(self.destination, lines)


@pytest.mark.parametrize("by", ["lines", "requests"])
def test_killed_at_random_points_and_resumed(close: Close, tmp_path: Path, by: str) -> None:
    sim = close(Settings(activities=8_000, leads=1_000, tasks=1_000, events=1_000))
    chance, most = random.Random(by), {"lines": 1_500, "requests": 20}
    syncs = Syncs(tmp_path, sim, STREAMS)

    killed = [syncs.run(**{by: chance.randrange(most[by])}) for _ in range(5)]

    assert all(killed)
    assert syncs.run() == 0
    for stream, collection in STREAMS.items():
        assert syncs.destination.tables[stream].keys() == sim.data[collection].truth.keys(), stream


def test_killed_while_changes_are_taken_in(close: Close, tmp_path: Path) -> None:
    """Old rows edited, deleted, merged into other leads, and mail of years that a mailbox has brought."""
    sim = close(Settings(leads=60, activities=2_000, tasks=300, events=0))
    chance = random.Random(1)
    names = {"leads": "lead", "contacts": "contact", "opportunities": "opportunity", "custom_objects": "custom_object"}
    names |= {"activities": "activity", "tasks": "task"}
    syncs = Syncs(tmp_path, sim, [*names, "deletions"])
    syncs.run()
    change(sim, chance)

    killed = [syncs.run(requests=chance.randrange(30)) for _ in range(5)]

    assert all(killed)
    assert syncs.run() == 0
    for stream, collection in names.items():
        found = syncs.destination.tables[stream]
        assert what_changes(found) == what_changes(sim.data[collection].truth), stream


def what_changes(table: dict[str, Any]) -> dict[str, Any]:
    """Lists and searches differ in other fields."""
    return {id_: [row.get(name) for name in ("lead_id", "note", "date_updated")] for id_, row in table.items()}


def change(sim: CloseSimulator, chance: random.Random) -> None:
    for id_ in chance.sample(sorted(sim.data["activity"].truth), 700):
        sim.data["activity"].update(id_, note="edited much later")
    for year in (2022, 2023):
        sim.data["activity"].add(sim.make_activity("Email", date_created=datetime(year, 5, 1, tzinfo=UTC)))
    leads = chance.sample(sorted(sim.data["lead"].truth), 14)
    for source, destination in pairwise(leads[:4]):
        sim.merge_leads(source, destination, quiet=bool(chance.getrandbits(1)))
    for id_ in leads[4:]:
        sim.data["lead"].delete(id_)


def test_a_closed_pipe_ends_the_process(close: Close, tmp_path: Path) -> None:
    sim = close(Settings(activities=50_000))
    command = shlex.join([sys.executable, "-m", "source_closeio", *arguments(tmp_path, config(sim), STREAMS)])

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 50"],
        capture_output=True,
        check=False,
        timeout=60,
    )

    assert done.stdout.count(b"\n") == 50
    assert done.returncode != 0


def test_states_say_how_many_records_came_since_the_last_one(close: Close, tmp_path: Path) -> None:
    given = arguments(tmp_path, config(close(Settings(activities=9_000))), STREAMS)
    done = subprocess.run([sys.executable, "-m", "source_closeio", *given], capture_output=True, check=True)
    counted: dict[str, float] = {}
    for message in map(json.loads, done.stdout.splitlines()):
        if message["type"] == "RECORD":
            stream = message["record"]["stream"]
            counted[stream] = counted.get(stream, 0) + 1
        elif message["type"] == "STATE":
            stream = message["state"]["stream"]["stream_descriptor"]["name"]
            assert message["state"]["sourceStats"]["recordCount"] == counted.pop(stream, 0)
    assert not any(counted.values())


def test_log_lines_never_tear_a_record_apart() -> None:
    """Records leave in blocks that end anywhere; a log line must not come in between."""
    script = """
import logging, sys, threading
from source_closeio.kit import entrypoint
from source_closeio.source import SourceCloseio
class Entrypoint:
    def __init__(self, source): pass
    def messages(self, arguments):
        stop = threading.Event()
        def log():
            while not stop.is_set():
                logging.getLogger("airbyte").info("meanwhile")
        thread = threading.Thread(target=log)
        thread.start()
        for _ in range(30_000):
            yield b'{"type":"RECORD","pad":"' + b"x" * 300 + b'"}\\n'
        stop.set()
        thread.join()
entrypoint.Entrypoint = Entrypoint
entrypoint.as_line = lambda line: line
sys.argv = ["source-closeio", "spec"]
entrypoint.launch(SourceCloseio(), "source-closeio")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)

    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds.count("RECORD") == 30_000
    assert "LOG" in kinds
