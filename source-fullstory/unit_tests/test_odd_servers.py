"""What a server may do that the documentation does not rule out, each found by attacking the connector."""

import itertools
import time
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode
from simulator import Fault, Request, Settings
from simulator.operations import Operation
from source_fullstory import epochs, source
from source_fullstory.account import sessions
from source_fullstory.events import exports
from source_fullstory.files.space import Space
from source_fullstory.files.spool import Spool
from source_fullstory.kit import clock
from source_fullstory.rows.unpack import Content, NotRows
from source_fullstory.streams import Individuals
from unit_tests.syncs import Account, Outcome, Row, assert_rows

DAY = 86_400
ORDER = "/segments/v1/exports"
FULL = SyncMode.full_refresh


@pytest.fixture
def account(account: Account) -> Account:
    """Events by export, three windows of them final; and a little of everything else."""
    today = int(time.time()) // DAY * DAY
    account.sim.settings.change(events_per_day=100)
    account.sim.add_period(today - 4 * DAY, today - DAY)
    account.sim.fill_account(12)
    account.config["start_date"] = epochs.to_text(today - 4 * DAY)
    account.config["events_source"] = {"method": "segment_export"}
    return account


def truth(account: Account) -> list[Row]:
    return account.sim.event_truth(account.sim.bundles[0].start, account.sim.bundles[-1].stop)


def read(account: Account, name: str, **config: Any) -> Outcome:
    return account.sync(streams=[name], mode=FULL, **config)


# Exports


@pytest.mark.parametrize("kind", ["503", "429"])
def test_the_first_window_is_waited_for_even_if_others_are_ordered(account: Account, kind: str) -> None:
    account.sim.settings.export_failures = 1
    account.sim.fault(Fault(ORDER, kind, after=3, times=1, headers={"Retry-After": "1"} if kind == "429" else {}))
    assert_rows(account.sync().records(), truth(account))


@pytest.mark.parametrize("code", ["400", "403", "404"])
@pytest.mark.parametrize("path", ["/operations/v1/inherited", "/results"])
def test_an_inherited_operation_that_is_refused_is_ordered_again(account: Account, code: str, path: str) -> None:
    start = account.sim.bundles[0].start
    span = {"start": epochs.to_text(start), "stop": epochs.to_text(start + DAY)}
    inherited = {**span, "operation_id": "inherited", "segment_id": "everyone"}
    state = {"bundle_stop": span["start"], "holes": [], "exports": [inherited]}
    account.sim.fault(Fault(path, code, times=1))
    assert_rows(account.sync(state).records(), truth(account))


def test_a_clock_that_runs_ahead_exports_no_time_that_is_to_come(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Ahead:
        @staticmethod
        def now(zone: tzinfo) -> datetime:
            return datetime.now(zone) + timedelta(hours=23)

    monkeypatch.setattr(clock, "datetime", Ahead)
    outcome = account.sync()
    assert "ahead of FullStory's" in outcome.log
    assert_rows(outcome.records(), truth(account))
    assert outcome.state()["bundle_stop"] == epochs.to_text(account.sim.bundles[-1].stop)


@pytest.mark.parametrize("kind", ["404", "500", "429", "html", "reset"])
def test_exports_do_not_need_to_know_whose_key_it_is(account: Account, kind: str) -> None:
    account.sim.fault(Fault("/me", kind, times=99))
    assert_rows(account.sync().records(), truth(account))


def test_what_is_refused_after_rows_are_out_is_no_defect(account: Account) -> None:
    account.sim.fault(Fault(ORDER, "403", after=2, times=99))
    outcome = account.sync(num_workers=1)
    assert outcome.status() == "INCOMPLETE"
    (error, *_) = outcome.errors()
    assert error["failure_type"] == "config_error"
    assert "does not export segment 'everyone'" in error["message"]


def test_rows_that_are_read_again_have_no_lower_cursor(account: Account) -> None:
    source = {"method": "segment_export", "window_hours": 1}
    first = account.sync(events_source=source)
    longer = {**source, "window_hours": 24, "lookback_hours": 48}
    second = account.sync(first.state(), events_source=longer)
    third = account.sync(second.state(), events_source=longer)
    for one, other in ((first, second), (second, third)):
        before = {record["event_key"]: record["bundle_id"] for record in one.records()}
        twice = [record for record in other.records() if record["event_key"] in before]
        assert twice
        assert all(record["bundle_id"] >= before[record["event_key"]] for record in twice)


@pytest.mark.parametrize("state", ["completed", "Complete"])
def test_states_may_be_spelled_in_another_way(account: Account, state: str, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Operation.shown

    def respelled(self: Operation, settings: Settings) -> Row:
        row = shown(self, settings)
        return {**row, "state": state if row["state"] == "COMPLETED" else row["state"]}

    monkeypatch.setattr(Operation, "shown", respelled)
    assert_rows(account.sync().records(), truth(account))


def test_a_cancelled_export_is_ordered_again_in_halves(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = Operation.shown

    def cancelled(self: Operation, settings: Settings) -> Row:
        row = shown(self, settings)
        return {**row, "state": "CANCELLED" if row["state"] == "FAILED" else row["state"]}

    monkeypatch.setattr(Operation, "shown", cancelled)
    account.sim.settings.export_failures = 1
    assert_rows(account.sync().records(), truth(account))


def test_progress_that_goes_to_and_fro_does_not_hold_a_sync_up(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = itertools.cycle(range(7))
    monkeypatch.setattr(exports, "_percent", lambda _: next(turns))
    assert_rows(account.in_time(stuck=0.3).sync_with_stuck_exports().records(), truth(account))


def test_refusals_without_end_end(account: Account) -> None:
    account.sim.fault(Fault("webhooks", "429", times=10_000))
    outcome = account.in_time(patience=replace(account.timing.patience, throttled_seconds=0.3)).sync(
        streams=["webhook_endpoints", "segments"], mode=FULL
    )
    assert outcome.status("segments") == "COMPLETE"
    assert "was over the limit" in outcome.errors()[0]["message"]


def expect_rows(*lines: bytes) -> None:
    share = Space().share(ahead=False)
    try:
        share.open("a file").write(b"\n".join(lines))
        exports._expect_rows(Individuals.declared(), Spool(share, 1, Content(1, 1)))
    finally:
        share.close()


def test_one_row_without_its_id_is_a_row_and_an_error_object_is_none() -> None:
    expect_rows(b'{"DisplayName":"Zoe"}', b'{"IndvId":1}')
    with pytest.raises(NotRows, match=r"^holds objects, but no rows$"):
        expect_rows(b'{"code":"internal","message":"zoe@example.com"}')


# Limits


def test_a_pause_that_is_too_long_holds_up_its_own_stream_only(account: Account) -> None:
    account.sim.fault(Fault("webhooks", "429", times=99, headers={"Retry-After": "86400"}))
    outcome = account.sync(streams=["webhook_endpoints", "segments"], mode=FULL)
    assert outcome.status("segments") == "COMPLETE"
    assert outcome.status("webhook_endpoints") == "INCOMPLETE"


# Lists


@pytest.mark.parametrize("code", ["400", "403", "404"])
@pytest.mark.parametrize("name", ["domain_settings_history", "recording_features_history"])
def test_a_history_without_mobile_goes_on_with_the_web_and_takes_mobile_up_later(
    account: Account, name: str, code: str
) -> None:
    account.sim.fault(Fault("platform=mobile", code, times=2 if code == "400" else 1))  # with a limit, and without
    first = account.sync(streams=[name])
    assert {row["platform"] for row in first.records(name)} == {"web"}
    assert first.log.count("a part is left out") == 1
    second = account.sync(first.state(name), streams=[name])
    assert {row["platform"] for row in second.records(name)} == {"mobile"}
    assert len(second.records(name)) == len(first.records(name))


def test_one_refused_scope_leaves_the_others(account: Account) -> None:
    account.sim.fault(Fault("scope=EVENT", "400", times=1))
    outcome = read(account, "extraction_rules")
    assert {row["scope"] for row in outcome.records("extraction_rules")} == {"PAGE", "USER", "ELEMENT", "REQUEST"}
    assert outcome.status("extraction_rules") == "COMPLETE"


def test_the_field_of_a_list_may_be_in_the_other_spelling(account: Account) -> None:
    account.sim.settings.change(names="snake")
    assert len(read(account, "webhook_event_types").records("webhook_event_types")) == 5


def test_a_list_may_grow_by_a_page_while_it_is_read(account: Account) -> None:
    users = account.sim.account.users
    account.sim.settings.change(user_page_size=4, paging="offset")
    before = {user["id"] for user in users}

    def grow(request: Request) -> None:
        if request.params.get("page_token") and len(users) == len(before):
            users[:0] = [{**user, "id": f"new-{user['id']}"} for user in users[:4]]

    account.sim.on_request = grow
    outcome = read(account, "users")
    account.sim.on_request = None
    assert before <= {row["id"] for row in outcome.records("users")}


def test_half_a_surrogate_pair_does_not_stop_a_list(account: Account) -> None:
    account.sim.account.users[3]["display_name"] = "Zoe \ud83d"
    rows = read(account, "users").records("users")
    assert rows[3]["display_name"] == "Zoe \ufffd"
    assert len(rows) == 12


def test_a_redirect_of_the_api_is_an_error_and_no_empty_table(account: Account) -> None:
    account.sim.fault(Fault("v2/users", "307", times=9))
    outcome = read(account, "users")
    assert outcome.status("users") == "INCOMPLETE"
    assert "with a redirect to" in outcome.errors()[0]["message"]


def test_a_version_without_a_time_always_comes(account: Account) -> None:
    state = account.sync(streams=["geo_settings_history"]).state("geo_settings_history")
    version = account.sim.change_setting("geo")
    version["metadata"]["lastUpdated"] = ""
    rows = account.sync(state, streams=["geo_settings_history"]).records("geo_settings_history")
    assert [row["last_updated"] for row in rows] == ["0001-01-01T00:00:00Z"]


def test_an_operation_that_ends_without_a_time_comes_again(account: Account) -> None:
    running = account.sim.add_operation("DELETE_USER", "PENDING", when=time.time() - 3 * DAY)
    first = account.sync(streams=["operations"])
    running.state = "FAILED"
    second = account.sync(first.state("operations"), streams=["operations"])
    assert [(row["id"], row["state"]) for row in second.records("operations")] == [(running.id, "FAILED")]
    third = account.sync(second.state("operations"), streams=["operations"])
    assert third.records("operations") == []


# Sessions


def known(account: Account) -> list[Row]:
    return [user for user in account.sim.account.users if user["uid"] or user["email"]]


def test_users_are_listed_while_others_are_asked_for_and_by_one_thread_alone(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_PEOPLE_PER_SLICE", 1)
    account.sim.settings.user_page_size = 2
    wanted = sum(len(account.sim.account.sessions[user["id"]]) for user in known(account))
    assert len(read(account, "sessions").records("sessions")) == wanted
    monkeypatch.setattr(source, "_MORE_WORKERS", 0)
    assert len(read(account, "sessions").records("sessions")) == wanted


@pytest.mark.parametrize("code", ["400", "402", "403", "404"])
def test_sessions_that_are_not_offered_fail_with_few_requests(account: Account, code: str) -> None:
    account.sim.fault(Fault("v2/sessions", code, times=999))
    for user in account.sim.account.users:
        user["uid"] = f"u-{user['id']}"
    outcome = account.sync(streams=["sessions", "segments"], mode=FULL)
    assert "Stream sessions cannot be read. FullStory does not offer it" in outcome.errors()[0]["message"]
    assert (outcome.status("sessions"), outcome.status("segments")) == ("INCOMPLETE", "COMPLETE")
    assert sum(request.path == "/v2/sessions" for request in account.sim.requests) < 60


@pytest.mark.parametrize("code", ["400", "403"])
def test_one_refused_user_is_left_out_with_a_warning(account: Account, code: str) -> None:
    user = known(account)[1]
    user["uid"] = "unwanted"
    account.sim.fault(Fault("uid=unwanted", code, times=9))
    outcome = read(account, "sessions")
    assert user["id"] not in {row["user_id"] for row in outcome.records("sessions")}
    assert len(outcome.records("sessions")) > 0
    assert outcome.status("sessions") == "COMPLETE"
    assert "1 that FullStory does not take" in outcome.log


def test_sessions_that_are_offered_no_more_are_no_complete_stream(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "_MOST_REFUSED", 2)
    account.sim.fault(Fault("v2/sessions", "403", after=2, times=999))
    outcome = read(account, "sessions")
    assert outcome.status("sessions") == "INCOMPLETE"
    assert "FullStory does not offer it" in outcome.errors()[0]["message"]


def test_ids_may_be_numbers(account: Account) -> None:
    held = account.sim.account
    for user in held.users:
        held.sessions[int(user["id"])] = held.sessions.pop(user["id"])  # type: ignore[index]
        user.update(id=int(user["id"]), uid="shared")
    rows = read(account, "sessions").records("sessions")
    assert len({row["id"] for row in rows}) == len(rows) == sum(map(len, held.sessions.values()))
    assert all(row["id"].startswith(f"{row['user_id']}:") for row in rows)
