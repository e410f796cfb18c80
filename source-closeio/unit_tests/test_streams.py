"""What every stream keeps."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import jsonschema
import pytest
from airbyte_cdk.models import AirbyteGlobalState, AirbyteStateMessage, AirbyteStateType, AirbyteStream, SyncMode
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.test.catalog_builder import CatalogBuilder
from airbyte_cdk.test.entrypoint_wrapper import read
from simulator import CloseSimulator, Settings
from source_closeio import SourceCloseio
from source_closeio.families.lists import ListStream
from source_closeio.kit import json_text
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS
from unit_tests.official import ENUMS, EXAMPLES, form, values
from unit_tests.syncs import Sync, catalog, config, sync

Close = Callable[..., CloseSimulator]
TIMES = {"date-time with zone", "date-time without zone"}
WINDOW_FIELDS = {"date_created", "date_updated", "updated_at", "deleted_at"}
NAMES = [stream.name for stream in STREAMS]


@pytest.fixture(scope="module")
def sim() -> Iterator[CloseSimulator]:
    with CloseSimulator(Settings(activities=900, leads=250, tasks=300, events=300)) as running:
        yield running


@pytest.fixture(scope="module")
def full(sim: CloseSimulator) -> Sync:
    return sync(sim, *NAMES, include_transcripts=True)


@pytest.fixture(scope="module")
def entries(sim: CloseSimulator) -> dict[str, AirbyteStream]:
    return catalog(sim)


@pytest.mark.parametrize("stream", STREAMS, ids=NAMES)
class TestEveryStream:
    """Generic promises over the registry."""

    def test_is_in_the_catalog_with_its_key_and_cursor(
        self, stream: type[CloseStream], entries: dict[str, AirbyteStream]
    ) -> None:
        entry = entries[stream.name]

        assert entry.source_defined_primary_key == [[field] for field in stream.primary_key]
        if stream.cursor_field:
            assert entry.default_cursor_field == [stream.cursor_field]
            assert entry.source_defined_cursor
            assert entry.supported_sync_modes == [SyncMode.full_refresh, SyncMode.incremental]
        else:
            assert entry.default_cursor_field is None
            assert entry.supported_sync_modes == [SyncMode.full_refresh]

    def test_has_a_schema_of_typed_and_nullable_properties(
        self, stream: type[CloseStream], entries: dict[str, AirbyteStream]
    ) -> None:
        schema = entries[stream.name].json_schema

        jsonschema.Draft7Validator.check_schema(schema)
        assert schema["additionalProperties"] is True
        assert schema["properties"].keys() >= set(stream.primary_key)
        assert not stream.cursor_field or stream.cursor_field in schema["properties"]
        typed = [each for each in schema["properties"].values() if each]  # without a type: what no source shows
        assert all("null" in each["type"] and len(each["type"]) > 1 for each in typed)
        for name, each in schema["properties"].items():
            if each.get("format") == "date-time":
                assert each["airbyte_type"] in ("timestamp_with_timezone", "timestamp_without_timezone"), name

    def test_has_sample_data_that_its_schema_describes(
        self, stream: type[CloseStream], entries: dict[str, AirbyteStream], full: Sync
    ) -> None:
        schema = entries[stream.name].json_schema
        validator = jsonschema.Draft7Validator(schema)

        rows = full.rows(stream.name)

        assert rows, f"the simulator has no rows of {stream.name}: simulator/endpoints.py, definitions.py"
        for row in rows:
            assert not list(validator.iter_errors(row)), row
            assert row.keys() <= schema["properties"].keys()

    def test_has_sample_data_as_in_closes_examples(self, stream: type[CloseStream], full: Sync) -> None:
        rows = full.rows(stream.name)
        secrets = stream.secrets if issubclass(stream, ListStream) else ()

        for name in {name for row in EXAMPLES.get(stream.name, []) for name in row if not name.startswith("custom.")}:
            have = {form(row[name]) for row in rows if name in row}
            shown = {form(row[name]) for row in EXAMPLES[stream.name] if name in row} - {None}
            assert have or name in secrets, name
            assert not shown or have <= {None} or have & shown, f"{name}: {have}, and not {shown}"
            assert not shown & TIMES or have & TIMES <= shown, f"{name}: {have}, and not {shown}"

    def test_has_sample_data_of_closes_enumerations(self, stream: type[CloseStream], full: Sync) -> None:
        for each in ENUMS.get(stream.name, []):
            have = {value for row in full.rows(stream.name) for value in values(row, each["field"])}
            assert have <= {None, *each["values"]}, each["field"]

    def test_gives_each_row_once(self, stream: type[CloseStream], full: Sync) -> None:
        ids = [tuple(row[field] for field in stream.primary_key) for row in full.rows(stream.name)]

        assert len(ids) == len(set(ids))

    def test_says_started_running_complete_and_ends_with_a_state(self, stream: type[CloseStream], full: Sync) -> None:
        assert full.statuses(stream.name) == ["STARTED", "RUNNING", "COMPLETE"]
        state = full.states(stream.name)[-1]
        assert state.keys() & WINDOW_FIELDS if stream.cursor_field else state == {NO_CURSOR_STATE_KEY: True}

    def test_asks_for_no_page_twice(self, stream: type[CloseStream], sim: CloseSimulator) -> None:
        sim.clear_requests()

        sync(sim, stream.name)

        asked = [
            (request.method, request.path, json.dumps([request.params, request.body], sort_keys=True))
            for request in sim.requests
        ]
        assert len(asked) == len(set(asked))

    def test_goes_on_from_its_state(self, stream: type[CloseStream], sim: CloseSimulator, full: Sync) -> None:
        again = sync(sim, stream.name, state=full.state, lookback_window_hours=0)

        ratio = len(again.rows(stream.name)) / len(full.rows(stream.name))
        assert ratio < 1 if stream.cursor_field else ratio == 1
        assert again.states(stream.name)
        assert not again.errors

    def test_of_an_empty_account_is_a_happy_sync(self, stream: type[CloseStream], close: Close) -> None:
        result = sync(close(users=0), stream.name)

        assert not result.errors
        assert result.statuses(stream.name)[-1] == "COMPLETE"
        assert result.states(stream.name)


def test_records_keep_null_empty_and_absent_apart(sim: CloseSimulator) -> None:
    rows, truth = sync(sim, "activities").table("activities"), sim.data["activity"].truth

    assert any(value is None for row in truth.values() for value in row.values())
    assert all(rows[id_].keys() == row.keys() for id_, row in truth.items())


def test_numbers_of_64_bits_stay_exact(close: Close) -> None:
    sim = close()
    row = sim.make_activity("CustomActivity") | {"custom.cf_big": 2**63 + 12345, "custom.cf_small": -(2**63)}
    sim.data["activity"].add(row, log=False)

    (got,) = sync(sim, "activities").rows("activities")

    assert (got["custom.cf_big"], got["custom.cf_small"]) == (2**63 + 12345, -(2**63))


def test_full_refresh_reads_everything(sim: CloseSimulator, full: Sync) -> None:
    chosen = CatalogBuilder().with_stream("users", SyncMode.full_refresh).build()

    result = Sync(read(SourceCloseio(), config(sim), chosen))

    assert result.table("users") == full.table("users")


class TestFullRefreshWithAState:
    """Everything is read again, unless the state is of an attempt of the same refresh."""

    @staticmethod
    def refresh(sim: CloseSimulator, state: list[AirbyteStateMessage] | None, generation: int | None) -> Sync:
        stream = CatalogBuilder().with_stream("tasks", SyncMode.full_refresh).build()
        stream.streams[0].generation_id = generation
        return Sync(read(SourceCloseio(), config(sim), stream, state))

    @pytest.mark.parametrize("generation", [None, 3])
    def test_of_incremental_syncs_reads_everything(
        self, sim: CloseSimulator, full: Sync, generation: int | None
    ) -> None:
        state = [each for each in full.state if each.stream and each.stream.stream_descriptor.name == "tasks"]

        assert len(self.refresh(sim, state, generation).rows("tasks")) == 300

    @pytest.mark.parametrize(("generation", "goes_on"), [(3, True), (4, False), (None, False)])
    def test_of_an_attempt_goes_on(self, sim: CloseSimulator, generation: int | None, goes_on: bool) -> None:
        state = self.refresh(sim, None, 3).state

        assert (len(self.refresh(sim, state, generation).rows("tasks")) < 300) == goes_on


@pytest.mark.parametrize("kind", ["LEGACY", "GLOBAL"])
def test_states_of_older_kinds_are_understood(sim: CloseSimulator, full: Sync, kind: str) -> None:
    (state,) = [each.stream for each in full.state if each.stream and each.stream.stream_descriptor.name == "tasks"]
    message = AirbyteStateMessage(type=AirbyteStateType[kind])
    if kind == "LEGACY":
        message.data = {"tasks": vars(state.stream_state)}
    else:
        message.global_ = AirbyteGlobalState(stream_states=[state])

    assert len(sync(sim, "tasks", state=[message]).rows("tasks")) < 300


def test_half_a_surrogate_pair_costs_one_character_and_no_row() -> None:
    """Text cut in the middle of an emoji: many parsers refuse such a line, and would lose the row."""
    body = json_text.parse(b'{"cut": "so \\ud83d", "whole": "\\ud83d\\ude00", "nan": NaN, "big": 18446744073709551615}')

    assert body == {"cut": "so \ufffd", "whole": "😀", "nan": None, "big": 2**64 - 1}
