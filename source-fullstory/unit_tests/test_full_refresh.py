"""A full refresh that is cut goes on where it was, and one that is not the same job reads everything."""

import pytest
from airbyte_cdk.models import SyncMode
from simulator import Fault
from source_fullstory import epochs
from source_fullstory.account import account_stream
from source_fullstory.streams import STREAMS
from unit_tests.syncs import Account, Outcome, Row

FULL = SyncMode.full_refresh
DONE = {"__ab_no_cursor_state_message": True}


@pytest.fixture
def account(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """23 users on 23 pages, and a state after every third page."""
    monkeypatch.setattr(account_stream, "_PAGES_A_STATE", 3)
    account.sim.fill_account(23)
    account.sim.settings.change(user_page_size=1, page_cap=1)
    return account


def read(account: Account, name: str = "users", state: Row | None = None) -> Outcome:
    return account.sync(state, streams=[name], mode=FULL)


def ids(outcome: Outcome, name: str = "users") -> list[str]:
    return [row["id"] for row in outcome.records(name)]


def test_a_list_that_is_refused_on_a_page_goes_on_there(account: Account) -> None:
    account.sim.fault(Fault("v2/users", "400", after=14))
    first = read(account)
    (error, *_) = first.errors()
    assert (first.status("users"), len(ids(first))) == ("INCOMPLETE", 14)
    assert "What was read before is kept" in error["message"]
    account.sim.clear_requests()
    second = read(account, state=first.state("users"))
    assert (second.status("users"), second.state("users")) == ("COMPLETE", DONE)
    assert ids(first)[:12] + ids(second) == [user["id"] for user in account.sim.account.users]
    assert len(account.sim.requests) == 23 - 12


def test_every_state_on_the_way_gives_the_rest(account: Account) -> None:
    first = read(account)
    for number, state in enumerate(first.states("users")[:-1], 1):
        assert ids(first)[: 3 * number] + ids(read(account, state=state)) == ids(first)


def test_what_is_asked_for_in_parts_goes_on_in_its_part(account: Account) -> None:
    account.sim.fault(Fault("scope=REQUEST", "500", times=99))
    first = read(account, "extraction_rules")
    account.sim.clear_faults()
    account.sim.clear_requests()
    second = read(account, "extraction_rules", first.state("extraction_rules"))
    assert [request.params["scope"] for request in account.sim.requests] == ["REQUEST", "EVENT"]
    found = ids(first, "extraction_rules") + ids(second, "extraction_rules")
    assert sorted(found) == sorted(row["id"] for row in account.sim.account.extraction_rules)


def test_sessions_go_on_with_the_first_page_of_users_that_is_not_through(account: Account) -> None:
    account.sim.fault(Fault("v2/users", "500", after=14, times=99))
    first = read(account, "sessions")
    assert "What was read before is kept" in first.errors()[0]["message"]
    account.sim.clear_faults()
    account.sim.clear_requests()
    second = read(account, "sessions", first.state("sessions"))
    assert sum(request.path == "/v2/users" for request in account.sim.requests) <= 23 - 13
    held = account.sim.account
    asked = [user["id"] for user in held.users if user["uid"] or user["email"]]
    assert {*ids(first, "sessions"), *ids(second, "sessions")} == {
        row["id"] for each in asked for row in held.sessions[each]
    }
    assert second.state("sessions") == DONE


@pytest.mark.parametrize("name", [stream.name for stream in STREAMS])
def test_the_state_of_a_sync_that_is_through_shortens_no_full_refresh(account: Account, name: str) -> None:
    account.sim.add_period("2024-01-01", "2024-01-04")
    first = read(account, name)
    assert len(first.records(name)) > 0
    assert len(read(account, name, first.state(name)).records(name)) >= len(first.records(name))


@pytest.mark.parametrize(
    "other",
    [
        {"began": epochs.to_text(1_700_000_000)},
        {"began": "9999-12-31T23:59:59Z"},
        {"began": None},
        {"page_token": 5},
        {"query": -1},
        {"query": "x"},
    ],
    ids=str,
)
def test_a_place_of_another_sync_or_none_begins_again(account: Account, other: Row) -> None:
    place = read(account).states("users")[2]
    assert len(ids(read(account, state={**place, **other}))) == 23


def test_a_place_that_fullstory_has_forgotten_begins_again(account: Account) -> None:
    place = read(account).states("users")[2]
    outcome = read(account, state={**place, "page_token": "forgotten"})
    assert (outcome.status("users"), len(ids(outcome))) == ("COMPLETE", 23)
    assert "the saved place is not known any more" in outcome.log


@pytest.mark.parametrize("name", ["events", "users", "sessions", "quotas", "operations", "geo_settings_history"])
def test_an_attempt_of_the_same_job_reads_nothing_twice(
    account: Account, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Airbyte keeps what the attempt before wrote, and another stream may have been the one that failed."""
    monkeypatch.setenv("WORKER_JOB_ID", "12")
    account.sim.add_period("2024-01-01", "2024-01-04")
    first = read(account, name)
    second = read(account, name, first.state(name))
    assert (second.status(name), second.records(name)) == ("COMPLETE", [])
    monkeypatch.setenv("WORKER_JOB_ID", "13")
    assert len(read(account, name, second.state(name)).records(name)) == len(first.records(name))


@pytest.mark.parametrize("name", ["operations", "geo_settings_history"])
def test_what_begins_again_is_not_said_to_be_kept(account: Account, name: str) -> None:
    account.sim.fault(Fault("operations|geo", "500", after=3, times=99))
    outcome = account.sync(streams=[name])
    assert outcome.states(name) == []
    assert "begins this stream again" in outcome.errors()[0]["message"]
    assert "kept" not in outcome.text


def test_check_claims_to_keep_nothing(account: Account) -> None:
    account.sim.fault(Fault("list", "500", times=99))
    assert "kept" not in account.check()["message"]
