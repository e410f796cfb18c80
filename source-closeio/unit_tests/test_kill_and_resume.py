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
from typing import Any, Self

import pytest
from simulator import CloseSimulator, Settings
from unit_tests.destination import Destination
from unit_tests.syncs import config

Close = Callable[..., CloseSimulator]
STREAMS = {"leads": "lead", "activities": "activity", "tasks": "task", "event_log": "event"}


class Process:
    """`python -m source_closeio read`, with its output in a file as a platform would tail it."""

    def __init__(
        self, folder: Path, settings: dict[str, Any], states: list[dict[str, Any]], names: Iterable[str] = STREAMS
    ) -> None:
        streams = [
            {
                "stream": {"name": name, "json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]},
                "sync_mode": "incremental",
                "destination_sync_mode": "append_dedup",
            }
            for name in names
        ]
        files = {"config": settings, "catalog": {"streams": streams}, "state": states}
        arguments = []
        for name, content in files.items():
            (folder / f"{name}.json").write_text(json.dumps(content))
            arguments += [f"--{name}", str(folder / f"{name}.json")]
        self.path = folder / "output.jsonl"
        self.command = [sys.executable, "-m", "source_closeio", "read", *arguments]

    def __enter__(self) -> Self:
        with self.path.open("wb") as output:
            self.process = subprocess.Popen(self.command, stdout=output, cwd=Path(__file__).parents[1])
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()

    def messages(self) -> list[dict[str, Any]]:
        """Everything put out, but for a last line that was cut off."""
        lines = self.path.read_bytes().split(b"\n")[:-1]
        return [json.loads(line) for line in lines]


class Warehouse:
    """A destination, and syncs into it."""

    def __init__(self, folder: Path, sim: CloseSimulator, names: Iterable[str]) -> None:
        self.folder, self.sim, self.names = folder, sim, list(names)
        self.destination = Destination()

    def sync(self, seconds: float | None = None) -> int | None:
        """The exit status of a sync that was killed after so many seconds if it was still running."""
        with Process(self.folder, config(self.sim), list(self.destination.states.values()), self.names) as run:
            try:
                run.process.wait(timeout=seconds)
            except subprocess.TimeoutExpired:
                run.process.kill()
        self.destination.load(run.messages())
        return run.process.returncode

    def table(self, stream: str) -> dict[str, Any]:
        return self.destination.tables[stream]


@pytest.mark.parametrize("seed", [1, 2])
def test_killed_at_random_points_and_resumed(close: Close, tmp_path: Path, seed: int) -> None:
    sim = close(Settings(activities=20_000, leads=3_000, tasks=3_000, events=3_000, latency_ms=100, seed=seed))
    chance = random.Random(seed)
    warehouse = Warehouse(tmp_path, sim, STREAMS)

    killed = [warehouse.sync(chance.uniform(1.7, 3.0)) for _ in range(5)]

    assert all(killed)
    assert warehouse.sync() == 0
    for stream, collection in STREAMS.items():
        assert warehouse.table(stream).keys() == sim.data[collection].truth.keys(), stream


def test_killed_while_changes_are_taken_in(close: Close, tmp_path: Path) -> None:
    """Old rows edited, deleted, merged into other leads, and mail of years that a mailbox has brought."""
    sim = close(Settings(leads=60, activities=2_000, tasks=300, events=0))
    chance = random.Random(1)
    names = {"leads": "lead", "contacts": "contact", "opportunities": "opportunity", "custom_objects": "custom_object"}
    names |= {"activities": "activity", "tasks": "task"}
    warehouse = Warehouse(tmp_path, sim, [*names, "deletions"])
    warehouse.sync()
    change(sim, chance)
    sim.settings.change(latency_ms=100)

    killed = [warehouse.sync(chance.uniform(1.5, 2.5)) for _ in range(5)]

    assert all(killed)
    assert warehouse.sync() == 0
    for stream, collection in names.items():
        assert what_changes(warehouse.table(stream)) == what_changes(sim.data[collection].truth), stream


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
    command = shlex.join(Process(tmp_path, config(sim), []).command)

    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command} | head -n 50"],
        capture_output=True,
        cwd=Path(__file__).parents[1],
        check=False,
        timeout=60,
    )

    assert done.stdout.count(b"\n") == 50
    assert done.returncode != 0


def test_states_say_how_many_records_came_since_the_last_one(close: Close, tmp_path: Path) -> None:
    with Process(tmp_path, config(close(Settings(activities=9_000))), []) as run:
        run.process.wait()
    counted: dict[str, float] = {}
    for message in run.messages():
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
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, cwd=Path(__file__).parents[1], check=True
    )

    kinds = [json.loads(line)["type"] for line in done.stdout.splitlines()]
    assert kinds.count("RECORD") == 30_000
    assert "LOG" in kinds
