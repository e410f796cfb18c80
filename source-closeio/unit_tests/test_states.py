"""States of every released version, and states that no version wrote."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStateMessage, FailureType
from airbyte_cdk.test.state_builder import StateBuilder
from simulator import CloseSimulator, Settings
from source_closeio.streams import STREAMS
from unit_tests.syncs import Sync, sync, table

Close = Callable[..., CloseSimulator]
RELEASED = Path(__file__).parent / "states"
NOW = datetime.now(UTC)
TABLES = {"leads": "lead", "activities": "activity", "tasks": "task"}


def released(version: str, last_sync: datetime) -> list[AirbyteStateMessage]:
    """The states of a version, after a sync at this time."""
    text = (RELEASED / f"{version}.json").read_text("utf-8")
    states: dict[str, dict[str, Any]] = json.loads(text.replace("{last_sync}", last_sync.isoformat()))
    builder = StateBuilder()
    for stream, state in states.items():
        builder = builder.with_stream_state(stream, state)
    return builder.build()


def age(sim: CloseSimulator, days: int) -> None:
    """What has happened so far happened so many days ago."""
    moment = (NOW - timedelta(days=days)).isoformat()
    for event in sim.data["event"].rows():
        sim.data["event"].update(event["id"], date_updated=moment, log=False)
    for collection in TABLES.values():
        for row in sim.data[collection].rows():
            if row.get("date_updated", "") > moment:
                sim.data[collection].update(row["id"], date_updated=moment, log=False)


@pytest.mark.parametrize(
    ("version", "last_sync"),
    [
        ("0.1.0", NOW - timedelta(days=2)),  # which took no notice of what happened five days ago
        ("0.2.0", NOW - timedelta(days=6)),
    ],
)
def test_after_an_update_the_tables_are_closes(close: Close, version: str, last_sync: datetime) -> None:
    sim = close(Settings(leads=10, activities=120, tasks=20, events=0))
    first = sync(sim, *TABLES)
    for id_ in list(sim.data["activity"].truth)[:30]:
        sim.data["activity"].update(id_, note="edited")
    for collection in TABLES.values():
        sim.data[collection].delete(list(sim.data[collection].truth)[-1])
    age(sim, 5)

    second = sync(sim, *TABLES, state=released(version, last_sync))

    assert not second.errors
    for stream, collection in TABLES.items():
        assert what_changes(table(stream, first, second)) == what_changes(sim.data[collection].truth), stream
    assert ("which older rows were changed or deleted" in second.log) == (version == "0.1.0")
    assert "events_read_to" in second.states("activities")[-1]


def what_changes(rows: dict[str, Any]) -> dict[str, Any]:
    return {id_: (row.get("note"), row.get("lead_id")) for id_, row in rows.items()}


@pytest.mark.parametrize("version", ["0.1.0", "0.2.0"])
def test_the_states_of_every_released_version_are_read_by_every_stream(close: Close, version: str) -> None:
    states = released(version, NOW - timedelta(days=1))
    names = {state.stream.stream_descriptor.name for state in states if state.stream}

    result = sync(close(Settings(leads=3, activities=10, tasks=3, events=20)), *names, state=states)

    assert not result.errors
    assert names <= {stream.name for stream in STREAMS}


ODD: list[Any] = [
    *("0001-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "1969-12-31T23:59:59Z", "1970-01-01T00:00:00Z"),
    *("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59-14:00", "2199-01-01T00:00:00Z"),
    *("yesterday", "", None, 5, 1e300, True, [], {"a": 1}),
]
FIELDS = ("date_created", "date_updated", "deleted_at", "events_read_to", "deletions_read_to")
INCREMENTAL = [stream.name for stream in STREAMS if stream.cursor_field]


@pytest.fixture(scope="module")
def full() -> Any:
    with CloseSimulator(Settings(leads=3, activities=20, tasks=3, events=20)) as sim:
        sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
        yield sim


@pytest.mark.parametrize("odd", ODD, ids=str)
@pytest.mark.parametrize("field", FIELDS)
def test_any_value_in_any_field_of_a_state_is_a_start_or_a_sentence(full: CloseSimulator, field: str, odd: Any) -> None:
    usual = {name: (NOW - timedelta(days=1)).isoformat() for name in FIELDS[:-1]}
    builder = StateBuilder()
    for stream in INCREMENTAL:
        builder = builder.with_stream_state(stream, {**usual, field: odd})

    result: Sync = sync(full, *INCREMENTAL, state=builder.build())

    assert all(failure.failure_type is FailureType.config_error for failure in result.failures)
    assert "defect" not in "".join(result.errors)
    for stream in INCREMENTAL:
        for state in result.states(stream):
            moments = [datetime.fromisoformat(value) for name, value in state.items() if name in FIELDS]
            assert all(moment.year >= 1970 and moment <= datetime.now(UTC) for moment in moments)
