"""Activities: nothing lost at edges, in dense seconds, in the future, or while the list changes."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from simulator import CloseSimulator, Request, Settings
from unit_tests.syncs import saved, sync, table

Close = Callable[..., CloseSimulator]
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def add(sim: CloseSimulator, *moments: datetime, kind: str = "Note", **fields: str) -> list[str]:
    rows = [sim.make_activity(kind, date_created=moment, **fields) for moment in moments]
    return [sim.data["activity"].add(row, log=False)["id"] for row in rows]


def test_every_type_lands_in_one_table_exactly_as_close_sent_it(close: Close) -> None:
    sim = close(Settings(activities=700))

    result = sync(sim, "activities")

    assert result.table("activities") == sim.data["activity"].truth
    assert {row["_type"] for row in result.rows("activities")} >= {"Email", "EmailThread", "Call", "Meeting"}
    assert len(result.rows("activities")) == 700  # none twice


@pytest.mark.parametrize("listed", [True, False])
def test_email_threads_come_once_whether_or_not_the_common_list_has_them(close: Close, listed: bool) -> None:
    sim = close(threads_in_activity_list=listed)
    add(sim, MAY, MAY + timedelta(days=1), kind="EmailThread")
    add(sim, MAY, kind="Email")

    assert len(sync(sim, "activities").rows("activities")) == 3


@pytest.mark.parametrize("precision", ["truncate", "exact"])
def test_rows_on_the_start_second_are_read_and_earlier_ones_are_not(close: Close, precision: str) -> None:
    sim = close(precision=precision)
    add(sim, MAY - timedelta(milliseconds=1))
    inside = add(sim, MAY, MAY + timedelta(milliseconds=400), MAY + timedelta(milliseconds=999))

    result = sync(sim, "activities", start_date="2024-05-01T12:00:00Z")

    assert set(result.table("activities")) == set(inside)


@pytest.mark.parametrize("precision", ["truncate", "exact"])
def test_windows_meet_without_gap_or_overlap(close: Close, precision: str) -> None:
    """Thousands of rows, several in each second, so that page and window edges fall among equal timestamps."""
    sim = close(precision=precision)
    for second in range(1600):
        add(sim, *(MAY + timedelta(seconds=second, milliseconds=ms) for ms in (0, 1, 500, 999)))

    result = sync(sim, "activities")

    assert result.table("activities").keys() == sim.data["activity"].truth.keys()
    assert len(result.rows("activities")) == 6400
    assert len(result.states("activities")) > 2  # it was cut into windows


def test_more_rows_in_one_millisecond_than_a_page(close: Close) -> None:
    sim = close()
    add(sim, *[MAY] * 350)
    add(sim, MAY - timedelta(seconds=1), MAY + timedelta(seconds=1))

    result = sync(sim, "activities")

    assert len(result.rows("activities")) == len(result.table("activities")) == 352


def test_more_rows_in_one_second_than_the_skip_cap(close: Close) -> None:
    """Type by type is enough here: no type alone is over the cap."""
    sim = close(skip_cap=300, cap_wording="new")
    for kind in ("Note", "Call", "Email", "Meeting", "SMS"):
        add(sim, *[MAY] * 250, kind=kind)
    add(sim, MAY - timedelta(seconds=1), MAY + timedelta(seconds=1))

    result = sync(sim, "activities")

    assert result.table("activities").keys() == sim.data["activity"].truth.keys()
    assert not result.errors


def test_more_rows_of_one_type_in_one_second_than_the_skip_cap(close: Close) -> None:
    """An import of meetings dated 2000-01-01: only the lead tells them apart."""
    sim = close(skip_cap=200)
    leads = [sim.data["lead"].add(sim.make_lead(), log=False)["id"] for _ in range(90)]
    for lead in leads:
        add(sim, *[MAY] * 10, kind="Meeting", lead_id=lead)

    result = sync(sim, "activities")

    assert len(result.table("activities")) == 900
    assert not result.errors
    assert not any("lead_id__in" in request.params for request in sim.requests)  # nowhere documented


def test_rows_that_no_request_reaches_are_an_error_not_a_loss(close: Close) -> None:
    sim = close(skip_cap=100)
    lead = sim.data["lead"].add(sim.make_lead(), log=False)["id"]
    add(sim, *[MAY] * 900, kind="Meeting", lead_id=lead)

    result = sync(sim, "activities")

    assert result.errors
    assert all(datetime.fromisoformat(state["date_created"]) <= MAY for state in result.states("activities"))


def test_meetings_years_ahead_are_read_on_every_sync_and_state_stays_behind_the_clock(close: Close) -> None:
    sim = close()
    started = datetime.now(UTC)
    ahead = add(sim, started + timedelta(days=1), started + timedelta(days=3000), kind="Meeting")

    first = sync(sim, "activities")
    second = sync(sim, "activities", state=first.state)

    assert set(first.table("activities")) == set(second.table("activities")) == set(ahead)
    assert all(
        datetime.fromisoformat(state["date_created"]) <= datetime.now(UTC) for state in first.states("activities")
    )


def test_the_last_day_is_read_again_and_older_rows_are_not(close: Close) -> None:
    sim = close()
    now = datetime.now(UTC)
    old, recent = add(sim, now - timedelta(hours=25, minutes=5), now - timedelta(hours=23))
    state = sync(sim, "activities").state

    assert set(sync(sim, "activities", state=state).table("activities")) == {recent}
    assert set(sync(sim, "activities", state=state, lookback_window_hours=0).table("activities")) == set()
    assert set(sync(sim, "activities", state=state, lookback_window_hours=26).table("activities")) == {old, recent}


def test_rows_deleted_while_the_list_is_read_do_not_hide_others(close: Close) -> None:
    sim = close()
    ids = add(sim, *(MAY + timedelta(seconds=n // 3) for n in range(600)))
    doomed = iter(ids[::7])
    sim.on_request = lambda _: sim.data["activity"].delete(next(doomed), log=False) and None

    result = sync(sim, "activities")

    assert sim.data["activity"].truth.keys() <= result.table("activities").keys()


def test_rows_deleted_inside_a_dense_second_do_not_hide_others(close: Close) -> None:
    sim = close()
    add(sim, *[MAY] * 900)

    def delete_first(request: Request) -> None:
        if "_skip" in request.params:
            page = sorted(sim.data["activity"].truth)
            for each in (page[0], page[len(page) // 2], page[-1]):
                sim.data["activity"].delete(each, log=False)

    sim.on_request = delete_first
    result = sync(sim, "activities")

    assert sim.data["activity"].truth.keys() <= result.table("activities").keys()


def test_rows_created_while_the_list_is_read_are_read_now_or_by_the_next_sync(close: Close) -> None:
    sim = close()
    add(sim, *(MAY + timedelta(seconds=n) for n in range(500)))
    sim.on_request = lambda _: add(sim, datetime.now(UTC)) and None

    first = sync(sim, "activities")
    sim.on_request = None
    second = sync(sim, "activities", state=first.state)

    assert table("activities", first, second).keys() == sim.data["activity"].truth.keys()


@pytest.mark.parametrize("mode", ["once", "stay"])
def test_a_document_deleted_under_a_list_page_costs_only_itself(close: Close, mode: str) -> None:
    sim = close(deleted_document=mode)
    ids = add(sim, *(MAY + timedelta(seconds=n) for n in range(250)))
    sim.data["activity"].delete(ids[120], log=False)

    result = sync(sim, "activities")

    assert not result.errors
    assert result.table("activities").keys() == set(ids) - {ids[120]}


def test_rows_without_a_date_come_once(close: Close) -> None:
    sim = close()
    add(sim, *(MAY + timedelta(seconds=n) for n in range(5000)))
    undated = sim.make_activity("Note") | {"date_created": None}
    sim.data["activity"].add(undated, log=False)

    rows = sync(sim, "activities").rows("activities")

    assert len(rows) == len({row["id"] for row in rows}) >= 5000


def test_no_page_is_asked_for_twice(close: Close) -> None:
    sim = close(Settings(activities=3000))

    sync(sim, "activities")

    asked = [(request.path, tuple(sorted(request.params.items()))) for request in sim.requests]
    assert len(asked) == len(set(asked))
    assert len(asked) < 50  # 30 full pages, and the edges of windows


def test_smaller_pages_are_asked_for_when_large_ones_are_refused(close: Close) -> None:
    sim = close(Settings(tasks=250, users=120, max_limits={"": 100}))

    result = sync(sim, "tasks", "users")

    assert (len(result.table("tasks")), len(result.table("users"))) == (250, 120)


def test_a_state_of_another_connector_in_the_future_does_not_stall_the_stream(close: Close) -> None:
    sim = close()
    recent = add(sim, datetime.now(UTC) - timedelta(hours=1))

    result = sync(sim, "activities", state=saved("activities", date_created="2199-01-01T00:00:00Z"))

    assert set(result.table("activities")) == set(recent)
    assert "future" in result.log
