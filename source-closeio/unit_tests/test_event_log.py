"""The event log: 30 days, newest first, by cursor."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from simulator import CloseSimulator, Settings
from simulator.faults import Fault
from unit_tests.syncs import assert_not_offered, saved, sync, table

Close = Callable[..., CloseSimulator]


@pytest.mark.parametrize("honoured", [True, False])
def test_every_event_of_thirty_days_comes_once(close: Close, honoured: bool) -> None:
    sim = close(Settings(events=6000, event_dates_with_cursor=honoured))

    result = sync(sim, "event_log")

    assert result.table("event_log") == sim.data["event"].truth
    assert len(result.rows("event_log")) == 6000
    assert len(result.states("event_log")) > 1
    assert "30 days" in result.log


def test_nothing_older_than_thirty_days_is_asked_for(close: Close) -> None:
    sim = close(Settings(events=10))
    oldest = datetime.now(UTC) - timedelta(days=30, minutes=1)

    sync(sim, "event_log", start_date="2015-01-01")

    first = next(request for request in sim.requests if request.path == "event")
    assert datetime.fromisoformat(first.params["date_updated__gte"]) > oldest


def test_a_gap_of_more_than_thirty_days_is_said(close: Close) -> None:
    sim = close(Settings(events=10))

    result = sync(sim, "event_log", state=saved("event_log", date_updated="2024-01-01T00:00:00Z"))

    assert "can no longer be read" in result.log


def test_the_last_five_minutes_are_read_again(close: Close) -> None:
    sim = close()
    now = datetime.now(UTC)
    old, recent = (
        sim.data["event"].add(sim.make_event(date_created=when, date_updated=when), log=False)["id"]
        for when in (now - timedelta(minutes=6), now - timedelta(minutes=4))
    )
    state = sync(sim, "event_log").state

    assert set(sync(sim, "event_log", state=state).table("event_log")) == {recent}
    assert old


def test_many_events_of_one_moment(close: Close) -> None:
    sim = close()
    when = datetime.now(UTC) - timedelta(days=3)
    for _ in range(330):
        sim.data["event"].add(sim.make_event(date_created=when, date_updated=when), log=False)

    assert len(sync(sim, "event_log").rows("event_log")) == 330


def test_events_without_data_are_read_as_they_are(close: Close) -> None:
    sim = close(Settings(events=120, role="user"))

    rows = sync(sim, "event_log").rows("event_log")

    assert len(rows) == 120
    assert any("data" not in row and "previous_data" not in row for row in rows)


def test_an_event_that_close_consolidates_comes_again_with_its_new_date(close: Close) -> None:
    sim = close(consolidate_seconds=3600)
    lead = sim.data["lead"].add(sim.make_lead(date_created=datetime.now(UTC) - timedelta(days=9)), log=False)["id"]
    sim.data["lead"].update(lead, name="one")
    first = sync(sim, "event_log")
    sim.data["lead"].update(lead, name="two")
    second = sync(sim, "event_log", state=first.state)

    assert table("event_log", first, second) == sim.data["event"].truth


def test_a_plan_without_event_log_fails_this_stream_alone(close: Close) -> None:
    result = sync(close(Settings(event_log=False)), "event_log", "users")

    assert_not_offered(result, "event_log")
    assert len(result.table("users")) == 5


def test_where_cursors_are_refused_the_walk_goes_on_by_time(close: Close) -> None:
    sim = close(Settings(events=700))

    sim.fault(Fault(path="event", kind="400", times=None, params={"_cursor": "*"}))

    result = sync(sim, "event_log")

    assert result.table("event_log").keys() == sim.data["event"].truth.keys()
    assert not result.errors
