"""`check`: each thing that can be wrong has its own sentence; never a crash, never the key."""

import json
from pathlib import Path

import pytest
from simulator import Fault
from unit_tests.syncs import Account, run_process


def test_a_good_key_succeeds_with_two_requests(account: Account) -> None:
    assert account.check() == {"status": "SUCCEEDED"}
    assert [request.path for request in account.sim.requests] == ["/me", "/api/v1/export/list"]


def test_an_administrators_key_is_good_too(account: Account) -> None:
    account.sim.settings.role = "ADMIN"
    assert account.check()["status"] == "SUCCEEDED"


def test_a_wrong_key(account: Account) -> None:
    status = account.check(api_key="na1.wrong")
    assert status["status"] == "FAILED"
    assert "does not accept this API key" in status["message"]
    assert "na1.wrong" not in status["message"]


def test_a_standard_key(account: Account) -> None:
    account.sim.settings.role = "USER"
    status = account.check()
    assert status["status"] == "FAILED"
    assert "permission Standard" in status["message"]
    assert "Architect" in status["message"]


@pytest.mark.parametrize("code", [402, 403, 404])
def test_an_account_without_data_export(account: Account, code: int) -> None:
    account.sim.settings.data_export = False
    account.sim.settings.no_data_export_status = code
    status = account.check()
    assert status["status"] == "FAILED"
    assert "add-on Data Export" in status["message"]
    assert "Data Export is not enabled for this account" in status["message"]


def test_a_bad_date(tmp_path: Path) -> None:
    """By the command: the CDK alone would quote a regular expression."""
    (tmp_path / "config.json").write_text('{"api_key": "na1.key", "start_date": "yesterday"}')
    done = run_process(["check", "--config", str(tmp_path / "config.json")])
    status = json.loads(done.stdout.splitlines()[-1])["connectionStatus"]
    assert (done.returncode, status["status"]) == (0, "FAILED")
    assert "'yesterday' is not a date" in status["message"]


def test_a_host_that_cannot_be_reached(account: Account) -> None:
    status = account.check(api_url="http://127.0.0.1:9")
    assert status["status"] == "FAILED"
    assert "check that this machine can reach" in status["message"]


def test_an_address_that_is_not_fullstorys(account: Account) -> None:
    status = account.check(export_url=f"{account.sim.url}/somewhere")
    assert status["status"] == "FAILED"
    assert "does not offer Data Export" in status["message"]


def test_the_list_decides_where_nobody_says_whose_key_it_is(account: Account) -> None:
    assert account.check(api_url=f"{account.sim.url}/somewhere")["status"] == "SUCCEEDED"


def test_a_list_that_is_no_list(account: Account) -> None:
    account.sim.fault(Fault("/list", "error_object", times=9))
    status = account.check()
    assert status["status"] == "FAILED"
    assert "internal_error" in status["message"]


def test_the_list_may_be_empty(account: Account) -> None:
    account.sim.settings.hide_bundles = True
    assert account.check()["status"] == "SUCCEEDED"


def test_a_server_that_answers_nothing_to_everything_is_not_fullstory(account: Account) -> None:
    account.sim.fault(Fault("", "200", times=None, body="{}"))
    status = account.check()
    assert status["status"] == "FAILED"
    assert "is not FullStory's API" in status["message"]
