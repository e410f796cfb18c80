"""Late bundles, changed periods, overlaps: no event lost, and none twice. And the state that remembers it all."""

import json
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault
from source_fullstory.events.coverage import HOLE_SECONDS, Coverage, Hole
from source_fullstory.kit import clock
from unit_tests.syncs import Account, Outcome, assert_rows, run_process

HOUR = 3600
DAY = 24 * HOUR
JAN_1 = 1_704_067_200


def text(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.fixture
def on(account: Account, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Both clocks tell that day; what has ended by then is listed."""

    def turn_to(day: str) -> None:
        now = datetime.fromisoformat(day).replace(tzinfo=UTC)

        class Then(datetime):
            @classmethod
            def now(cls, _: tzinfo | None = None) -> datetime:  # type: ignore[override]
                return now

        monkeypatch.setattr(clock, "datetime", Then)
        account.sim.settings.change(now=now.timestamp(), listing_lag=0)

    return turn_to


def hole(start: str, stop: str, age: float) -> dict[str, str]:
    return {"start": start, "stop": stop, "first_seen": text(time.time() - age)}


def spans(state: dict[str, Any]) -> list[tuple[str, str]]:
    return [(found["start"], found["stop"]) for found in state["holes"]]


# Coverage, with plain values.


def test_coverage_knows_what_is_missing() -> None:
    coverage = Coverage(100, [Hole(20, 30, 0), Hole(50, 60, 0)])
    assert coverage.missing(0, 200) == [(20, 30), (50, 60), (100, 200)]
    assert coverage.missing(25, 55) == [(25, 30), (50, 55)]
    assert coverage.missing(60, 100) == []
    assert coverage.complete_through == 20


@pytest.mark.parametrize(
    ("start", "stop", "holes", "read_to"),
    [
        (100, 110, [(20, 30)], 110),
        (120, 130, [(20, 30), (100, 120)], 130),
        (20, 30, [], 100),
        (22, 25, [(20, 22), (25, 30)], 100),
        (10, 25, [(25, 30)], 100),
        (25, 40, [(20, 25)], 100),
        (0, 150, [], 150),
        (100, 100, [(20, 30)], 100),
    ],
)
def test_what_was_read_closes_holes_and_what_was_passed_over_opens_one(
    start: int, stop: int, holes: list[tuple[int, int]], read_to: int
) -> None:
    coverage = Coverage(100, [Hole(20, 30, 7)])
    coverage.add(start, stop, now=900)
    assert [(found.start, found.stop) for found in coverage.holes] == holes
    assert [found.first_seen for found in coverage.holes] == [
        900 if found.start == 100 else 7 for found in coverage.holes
    ]
    assert coverage.read_to == read_to


def test_a_hole_is_kept_for_48_hours() -> None:
    coverage = Coverage(100, [Hole(1, 2, 0), Hole(3, 4, 1)])
    assert coverage.give_up(HOLE_SECONDS) == [Hole(1, 2, 0)]
    assert coverage.holes == [Hole(3, 4, 1)]


def test_the_state_of_a_coverage_reads_back() -> None:
    coverage = Coverage(JAN_1 + DAY, [Hole(JAN_1, JAN_1 + HOUR, JAN_1 + 2 * DAY)])
    assert Coverage.from_state(json.loads(json.dumps(coverage.to_state()))) == coverage


# Late bundles.


def test_a_late_bundle_is_read_when_it_appears(account: Account, on: Callable[[str], None]) -> None:
    on("2024-01-06T12:00")
    sim = account.sim
    sim.add_period("2024-01-01", "2024-01-03")
    sim.add_period("2024-01-04", "2024-01-06")
    first = account.sync()
    assert spans(first.state()) == [("2024-01-03T00:00:00Z", "2024-01-04T00:00:00Z")]
    assert first.state()["complete_through"] == "2024-01-03T00:00:00Z"
    assert first.state()["bundle_stop"] == "2024-01-06T00:00:00Z"
    late = sim.add_bundle("2024-01-03", "2024-01-04")
    second = account.sync(first.state())
    assert_rows(second.records(), sim.events(late.id))
    assert second.state()["holes"] == []
    assert second.state()["complete_through"] == "2024-01-06T00:00:00Z"
    assert second.state()["bundle_id"] == first.state()["bundle_id"]


def test_a_hole_is_filled_by_shorter_bundles_one_by_one(account: Account, on: Callable[[str], None]) -> None:
    on("2024-01-05T12:00")
    sim = account.sim
    sim.add_bundle("2024-01-01", "2024-01-02")
    sim.add_bundle("2024-01-03", "2024-01-04")
    outcome = account.sync()
    read = outcome.records()
    for hours in ((12, 18), (0, 6), (18, 24), (6, 12)):
        sim.add_bundle(JAN_1 + DAY + hours[0] * HOUR, JAN_1 + DAY + hours[1] * HOUR)
        outcome = account.sync(outcome.state())
        read += outcome.records()
    assert_rows(read, sim.truth())
    assert outcome.state()["holes"] == []


def test_a_hole_is_filled_from_a_longer_bundle_with_just_what_is_missing(
    account: Account, on: Callable[[str], None]
) -> None:
    on("2024-01-04")
    sim = account.sim
    six = sim.add_period("2024-01-01", "2024-01-03", hours=6)
    late = [bundle.id for bundle in six if bundle.start in (JAN_1 + 6 * HOUR, JAN_1 + 12 * HOUR)]
    for number in late:
        sim.remove_bundle(number)
    first = account.sync()
    sim.add_bundle("2024-01-01", "2024-01-02")
    second = account.sync(first.state())
    assert_rows(first.records() + second.records(), sim.truth())
    assert second.state()["holes"] == []


def test_a_hole_is_looked_for_until_48_hours_after_it_was_seen(account: Account) -> None:
    account.sim.add_bundle("2024-01-02", "2024-01-03")
    place = "2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z"
    state = {"bundle_stop": "2024-01-03T00:00:00Z", "holes": [hole(*place, 47 * HOUR)]}
    young = account.sync(state)
    assert spans(young.state()) == [place]
    state["holes"] = [hole(*place, 49 * HOUR)]
    old = account.sync(state)
    assert old.state()["holes"] == []
    assert "giving it up" in old.log
    assert "2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z" in old.log


def test_a_hole_that_is_old_but_filled_now_is_read(account: Account) -> None:
    bundle = account.sim.add_bundle("2024-01-01", "2024-01-02")
    state = {
        "bundle_stop": "2024-01-03T00:00:00Z",
        "holes": [hole("2024-01-01T00:00:00Z", "2024-01-02T00:00:00Z", 1000 * HOUR)],
    }
    outcome = account.sync(state)
    assert_rows(outcome.records(), account.sim.events(bundle.id))
    assert "giving it up" not in outcome.log


def test_time_before_the_first_bundle_is_a_hole_if_a_bundle_of_it_may_be_late(account: Account) -> None:
    sim = account.sim
    sim.add_bundle("2024-03-01", "2024-03-02", 1)
    assert spans(account.sync().state()) == []
    today = int(time.time()) // DAY * DAY
    sim.settings.listing_lag = 0
    for bundle in sim.bundles:
        sim.remove_bundle(bundle.id)
    sim.add_bundle(today - DAY, today, 1)
    late = text(today - 2 * DAY), text(today - DAY)
    outcome = account.sync(start_date=late[0])
    assert spans(outcome.state()) == [late]
    sim.add_bundle(today - 2 * DAY, today - DAY, 7)
    assert len(account.sync(outcome.state(), start_date=late[0]).records()) == 7


# Changed periods.


@pytest.mark.parametrize("hours", [(24, 6), (6, 24), (24, 0.5), (1, 12), (12, 1)])
def test_a_changed_period_neither_loses_nor_repeats(account: Account, hours: tuple[float, float]) -> None:
    """The new period also covers a part of what was read before."""
    sim = account.sim
    sim.settings.events_per_day = 200
    sim.add_period("2024-01-01", "2024-01-03", hours=hours[0])
    sim.add_bundle(JAN_1 + 2 * DAY, int(JAN_1 + 2 * DAY + hours[0] * HOUR))
    first = account.sync()
    sim.add_period("2024-01-02", "2024-01-05", hours=hours[1])
    second = account.sync(first.state())
    assert_rows(first.records() + second.records(), sim.truth())
    assert second.state()["holes"] == []
    assert "bundle period changes" in second.log


def test_periods_that_overlap_in_one_sync_neither_lose_nor_repeat(account: Account) -> None:
    sim = account.sim
    for hours in (24, 6, 8, 1):
        sim.add_period("2024-01-01", "2024-01-03", hours=hours)
    sim.settings.order = "shuffled"
    outcome = account.sync()
    assert_rows(outcome.records(), sim.truth())
    assert outcome.state()["holes"] == []


def test_a_bundle_that_was_read_under_another_period_is_not_downloaded(account: Account) -> None:
    sim = account.sim
    sim.add_bundle("2024-01-01", "2024-01-02")
    inner = sim.add_bundle("2024-01-01T12:00", "2024-01-02")
    account.sync()
    assert inner.downloads == 0


# Edges.


def row(start: str) -> dict[str, str]:
    return {"EventStart": start}


def test_events_before_the_start_date_are_left_out_to_the_instant(account: Account) -> None:
    starts = ["2024-01-01T05:59:59.999Z", "2024-01-01T06:00:00.000Z", "2024-01-01T06:59:59+01:00"]
    account.sim.add_bundle("2024-01-01", "2024-01-02", [row(start) for start in starts])
    outcome = account.sync(start_date="2024-01-01T06:00:00Z")
    assert [record["EventStart"] for record in outcome.records()] == [starts[1]]
    assert "2 left out" in outcome.log


@pytest.mark.parametrize(
    "start", ["2024-01-02T00:00:00.000Z", "2024-01-05T00:00:00Z", "0001-01-01T00:00:00Z", "soon", ""]
)
def test_events_dated_outside_their_bundle_are_kept_and_counted(account: Account, start: str) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", [row("2024-01-01T01:00:00.000Z"), row(start)])
    outcome = account.sync()
    assert sorted(record["EventStart"] for record in outcome.records()) == sorted(["2024-01-01T01:00:00.000Z", start])
    assert "1 dated outside" in outcome.log


def test_an_event_without_a_time_is_kept(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", [{"EventType": "click"}])
    assert len(account.sync().records()) == 1


@pytest.mark.parametrize("edge", ["start", "stop", "both"])
def test_an_event_between_two_bundles_is_in_the_table_once(account: Account, edge: Any) -> None:
    account.sim.settings.edge = edge
    account.sim.add_period("2024-01-01", "2024-01-02", hours=6)
    outcome = account.sync()
    table = {record["event_key"]: record for record in outcome.records()}
    assert_rows(table.values(), account.sim.truth())


# State.


def test_the_state_after_each_bundle(account: Account) -> None:
    one, two = account.sim.add_period("2024-01-01", "2024-01-01T12:00", hours=6)
    states = account.sync().states()
    assert states[0] == {
        "bundle_id": one.id,
        "period_seconds": 21600,
        "bundle_stop": "2024-01-01T06:00:00Z",
        "complete_through": "2024-01-01T06:00:00Z",
        "holes": [],
    }
    assert states[1]["bundle_id"] == two.id


def test_a_state_leaves_after_the_records_it_covers(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-01-03", hours=6)
    seen: set[int] = set()
    for message in account.sync().messages:
        if message["type"] == "RECORD":
            seen.add(message["record"]["data"]["bundle_id"])
        if message["type"] == "STATE":
            assert seen == {
                b.id for b in account.sim.bundles if b.id <= message["state"]["stream"]["stream_state"]["bundle_id"]
            }
    assert len(seen) == 8


def test_the_state_of_the_singer_tap_is_a_start(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-01-03")
    outcome = account.sync({"events": "2024-01-02T00:00:00Z"})
    assert_rows(outcome.records(), account.sim.events(account.sim.bundles[1].id))


def test_a_whole_state_file_of_the_singer_tap_is_a_start(account: Account, tmp_path: Path) -> None:
    account.sim.add_period("2024-01-01", "2024-01-03")
    found = account.arguments(tmp_path, state={"events": "2024-01-02T00:00:00.000000Z"})
    outcome = Outcome(run_process(found).stdout.split("\n")[:-1])
    assert_rows(outcome.records(), account.sim.events(account.sim.bundles[1].id))


@pytest.mark.parametrize(
    "state",
    [
        {"bundle_stop": "soon"},
        {"bundle_stop": 5},
        {"something": "else"},
        {"bundle_stop": "2024-01-01T00:00:00Z", "holes": [{"start": "2024-01-01T00:00:00Z"}]},
        {"bundle_stop": "2024-01-01T00:00:00Z", "holes": "none"},
    ],
)
def test_a_state_that_cannot_be_read_is_an_error_with_a_remedy(account: Account, state: dict[str, Any]) -> None:
    outcome = account.sync(state)
    (error, _) = outcome.errors()
    assert "Reset (clear) the stream" in error["message"]
    assert error["failure_type"] == "config_error"


def test_a_bad_state_of_export_bundles_is_an_error_with_a_remedy(account: Account) -> None:
    outcome = account.sync({"stop": "soon"}, streams=["export_bundles"])
    assert "Reset (clear) the stream" in outcome.errors()[0]["message"]


def test_a_later_start_date_wins_over_the_state(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-01-05")
    state = {
        "bundle_stop": "2024-01-02T00:00:00Z",
        "holes": [hole("2024-01-01T00:00:00Z", "2024-01-01T12:00:00Z", HOUR)],
    }
    outcome = account.sync(state, start_date="2024-01-03")
    assert outcome.state()["holes"] == []
    assert {record["bundle_start"][:10] for record in outcome.records()} == {"2024-01-03", "2024-01-04"}


# Bundles of one span.


def test_bundles_of_one_span_are_all_read_and_what_they_share_comes_once(account: Account) -> None:
    sim = account.sim
    rows = [{"EventStart": f"2024-01-01T{hour:02}:00:00.000Z", "UserId": hour} for hour in range(9)]
    for number, part in enumerate((rows[:4], rows[3:7], rows[7:])):
        sim.add_bundle(JAN_1, JAN_1 + DAY, part, id=100 + number)
    outcome = account.sync()
    assert_rows(outcome.records(), rows)
    assert [state["bundle_stop"] for state in outcome.states()][:2] == ["2024-01-01T00:00:00Z"] * 2
    assert account.sync(outcome.state()).records() == []


def test_a_sync_killed_between_bundles_of_one_span_reads_them_again(account: Account) -> None:
    sim = account.sim
    for number in range(2):
        row = {"EventStart": "2024-01-01T05:00:00.000Z", "UserId": number}
        sim.add_bundle(JAN_1, JAN_1 + DAY, [row], id=100 + number)
    between = account.sync().states()[0]
    assert len(account.sync(between).records()) == 2


def test_a_state_in_the_future_does_not_stall_the_stream(account: Account) -> None:
    outcome = account.sync({"bundle_stop": "2999-01-01T00:00:00Z"})
    assert "future" in outcome.log
    assert outcome.state()["bundle_stop"] < "2900"


# Many holes, and old ones.


def test_a_gap_that_is_too_old_to_be_late_is_no_hole(account: Account, on: Callable[[str], None]) -> None:
    on("2024-01-20")
    for day in (2, 4, 14, 19):
        account.sim.add_bundle(f"2024-01-{day:02}", f"2024-01-{day + 1:02}", 1)
    found = spans(account.sync(start_date="2024-01-02").state())
    assert found == [("2024-01-16T00:00:00Z", "2024-01-19T00:00:00Z")]


def test_every_other_half_hour_is_read_with_small_states_and_few_requests(account: Account) -> None:
    """Bundles without events are listed by some accounts only."""
    today = int(time.time()) // DAY * DAY
    start = today - 13 * DAY
    for at in range(start, today - DAY, HOUR):
        account.sim.add_bundle(at, at + HOUR // 2, [{"EventStart": text(at)}])
    account.sim.settings.listing_lag = 0
    first = account.sync(start_date=text(start))
    assert len(first.records()) == 12 * 24
    states = [message for message in first.messages if message["type"] == "STATE"]
    assert max(len(json.dumps(state)) for state in states) < 10_000
    assert sum(len(json.dumps(state)) for state in states) < 400_000
    account.sim.clear_requests()
    second = account.sync(first.state(), start_date=text(start))
    assert (second.records(), second.status()) == ([], "COMPLETE")
    assert len(account.sim.requests) <= 6


def test_far_holes_are_listed_by_themselves(account: Account) -> None:
    account.sim.add_period("2024-01-01", "2024-06-01", hours=6, events=0)
    state = {
        "bundle_stop": "2024-05-31T00:00:00Z",
        "holes": [hole(f"2024-01-{day}T00:00:00Z", f"2024-01-{day}T06:00:00Z", HOUR) for day in (10, 11, 12)],
    }
    outcome = account.sync(state)
    assert outcome.state()["holes"] == []
    assert sum(request.path.endswith("/list") for request in account.sim.requests) <= 6
    assert "7 to read" in outcome.log


# Bundles that are listed and cannot be had.


@pytest.mark.parametrize("code", ["404", "410"])
def test_a_bundle_that_is_never_given_stops_no_other_and_is_given_up_in_the_end(account: Account, code: str) -> None:
    account.sim.add_period("2024-01-01", "2024-01-05")
    gone = account.sim.bundles[0]
    account.sim.fault(Fault(f"get.id={gone.id}", code, times=99, body="json"))
    first = account.sync()
    assert first.status() == "COMPLETE"
    assert_rows(first.records(), [row for bundle in account.sim.bundles[1:] for row in account.sim.events(bundle.id)])
    assert f"bundle {gone.id} (2024-01-01T00:00:00Z to 2024-01-02T00:00:00Z) is listed, but" in first.log
    (found,) = first.state()["holes"]
    assert (found["start"], found["bundle_id"]) == ("2024-01-01T00:00:00Z", gone.id)
    state = {**first.state(), "holes": [{**found, "first_seen": text(time.time() - 49 * HOUR)}]}
    last = account.sync(state)
    assert last.state()["holes"] == []
    assert "choose a later start date" in last.log
    assert "Segment Export" in last.log
    assert account.sync(last.state()).records() == []


def test_a_bundle_that_is_given_in_the_end_is_read(account: Account) -> None:
    bundles = account.sim.add_period("2024-01-01", "2024-01-05")
    account.sim.fault(Fault(f"get.id={bundles[3].id}", "404", times=2))
    first = account.sync()
    assert first.state()["bundle_stop"] == "2024-01-05T00:00:00Z"
    second = account.sync(first.state())
    assert_rows(first.records() + second.records(), account.sim.truth())
    assert second.state()["holes"] == []


# Positions never go back.


@pytest.mark.parametrize("method", ["bundles", "segment_export"])
@pytest.mark.parametrize("days", [-30, -3, 3, 30])
def test_a_wrong_date_moves_no_position(account: Account, method: str, days: int) -> None:
    saved = text(time.time() // HOUR * HOUR - 30 * HOUR)
    account.sim.settings.now = time.time() + days * DAY
    for stream, state in (("events", {"bundle_stop": saved}), ("individuals", {"LastEventStart": saved})):
        outcome = account.sync(state, streams=[stream], events_source={"method": method, "settle_hours": 48})
        assert outcome.status(stream) == "COMPLETE"
        assert all(dict(state).items() <= found.items() for found in outcome.states(stream))


@pytest.mark.parametrize("method", ["bundles", "segment_export"])
def test_a_position_ahead_of_a_clock_that_disagrees_is_kept(account: Account, method: str) -> None:
    """This machine's clock may be the one that is wrong."""
    ahead = text(time.time() + 20 * DAY)
    account.sim.settings.now = time.time() + 21 * DAY
    outcome = account.sync({"bundle_stop": ahead}, events_source={"method": method})
    assert outcome.state()["bundle_stop"] == ahead


def test_a_late_bundle_is_not_given_up_when_a_clock_is_set_right(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Behind(datetime):
        @classmethod
        def now(cls, zone: tzinfo | None = None) -> datetime:  # type: ignore[override]
            return datetime.now(zone) - timedelta(days=3)

    today = int(time.time()) // DAY * DAY
    for day in (4, 2):
        account.sim.add_bundle(today - day * DAY, today - (day - 1) * DAY, 1)
    with monkeypatch.context() as patch:
        patch.setattr(clock, "datetime", Behind)
        first = account.sync(start_date=text(today - 4 * DAY))
    late = account.sim.add_bundle(today - 3 * DAY, today - 2 * DAY, 5)
    account.sim.remove_bundle(late.id)
    second = account.sync(first.state(), start_date=text(today - 4 * DAY))
    assert "giving it up" not in first.log + second.log
    account.sim.add_bundle(today - 3 * DAY, today - 2 * DAY, 5)
    assert len(account.sync(second.state(), start_date=text(today - 4 * DAY)).records()) == 5


# Found by a server that shares no code with the simulator.


def test_an_old_gap_that_a_bundle_further_on_fills_is_read(account: Account) -> None:
    """The period went from a day to half an hour at noon, and both kinds of bundles are there: that of the day stands
    in the list behind those of its afternoon."""
    sim = account.sim
    sim.add_period("2024-01-01", "2024-01-05", hours=24)
    sim.add_period("2024-01-04T12:00", "2024-01-05", hours=0.5)
    outcome = account.sync()
    assert_rows(outcome.records(), sim.truth())
    assert outcome.state()["holes"] == []


def test_only_what_a_bundle_further_on_has_is_a_hole() -> None:
    coverage = Coverage(100)
    coverage.add(50 * DAY, 51 * DAY, now=90 * DAY, late_from=80 * DAY, coming=49 * DAY)
    assert coverage.holes == [Hole(49 * DAY, 50 * DAY, 90 * DAY)]


@pytest.mark.parametrize("gone", [100, 101])
def test_a_span_of_which_one_bundle_is_gone_stays_a_hole(account: Account, gone: int) -> None:
    for number in (100, 101):
        row = {"EventStart": "2024-01-01T05:00:00.000Z", "UserId": number}
        account.sim.add_bundle(JAN_1, JAN_1 + DAY, [row], id=number)
    account.sim.fault(Fault(f"id={gone}", "404", times=99))
    first = account.sync()
    assert [hole["bundle_id"] for hole in first.state()["holes"]] == [gone]
    account.sim.clear_faults()
    second = account.sync(first.state())
    assert {row["UserId"] for row in first.records() + second.records()} == {100, 101}
    assert second.state()["holes"] == []


def test_a_bundle_that_is_damaged_and_then_gone_is_passed_over(account: Account) -> None:
    damaged = account.sim.add_bundle("2024-01-01", "2024-01-02", [b'{"EventStart": oops}'])
    account.sim.add_bundle("2024-01-02", "2024-01-03", 3)
    account.sim.fault(Fault(f"id={damaged.id}", "404", after=1, times=99))
    outcome = account.sync()
    assert (outcome.status(), len(outcome.records())) == ("COMPLETE", 3)
    assert [hole["bundle_id"] for hole in outcome.state()["holes"]] == [damaged.id]
