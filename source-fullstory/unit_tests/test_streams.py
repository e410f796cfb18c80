"""What every stream promises, over the registry."""

from typing import Any

import pytest
from airbyte_cdk.models import SyncMode
from jsonschema import Draft7Validator
from simulator import TRICKS, showcase
from simulator.recording_settings import KINDS
from source_fullstory.config import Config
from source_fullstory.http.api import FullStoryApi
from source_fullstory.stream import FullStoryStream
from source_fullstory.streams import STREAMS, stream_of
from unit_tests.calls import SETTINGS
from unit_tests.syncs import Account, assert_rows

NAMES = [stream.name for stream in STREAMS]
INCREMENTAL = [stream.name for stream in STREAMS if stream.cursor_field]
DAY = "2024-01-01", "2024-01-02"


@pytest.fixture
def filled(account: Account) -> Account:
    account.sim.settings.generation = "mixed"
    account.sim.add_period("2024-01-01", "2024-01-04")
    account.sim.fill_account()
    return account


def expected(account: Account, name: str) -> int:
    """How many rows the stream has."""
    held, setting = account.sim.account, SETTINGS.get(name.removesuffix("_history"))
    if setting and name.endswith("_history"):
        return sum(len(account.sim.recording.versions(setting, platform)) for platform in KINDS[setting][1])
    if setting:
        return len(KINDS[setting][1])
    counts = {
        "events": 3 * 480,
        "export_bundles": 3,
        "individuals": len(account.sim.individual_truth("2024-01-01", "2024-01-04")),
        "sessions": sum(len(held.sessions[user["id"]]) for user in held.users if user["uid"] or user["email"]),
        "segments": len(account.sim.segments),
        "operations": len(account.sim.operations),
        "quotas": 1,
    }
    return counts[name] if name in counts else len(held.rows(name))


@pytest.mark.parametrize("stream", STREAMS, ids=NAMES)
def test_key_and_cursor_are_columns(account: Account, stream: type[FullStoryStream[Any]]) -> None:
    entry = stream_of(
        stream, FullStoryApi(Config.parse(account.config)), Config.parse(account.config)
    ).as_airbyte_stream()
    columns = entry.json_schema["properties"]
    assert entry.source_defined_primary_key == [[name] for name in stream.primary_key]
    assert set(stream.primary_key) <= set(columns)
    assert entry.is_resumable
    if stream.name in INCREMENTAL:
        assert entry.default_cursor_field == [stream.cursor_field]
        assert stream.cursor_field in columns
        assert entry.supported_sync_modes == [SyncMode.full_refresh, SyncMode.incremental]
    else:
        assert entry.default_cursor_field is None
        assert entry.supported_sync_modes == [SyncMode.full_refresh]


@pytest.mark.parametrize("stream", STREAMS, ids=NAMES)
def test_every_column_may_be_null_and_unknown_columns_are_allowed(stream: Any) -> None:
    schema = stream.json_schema()
    assert schema["additionalProperties"] is True
    assert all(column["type"][0] == "null" for column in schema["properties"].values())


@pytest.mark.parametrize("name", NAMES)
def test_records_conform_to_the_schema(filled: Account, name: str) -> None:
    # A field that is "" where its column is a number is one of the simulator's tricks, and not in any schema.
    filled.sim.settings.tricks = TRICKS - {"nulls"}
    filled.sim.add_bundle("2024-01-04", "2024-01-05")
    validator = Draft7Validator(next(stream for stream in STREAMS if stream.name == name).json_schema())
    records = filled.sync(streams=[name], start_date="2024-01-04").records(name)
    assert records, f"the simulator has no rows of {name}: simulator/api.py, account.py"
    for record in records:
        validator.validate(record)


@pytest.mark.parametrize("name", NAMES)
def test_keys_are_unique(filled: Account, name: str) -> None:
    key = next(stream.primary_key for stream in STREAMS if stream.name == name)
    records = filled.sync(streams=[name]).records(name)
    assert records
    assert len({tuple(record[name] for name in key) for record in records}) == len(records)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("mode", list(SyncMode))
def test_both_sync_modes_read_all(filled: Account, name: str, mode: SyncMode) -> None:
    outcome = filled.sync(streams=[name], mode=mode)
    assert len(outcome.records(name)) == expected(filled, name) > 0
    assert outcome.status(name) == "COMPLETE"


@pytest.mark.parametrize("name", INCREMENTAL)
def test_an_incremental_stream_goes_on_from_its_state(filled: Account, name: str) -> None:
    """What has not changed for days does not come again; export_bundles lists three days again."""
    state = filled.sync(streams=[name]).state(name)
    again = filled.sync(state, streams=[name])
    assert len(again.records(name)) == (3 if name == "export_bundles" else 0)
    assert again.state(name) | {"read_at": None} == state | {"read_at": None}


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("events", "export_bundles")])
@pytest.mark.parametrize("code", [402, 403, 404])
def test_what_the_key_or_the_plan_does_not_allow_fails_alone_with_a_config_error(
    filled: Account, name: str, code: int
) -> None:
    """COMPLETE without rows would make an overwriting destination empty its table."""
    filled.sim.settings.change(not_offered={"/v2", "/segments", "/operations", "/settings", "/webhooks"})
    filled.sim.settings.not_offered_status = code
    outcome = filled.sync(streams=[name, "export_bundles"])
    error = next(error for error in outcome.errors() if f"Stream {name} cannot be read" in error["message"])
    assert error["failure_type"] == "config_error"
    assert outcome.status(name) == "INCOMPLETE"
    assert outcome.records(name) == []
    assert outcome.status("export_bundles") == "COMPLETE"
    assert len(outcome.records("export_bundles")) == 3


def test_all_streams_side_by_side(filled: Account) -> None:
    outcome = filled.sync(streams=NAMES)
    assert_rows(outcome.records(), filled.sim.truth())
    found = {name: len(outcome.records(name)) for name in NAMES}
    # The exports of individuals that this sync ordered are operations, too.
    assert found.pop("operations") >= expected(filled, "operations") - len(filled.sim.exports)
    assert found == {name: expected(filled, name) for name in found}


def test_an_up_to_date_account_is_a_short_sync(filled: Account) -> None:
    state = filled.sync().state()
    filled.sim.clear_requests()
    outcome = filled.sync(state)
    assert outcome.records() == []
    assert outcome.state() == state
    assert outcome.status() == "COMPLETE"
    assert len(filled.sim.requests) == 1


def test_the_next_sync_reads_only_new_bundles(filled: Account) -> None:
    state = filled.sync().state()
    new = filled.sim.add_bundle("2024-01-04", "2024-01-05")
    assert_rows(filled.sync(state).records(), filled.sim.events(new.id))


def test_bundles_are_rows_of_their_own(account: Account) -> None:
    account.sim.add_bundle("2024-01-01T06:00", "2024-01-01T12:00", 1, id=7)
    records = account.sync(streams=["export_bundles"]).records("export_bundles")
    assert records == [{"id": 7, "start": "2024-01-01T06:00:00Z", "stop": "2024-01-01T12:00:00Z"}]


def test_the_list_is_read_again_for_bundles_that_came_late(account: Account) -> None:
    account.sim.add_period("2024-01-02", "2024-01-05")
    state = account.sync(streams=["export_bundles"]).state("export_bundles")
    assert state == {"stop": "2024-01-05T00:00:00Z"}
    late = account.sim.add_bundle(*DAY, 1)
    state["stop"] = "2024-01-04T00:00:00Z"
    assert late.id in [row["id"] for row in account.sync(state, ["export_bundles"]).records("export_bundles")]


def test_records_name_their_bundle(account: Account) -> None:
    account.sim.add_bundle(*DAY, 1, id=99)
    (record,) = account.sync().records()
    assert record["bundle_id"] == 99
    assert record["bundle_start"] == "2024-01-01T00:00:00Z"
    assert record["bundle_stop"] == "2024-01-02T00:00:00Z"


def test_every_trick_of_the_data_comes_through_unchanged(account: Account) -> None:
    start = 1_704_067_200
    account.sim.add_bundle(*DAY, showcase(start, start + 86_400, tricks=TRICKS | {"over_64_bits"}))
    assert_rows(account.sync().records(), account.sim.truth())


def test_custom_variables_move_unchanged_and_fields_of_like_names_do_not(account: Account) -> None:
    row = {
        "EventStart": "2024-01-01T10:00:00.000Z",
        "UserId": 1,
        "PageId": 2,
        "evt_order.items_real": 4,
        "user_plan_str": None,
        "page_tags_strs": [],
        "Evt_other": "",
        "evt_vars": "a variable of that name",
    }
    account.sim.add_bundle(*DAY, [row])
    (record,) = account.sync().records()
    assert record["evt_vars"] == {"evt_order.items_real": 4, "evt_vars": "a variable of that name"}
    assert record["user_vars"] == {"user_plan_str": None}
    assert record["page_vars"] == {"page_tags_strs": []}
    assert (record["UserId"], record["PageId"], record["Evt_other"]) == (1, 2, "")


def test_rows_without_custom_variables_have_no_empty_objects(account: Account) -> None:
    account.sim.add_bundle(*DAY, [{"EventStart": "2024-01-01T10:00:00.000Z"}])
    (record,) = account.sync().records()
    assert not {"evt_vars", "user_vars", "page_vars"} & set(record)


def test_an_unknown_field_stays_and_is_logged_once(account: Account) -> None:
    rows = [{"EventStart": f"2024-01-01T10:00:0{n}.000Z", "PageMood": n} for n in range(5)]
    account.sim.add_bundle(*DAY, rows)
    outcome = account.sync()
    assert [record["PageMood"] for record in outcome.records()] == [0, 1, 2, 3, 4]
    assert outcome.log.count("PageMood") == 1


def test_the_log_tells_what_was_listed_and_how_far_it_is_complete(filled: Account) -> None:
    log = filled.sync().log
    assert "3 bundles listed, 3 to read, 2024-01-01T00:00:00Z to 2024-01-04T00:00:00Z" in log
    assert "complete through 2024-01-03T00:00:00Z" in log
    assert "480 rows" in log
    assert "waited for the rate limit" in log


def test_a_stream_that_does_not_exist_fails_with_its_name(filled: Account) -> None:
    outcome = filled.sync(streams=["export_bundles", "replays"])
    assert any("no stream replays" in error["message"] for error in outcome.errors())
    assert outcome.status("replays") == "INCOMPLETE"
    assert len(outcome.records("export_bundles")) == 3
