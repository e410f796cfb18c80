"""discover: leaves out what FullStory definitely refuses, and nothing else."""

import time
from dataclasses import replace

import pytest
from simulator import Fault
from source_fullstory import offers
from source_fullstory.kit.transport import TooLarge
from source_fullstory.streams import STREAMS, Quotas
from unit_tests.syncs import Account

NAMES = [stream.name for stream in STREAMS]


def test_each_stream_is_asked_for_with_a_request_or_two(account: Account) -> None:
    assert list(account.discover().catalog()) == NAMES
    paths = [request.path for request in account.sim.requests]
    assert len(paths) <= len(NAMES) + 2
    assert {request.method for request in account.sim.requests} == {"GET"}


@pytest.mark.parametrize("code", [402, 403, 404])
def test_what_is_refused_is_left_out_and_the_log_says_why(account: Account, code: int) -> None:
    account.sim.settings.change(not_offered={"/webhooks", "/v2/visit_profile", "/settings/recording/v1/domain/history"})
    account.sim.settings.not_offered_status = code
    outcome = account.discover()
    gone = {"webhook_endpoints", "webhook_event_types", "session_profiles", "domain_settings_history"}
    assert set(NAMES) - set(outcome.catalog()) == gone
    for name in gone:
        assert f"{name}: left out, because FullStory does not offer it" in outcome.log
    assert "the plan of this account does not include this" in outcome.log


def test_a_standard_key_is_not_offered_what_takes_an_architects(account: Account) -> None:
    account.sim.settings.role = "USER"
    gone = set(NAMES) - set(account.discover().catalog())
    assert {"events", "export_bundles", "users", "sessions", "privacy_settings", "element_block_rules"} <= gone
    assert "segments" not in gone


@pytest.mark.parametrize("kind", ["400", "429", "500", "html", "reset", "error_object"])
def test_what_may_pass_leaves_a_stream_in(account: Account, kind: str) -> None:
    account.sim.fault(Fault("^/(v2|segments|operations|settings|webhooks|api)", kind, times=999))
    patience = replace(account.timing.check_patience, first_pause=0.01, longest_pause=0.02)
    assert list(account.in_time(check_patience=patience).discover().catalog()) == NAMES


def test_platforms_and_scopes_are_offered_if_one_of_them_is(account: Account) -> None:
    account.sim.fault(Fault("platform=web|scope=PAGE", "403", times=99))
    assert list(account.discover().catalog()) == NAMES


def test_an_address_that_is_not_fullstorys_leaves_all_in(account: Account) -> None:
    assert list(account.discover(api_url=f"{account.sim.url}/somewhere").catalog()) == NAMES


def test_a_wrong_key_is_told_at_once(account: Account) -> None:
    (error,) = account.discover(api_key="na1.wrong").errors()
    assert "does not accept this API key" in error["message"]


def test_a_host_that_cannot_be_reached_is_told(account: Account) -> None:
    (error,) = account.discover(api_url="http://127.0.0.1:9").errors()
    assert "check that this machine can reach" in error["message"]


def test_who_does_not_answer_in_time_stays_in(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(offers, "_SECONDS", 0.5)
    account.sim.fault(Fault("^/(v2|settings)", "stall_headers", times=99, seconds=5))
    began = time.monotonic()
    assert list(account.discover().catalog()) == NAMES
    assert time.monotonic() - began < 4


def test_a_question_that_fails_in_its_own_way_holds_nobody_up(
    account: Account, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def probe(*_: object) -> None:
        raise TooLarge(1)

    monkeypatch.setattr(Quotas, "probe", probe)
    began = time.monotonic()
    assert list(account.discover().catalog()) == NAMES
    assert time.monotonic() - began < offers._SECONDS / 2
    assert "Traceback" not in capfd.readouterr().err
