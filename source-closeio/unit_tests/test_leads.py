"""Leads: the search walk, its cursor, its caps, and an index that lags."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from simulator import CloseSimulator, Request, Settings
from unit_tests.syncs import sync, table

Close = Callable[..., CloseSimulator]
MAY = datetime(2024, 5, 1, 12, tzinfo=UTC)


def add(sim: CloseSimulator, *moments: datetime, **fields: Any) -> list[str]:
    rows = [sim.make_lead(date_updated=moment, **fields) for moment in moments]
    return [sim.data["lead"].add(row, log=False)["id"] for row in rows]


def test_leads_come_with_their_fields_custom_fields_and_nested_objects(close: Close) -> None:
    sim = close(Settings(leads=450))

    table = sync(sim, "leads").table("leads")

    truth = sim.data["lead"].truth
    assert table.keys() == truth.keys()
    for lead, row in truth.items():
        got = table[lead]
        documented = {name: value for name, value in row.items() if name in got}
        assert got == documented
        assert {name for name in row if name.startswith("custom.")} <= got.keys()
        assert got["contacts"] == row["contacts"]
        assert got["opportunities"] == row["opportunities"]
        assert got["tasks"] == row["tasks"]


def test_custom_fields_nested_under_custom_become_the_same_columns(close: Close) -> None:
    flat, nested = close(Settings(leads=60)), close(Settings(leads=60, search_custom="nested"))

    columns = [
        {(row["id"], name) for row in sync(sim, "leads").rows("leads") for name in row if name.startswith("custom")}
        for sim in (flat, nested)
    ]

    assert columns[0] == columns[1]
    assert columns[0]


def test_a_cursor_that_leads_nowhere_loses_nothing_and_ends(close: Close) -> None:
    sim = close()
    add(sim, *[MAY] * 450)

    def same_page(request: Request) -> None:
        if isinstance(request.body, dict):
            request.body.pop("cursor", None)

    sim.on_request = same_page

    result = sync(sim, "leads")

    assert not result.errors
    assert result.table("leads").keys() == sim.data["lead"].truth.keys()


def test_five_thousand_leads_take_some_twenty_six_requests(close: Close) -> None:
    sim = close(Settings(leads=5000))

    rows = sync(sim, "leads").rows("leads")

    assert len(rows) == len({row["id"] for row in rows}) == 5000
    assert len(sim.requests) <= 36


@pytest.mark.parametrize("precision", ["exact", "second"])
def test_equal_timestamps_across_page_edges(close: Close, precision: str) -> None:
    sim = close(search_precision=precision)
    for second in range(60):
        add(sim, *(MAY + timedelta(seconds=second, milliseconds=ms) for ms in (0, 0, 0, 7, 7, 400, 999)))
    add(sim, *[MAY + timedelta(minutes=5)] * 900)  # more than a page in one millisecond
    add(sim, MAY + timedelta(minutes=6))

    result = sync(sim, "leads")

    assert result.table("leads").keys() == sim.data["lead"].truth.keys()
    assert len(result.rows("leads")) == 60 * 7 + 901


def test_more_leads_changed_in_one_moment_than_a_cursor_returns(close: Close) -> None:
    """A bulk edit: only the time of creation tells them apart."""
    sim = close(search_cap=1000)
    for number in range(2500):
        add(sim, MAY, date_created=MAY - timedelta(days=1, seconds=number // 3))
    add(sim, MAY + timedelta(seconds=2))

    result = sync(sim, "leads")

    assert result.table("leads").keys() == sim.data["lead"].truth.keys()
    assert not result.errors


def test_an_expired_cursor_starts_over_without_loss(close: Close) -> None:
    sim = close(cursor_seconds=0.05)
    add(sim, *[MAY] * 700)
    late = iter([0.2, 0, 0.2])

    def wait(request: Request) -> None:
        if request.body and request.body.get("cursor"):
            time.sleep(next(late, 0))

    sim.on_request = wait
    result = sync(sim, "leads")

    assert len(result.rows("leads")) == len(result.table("leads")) == 700
    assert not result.errors


def test_leads_that_change_while_they_are_read_end_in_their_newest_form(close: Close) -> None:
    sim = close(Settings(leads=1500))
    victims = iter(sorted(sim.data["lead"].truth)[::15])

    def edit(_: Request) -> None:
        for _turn in range(5):
            if (victim := next(victims, None)) is not None:
                sim.data["lead"].update(victim, name=f"renamed {victim}")

    sim.on_request = edit
    first = sync(sim, "leads")
    sim.on_request = None
    second = sync(sim, "leads", state=first.state)

    found = table("leads", first, second)
    truth = sim.data["lead"].truth
    assert {lead: row["name"] for lead, row in found.items()} == {lead: row["name"] for lead, row in truth.items()}


def test_a_lead_whose_place_in_the_index_is_stale_does_not_hide_others(close: Close) -> None:
    """With a lagging index a lead may show a time of change of now, and still stand where it was long ago."""
    sim = close(Settings(leads=900, search_lag=3600))
    ordered = sorted(sim.data["lead"].rows(), key=lambda row: row["date_updated"])
    for lead in [row["id"] for row in ordered][150:250]:  # the end of the first page, and the beginning of the next
        sim.data["lead"].update(lead, name="changed just now")

    result = sync(sim, "leads")

    assert {row["id"] for row in ordered} == result.table("leads").keys()


def test_a_write_that_the_index_shows_late_is_read_by_the_next_sync(close: Close) -> None:
    sim = close(search_lag=5.0)
    lead = sim.data["lead"].add(sim.make_lead())["id"]
    first = sync(sim, "leads")
    sim.settings.search_lag = 0.0

    second = sync(sim, "leads", state=first.state)

    assert lead not in first.table("leads")
    assert lead in second.table("leads")


def test_the_start_date_holds_on_the_first_sync(close: Close) -> None:
    sim = close()
    add(sim, MAY - timedelta(milliseconds=1))
    inside = add(sim, MAY, MAY + timedelta(days=30))

    assert set(sync(sim, "leads", start_date="2024-05-01T12:00:00Z").table("leads")) == set(inside)


def test_without_a_start_date_the_first_sync_goes_back_a_year(close: Close) -> None:
    sim = close()
    now = datetime.now(UTC)
    add(sim, now - timedelta(days=367))
    inside = add(sim, now - timedelta(days=364))

    assert set(sync(sim, "leads", start_date=None).table("leads")) == set(inside)


def test_the_total_is_estimated(close: Close) -> None:
    assert sync(close(Settings(leads=450)), "leads").estimates == {"leads": 450}
