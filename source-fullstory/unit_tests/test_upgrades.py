"""States that released versions wrote, and states that nobody wrote: a start, or a sentence."""

import json
import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import pytest
from source_fullstory.kit import clock
from source_fullstory.rows import event_key
from unit_tests.syncs import Account, Row, assert_rows

STATES = {path.stem: json.loads(path.read_text()) for path in sorted((Path(__file__).parent / "states").glob("*.json"))}
CHANGELOG = Path(__file__).parents[1] / "CHANGELOG.md"
IDENTITY = event_key.identity
METHODS = ["bundles", "segment_export"]


@pytest.fixture
def january(account: Account, monkeypatch: pytest.MonkeyPatch) -> Account:
    """It is the fifth, and the last four days are there."""
    now = datetime(2024, 1, 5, 2, tzinfo=UTC)

    class Then(datetime):
        @classmethod
        def now(cls, _: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return now

    monkeypatch.setattr(clock, "datetime", Then)
    account.sim.settings.change(now=now.timestamp(), listing_lag=0, events_per_day=100)
    account.sim.add_period("2024-01-01", "2024-01-05")
    return account


def source(method: str) -> Row:
    return {"method": method, **({"settle_hours": 0} if method == "segment_export" else {})}


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", list(STATES))
def test_an_upgraded_connection_ends_with_every_event_once(january: Account, name: str, method: str) -> None:
    state = STATES[name]
    passed_over = {"2024-01-01"} if state.get("holes") else set()
    before = [
        row
        for row in january.sync(events_source=source(method)).records()
        if row["bundle_start"][:10] in {"2024-01-01", "2024-01-02"} - passed_over
    ]
    outcome = january.sync(state, events_source=source(method))
    table = {row["event_key"]: row for row in before + outcome.records()}
    assert len(table) == len(before) + len(outcome.records()), "no row twice"
    truth = january.sim.truth() if method == "bundles" else january.sim.event_truth("2024-01-01", "2024-01-05")
    assert_rows(table.values(), truth)
    assert outcome.state()["bundle_stop"] == "2024-01-05T00:00:00Z"


def test_after_a_sync_of_0_1_0_that_was_cut_the_changelog_mends_the_table(
    january: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0.1.0 took EventCustomName "" and none for different events, and its state is that of 0.2.0."""
    rows = [
        {"EventStart": f"2024-01-05T01:00:{number:02}.000Z", "EventCustomName": "" if number % 2 else "Order"}
        for number in range(20)
    ]
    january.sim.add_bundle("2024-01-05T00:00:00", "2024-01-05T02:00:00", rows)
    with monkeypatch.context() as patch:
        patch.setattr(event_key, "identity", _identity_of_0_1_0)
        cut = january.sync(STATES["0.1.0"]).records()[:-5]
    again = january.sync(STATES["0.1.0"]).records()
    table = {row["event_key"]: (row, "2026-01-30 06:00:00") for row in cut}
    table |= {row["event_key"]: (row, "2026-01-31 12:00:05") for row in again}
    assert len(table) > len(again)
    (statement,) = re.findall(r"```sql\n(.*?)```", CHANGELOG.read_text(), re.DOTALL)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute(
            'CREATE TABLE events (event_key TEXT, bundle_id BIGINT, "EventCustomName" TEXT, _airbyte_extracted_at TEXT)'
        )
        for key, (row, at) in table.items():
            values = [key, row["bundle_id"], row.get("EventCustomName"), at]
            database.execute("INSERT INTO events VALUES (?, ?, ?, ?)", values)
        database.execute(statement.replace("TIMESTAMP '", "'"))
        left = {key for (key,) in database.execute("SELECT event_key FROM events").fetchall()}
    assert left == {row["event_key"] for row in again}


def _identity_of_0_1_0(row: Row, at: str, bundle: str = "") -> str:
    named = row.get("EventCustomName")
    return IDENTITY({**row, "EventCustomName": "none" if named == "" else named}, at, bundle)


# States that nobody wrote.

EXTREMES: list[Any] = [
    "0001-01-01T00:00:00Z",
    "0001-01-01T00:00:00+14:00",
    "9999-12-31T23:59:59.999999Z",
    "9999-12-31T23:59:59-12:00",
    "1969-12-31T23:59:59Z",
    "2024-01-03",
    "soon",
    "",
    None,
    5,
    [],
]
ODD_STATES: list[Callable[[Any], Row]] = [
    lambda odd: {"bundle_stop": odd},
    lambda odd: {"complete_through": odd},
    lambda odd: {"events": odd},
    lambda odd: {"LastEventStart": odd},
    lambda odd: {**STATES["0.1.0"], "bundle_id": odd},
    lambda odd: {**STATES["0.1.0"], "period_seconds": odd},
    lambda odd: {**STATES["0.1.0"], "holes": odd},
    *(
        lambda odd, name=name: {
            **STATES["0.1.0_with_a_hole"],
            "holes": [{**STATES["0.1.0_with_a_hole"]["holes"][0], name: odd}],
        }
        for name in ("start", "stop", "first_seen", "bundle_id")
    ),
    *(
        lambda odd, name=name: {
            **STATES["0.2.0_exports"],
            "exports": [{**STATES["0.2.0_exports"]["exports"][0], name: odd}],
        }
        for name in ("start", "stop", "operation_id", "segment_id")
    ),
]


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("number", range(len(ODD_STATES)))
def test_any_value_in_any_field_of_a_state_is_a_start_or_a_sentence(january: Account, number: int, method: str) -> None:
    january.sim.settings.change(events_per_day=1, export_polls=0)
    for odd in EXTREMES:
        state = ODD_STATES[number](odd)
        stream = "individuals" if "LastEventStart" in state else "events"
        outcome = january.sync(state, streams=[stream], events_source=source(method))
        if outcome.status(stream) == "INCOMPLETE":
            assert "Reset (clear) the stream" in outcome.errors()[0]["message"], odd
        else:
            saved = outcome.state(stream)
            again = january.sync(saved, streams=[stream], events_source=source(method))
            assert again.status(stream) == "COMPLETE", odd
            assert again.state(stream) == saved


@pytest.mark.parametrize("method", METHODS)
def test_what_a_full_refresh_leaves_is_a_start(january: Account, method: str) -> None:
    outcome = january.sync({"__ab_no_cursor_state_message": True}, events_source=source(method))
    assert len(outcome.records()) == 400
