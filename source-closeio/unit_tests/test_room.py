"""Memory and disk: pages that are huge, and a folder for temporary files that is full."""

from __future__ import annotations

import errno
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from simulator import CloseSimulator, Settings
from source_closeio.event_log import spool
from unit_tests.syncs import config, sync

from simkit.syncs import arguments

Close = Callable[..., CloseSimulator]
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)
MB = 1 << 20


def huge(sim: CloseSimulator, count: int, size: int, **fields: Any) -> None:
    for number in range(count):
        moment = MAY + timedelta(minutes=number)
        mail = sim.make_activity("Email", date_created=moment, body_text=os.urandom(size // 2).hex(), **fields)
        sim.data["activity"].add(mail, log=False)


def test_huge_pages_are_asked_for_in_halves_and_then_stay_small(close: Close) -> None:
    sim = close(gzip=False)
    huge(sim, 60, MB)

    result = sync(sim, "email_activities")

    limits = [int(request.params["_limit"]) for request in sim.requests if request.path == "activity/email"]
    assert len(result.rows("email_activities")) == len(result.table("email_activities")) == 60
    assert limits[0] == 100
    assert max(limits[6:]) <= 6
    assert not result.errors


@pytest.mark.parametrize("stream", ["leads", "roles", "event_log"])
def test_so_are_those_of_searches_short_lists_and_the_event_log(close: Close, stream: str) -> None:
    sim = close(gzip=False)
    collection = {"leads": "lead", "roles": "role", "event_log": "event"}[stream]
    make = {"leads": sim.make_lead, "roles": dict, "event_log": sim.make_event}[stream]
    name = {"leads": "description", "roles": "name", "event_log": "data"}[stream]
    for _ in range(30):
        text = "x" * MB
        sim.data[collection].add(make() | {name: {"text": text} if stream == "event_log" else text}, log=False)

    result = sync(sim, stream)

    assert len(result.table(stream)) == 30
    assert not result.errors


def test_huge_rows_of_one_second_are_read_all_the_same(close: Close) -> None:
    sim = close()
    for _ in range(12):
        mail = sim.make_activity("Email", date_created=MAY, body_text="x" * 3 * MB)
        sim.data["activity"].add(mail, log=False)

    result = sync(sim, "email_activities")

    assert len(result.table("email_activities")) == 12
    assert not result.errors


def test_mails_of_two_megabytes_fit_into_256(close: Close, tmp_path: Path) -> None:
    sim = close(gzip=False)
    huge(sim, 100, 2 * MB)

    most = 0
    with subprocess.Popen(
        command(tmp_path, sim, "email_activities"), stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[1]
    ) as run:
        while run.poll() is None:
            most = max(most, peak_of(run.pid))
            time.sleep(0.01)

    assert run.returncode == 0
    assert 0 < most < 256 * MB


def command(folder: Path, sim: CloseSimulator, stream: str, state: object = None) -> list[str]:
    return [sys.executable, "-m", "source_closeio", *arguments(folder, config(sim), [stream], state)]


def peak_of(pid: int) -> int:
    """The most memory that the process has had so far; 0 when it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text("utf-8")
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def full(*_: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("also", [(), ("event_log",)])
def test_a_full_folder_is_a_sentence_that_names_it(
    close: Close, also: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = close(Settings(leads=5, activities=5, tasks=0, events=0))
    first = sync(sim, "leads", "activities", "users", *also)
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
    monkeypatch.setattr(spool, "dump_line", full)

    second = sync(sim, "leads", "activities", "deletions", "users", *also, state=first.state)

    for stream in ("leads", "activities", "deletions"):
        assert second.statuses(stream)[-1] == "INCOMPLETE"
    for stream in ("users", *also):
        assert second.statuses(stream)[-1] == "COMPLETE"
    assert all("TMPDIR" in error and "No space left" in error for error in second.errors)


def test_a_folder_with_room_for_little_is_a_sentence_too(close: Close, tmp_path: Path) -> None:
    """A real limit: files of at most 64 KB."""
    sim = close(Settings(leads=200, activities=0, tasks=0, events=0))
    for id_ in list(sim.data["lead"].truth):
        sim.data["lead"].update(id_, description="x" * 20_000, log=False)
        sim.data["lead"].delete(id_)
    state = {
        "type": "STREAM",
        "stream": {
            "stream_descriptor": {"name": "leads"},
            "stream_state": {
                "date_updated": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
                "events_read_to": (datetime.now(UTC) - timedelta(days=1)).isoformat(),
            },
        },
    }
    done = subprocess.run(
        command(tmp_path, sim, "leads", [state]),
        capture_output=True,
        cwd=Path(__file__).parents[1],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (65536, 65536)),
        env={**os.environ, "TMPDIR": str(tmp_path)},
        check=False,
        text=True,
    )

    assert done.returncode == 1
    assert f"The folder {tmp_path} cannot take in the deletions" in done.stdout
    assert "defect" not in done.stdout
