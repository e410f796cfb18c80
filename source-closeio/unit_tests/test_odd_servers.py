"""Other readings of the documentation than the simulator's: none of them may lose a row without a word."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from simulator import CloseSimulator, Request, Settings
from simulator.moments import END
from source_closeio import SourceCloseio
from unit_tests.syncs import catalog, config, sync

from simkit.faults import Fault
from simkit.reply import Reply

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


def list_all(monkeypatch: pytest.MonkeyPatch, sim: CloseSimulator, rows: list[Row]) -> None:
    """Every list and search has these rows, 100 a page."""
    plain = sim.reply

    def reply(request: Request, fault: Fault) -> Reply:
        if request.path == "me":
            return plain(request, fault)
        skip = 0 if request.body else int(request.params.get("_skip", 0))
        return Reply.json({"data": rows[skip : skip + 100], "has_more": skip + 100 < len(rows)})

    monkeypatch.setattr(sim, "reply", reply)


@pytest.mark.parametrize("odd_id", [None, [1], {"a": 1}, True, 1.5])
@pytest.mark.parametrize("stream", ["roles", "activities", "tasks", "users", "leads", "event_log", "groups"])
def test_rows_without_a_usable_id_are_an_error_and_no_loss(
    close: Close, stream: str, odd_id: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    row = {"id": odd_id, "date_created": yesterday, "date_updated": yesterday}
    sim = close()
    list_all(monkeypatch, sim, [row] * 150)

    result = sync(sim, stream, start_date="2024-01-01")

    assert len(result.rows(stream)) == 150 or "a row whose id is" in result.errors[0]
    assert "defect" not in "".join(result.errors)


def test_a_custom_field_without_an_id_is_a_sentence(close: Close, monkeypatch: pytest.MonkeyPatch) -> None:
    sim = close()
    list_all(monkeypatch, sim, [{"name": "no id"}])

    with pytest.raises(AirbyteTracedException) as raised:
        SourceCloseio().discover(logging.getLogger("airbyte"), config(sim))

    assert "a row whose id is null" in str(raised.value.message)


@pytest.mark.parametrize("organizations", [["x"], "x", [{"name": "no id"}], 5])
def test_organizations_of_another_shape_are_a_sentence(
    close: Callable[..., CloseSimulator], organizations: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim = close()
    body = sim.me() | {"organizations": organizations, "memberships": ["x"]}
    monkeypatch.setattr(sim, "me", lambda: body)

    result = sync(sim, "organizations", "memberships", "users")

    assert len(result.errors) >= 2
    assert "defect" not in "".join(result.errors)
    assert result.statuses("users")[-1] == "COMPLETE"


@pytest.mark.parametrize("field", ["meta", "previous_data", "object_id", "object_type", "action"])
@pytest.mark.parametrize("value", [["x"], {"a": {}}, 5, "x"])
def test_events_of_another_shape_break_nothing(close: Callable[..., CloseSimulator], field: str, value: Any) -> None:
    sim = close(Settings(leads=3, activities=5, tasks=3, events=0))
    streams = ("leads", "activities", "deletions", "event_log", "comments")
    first = sync(sim, *streams)
    sim.data["lead"].delete(next(iter(sim.data["lead"].truth)))
    for event in sim.data["event"].rows():
        sim.data["event"].update(event["id"], {field: value}, log=False)

    assert not sync(sim, *streams, state=first.state).errors


@pytest.mark.parametrize("changes", [{"api_key": "api_\u20ac"}, {"api_url": "http://["}])
def test_odd_settings_are_config_errors(close: Close, changes: Row) -> None:
    result = sync(close(), "users", **changes)

    assert result.failures[0].failure_type is FailureType.config_error
