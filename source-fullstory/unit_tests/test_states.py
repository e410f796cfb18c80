"""Saved states of every kind and age: a start, or a sentence; and none goes back."""

from typing import Any

import pytest
from simulator import Fault
from source_fullstory import epochs
from unit_tests.syncs import Account, Row, assert_rows

LISTS = ["export_bundles", "operations", "geo_settings_history", "domain_settings_history"]
FIRST, LAST = "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"


@pytest.fixture
def account(account: Account) -> Account:
    account.sim.add_period("2024-01-01", "2024-01-04")
    account.sim.fill_account(5)
    return account


def described(name: str, state: object) -> Row:
    return {"stream_descriptor": {"name": name}, "stream_state": state}


@pytest.mark.parametrize("name", ["events", "individuals", *LISTS])
def test_a_state_of_a_connector_without_cursors_is_a_first_sync(account: Account, name: str) -> None:
    first = account.sync(streams=[name])
    again = account.sync({"__ab_no_cursor_state_message": True}, streams=[name])
    assert again.status(name) == "COMPLETE"
    assert len(again.records(name)) >= len(first.records(name)) > 0


@pytest.mark.parametrize("form", ["GLOBAL", "LEGACY", "data", "by name", "one message"])
def test_states_of_every_form_are_gone_on_from(account: Account, form: str) -> None:
    names = ["events", "operations"]
    first = account.sync(streams=names)
    states = {name: first.state(name) for name in names}
    whole: dict[str, Any] = {
        "GLOBAL": [{"type": "GLOBAL", "global": {"stream_states": [described(*each) for each in states.items()]}}],
        "LEGACY": [{"type": "LEGACY", "data": states}],
        "data": [{"data": states}],
        "by name": states,
        "one message": {"type": "GLOBAL", "global": {"stream_states": [described(*each) for each in states.items()]}},
    }
    second = account.sync_from(whole[form], names)
    assert second.errors() == []
    assert [second.records(name) for name in names] == [[], []]


def test_a_list_of_bundles_from_the_future_goes_on_from_now(account: Account) -> None:
    now = int(account.sim.now()) // 86_400 * 86_400
    old = account.sim.add_bundle(now - 2 * 86_400, now - 86_400, 1)
    outcome = account.sync({"stop": "2999-01-01T00:00:00Z"}, streams=["export_bundles"])
    assert outcome.log.count("lies in the future") == 1
    assert [row["id"] for row in outcome.records("export_bundles")] == [old.id]
    assert outcome.state("export_bundles")["stop"] <= epochs.to_text(int(account.sim.now()))


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("export_bundles", ["stop"]),
        ("operations", ["createdAt", "read_at", "running"]),
        ("geo_settings_history", ["last_updated", "read_at", "parts"]),
        ("domain_settings_history", ["last_updated", "read_at", "parts"]),
    ],
)
@pytest.mark.parametrize(
    "value", [FIRST, LAST, "0001-01-01T00:00:00+23:59", 5, True, ["x"], {"a": FIRST}, {"a": 5}, "x"]
)
def test_any_value_in_a_state_is_a_start_or_a_sentence(
    account: Account, name: str, fields: list[str], value: object
) -> None:
    good = account.sync(streams=[name]).state(name)
    for field in fields:
        outcome = account.sync({**good, field: value}, streams=[name])
        assert "defect" not in outcome.text
        assert "Something went wrong" not in outcome.text
        if outcome.status(name) == "INCOMPLETE":
            assert "cannot be read" in outcome.errors()[0]["message"]


@pytest.mark.parametrize("hours", [-30 * 24, -12, 12, 30 * 24])
@pytest.mark.parametrize("name", LISTS)
def test_no_position_goes_back_whatever_the_servers_clock_says(account: Account, name: str, hours: int) -> None:
    first = account.sync(streams=[name]).state(name)
    account.sim.settings.now = account.sim.now() + hours * 3600
    second = account.sync(first, streams=[name])
    assert second.errors() == []
    for field, value in second.state(name).items():
        if isinstance(value, str):
            assert value >= first[field], field
        elif isinstance(value, dict):
            assert all(value[part] >= first[field][part] for part in first[field])


def test_the_servers_clock_is_learned_before_plans_are_made(account: Account) -> None:
    account.sync(streams=["export_bundles", "operations"])
    paths = [request.path for request in account.sim.requests]
    assert paths[0] == "/me"
    assert paths.count("/me") == 1


# What FullStory asks

TOO_MANY = '{"code": "rate_limited", "message": "Too Many Requests"}'


@pytest.mark.parametrize(("asked", "spoken"), [("7200", "2 hours"), ("5400", "90 minutes"), ("86400", "24 hours")])
def test_a_wait_of_hours_is_told_with_its_reason(account: Account, asked: str, spoken: str) -> None:
    account.sim.fault(Fault("segments", "429", times=9, headers={"Retry-After": asked}, body=TOO_MANY))
    outcome = account.sync(streams=["segments", "users"])
    (error, *_) = outcome.errors()
    assert f"FullStory asks to wait {spoken} before /segments/v1" in error["message"]
    assert "Too Many Requests" in error["message"]
    assert "daily quota" in error["message"]
    assert "status.fullstory.com" not in error["message"]
    assert error["failure_type"] == "transient_error"
    assert outcome.status("users") == "COMPLETE"
    assert len([request for request in account.sim.requests if request.path == "/segments/v1"]) == 1


def test_a_wait_of_hours_for_a_bundle_is_told_and_nothing_is_lost(account: Account) -> None:
    account.sim.fault(Fault("get", "429", after=1, times=1, headers={"Retry-After": "7200"}, body=TOO_MANY))
    first = account.sync()
    assert "FullStory asks to wait 2 hours before bundle" in first.errors()[0]["message"]
    assert "What was read before is kept" in first.errors()[0]["message"]
    second = account.sync(first.state())
    assert_rows(first.records() + second.records(), account.sim.truth())


def test_check_tells_of_a_wait_of_hours(account: Account) -> None:
    account.sim.fault(Fault("list", "429", times=9, headers={"Retry-After": "7200"}, body=TOO_MANY))
    assert "FullStory asks to wait 2 hours" in account.check()["message"]
