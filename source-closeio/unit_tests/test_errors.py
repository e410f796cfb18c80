"""Whatever goes wrong: retried if time may mend it; else one stream ends with a sentence, and the others go on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from airbyte_cdk.models import FailureType
from simulator import CloseSimulator, Fault, Settings
from source_closeio.http.api import TIMING
from unit_tests.syncs import assert_not_offered, hurry, sync, table

Close = Callable[..., CloseSimulator]
ALL = ("leads", "activities", "tasks", "users", "custom_fields", "event_log")
HTML = "<!DOCTYPE html><html><body>Down for maintenance</body></html>"
BODIES = (HTML, "", "{}", "[]", '{"data":null,"has_more":false}', "null")
PASSING: dict[str, dict[str, Any]] = {
    **{kind: {"kind": kind} for kind in ("408", "500", "502", "503", "504", "reset", "close")},
    **{kind: {"kind": kind} for kind in ("429-header", "429-flat", "429-nested", "429-text", "429-string")},
    **{f"cut-{framing}": {"kind": "cut", "framing": framing} for framing in ("length", "chunked", "close")},
    **{
        body: {"kind": "200", "body": body} for body in (HTML, "", "{}", "[]", '{"data":null,"has_more":false}', "null")
    },
}


@pytest.mark.parametrize("kind", list(PASSING))
def test_a_passing_fault_costs_nothing_but_time(close: Close, kind: str) -> None:
    sim = close(Settings(activities=250))
    sim.fault(Fault(path="activity", **PASSING[kind], times=2, after=1, seconds=0.2))

    result = sync(sim, "activities")

    assert not result.errors
    assert result.table("activities") == sim.data["activity"].truth
    assert len(result.rows("activities")) == 250


def test_a_sync_through_a_storm_of_faults_is_complete(close: Close) -> None:
    sim = close(Settings(activities=3000, leads=600, tasks=600, events=600))
    for number, fault in enumerate(PASSING.values()):
        sim.fault(Fault(**fault, probability=0.01, seed=number, seconds=0.1))

    result = sync(sim, *ALL)

    assert not result.errors
    assert result.table("activities") == sim.data["activity"].truth
    assert result.table("tasks") == sim.data["task"].truth
    assert result.table("event_log") == sim.data["event"].truth
    assert result.table("leads").keys() == sim.data["lead"].truth.keys()


@pytest.mark.parametrize("kind", ["stall_headers", "stall_body"])
def test_a_silent_server_is_given_up_and_asked_again(close: Close, kind: str) -> None:
    sim = close(Settings(tasks=50))
    sim.fault(Fault(path="task", kind=kind, times=1, seconds=60))

    result = sync(sim, "tasks", timing=replace(TIMING, silence=0.5))

    assert len(result.table("tasks")) == 50


def test_an_answer_that_drips_without_end_is_cut_off(close: Close) -> None:
    sim = close(Settings(tasks=50))
    sim.fault(Fault(path="task", kind="drip", times=1, at=100, seconds=0.1))

    assert len(sync(sim, "tasks", timing=replace(TIMING, answer=0.5)).table("tasks")) == 50


@pytest.mark.parametrize("kind", ["500", HTML, "reset", "429-header", "{}"])
def test_a_lasting_fault_ends_its_stream_with_a_sentence_and_leaves_the_others(close: Close, kind: str) -> None:
    sim = close(Settings(tasks=50))
    sim.fault(Fault(path="task", **PASSING[kind], times=None, seconds=0.3))

    result = sync(sim, *ALL, timing=hurry(3))

    trace = result.failures[0]
    assert "tasks" in trace.message
    assert "GET /task/" in trace.message
    assert "run the sync" in trace.message.lower() or "try again" in trace.message
    assert trace.failure_type is FailureType.transient_error
    assert trace.stream_descriptor
    assert trace.stream_descriptor.name == "tasks"
    assert result.statuses("tasks")[-1] == "INCOMPLETE"
    assert result.table("activities") == sim.data["activity"].truth
    for stream in set(ALL) - {"tasks"}:
        assert result.statuses(stream)[-1] == "COMPLETE"
        assert result.states(stream)


def test_what_was_read_before_a_failure_is_kept(close: Close) -> None:
    sim = close(Settings(activities=9000))
    sim.fault(Fault(path="activity", kind="500", times=None, after=60))

    first = sync(sim, "activities", num_workers=2, timing=hurry(2))
    sim.clear_faults()
    second = sync(sim, "activities", state=first.state)

    assert first.errors
    assert first.states("activities")[-1]["date_created"] > "2020-01-02"
    assert table("activities", first, second) == sim.data["activity"].truth
    assert len(second.rows("activities")) < 9000


@pytest.mark.parametrize("status", [402, 403])
def test_a_stream_that_the_plan_or_role_lacks_fails_alone(close: Close, status: int) -> None:
    """COMPLETE without rows would make a destination that overwrites empty its table."""
    sim = close(Settings(forbidden={"task": (status, {"error": "Not in your plan."})}))

    result = sync(sim, *ALL)

    assert_not_offered(result, "tasks")
    assert "Not in your plan." in result.errors[0]
    assert result.table("users")


def test_a_permission_lost_half_way_is_a_failure_not_the_end_of_the_data(close: Close) -> None:
    sim = close(Settings(activities=500))
    sim.fault(Fault(path="activity", kind="403", times=None, after=2))

    result = sync(sim, "activities")

    assert result.statuses("activities")[-1] == "INCOMPLETE"
    assert result.failures[0].failure_type is FailureType.config_error


def test_a_wrong_key_is_a_config_error_and_is_not_retried(close: Close) -> None:
    sim = close(Settings())

    result = sync(sim, "users", "tasks", api_key="api_wrong.key")

    assert result.failures[0].failure_type is FailureType.config_error
    assert "API key" in result.errors[0]
    assert len(sim.requests) <= 4


def test_a_redirect_to_another_host_does_not_get_the_key(close: Close) -> None:
    elsewhere = close()
    sim = close(Settings())
    location = elsewhere.url.replace("127.0.0.1", "localhost") + "user/"
    sim.fault(Fault(path="user", kind="302", headers={"location": location}))

    sync(sim, "users")

    assert all(request.status == 401 for request in elsewhere.requests)


def test_a_stream_that_the_source_does_not_have_is_named_and_the_others_are_read(close: Close) -> None:
    sim = close(Settings())

    result = sync(sim, "users", "no_such_stream")

    assert "no_such_stream" in result.errors[0]
    assert result.statuses("users")[-1] == "COMPLETE"


def test_an_unreadable_state_is_a_config_error_with_a_remedy(close: Close) -> None:
    from unit_tests.syncs import saved

    result = sync(close(Settings()), "tasks", state=saved("tasks", date_updated="yesterday"))

    assert "Reset" in result.errors[0]


def test_a_server_clock_behind_ours_loses_no_rows(close: Close) -> None:
    """Rows that Close creates after the sync carry times before ours: state must go by Close's clock."""
    from datetime import UTC, datetime, timedelta

    sim = close(now=datetime.now(UTC) - timedelta(hours=2))
    first = sync(sim, "tasks")
    sim.settings.now = datetime.now(UTC) - timedelta(hours=1)
    task = sim.data["task"].add(sim.make_task())["id"]

    second = sync(sim, "tasks", state=first.state)

    assert task in second.table("tasks")
