"""Other readings of the documentation than the simulator's: none of them may lose a row without a word."""

from __future__ import annotations

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from simulator import CloseSimulator, Request, Settings
from simulator.moments import END
from unit_tests.syncs import catalog, sync

Row = dict[str, Any]
Close = Callable[..., CloseSimulator]
START = datetime(2024, 5, 1, tzinfo=UTC)


def add(sim: CloseSimulator, collection: str, count: int, *, every: timedelta = timedelta(seconds=1)) -> None:
    """Rows that were created one after the other, and not changed before the last of them was."""
    for number in range(count):
        row = sim.make(collection, date_created=START + every * number, date_updated=START + every * count)
        sim.data[collection].add(row, log=False)


def test_lists_that_do_not_say_whether_there_is_more(close: Close) -> None:
    sim = close(has_more=False)
    add(sim, "activity", 2300)

    assert len(sync(sim, "activities").table("activities")) == 2300


def test_an_unpaged_list_of_exactly_a_page(close: Close) -> None:
    sim = close(has_more=False, users=100)
    sim.on_request = lambda request: request.params.pop("_skip", None)

    result = sync(sim, "users")

    assert len(result.rows("users")) == 100


@pytest.mark.parametrize("count", [150, 450, 1500])
def test_equal_timestamps_in_another_order_on_each_request(close: Close, count: int) -> None:
    sim = close()
    add(sim, "activity", count, every=timedelta(0))
    chance = random.Random(count)
    sim.on_request = lambda _: sim.data["activity"].shuffle_ties(chance)

    result = sync(sim, "activities")

    assert len(result.table("activities")) == count or result.errors


def test_a_filter_that_does_not_filter_is_an_error_and_no_endless_loop(close: Close) -> None:
    def unfiltered(request: Request) -> None:
        request.params = {name: value for name, value in request.params.items() if not name.startswith("date_")}

    sim = close()
    add(sim, "activity", 500)
    sim.on_request = unfiltered

    result = sync(sim, "activities", start_date="2024-01-01")

    assert "outside the date_created that was asked for" in result.errors[0]
    assert len(sim.requests) < 50


def test_tasks_without_a_date_of_creation_sorted_last(close: Close) -> None:
    sim = close()
    tasks = sim.data["task"]
    tasks.missing = END
    add(sim, "task", 1500)
    for id_ in list(tasks.truth)[::50]:
        tasks.update(id_, {"date_created": None, "date_updated": START.isoformat()}, log=False)

    result = sync(sim, "tasks")

    assert len(result.table("tasks")) == len(result.rows("tasks")) == 1500


@pytest.mark.parametrize("count", ["none", "number", "total", "count"])
@pytest.mark.parametrize("page", [200, 150])
def test_search_with_a_low_cap_and_any_way_to_count(close: Close, count: str, page: int) -> None:
    def shorten(request: Request) -> None:
        if request.path == "data/search":
            request.body["_limit"] = min(page, request.body["_limit"])

    sim = close(search_cap=1000, search_count=count, touch_leads=False)
    add(sim, "lead", 2500)
    sim.on_request = shorten

    result = sync(sim, "leads")

    assert len(result.table("leads")) == 2500
    assert not result.errors


def test_a_deep_document_is_no_error(close: Close) -> None:
    deep: Row = {}
    for _ in range(250):
        deep = {"deeper": deep}
    sim = close()
    (user,) = sim.data["user"].truth
    sim.data["user"].update(user, deep=deep)

    assert len(sync(sim, "users").table("users")) == 1


def test_the_default_start_date_splits_as_any_other(close: Close) -> None:
    sim = close(Settings(activities=9000, days=300))
    year_ago = datetime.now(UTC).replace(year=datetime.now(UTC).year - 1)

    result = sync(sim, "activities", start_date=None)

    truth = sim.data["activity"].rows()
    recent = {row["id"] for row in truth if datetime.fromisoformat(row["date_created"]) > year_ago}
    assert not result.errors
    assert result.table("activities").keys() == recent
    assert len(result.states("activities")) > 1


def test_discover_survives_a_definition_list_that_is_refused(close: Close) -> None:
    sim = close(forbidden={"custom_field/custom_object_type": (400, {"error": "Not in your plan."})})

    assert catalog(sim).keys() >= {"leads"}


@pytest.mark.parametrize("changes", [{"api_key": "api_\u20ac"}, {"api_url": "http://["}])
def test_odd_settings_are_config_errors(close: Close, changes: Row) -> None:
    result = sync(close(), "users", **changes)

    assert result.failures[0].failure_type is FailureType.config_error
