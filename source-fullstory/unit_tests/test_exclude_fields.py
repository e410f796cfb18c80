"""`exclude_fields`: what is named there is in no record and no schema, and keys stay what they are."""

import time
from typing import Any

import pytest
from source_fullstory import epochs
from source_fullstory.rows.exclusion import Exclusion
from unit_tests.syncs import Account, Row

DAY = 86_400
PATTERNS = ["UserEmail", "PageIp", "evt_*_real", "user_*", "Email", "*Url", "email"]
WAYS = [{"method": "bundles"}, {"method": "segment_export"}]


@pytest.fixture
def account(account: Account) -> Account:
    today = int(time.time()) // DAY * DAY
    account.sim.add_period(today - 4 * DAY, today - 2 * DAY)
    account.config["start_date"] = epochs.to_text(today - 4 * DAY)
    account.sim.fill_account(10)
    return account


def names(value: Any) -> set[str]:
    """Every field name at every depth."""
    if isinstance(value, dict):
        return set(value).union(*map(names, value.values()))
    return set().union(*map(names, value)) if isinstance(value, list) else set()


def excluded(name: str) -> bool:
    return name in PATTERNS or name.endswith("Url") or name.startswith("user_")


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way["method"])
def test_events_lose_what_is_named_and_keep_their_keys(account: Account, way: Row) -> None:
    whole = account.sync(events_source=way).records()
    some = account.sync(events_source=way, exclude_fields=PATTERNS).records()
    assert sorted(row["event_key"] for row in some) == sorted(row["event_key"] for row in whole)
    assert any(map(excluded, names(whole)))
    assert not any(map(excluded, names(some)))
    assert not any(name.startswith("evt_") and name.endswith("_real") for name in names(some))
    assert any(name.startswith("evt_") and name.endswith("_str") for name in names(some))


def test_individuals_lose_what_is_named_and_keep_their_keys(account: Account) -> None:
    rows = account.sync(streams=["individuals"], exclude_fields=[*PATTERNS, "*"]).records("individuals")
    assert rows
    assert names(rows) == {"IndvId", "LastEventStart", "window_start", "window_end"}


def test_a_field_of_two_names_is_one(account: Account) -> None:
    account.sim.settings.generation = "mixed"
    rows = account.sync(events_source=WAYS[0], exclude_fields=["PageUserAgent", "EventTargetSelectorTok"]).records()
    assert not {"PageAgent", "PageUserAgent", "EventTargetSelector", "EventTargetSelectorTok"} & names(rows)


def test_users_lose_what_is_named(account: Account) -> None:
    rows = account.sync(streams=["users"], exclude_fields=PATTERNS).records("users")
    assert rows
    assert "email" not in names(rows)


def test_settings_are_not_concerned(account: Account) -> None:
    rows = account.sync(streams=["segments"], exclude_fields=["*"]).records("segments")
    assert {"id", "name", "url"} <= names(rows)


@pytest.mark.parametrize(
    ("pattern", "gone"),
    [
        ("UserEmail", {"UserEmail", "email", "Email"}),
        ("email", {"UserEmail", "email", "Email"}),
        ("useremail", {"UserEmail", "email", "Email"}),
        ("*Email", {"UserEmail", "email", "Email"}),
        ("display_name", {"UserDisplayName", "display_name", "DisplayName"}),
        ("UID", {"UserAppKey", "uid", "Uid"}),
        ("lastip", {"PageIp", "LastIp"}),
        ("EVT_*_REAL", {"evt_price_real"}),
    ],
)
def test_a_field_goes_from_all_streams_whatever_it_is_called_there(
    account: Account, pattern: str, gone: set[str]
) -> None:
    streams = ["events", "users", "individuals"]
    outcome = account.sync(streams=streams, events_source=WAYS[0], exclude_fields=[pattern])
    assert all(outcome.records(name) for name in streams)
    assert not gone & {name for stream in streams for row in outcome.records(stream) for name in names(row)}
    assert "exclude_fields" not in outcome.log


def test_patterns_that_match_nothing_are_named_once(account: Account) -> None:
    patterns = ["UserEmail", "Usermail", "evt_*_currency", "PageIp"]
    log = account.sync(streams=["events", "users"], exclude_fields=patterns).log
    assert log.count("exclude_fields") == 1
    assert "no field of events, users in this sync is named Usermail, evt_*_currency." in log


def test_a_sync_without_rows_blames_no_pattern(account: Account) -> None:
    state = account.sync().state()
    assert "exclude_fields" not in account.sync(state, exclude_fields=["evt_*_currency"]).log
    assert "exclude_fields" not in account.sync(streams=["segments"], exclude_fields=["evt_*_currency"]).log


def test_variables_go_at_any_depth() -> None:
    row: Row = {"id": 1, "properties": {"ssn": 1}}
    for _ in range(5_000):
        row = {"id": 1, "properties": {"deep": [row["properties"]]}}
    Exclusion(["ssn"], ["id"], ["properties"]).strip([row])
    value = row["properties"]
    while value:
        (value,) = value["deep"]
    assert value == {}


def test_excluded_columns_are_not_in_the_catalog(account: Account) -> None:
    catalog = account.discover(exclude_fields=PATTERNS).catalog()
    schemas = {name: stream["json_schema"]["properties"] for name, stream in catalog.items()}
    assert not any(map(excluded, {*schemas["events"], *schemas["individuals"]} - {"user_vars"}))
    assert "email" not in schemas["users"]
    assert {"event_key", "bundle_id", "evt_vars", "user_vars"} <= set(schemas["events"])
