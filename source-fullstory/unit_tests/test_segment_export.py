"""Events by segment export: every event of every window once, under the keys that bundles give them."""

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from simulator import Fault, Request, Segment
from source_fullstory import epochs
from source_fullstory.events import individuals
from source_fullstory.events.export_windows import Window, plan
from unit_tests.hostile import command, config, hostile, response
from unit_tests.syncs import Account, Outcome, Row, as_sent, assert_rows, run_here

DAY = 86_400
ORDER = "/segments/v1/exports"
RENAMED = {"PageAgent", "PageUserAgent", "EventTargetSelectorTok", "EventTargetSelector"}


@pytest.fixture
def account(account: Account) -> Account:
    """Five days of events, of which the last one is not final yet."""
    today = int(time.time()) // DAY * DAY
    account.sim.settings.change(events_per_day=240, listing_lag=0)
    account.sim.add_period(today - 4 * DAY, today)
    account.config["start_date"] = epochs.to_text(today - 4 * DAY)
    account.config["events_source"] = {"method": "segment_export"}
    return account


def final(account: Account, hours: int = 24) -> list[Row]:
    """The events that a sync may read now."""
    first, last = account.sim.bundles[0].start, account.sim.bundles[-1].stop
    until = (int(time.time()) - hours * 3600) // DAY * DAY
    return account.sim.event_truth(first, min(last, until))


def change(config: Row, **source: Any) -> Row:
    return {**config, "events_source": {"method": "segment_export", **source}}


def orders(account: Account) -> list[Request]:
    return [request for request in account.sim.requests if request.path == ORDER]


def by_key(records: Iterable[Row]) -> dict[str, Row]:
    return {record["event_key"]: record for record in records}


def test_every_final_event_comes_once_in_windows_that_are_aligned(account: Account) -> None:
    outcome = account.sync()
    assert_rows(outcome.records(), final(account))
    assert outcome.status() == "COMPLETE"
    spans = [export.order.window for export in account.sim.exports]
    assert len(spans) == len({str(span) for span in spans}) >= 3


def test_keys_are_those_of_bundles(account: Account) -> None:
    exported = by_key(account.sync().records())
    bundled = by_key(account.sync(events_source={"method": "bundles"}).records())
    assert set(exported) <= set(bundled)
    for key, record in exported.items():
        other = as_sent(bundled[key])
        same = {name: value for name, value in as_sent(record).items() if name not in RENAMED}
        assert same == {name: value for name, value in other.items() if name not in RENAMED} | {
            name: value for name, value in same.items() if name not in other
        }


def test_an_up_to_date_account_orders_nothing(account: Account) -> None:
    state = account.sync().state()
    account.sim.clear_requests()
    outcome = account.sync(state)
    assert (outcome.records(), outcome.state()) == ([], state)
    assert [request.path for request in account.sim.requests] == ["/me"]  # what time it is


def test_short_windows_bring_the_same_events(account: Account) -> None:
    assert_rows(account.sync(**change({}, window_hours=7, settle_hours=72)).records(), _until(account, 72, 7))


def _until(account: Account, settle: int, window: int) -> list[Row]:
    stop = (int(time.time()) - settle * 3600) // (window * 3600) * window * 3600
    return account.sim.event_truth(account.sim.bundles[0].start, stop)


def test_the_order_names_both_ranges(account: Account) -> None:
    account.sync()
    for export in account.sim.exports:
        assert export.order.start < export.order.stop
    assert b"segmentTimeRange" in orders(account)[0].body


def test_the_signed_address_never_gets_the_key_and_never_gets_into_a_log(account: Account) -> None:
    outcome = account.sync(debug=True)
    assert account.sim.leaks == []
    assert "storage" in {request.server for request in account.sim.requests}
    assert "signature" not in outcome.text.lower()


def test_an_export_that_is_running_is_in_the_state_and_is_not_ordered_twice(account: Account) -> None:
    account.sim.settings.export_never_completes = True
    account.sim.fault(Fault("operations/v1", "500", times=1000))
    outcome = account.sync()
    account.sim.clear_faults()
    assert outcome.status() == "INCOMPLETE"
    running = outcome.state()["exports"]
    assert len(running) == len(account.sim.exports) > 0
    account.sim.settings.export_never_completes = False
    resumed = account.sync(outcome.state())
    assert_rows(resumed.records(), final(account))
    spans = [str(export.order.window) for export in account.sim.exports]
    assert len(spans) == len(set(spans))
    assert resumed.state()["exports"] == []


def test_a_lost_operation_is_ordered_again(account: Account) -> None:
    account.sim.settings.export_losses = 2
    assert_rows(account.sync().records(), final(account))


def test_an_expired_export_is_ordered_again(account: Account) -> None:
    state = account.sync().state()
    done = account.sim.exports[0]
    state = {
        "bundle_stop": epochs.to_text(account.sim.bundles[0].start),
        "holes": [],
        "exports": [
            {
                "start": epochs.to_text(account.sim.bundles[0].start),
                "stop": epochs.to_text(account.sim.bundles[0].stop),
                "operation_id": done.operation.id,
                "segment_id": "everyone",
            }
        ],
    }
    account.sim.expire_export(done)
    assert_rows(account.sync(state).records(), final(account))


def test_an_export_that_is_too_large_is_halved(account: Account) -> None:
    account.sim.settings.export_fails_above_hours = 5
    outcome = account.sync()
    assert_rows(outcome.records(), final(account))
    assert "two halves" in outcome.log


def test_an_export_that_fails_at_an_hour_is_a_clear_error_and_what_came_before_is_kept(account: Account) -> None:
    first, second = account.sim.bundles[:2]
    bad = epochs.to_text(second.start + 1800)

    def fail(request: Request) -> None:
        if request.path == ORDER:
            span = json.loads(request.body)["timeRange"]
            account.sim.settings.export_failures = 10_000 * (span["start"] <= bad < span["end"])

    account.sim.on_request = fail
    outcome = account.sync(num_workers=1)
    account.sim.on_request = None
    assert outcome.status() == "INCOMPLETE"
    assert_rows(outcome.records(), account.sim.event_truth(first.start, first.stop))
    assert "could not make the export of" in outcome.errors()[0]["message"]
    assert outcome.errors()[0]["failure_type"] == "transient_error"
    account.sim.settings.export_failures = 0
    rest = account.sync(outcome.state())
    assert_rows(outcome.records() + rest.records(), final(account))


def test_a_stuck_export_is_cancelled_and_halved(account: Account) -> None:
    outcome = account.in_time(stuck=0.2).sync_with_stuck_exports()
    assert any(request.path.endswith("/cancel") for request in account.sim.requests)
    assert "two halves" in outcome.log
    assert_rows(outcome.records(), final(account))


@pytest.mark.parametrize("encoding", ["gzip", "content-encoding", "plain", "double", "members"])
@pytest.mark.parametrize("framing", ["chunked", "length"])
@pytest.mark.parametrize("ended", [True, False])
def test_every_form_of_the_file(account: Account, encoding: str, framing: str, ended: bool) -> None:
    account.sim.settings.change(export_encoding=encoding, export_framing=framing, ndjson_ended=ended)
    assert_rows(account.sync().records(), final(account))


@pytest.mark.parametrize("form", ["gzip", "bytes"])
def test_windows_without_events(account: Account, form: str) -> None:
    account.sim.settings.change(empty_export=form)
    early = epochs.to_text(account.sim.bundles[0].start - 2 * DAY)
    assert_rows(account.sync(start_date=early).records(), final(account))


@pytest.mark.parametrize(
    "kind", ["cut", "reset_body", "reset", "crc", "deflate_boundary", "503", "error_object", "html"]
)
def test_broken_downloads_are_tried_again(account: Account, kind: str) -> None:
    account.sim.fault(Fault("fullstoryapp-search-export", kind, times=2, at=900))
    assert_rows(account.sync().records(), final(account))


def test_a_download_that_never_arrives_whole_is_halved(account: Account) -> None:
    account.sim.fault(Fault("fullstoryapp-search-export/export-000100000001", "cut", times=9, at=900))
    outcome = account.sync(num_workers=1)
    assert_rows(outcome.records(), final(account))
    assert "two halves" in outcome.log


def test_an_address_that_expired_is_asked_for_again(account: Account) -> None:
    account.sim.settings.signed_url_seconds = -1

    def renew(request: Request) -> None:
        asked = sum(each.path.endswith("/results") for each in account.sim.requests)
        account.sim.settings.signed_url_seconds = 300 if asked >= 2 else -1

    account.sim.on_request = renew
    outcome = account.sync()
    account.sim.on_request = None
    assert_rows(outcome.records(), final(account))


def test_orders_beyond_what_fullstory_makes_at_once_wait_without_holding_up(account: Account) -> None:
    account.sim.settings.change(max_running_exports=1, busy_seconds=0.2)
    outcome = account.sync(num_workers=4)
    assert_rows(outcome.records(), final(account))
    assert account.sim.promises.broken == 0


def test_a_limit_on_orders_is_kept_to(account: Account) -> None:
    account.sim.settings.change(exports_per_minute=1, window_seconds=0.5)
    assert_rows(account.sync(num_workers=4).records(), final(account))


def test_one_goes_on_where_the_other_way_stopped(account: Account) -> None:
    """First exports, then bundles, then exports again: no event is missing, none comes twice."""
    now = int(time.time())
    exported = account.sync(**change({}, settle_hours=60, window_hours=5))
    hidden = account.sim.bundles[-1]
    account.sim.remove_bundle(hidden.id)
    bundled = account.sync(exported.state(), events_source={"method": "bundles"})
    account.sim.add_bundle(hidden.start, hidden.stop)
    rest = account.sync(bundled.state(), **change({}, settle_hours=0, window_hours=1))
    records = exported.records() + bundled.records() + rest.records()
    stop = now // 3600 * 3600
    assert set(by_key(records)) == set(
        by_key(account.sync(None, **change({}, settle_hours=0, window_hours=1)).records())
    )
    assert len(by_key(records)) == len(records)
    assert len(records) == len(account.sim.event_truth(account.sim.bundles[0].start, min(stop, hidden.stop)))


def test_a_hole_that_bundles_left_is_filled(account: Account) -> None:
    late = account.sim.bundles[1]
    account.sim.remove_bundle(late.id)
    bundled = account.sync(events_source={"method": "bundles"})
    assert len(bundled.state()["holes"]) == 1
    account.sim.add_bundle(late.start, late.stop)
    outcome = account.sync(bundled.state())
    assert_rows(outcome.records(), account.sim.event_truth(late.start, late.stop))
    assert outcome.state()["holes"] == []


@pytest.mark.parametrize("unsettled", ["values", "some", "missing"])
def test_the_lookback_reads_again_what_was_not_final(account: Account, unsettled: str) -> None:
    account.sim.settings.change(settle_seconds=2 * DAY, unsettled=unsettled)
    first = account.sync(**change({}, settle_hours=24))
    account.sim.settings.settle_seconds = 0
    second = account.sync(first.state(), **change({}, settle_hours=24, lookback_hours=72))
    assert_rows(by_key(first.records() + second.records()).values(), final(account))


def test_only_the_events_of_the_segment(account: Account) -> None:
    account.sim.add_segment(Segment("half", "Half", one_in=2))
    found = len(account.sync(**change({}, segment_id="half")).records())
    assert 0 < found < len(final(account))


def test_a_segment_that_is_not_there_is_a_config_error(account: Account) -> None:
    outcome = account.sync(**change({}, segment_id="nobody"))
    assert outcome.errors()[0]["failure_type"] == "config_error"
    assert "'nobody'" in outcome.errors()[0]["message"]
    status = account.check(**change({}, segment_id="nobody"))
    assert status["status"] == "FAILED"
    assert "no segment 'nobody'" in status["message"]


def test_the_check_needs_no_bundles(account: Account) -> None:
    account.sim.settings.data_export = False
    assert account.check()["status"] == "SUCCEEDED"
    account.sim.settings.role = "USER"
    assert "permission Standard" in account.check()["message"]


def test_a_key_that_may_not_export(account: Account) -> None:
    account.sim.settings.role = "USER"
    outcome = account.sync()
    assert outcome.errors()[0]["failure_type"] == "config_error"


def test_a_new_start_date_is_kept_to_and_older_rows_do_not_come(account: Account) -> None:
    middle = account.sim.bundles[1].start + 7 * 3600 + 11
    truth = account.sim.event_truth(middle, account.sim.bundles[0].start + 30 * DAY)
    found = account.sync(start_date=epochs.to_text(middle)).records()
    wanted = {str(row["EventStart"]) for row in truth}
    assert found
    assert {record["EventStart"] for record in found} <= wanted


def test_estimates_and_progress(account: Account) -> None:
    outcome = account.sync()
    estimates = [m["trace"] for m in outcome.messages if m["type"] == "TRACE" and m["trace"]["type"] == "ESTIMATE"]
    assert estimates[-1]["estimate"]["row_estimate"] == len(outcome.records())
    assert "waits for the export of" in outcome.log
    assert "complete through" in outcome.log


def test_records_name_their_window(account: Account) -> None:
    record = account.sync().records()[0]
    bundle = account.sim.bundles[0]
    assert record["bundle_start"] == epochs.to_text(bundle.start)
    assert record["bundle_stop"] == epochs.to_text(bundle.stop)
    assert record["bundle_id"] == bundle.start * 100 + 48


@pytest.mark.parametrize("suffix", ["?", "#", "%", "%2F", "/", "a b", "é", "?x=1&y=2#z"])
def test_ids_may_hold_what_a_path_needs_quoted(account: Account, suffix: str) -> None:
    account.sim.settings.id_suffix = suffix
    assert_rows(account.sync().records(), final(account))
    windows = [export.order.window for export in account.sim.exports]
    assert len(windows) == len(set(windows))


@pytest.mark.parametrize("suffix", ["?", "#z"])
def test_a_stuck_export_is_cancelled_whatever_its_id(account: Account, suffix: str) -> None:
    account.sim.settings.id_suffix = suffix
    assert_rows(account.in_time(stuck=0.2).sync_with_stuck_exports().records(), final(account))
    assert any(request.status == 200 for request in account.sim.requests if request.path.endswith("/cancel"))


@pytest.mark.parametrize("stream", ["events", "individuals"])
def test_nothing_is_ordered_for_the_time_before_the_first_data(
    account: Account, stream: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(individuals, "_LONGEST_SECONDS", 30 * DAY)
    outcome = account.sync(streams=[stream], start_date="2000-01-01")
    first = epochs.to_text(account.sim.bundles[0].start)
    assert min(json.loads(order.body)["timeRange"]["start"] for order in orders(account)) == first
    count = len(orders(account))
    assert f"{stream}: FullStory's oldest bundle begins {first}; no export is ordered" in outcome.log
    assert f"{stream}: this sync orders {count} exports from {first} up to" in outcome.log
    assert outcome.log.index("this sync orders") < outcome.log.index(f"{stream}: waits for the export")


@pytest.mark.parametrize("code", ["403", "404", "500", "html", "reset"])
def test_where_no_list_tells_the_first_data_exports_begin_at_the_start_date(account: Account, code: str) -> None:
    account.sim.fault(Fault("/export/list", code, times=99))
    start = epochs.to_text(account.sim.bundles[0].start - 2 * DAY)
    assert_rows(account.sync(start_date=start).records(), final(account))
    assert json.loads(orders(account)[0].body)["timeRange"]["start"] == start


def test_the_estimate_of_individuals_is_never_above_what_comes(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(individuals, "_LONGEST_SECONDS", DAY)
    for bundle in account.sim.bundles[1:]:
        account.sim.remove_bundle(bundle.id)
    outcome = account.sync(streams=["individuals"])
    traces = [m["trace"] for m in outcome.messages if m["type"] == "TRACE"]
    rows = [trace["estimate"]["row_estimate"] for trace in traces if trace["type"] == "ESTIMATE"]
    assert max(rows) <= len(outcome.records("individuals")) == rows[-1]


# Planning, with plain values.

HOUR = 3600


def spans(windows: Iterable[Window]) -> list[tuple[int, int]]:
    return [(window.start, window.stop) for window in windows]


def test_windows_are_cut_on_the_grid_whatever_the_span() -> None:
    assert spans(plan([(5, 25)], 10, [])) == [(5, 10), (10, 20), (20, 25)]
    assert spans(plan([(20, 20), (30, 10)], 10, [])) == []


def test_ordered_windows_stay_as_they_are() -> None:
    windows = plan([(0, 40)], 10, [Window(5, 22, "a")])
    assert spans(windows) == [(0, 5), (5, 22), (22, 30), (30, 40)]
    assert [window.operation for window in windows] == ["", "a", "", ""]


def test_ordered_windows_that_are_not_wanted_any_more_are_forgotten() -> None:
    assert spans(plan([(10, 20)], 10, [Window(0, 10, "a"), Window(5, 15, "b")])) == [(10, 20)]


def test_ordered_windows_that_overlap_are_taken_once() -> None:
    windows = plan([(0, 20)], 10, [Window(0, 10, "a"), Window(5, 15, "b")])
    assert spans(windows) == [(0, 10), (10, 20)]


@pytest.mark.parametrize(
    ("hours", "halves"), [(24, [12, 12]), (3, [1, 2]), (2, [1, 1]), (1, []), (1.5, [1, 0.5]), (0.5, [])]
)
def test_windows_are_halved_at_full_hours(hours: float, halves: list[float]) -> None:
    start = 10 * DAY
    assert [(w.stop - w.start) / HOUR for w in Window(start, start + int(hours * HOUR)).halves()] == halves


def test_a_state_that_cannot_be_read(account: Account) -> None:
    outcome: Outcome = account.sync(
        {"bundle_stop": "2024-01-01T00:00:00Z", "exports": [{"segment_id": "everyone", "start": 5}]}
    )
    assert "cannot be read" in outcome.errors()[0]["message"]


# Found by a server that shares no code with the simulator.

EXPORT = {"operationId": "1", "state": "COMPLETED", "results": {"searchExportId": "1"}}
ROWS = b"".join(b'{"EventType":"click","UserId":%d}\n' % user for user in range(9))


def export_of(bodies: list[bytes], operations: list[Any]) -> Callable[[bytes], Iterable[bytes]]:
    """For one window: what each look at the operation and each download give, of which the last one stays."""

    def take(answers: list[Any]) -> Any:
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def answer(request: bytes) -> Iterable[bytes]:
        path = request.split()[1]
        if path.startswith(b"/stored"):
            return [b"HTTP/1.1 200 OK\r\n\r\n", take(bodies)]
        if path.startswith(b"/operations"):
            return [response(json.dumps(take(operations)).encode())]
        host = next(line for line in request.split(b"\r\n") if line.lower().startswith(b"host:")).split()[1].decode()
        return [response(json.dumps({**EXPORT, "location": f"http://{host}/stored"}).encode())]

    return answer


def read_one_window(bodies: list[bytes], operations: list[Any], tmp_path: Path) -> Outcome:
    stop = int(time.time()) // DAY * DAY - DAY
    method = {"method": "segment_export"}
    with hostile(export_of(bodies, operations)) as server:
        filled = config(server, start_date=epochs.to_text(stop - DAY), events_source=method)
        return run_here(*command(tmp_path, "read", filled, ["events"]))


@pytest.mark.parametrize("cut", [0, ROWS.index(b"\n") + 1])
def test_lines_without_an_end_that_is_told_are_compared_with_another_download(cut: int, tmp_path: Path) -> None:
    outcome = read_one_window([ROWS[:cut], ROWS], [EXPORT], tmp_path)
    assert (outcome.status(), len(outcome.records())) == ("COMPLETE", 9)


@pytest.mark.parametrize("odd", [{"state": "PENDING", "step": ["x"]}, {**EXPORT, "results": ["x"]}], ids=str)
def test_no_shape_of_an_operation_is_a_defect(odd: Any, tmp_path: Path) -> None:
    outcome = read_one_window([ROWS], [odd, EXPORT], tmp_path)
    assert (outcome.status(), len(outcome.records())) == ("COMPLETE", 9)
