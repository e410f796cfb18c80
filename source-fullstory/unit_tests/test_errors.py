"""Failures: they name the stream and the remedy, stop only what they must, and reveal no secret."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault
from unit_tests.syncs import ROOT, Account, Outcome, assert_rows, run_process

BOTH = ["events", "export_bundles"]


@pytest.fixture
def filled(account: Account) -> Account:
    account.sim.add_period("2024-01-01", "2024-01-05")
    return account


def test_a_failing_bundle_stops_events_there_and_the_other_stream_goes_on(filled: Account) -> None:
    first, second, third, _ = filled.sim.bundles
    filled.sim.fault(Fault(f"get.id={third.id}", "crc", times=99))
    outcome = filled.sync(streams=BOTH)
    assert_rows(outcome.records(), filled.sim.events(first.id) + filled.sim.events(second.id))
    assert outcome.state()["bundle_id"] == second.id
    assert outcome.status() == "INCOMPLETE"
    assert outcome.status("export_bundles") == "COMPLETE"
    assert len(outcome.records("export_bundles")) == 4
    assert all(str(third.id) in error["message"] for error in outcome.errors())


def test_the_next_sync_goes_on_with_the_bundle_that_failed(filled: Account) -> None:
    third = filled.sim.bundles[2]
    filled.sim.fault(Fault(f"get.id={third.id}", "missing_bracket", times=9))
    first = filled.sync()
    second = filled.sync(first.state())
    assert_rows(first.records() + second.records(), filled.sim.truth())


@pytest.mark.parametrize("rows", [[b'{"EventType":"click"'], [b'{"a":NaN}'], [b"5"], [b"null"]])
@pytest.mark.parametrize("before", [0, 3000])
def test_a_bad_row_fails_its_bundle_and_is_never_skipped(account: Account, rows: list[bytes], before: int) -> None:
    good = [{"EventStart": f"2024-01-01T10:{n // 60:02}:{n % 60:02}.000Z", "filler": "x" * 200} for n in range(before)]
    account.sim.add_bundle("2024-01-01", "2024-01-02", [*good, *rows])
    outcome = account.sync()
    assert outcome.states() == []
    assert outcome.status() == "INCOMPLETE"
    (error, *_) = outcome.errors()
    assert "bundle 170406720048" in error["message"]
    assert error["failure_type"] == "transient_error"


def test_a_wrong_key_is_a_config_error(filled: Account) -> None:
    outcome = filled.sync(streams=BOTH, api_key="na1.wrong")
    assert {error["failure_type"] for error in outcome.errors()} == {"config_error"}
    assert "does not accept this API key" in outcome.errors()[0]["message"]
    assert len(filled.sim.requests) == 2


@pytest.mark.parametrize("code", [402, 403, 404])
def test_a_missing_add_on_is_a_config_error(filled: Account, code: int) -> None:
    filled.sim.settings.change(data_export=False, no_data_export_status=code)
    outcome = filled.sync()
    assert outcome.errors()[0]["failure_type"] == "config_error"
    assert "add-on Data Export" in outcome.errors()[0]["message"]


def test_a_request_that_is_refused_is_quoted(filled: Account) -> None:
    filled.sim.fault(Fault("/list", "400", body='{"code":"bad_request","message":"Bad Request"}'))
    outcome = filled.sync()
    assert "answered 400: bad_request; Bad Request" in outcome.errors()[0]["message"]
    assert outcome.errors()[0]["failure_type"] == "system_error"


def test_a_server_that_stays_down_is_a_transient_error(filled: Account) -> None:
    filled.sim.fault(Fault("/list", "503", times=99))
    outcome = filled.sync()
    assert outcome.errors()[0]["failure_type"] == "transient_error"
    assert "status.fullstory.com" in outcome.errors()[0]["message"]
    assert sum(request.path.endswith("/list") for request in filled.sim.requests) == 9


@pytest.mark.parametrize("kind", ["html", "error_object", "reset", "401", "403", "500"])
def test_the_key_is_in_no_output_at_any_level(filled: Account, kind: str) -> None:
    filled.sim.fault(Fault("/get", kind, times=99))
    assert filled.sim.api_key not in filled.sync(debug=True).text


def test_a_failed_sync_exits_with_an_error_and_a_good_one_with_none(filled: Account, tmp_path: Path) -> None:
    arguments = filled.arguments(tmp_path, BOTH)
    assert run_process(arguments).returncode == 0
    filled.sim.fault(Fault("/get", "400", times=99))
    failed = run_process(arguments)
    assert failed.returncode == 1
    assert Outcome(failed.stdout.split("\n")[:-1]).status("export_bundles") == "COMPLETE"


def test_a_failed_check_exits_with_none(filled: Account, tmp_path: Path) -> None:
    filled.sim.settings.role = "USER"
    arguments = filled.arguments(tmp_path)
    done = run_process(["check", *arguments[1:3]])
    assert done.returncode == 0
    assert '"status":"FAILED"' in done.stdout


def start(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "source_fullstory", *arguments]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, **options)


def test_the_process_ends_when_nobody_listens_any_more(account: Account, tmp_path: Path) -> None:
    account.sim.add_period("2024-01-01", "2024-01-05", events=10_000)
    process = start(account.arguments(tmp_path), stderr=subprocess.DEVNULL)
    assert process.stdout
    process.stdout.read(100_000)
    process.stdout.close()
    assert process.wait(30) != 0


def test_the_process_ends_when_it_is_told_to_in_the_middle_of_a_download(account: Account, tmp_path: Path) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 100)
    account.sim.fault(Fault("/get", "stall_body", seconds=60))
    process = start(account.arguments(tmp_path))
    while not any("/get" in request.path for request in account.sim.requests):
        assert process.poll() is None
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(10) != 0
    assert process.stdout
    process.stdout.close()
