"""Segment exports of the simulator: the same events as the bundles have, and everything that can happen on the way."""

import gzip
import json
import zlib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Any

import pytest
from simulator import BulkEvents, Fault, FullStorySimulator, Segment, Settings, epoch, identity, showcase
from simulator.shop import RENAMED, modern
from unit_tests.calls import Answer, ask, call

DAY = 86_400
JAN_1 = epoch("2024-01-01")
CREATE = "/segments/v1/exports"
EVERYTHING = {"start": "", "end": ""}
Rows = list[dict[str, Any]]


@pytest.fixture
def sim() -> Iterator[FullStorySimulator]:
    """Two days of bundles, and a clock that stands still a week later."""
    with FullStorySimulator(Settings(downloads_per_minute=0, now=JAN_1 + 9 * DAY)) as running:
        running.add_period(JAN_1, JAN_1 + 2 * DAY)
        yield running


def span(start: str = "2024-01-01T00:00:00Z", end: str = "2024-01-03T00:00:00Z") -> dict[str, str]:
    return {"start": start, "end": end}


def body(time: dict[str, str], **more: Any) -> dict[str, Any]:
    order = {"segmentId": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON"}
    return {**order, "timeRange": time, "segmentTimeRange": time, **more}


def order(sim: FullStorySimulator, time: dict[str, str] | None = None, **more: Any) -> str:
    answer = call(sim, CREATE, "POST", body(time or span(), **more))
    assert answer.status == 200, answer.body
    return str(answer.json["operationId"])


def look(sim: FullStorySimulator, operation: str) -> dict[str, Any]:
    found: dict[str, Any] = call(sim, f"/operations/v1/{operation}").json
    return found


def finished(sim: FullStorySimulator, operation: str) -> dict[str, Any]:
    """The operation when it is over, after at most ten looks."""
    return next(seen for _ in range(10) if (seen := look(sim, operation))["state"] != "PENDING")


def results(sim: FullStorySimulator, operation: str) -> Answer:
    return call(sim, f"/search/v1/exports/{finished(sim, operation)['results']['searchExportId']}/results")


def fetch(sim: FullStorySimulator, operation: str) -> Answer:
    location = results(sim, operation).json["location"]
    return ask(sim.storage_url, location.removeprefix(sim.storage_url))


def rows(answer: Answer) -> Rows:
    text = answer.body
    while text[:2] == b"\x1f\x8b":
        text = gzip.decompress(text)
    return [json.loads(line) for line in text.split(b"\n") if line]


def exported(sim: FullStorySimulator, time: dict[str, str] | None = None, **more: Any) -> Rows:
    return rows(fetch(sim, order(sim, time, **more)))


def key(row: dict[str, Any]) -> str:
    """What both ways have of an event: older bundles have no EventSubType."""
    return identity({**row, "EventSubType": None})


# The way of an export


def test_an_export_is_ordered_watched_and_fetched_from_another_host_without_the_key(sim: FullStorySimulator) -> None:
    operation = order(sim)
    first, second = look(sim, operation), look(sim, operation)
    assert (first["type"], first["state"], first["estimatePctComplete"]) == ("SEARCH_EXPORT", "PENDING", 0)
    assert first["results"] is None
    assert "finishedAt" not in first
    assert (second["state"], second["estimatePctComplete"]) == ("PENDING", 50)
    last = finished(sim, operation)
    assert last["createdAt"] == "2024-01-10T00:00:00.000000Z"
    assert last["finishedAt"] == "2024-01-10T00:00:00.000000Z"
    assert last["results"]["expires"] == "2024-01-17T00:00:00.000000Z"
    answer = results(sim, operation).json
    assert answer["expires"] == "2024-01-10T00:05:00.000000Z"
    assert answer["location"].startswith(f"{sim.storage_url}/fullstoryapp-search-export/")
    path = answer["location"].removeprefix(sim.storage_url)
    file = ask(sim.storage_url, path)
    assert file.headers["content-type"] == "application/gzip"
    assert "content-encoding" not in file.headers
    assert int(file.headers["content-length"]) == len(file.body)
    assert ".ndjson.gz" in file.headers["content-disposition"]
    assert rows(file) == sim.export_rows(operation) == sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    assert sim.leaks == []
    assert ask(sim.storage_url, path, sim.api_key).status == 400
    assert len(sim.leaks) == 1
    (export,) = sim.exports
    assert export.order.window == ("2024-01-01T00:00:00.000Z", "2024-01-03T00:00:00.000Z")
    assert (export.operation.state, export.downloads) == ("COMPLETED", 1)


def test_ordering_and_fetching_need_an_architect_watching_does_not(sim: FullStorySimulator) -> None:
    operation = order(sim)
    export = finished(sim, operation)["results"]["searchExportId"]
    sim.settings.role = "USER"
    assert call(sim, CREATE, "POST", body(span())).status == 403
    assert call(sim, f"/search/v1/exports/{export}/results").status == 403
    assert look(sim, operation)["state"] == "COMPLETED"
    assert ask(sim.url, f"/operations/v1/{operation}").status == 401


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"type": "TYPE_PAGES"}, 400),
        ({"format": "FORMAT_CSV"}, 400),
        ({"format": "NDJSON"}, 400),
        ({"timeRange": None}, 400),
        ({"timeRange": {"start": "2024-01-01", "end": ""}}, 400),
        ({"segmentTimeRange": {"start": "yesterday", "end": ""}}, 400),
        ({"timeRange": {"start": "2024-01-02T00:00:00Z", "end": "2024-01-01T00:00:00Z"}}, 400),
        ({"fields": ["UserId", "UserId"]}, 400),
        ({"eventDetails": {"scope": "SCOPE_EVENT"}}, 400),
        ({"segmentId": "nobody"}, 404),
        ({"eventDetails": {"scope": "SCOPE_EVENTS"}}, 200),
    ],
)
def test_an_order_that_makes_no_sense_is_refused(sim: FullStorySimulator, change: Any, status: int) -> None:
    assert call(sim, CREATE, "POST", body(span()) | change).status == status
    assert len(sim.exports) == (status == 200)


def test_what_is_no_json_is_refused(sim: FullStorySimulator) -> None:
    assert call(sim, CREATE, "POST").status == 400
    assert call(sim, CREATE, "POST", [1]).status == 400
    sim.settings.unknown_segment_status = 400
    assert call(sim, CREATE, "POST", body(span(), segmentId="nobody")).status == 400


def test_names_in_snake_case_are_taken_too(sim: FullStorySimulator) -> None:
    snake = {"segment_id": "everyone", "type": "TYPE_EVENT", "format": "FORMAT_NDJSON", "time_range": span()}
    answer = call(sim, CREATE, "POST", {**snake, "segment_time_range": span(end="2024-01-02T00:00:00Z")})
    assert rows(fetch(sim, answer.json["operationId"])) == sim.event_truth(JAN_1, JAN_1 + DAY)


# What is in it


def test_the_export_has_the_events_of_the_bundles_under_the_newer_names(sim: FullStorySimulator) -> None:
    made = exported(sim)
    bundled = [row for bundle in sim.bundles for row in sim.events(bundle.id)]
    assert len(made) == 960
    assert [key(row) for row in made] == [key(row) for row in bundled]
    assert max(Counter(map(key, made)).values()) > 1
    names = {name for row in made for name in row}
    assert {"PageUserAgent", "EventTargetSelector", "UserCreated", "EventSubType", "EventPageOffset"} <= names
    assert not names & set(RENAMED.values())
    for old, new in zip(bundled, made, strict=True):
        assert {name: old[name] for name in old if name in new} == {name: new[name] for name in old if name in new}


def test_windows_are_half_open_and_cut_anywhere(sim: FullStorySimulator) -> None:
    cuts = ["2024-01-01T00:00:00Z", "2024-01-01T07:30:00Z", "2024-01-01T07:45:10.5Z", "2024-01-03T00:00:00Z"]
    pieces = [exported(sim, span(start, end)) for start, end in pairwise(cuts)]
    assert [row for piece in pieces for row in piece] == sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    assert pieces[1][0]["EventStart"] == "2024-01-01T07:30:00.000Z"
    assert exported(sim, span(cuts[0], cuts[0])) == []


def test_without_a_segment_time_range_only_thirty_days_come(sim: FullStorySimulator) -> None:
    assert len(exported(sim, EVERYTHING)) == 960
    assert len(exported(sim, EVERYTHING, segmentTimeRange=None)) == 960
    sim.settings.now = JAN_1 + 31 * DAY
    assert exported(sim, span(), segmentTimeRange=None) == sim.event_truth(JAN_1 + DAY, JAN_1 + 2 * DAY)
    assert len(exported(sim, span())) == 960
    pinned = exported(sim, span(), segmentTimeRange=None, now="2024-01-20T00:00:00Z")
    assert len(pinned) == 960


def test_the_future_and_what_is_past_retention_are_not_exported(sim: FullStorySimulator) -> None:
    sim.settings.now = JAN_1 + DAY
    assert exported(sim) == sim.event_truth(JAN_1, JAN_1 + DAY)
    sim.settings.change(now=JAN_1 + 9 * DAY, retention_days=8)
    assert exported(sim) == sim.event_truth(JAN_1 + DAY, JAN_1 + 2 * DAY)


def test_bundles_that_overlap_or_are_late_or_new_change_nothing(sim: FullStorySimulator) -> None:
    before = sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    operation = order(sim)
    sim.add_period(JAN_1 + DAY // 2, JAN_1 + 5 * DAY, hours=6)
    sim.late(sim.bundles[0].id, 10**9)
    assert rows(fetch(sim, operation)) == before
    again = exported(sim)
    assert Counter(map(key, again)) == Counter(map(key, before))
    assert len(exported(sim, EVERYTHING)) == 5 * 480


@pytest.mark.parametrize("edge", ["start", "stop", "both"])
@pytest.mark.parametrize("generation", ["legacy", "new", "mixed"])
def test_both_ways_agree_whatever_bundles_are_like(edge: str, generation: str) -> None:
    settings = Settings(downloads_per_minute=0, now=JAN_1 + 9 * DAY)
    settings.change(edge=edge, generation=generation, events_per_day=96)
    with FullStorySimulator(settings) as sim:
        sim.add_period(JAN_1, JAN_1 + 2 * DAY, hours=12)
        sim.add_bundle(JAN_1 + 2 * DAY, JAN_1 + 3 * DAY, 50)
        sim.add_bundle(JAN_1 + 3 * DAY, JAN_1 + 4 * DAY, showcase(JAN_1 + 3 * DAY, JAN_1 + 4 * DAY))
        made = exported(sim, EVERYTHING)
        assert Counter(map(key, made)) == Counter(key(row) for row in sim.truth())
        assert len(made) > 192 + 50


def test_rows_given_by_a_test_keep_what_they_have() -> None:
    with FullStorySimulator(Settings(downloads_per_minute=0, now=JAN_1 + 9 * DAY)) as sim:
        at = "2024-01-01T00:00:01Z"
        given: Rows = [
            {"EventStart": at, "PageAgent": "old", "EventTargetSelectorTok": "a .b%2Dc", "n": 2**60 + 1},
            {"EventStart": "2024-01-01T02:00:00+02:00", "PageUserAgent": "new"},
            {"EventStart": "2024-01-09T00:00:00Z"},
            {"EventStart": None},
        ]
        sim.add_bundle(JAN_1, JAN_1 + DAY, given)
        assert exported(sim) == [given[1], modern(given[0])]
        assert modern(given[0]) == {
            "EventStart": at, "PageUserAgent": "old", "EventTargetSelector": "a .b-c", "n": 2**60 + 1,
        }  # fmt: skip


def test_fields_restrict_the_columns(sim: FullStorySimulator) -> None:
    names = ["EventStart", "EventTargetSelector", "EventTargetSelectorTok", "evt_*"]
    made = exported(sim, fields=names)
    found = {name for row in made for name in row}
    assert {"EventStart", "EventTargetSelector", "EventTargetSelectorTok"} <= found
    assert all(name in names or name.startswith("evt_") for name in found)
    assert any(name.startswith("evt_") for name in found)
    assert "evt_term_int" not in {name for row in exported(sim, fields=["user_*", "UserId"]) for name in row}


def test_a_segment_has_some_of_the_people(sim: FullStorySimulator) -> None:
    sim.add_segment(Segment("half", "Half", one_in=2))
    made = exported(sim, segmentId="half")
    assert made == [row for row in sim.event_truth(JAN_1, JAN_1 + 2 * DAY) if row["IndvId"] % 2 == 0]
    assert 0 < len(made) < 960


def test_young_events_are_not_final(sim: FullStorySimulator) -> None:
    final = sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    sim.settings.change(now=JAN_1 + 2 * DAY, settle_seconds=DAY)
    made = exported(sim)
    assert made[:480] == final[:480]
    assert [key(row) for row in made] == [key(row) for row in final]
    changed = {name for one, other in zip(made, final, strict=True) for name in one if one[name] != other[name]}
    assert changed == {"PageDuration", "PageActiveDuration", "UserEmail", "IndvId"}
    sim.settings.unsettled = "missing"
    assert exported(sim) == final[:480]
    sim.settings.unsettled = "some"
    some = exported(sim)
    assert 480 < len(some) < 960
    assert all(row in final for row in some)
    sim.settings.now = JAN_1 + 3 * DAY
    assert exported(sim) == final


def test_an_export_may_come_as_one_array_too(sim: FullStorySimulator) -> None:
    answer = fetch(sim, order(sim, format="FORMAT_JSON"))
    assert json.loads(gzip.decompress(answer.body)) == sim.event_truth(JAN_1, JAN_1 + 2 * DAY)


# People


def test_people_are_added_up_from_their_events(sim: FullStorySimulator) -> None:
    people = exported(sim, span(end="2024-01-02T00:00:00Z"), type="TYPE_INDIVIDUAL")
    events = sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    assert people == sim.individual_truth(JAN_1, JAN_1 + DAY)
    assert {row["IndvId"] for row in people} == {row["IndvId"] for row in events[:480]}
    assert len({row["IndvId"] for row in people}) == len(people)
    assert any(row["IndvId"] > 2**53 for row in people)
    for person in people:
        own = [row for row in events if row["IndvId"] == person["IndvId"]]
        assert person["NumEvents"] == len(own)
        assert person["LastEventStart"] == own[-1]["EventStart"]
        assert person["NumSessions"] == len({(row["UserId"], row["SessionId"]) for row in own})
    assert any(name.startswith("user_") for row in people for name in row)
    assert any(row["LastEventStart"] >= "2024-01-02" for row in people)
    sim.settings.individual_totals = "range"
    ranged = exported(sim, span(end="2024-01-02T00:00:00Z"), type="TYPE_INDIVIDUAL")
    assert sum(row["NumEvents"] for row in ranged) == 480
    assert all(row["LastEventStart"] < "2024-01-02" for row in ranged)


# What can happen on the way


def test_an_export_takes_as_many_looks_or_as_long_as_the_settings_say(sim: FullStorySimulator) -> None:
    sim.settings.export_polls = 4
    operation = order(sim)
    assert [look(sim, operation)["state"] for _ in range(6)] == ["PENDING"] * 4 + ["COMPLETED"] * 2
    sim.settings.export_seconds = 60
    operation = order(sim)
    assert [look(sim, operation)["state"] for _ in range(3)] == ["PENDING"] * 3
    sim.settings.now = (sim.settings.now or 0) + 30
    assert look(sim, operation)["estimatePctComplete"] == 50
    sim.settings.now += 30
    assert look(sim, operation)["state"] == "COMPLETED"


def test_an_export_can_fail_or_never_end_or_be_forgotten(sim: FullStorySimulator) -> None:
    sim.settings.export_failures = 1
    failed = finished(sim, order(sim))
    assert (failed["state"], failed["results"]) == ("FAILED", None)
    assert failed["errorDetails"]
    assert finished(sim, order(sim))["state"] == "COMPLETED"
    sim.settings.export_fails_above_hours = 24
    assert finished(sim, order(sim))["state"] == "FAILED"
    assert finished(sim, order(sim, span(end="2024-01-02T00:00:00Z")))["state"] == "COMPLETED"
    sim.settings.change(export_fails_above_hours=None, export_fails_above_rows=480)
    assert finished(sim, order(sim))["state"] == "FAILED"
    assert finished(sim, order(sim, span(end="2024-01-02T00:00:00Z")))["state"] == "COMPLETED"
    sim.settings.change(export_fails_above_rows=None, export_never_completes=True, pending_state="UNKNOWN")
    endless = order(sim)
    assert {look(sim, endless)["state"] for _ in range(20)} == {"UNKNOWN"}
    sim.settings.pending_state = "omitted"
    assert "state" not in look(sim, endless)
    sim.settings.change(export_never_completes=False, export_losses=1)
    assert call(sim, f"/operations/v1/{order(sim)}").status == 404
    known = order(sim)
    assert call(sim, f"/operations/v1/{known}").status == 200
    sim.lose_operation(known)
    assert call(sim, f"/operations/v1/{known}").status == 404
    assert call(sim, "/operations/v1/nothing").status == 404


def test_a_cancelled_export_has_failed(sim: FullStorySimulator) -> None:
    operation = order(sim)
    assert call(sim, f"/operations/v1/{operation}/cancel", "POST").status == 200
    assert look(sim, operation)["state"] == "FAILED"
    assert "cancelled" in look(sim, operation)["errorDetails"]
    done = order(sim)
    finished(sim, done)
    assert call(sim, f"/operations/v1/{done}/cancel", "POST").status == 200
    assert look(sim, done)["state"] == "COMPLETED"
    assert call(sim, "/operations/v1/nothing/cancel", "POST").status == 404


def test_only_so_many_exports_run_at_once(sim: FullStorySimulator) -> None:
    sim.settings.change(max_running_exports=2, busy_seconds=7)
    first, _ = order(sim), order(sim)
    refused = call(sim, CREATE, "POST", body(span()))
    assert (refused.status, refused.headers["retry-after"]) == (429, "7")
    assert len(sim.exports) == 2
    finished(sim, first)
    assert sim.early_requests == 0
    order(sim)
    assert sim.early_requests == 1


def test_two_orders_at_once_are_not_both_let_in(sim: FullStorySimulator) -> None:
    sim.settings.max_running_exports = 1
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: call(sim, CREATE, "POST", body(span())), range(8)))
    assert sorted(answer.status for answer in answers) == [200] + [429] * 7
    sim.lose_operation(sim.exports[0].operation.id)
    order(sim)


def test_only_so_many_exports_are_taken_a_minute(sim: FullStorySimulator) -> None:
    sim.settings.exports_per_minute = 1
    order(sim)
    assert call(sim, CREATE, "POST", body(span())).status == 429
    sim.settings.window_seconds = 0.001
    order(sim)


def test_signed_urls_live_for_minutes_and_exports_for_days(sim: FullStorySimulator) -> None:
    operation = order(sim)
    location = results(sim, operation).json["location"].removeprefix(sim.storage_url)
    assert ask(sim.storage_url, location.replace("Signature=", "Signature=0")).status == 403
    sim.settings.now = JAN_1 + 9 * DAY + 300
    late = ask(sim.storage_url, location)
    assert (late.status, b"ExpiredToken" in late.body) == (400, True)
    sim.settings.expired_url_status = 403
    assert ask(sim.storage_url, location).status == 403
    assert len(rows(fetch(sim, operation))) == 960
    sim.settings.now = JAN_1 + 16 * DAY - 1
    again = results(sim, operation)
    sim.settings.now = JAN_1 + 16 * DAY
    assert results(sim, operation).status == 404
    assert ask(sim.storage_url, again.json["location"].removeprefix(sim.storage_url)).status == 404
    sim.settings.expired_export_status = 410
    assert results(sim, operation).status == 410
    other = order(sim)
    sim.expire_export(sim.exports[-1])
    assert results(sim, other).status == 410


def test_there_are_no_results_before_the_end(sim: FullStorySimulator) -> None:
    order(sim)
    assert call(sim, f"/search/v1/exports/{sim.exports[0].id}/results").status == 404
    assert call(sim, "/search/v1/exports/nothing/results").status == 404


@pytest.mark.parametrize("encoding", ["gzip", "content-encoding", "plain", "double", "members", "mislabelled"])
@pytest.mark.parametrize("ended", [True, False])
def test_an_export_comes_in_every_wrapping(sim: FullStorySimulator, encoding: str, ended: bool) -> None:
    sim.settings.change(export_encoding=encoding, ndjson_ended=ended, html_escapes=True)
    answer = fetch(sim, order(sim))
    assert rows(answer) == sim.event_truth(JAN_1, JAN_1 + 2 * DAY)
    assert (answer.headers.get("content-encoding") == "gzip") == (encoding in {"content-encoding", "double"})
    if encoding == "plain":
        assert answer.body.endswith(b"\n") == ended


def test_an_empty_window_is_an_empty_gzip_or_nothing_at_all(sim: FullStorySimulator) -> None:
    empty = span("2023-01-01T00:00:00Z", "2023-01-02T00:00:00Z")
    assert gzip.decompress(fetch(sim, order(sim, empty)).body) == b""
    sim.settings.empty_export = "bytes"
    assert fetch(sim, order(sim, empty)).body == b""


def test_a_file_can_be_broken_in_every_way(sim: FullStorySimulator) -> None:
    operation = order(sim)
    storage = "fullstoryapp-search-export"
    for kind in ("crc", "deflate_boundary", "garbage", "missing_bracket", "json_garbage", "html", "503"):
        sim.fault(Fault(storage, kind))
    crc, boundary, garbage, bracket, rest, page, broken = (fetch(sim, operation) for _ in range(7))
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(crc.body)
    inflated = zlib.decompressobj(31)
    text = inflated.decompress(boundary.body)
    assert not inflated.eof
    assert len([json.loads(line) for line in text.split(b"\n") if line]) == 480
    assert garbage.body.endswith(b"\x00garbage\xff")
    with pytest.raises(json.JSONDecodeError):
        json.loads(gzip.decompress(bracket.body).split(b"\n")[-1])
    assert gzip.decompress(rest.body).endswith(b'}\n{"EventType":')
    assert page.body.startswith(b"<!DOCTYPE html>")
    assert broken.status == 503
    for framing in ("length", "chunked", "terminated", "close"):
        sim.fault(Fault(storage, "cut", at=500, framing=framing))
        assert len(fetch(sim, operation).body) <= 500
    assert len(rows(fetch(sim, operation))) == 960
    assert sim.exports[0].downloads == 10


def test_big_exports_are_streamed(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1 + 3 * DAY, JAN_1 + 4 * DAY, 30_000)
    assert isinstance(bundle.events, BulkEvents)
    pieces = [
        exported(sim, span(f"2024-01-04T{start}Z", f"2024-01-{end}Z"))
        for start, end in (("00:00:00", "04T06:00:00"), ("06:00:00", "05T00:00:00"))
    ]
    assert [len(piece) for piece in pieces] == [7500, 22_500]
    made = [row for piece in pieces for row in piece]
    assert {key(row) for row in made} == {key(row) for row in sim.events(bundle.id)}
    assert made[0]["EventStart"] == "2024-01-04T00:00:00.000Z"
    whole = order(sim, EVERYTHING)
    first, second = fetch(sim, whole).body, fetch(sim, whole).body
    assert first == second
    assert gzip.decompress(first).count(b"\n") == 30_960
