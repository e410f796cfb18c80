"""The account around the events: every page of every list, whichever way FullStory spells things."""

import json
import re
import sqlite3
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from airbyte_cdk.models import SyncMode
from simulator import Fault, Request
from source_fullstory.account.account_stream import AccountStream
from source_fullstory.account.recording_settings import HistoryStream, PlatformSettingStream
from source_fullstory.streams import STREAMS
from unit_tests.calls import SETTINGS
from unit_tests.syncs import ROOT, Account, Row

from simkit.reply import Reply

ACCOUNT = [stream for stream in STREAMS if issubclass(stream, AccountStream)]
HISTORIES = [stream.name for stream in ACCOUNT if issubclass(stream, HistoryStream)]
LISTS = [each.name for each in ACCOUNT if each.listing and each.listing.token and each.name not in HISTORIES]
PLATFORM = [stream.name for stream in ACCOUNT if issubclass(stream, PlatformSettingStream)]
OBJECTS = [name for name in SETTINGS if name not in PLATFORM]


@pytest.fixture
def account(account: Account) -> Account:
    account.sim.fill_account(23)
    account.sim.settings.change(user_page_size=5, page_cap=5)
    return account


def read(account: Account, name: str, state: Row | None = None, **config: Any) -> list[Row]:
    mode = SyncMode.incremental if next(s for s in STREAMS if s.name == name).cursor_field else SyncMode.full_refresh
    outcome = account.sync(state, streams=[name], mode=mode, **config)
    assert outcome.status(name) == "COMPLETE"
    return outcome.records(name)


def key(name: str) -> Callable[[Row], tuple[Any, ...]]:
    columns = next(stream.primary_key for stream in STREAMS if stream.name == name)
    return lambda row: tuple(row[column] for column in columns)


@pytest.mark.parametrize("name", [*LISTS, *HISTORIES])
@pytest.mark.parametrize("last", ["empty", "absent", "null"])
def test_every_page_is_read_and_none_twice(account: Account, name: str, last: str) -> None:
    account.sim.settings.change(last_token=last)
    whole = len(read(account, name))
    assert whole >= 23
    account.sim.clear_requests()
    rows = read(account, name)
    assert len(set(map(key(name), rows))) == len(rows) == whole
    asked = [request.target for request in account.sim.requests]
    assert len(asked) == len(set(asked))


@pytest.mark.parametrize("name", [*OBJECTS, *PLATFORM, *HISTORIES, "segments", "operations", "webhook_endpoints"])
def test_both_spellings_give_the_same_rows(account: Account, name: str) -> None:
    camel = read(account, name)
    account.sim.settings.change(names="snake", history_token="nextPaginationToken")
    free = "elementRuleGroups"  # a map by ids, of which no schema tells
    assert [{**row, free: None} for row in read(account, name)] == [{**row, free: None} for row in camel]


@pytest.mark.parametrize("name", HISTORIES)
def test_a_token_under_another_name_is_found_out(account: Account, name: str) -> None:
    """A server that ignores a parameter gives its first page again."""
    whole = read(account, name)

    def rename(request: Request) -> None:
        # This server knows `page_token` only.
        request.params.pop("paginationToken", None)
        if "page_token" in request.params:
            request.params["paginationToken"] = request.params.pop("page_token")

    account.sim.on_request = rename
    rows = read(account, name)
    account.sim.on_request = None
    assert rows == whole


def test_a_list_that_never_ends_is_an_error(account: Account) -> None:
    account.sim.on_request = lambda request: request.params.clear()
    outcome = account.sync(streams=["users"])
    account.sim.on_request = None
    assert "the same page for ever" in outcome.errors()[0]["message"]
    assert outcome.status("users") == "INCOMPLETE"


@pytest.mark.parametrize("paging", ["key", "offset"])
def test_rows_that_come_and_go_while_a_list_is_read(account: Account, paging: str) -> None:
    """What was there all the time comes once. (Where the token is a place in the list, a row may be passed by when
    one before it vanishes: nothing in the answers would tell.)"""
    account.sim.settings.change(paging=paging)
    users = account.sim.account.users
    stays = [user["id"] for user in users]

    def insert(request: Request) -> None:
        if request.path == "/v2/users":
            users.insert(0, {**users[0], "id": f"new-{len(users)}"})

    account.sim.on_request = insert
    found = [row["id"] for row in read(account, "users")]
    account.sim.on_request = None
    assert set(stays) <= set(found)
    assert len(set(found)) == len(found)


def test_a_limit_that_is_refused_is_left_out(account: Account) -> None:
    whole = read(account, "segments")
    account.sim.fault(Fault("segments/v1.*limit=", "400", times=99))
    assert read(account, "segments") == whole


@pytest.mark.parametrize("name", PLATFORM)
def test_an_account_without_mobile_apps(account: Account, name: str) -> None:
    account.sim.fault(Fault("platform=mobile", "404", times=9))
    outcome = account.sync(streams=[name], mode=SyncMode.full_refresh)
    assert [row["platform"] for row in outcome.records(name)] == ["web"]
    assert outcome.log.count("a part is left out") == 1


@pytest.mark.parametrize("name", HISTORIES)
def test_the_next_sync_brings_new_versions_and_asks_for_no_old_pages(account: Account, name: str) -> None:
    kind = {
        "block_rules_history": "blocking",
        "domain_settings_history": "domain",
        "geo_settings_history": "geo",
        "privacy_settings_history": "privacy",
        "recording_features_history": "features",
        "targeting_settings_history": "targeting",
    }[name]
    state = account.sync(streams=[name]).state(name)
    new = account.sim.change_setting(kind)
    account.sim.clear_requests()
    (row,) = read(account, name, state)
    assert row["last_updated"] == new["metadata"]["lastUpdated"]
    asked = [request for request in account.sim.requests if request.path != "/me"]
    pages_read = Counter(request.params.get("platform") for request in asked)
    assert max(pages_read.values()) <= 2


def test_an_operation_that_was_running_comes_again_when_it_is_over(account: Account) -> None:
    running = account.sim.add_operation("DELETE_USER", "PENDING", when=account.sim.now() - 86_400 * 3)
    first = account.sync(streams=["operations"])
    assert [row["state"] for row in first.records("operations") if row["id"] == running.id] == ["PENDING"]
    running.finish("COMPLETED", account.sim.now())
    second = account.sync(first.state("operations"), streams=["operations"])
    assert [(row["id"], row["state"]) for row in second.records("operations")] == [(running.id, "COMPLETED")]


@pytest.mark.parametrize("order", ["newest", "oldest", "unordered"])
def test_operations_come_in_any_order(account: Account, order: str) -> None:
    account.sim.settings.change(operation_order=order)
    first = account.sync(streams=["operations"])
    assert len(first.records("operations")) == 23
    new = account.sim.add_operation()
    second = account.sync(first.state("operations"), streams=["operations"])
    assert [row["id"] for row in second.records("operations")] == [new.id]


def test_a_state_from_the_future_counts_as_now(account: Account) -> None:
    future = {"createdAt": "2999-01-01T00:00:00Z", "read_at": "2999-01-01T00:00:00Z"}
    outcome = account.sync(future, streams=["operations"])
    assert outcome.records("operations") == []
    assert outcome.state("operations")["createdAt"] < "2999"
    new = account.sim.add_operation(when=account.sim.now() + 5)
    second = account.sync(outcome.state("operations"), streams=["operations"])
    assert [row["id"] for row in second.records("operations")] == [new.id]


def test_a_state_that_cannot_be_read(account: Account) -> None:
    outcome = account.sync({"createdAt": "yesterday"}, streams=["operations"])
    assert "cannot be read" in outcome.errors()[0]["message"]


# Sessions


def test_sessions_of_everyone_who_can_be_asked_for(account: Account) -> None:
    users = account.sim.account.users
    asked = {user["id"] for user in users if user["uid"] or user["email"]}
    rows = read(account, "sessions")
    truth = {row["id"] for user, rows in account.sim.account.sessions.items() if user in asked for row in rows}
    assert {row["id"] for row in rows} == truth
    assert all(row["id"].startswith(f"{row['user_id']}:") for row in rows)


def test_the_log_says_what_sessions_cost_and_whom_they_leave_out(account: Account) -> None:
    nameless = sum(not (user["uid"] or user["email"]) for user in account.sim.account.users)
    log = account.sync(streams=["sessions"], mode=SyncMode.full_refresh).log
    assert "once for each uid or e-mail address" in log
    assert f"{nameless:,} users left out" in log


def test_users_who_share_an_address_have_each_session_once(account: Account) -> None:
    for user in account.sim.account.users:
        user.update(uid="", email="info@example.com")
    rows = read(account, "sessions")
    assert len({row["id"] for row in rows}) == len(rows) == sum(map(len, account.sim.account.sessions.values()))


@pytest.mark.parametrize("field", ["uid", "email"])
def test_many_user_cards_of_one_person_are_asked_for_once(account: Account, field: str) -> None:
    """Each card keeps its own sessions, also those on pages that are not listed yet."""
    held = account.sim.account
    for user in held.users:
        user.update(uid="", email="")
        user[field] = "one and the same"
    rows = read(account, "sessions")
    asked = [request.params for request in account.sim.requests if request.path == "/v2/sessions"]
    assert asked == [{field: "one and the same", "limit": "1000"}]
    owners = {row["id"]: row["user_id"] for row in rows}
    assert owners == {row["id"]: user["id"] for user in held.users for row in held.sessions[user["id"]]}


def test_a_session_that_two_answers_hold_comes_once(account: Account) -> None:
    held = account.sim.account
    for number, user in enumerate(held.users):
        user.update(uid=f"cust-{number}" if number % 2 else "", email="info@example.com")
    rows = read(account, "sessions")
    assert len({row["id"] for row in rows}) == len(rows) == sum(map(len, held.sessions.values()))


def test_a_limit_of_sessions_that_is_refused_is_lowered(account: Account) -> None:
    user = max(account.sim.account.users, key=lambda user: len(account.sim.account.sessions[user["id"]]))
    user["uid"] = "busy"
    account.sim.account.users = [user]
    account.sim.fault(Fault("sessions.*limit=1000", "400", times=99))
    assert len(read(account, "sessions")) == len(account.sim.account.sessions[user["id"]])


def test_more_sessions_than_fullstory_shows_are_told_of(account: Account) -> None:
    user = account.sim.account.users[-1]
    user["uid"] = "busy"
    account.sim.account.sessions[user["id"]] *= 60
    log = account.sync(streams=["sessions"], mode=SyncMode.full_refresh).log
    assert log.count("shows the newest 1,000 only") == 1


def test_a_user_deleted_meanwhile_has_no_sessions(account: Account) -> None:
    account.sim.fault(Fault("v2/sessions", "404", times=2))
    assert read(account, "sessions")


# Faults, on every endpoint


@pytest.mark.parametrize("kind", ["500", "reset", "cut", "html", "429", "stall_body"])
@pytest.mark.parametrize("name", ["users", "block_rules", "block_rules_history", "extraction_rules", "quotas"])
def test_what_time_may_mend_is_tried_again(account: Account, name: str, kind: str) -> None:
    whole = read(account, name)
    account.sim.fault(Fault(".", kind, times=2, at=20, seconds=0.3, framing="length"))
    assert read(account, name) == whole


def test_an_answer_without_its_list_is_an_error(account: Account) -> None:
    account.sim.fault(Fault("segments", "error_object", times=9))
    outcome = account.sync(streams=["segments"], mode=SyncMode.full_refresh)
    assert "has no list `segments`" in outcome.errors()[0]["message"]
    assert "internal_error" in outcome.errors()[0]["message"]


def test_a_limit_per_second_is_kept_to(account: Account) -> None:
    account.sim.settings.change(requests_per_second=5, window_seconds=0.5)
    assert len(read(account, "users")) == 23
    assert account.sim.promises.broken == 0


def test_empty_accounts(account: Account) -> None:
    account.sim.fill_account(0)
    for name in ("users", "session_profiles", "element_block_rules", "webhook_endpoints"):
        assert read(account, name) == [], name
    assert read(account, "sessions") == []


# Fields to leave out


def test_fields_of_users_that_hold_variables_go_by_their_names_too(account: Account) -> None:
    outcome = account.sync(streams=["users"], mode=SyncMode.full_refresh, exclude_fields=["properties", "schema"])
    assert all(not {"properties", "schema"} & set(row) for row in outcome.records("users"))


def test_excluded_fields_of_users_are_in_no_record_and_in_no_schema(account: Account) -> None:
    for number, user in enumerate(account.sim.account.users):
        deep = {"ssn": "secret", "list": [{"ssn": "secret", "a": 1}]}
        user["properties"] = {"plan": "gold", "ssn": f"secret-{number}", "ssn_2": "secret", "deep": deep}
    outcome = account.sync(streams=["users"], mode=SyncMode.full_refresh, exclude_fields=["email", "ssn*", "id"])
    rows = outcome.records("users")
    assert all("email" not in row and row["id"] for row in rows)
    assert all(row["properties"] == {"plan": "gold", "deep": {"list": [{"a": 1}]}} for row in rows)
    assert "secret" not in json.dumps(rows)


# Odd values, in any stream

ROWS = [stream.name for stream in STREAMS if stream.name not in ("events", "individuals", "export_bundles")]


def put_in_every_row(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    """FullStory's rows have one more field, `odd`."""
    plain = vars(Reply)["json"].__func__

    def odd(_: type[Reply], answer: Row, *rest: Any, **more: Any) -> Reply:
        whole = {
            name: [{**row, "odd": value} for row in rows] if isinstance(rows, list) and name != "blockedIps" else rows
            for name, rows in answer.items()
            if not (isinstance(rows, list) and rows and not isinstance(rows[0], dict))
        }
        found: Reply = plain(Reply, {**whole, "odd": value}, *rest, **more)
        return found

    monkeypatch.setattr(Reply, "json", classmethod(odd))


@pytest.mark.parametrize("name", ROWS)
def test_integers_beyond_64_bits_are_exact(account: Account, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in (2**64, -(2**63) - 1, 10**30 + 1):
        with monkeypatch.context() as patch:
            put_in_every_row(patch, number)
            rows = read(account, name)
        assert rows
        assert all(row["odd"] == number for row in rows)


def nested(depth: int) -> Any:
    value: Any = "leaf"
    for level in range(depth):
        value = {"in": value} if level % 2 else [value]
    return value


@pytest.mark.parametrize("name", ROWS)
def test_values_are_taken_however_deep_they_are(account: Account, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = nested(300)
    put_in_every_row(monkeypatch, deep)
    rows = read(account, name, exclude_fields=["ssn"])
    assert rows
    assert all(row["odd"] == deep for row in rows)


@pytest.mark.parametrize("depth", [900, 1200, 20_000])
def test_what_is_deeper_than_json_is_read_is_told_by_its_endpoint(account: Account, depth: int) -> None:
    account.sim.account.users[7]["properties"] = {"deep": 1}
    users = json.dumps({"results": account.sim.account.users})
    body = users.replace('{"deep": 1}', '{"a":' * depth + "1" + "}" * depth).encode()  # Python could not write it

    account.sim.fault(Fault("/v2/users", "200", times=None, body=body.decode()))
    outcome = account.sync(streams=["users"], mode=SyncMode.full_refresh, exclude_fields=["ssn"])
    assert "defect" not in outcome.text
    if outcome.status("users") == "INCOMPLETE":
        assert "/v2/users" in outcome.errors()[0]["message"]
        assert "nested too deeply" in outcome.errors()[0]["message"]


# docs/columns.md


def test_the_sql_of_the_page_erases_a_person_and_nobody_else(account: Account) -> None:
    """On SQLite; where a value is an object, only its text counts."""
    page = (ROOT / "docs" / "columns.md").read_text("utf-8")
    sql = re.search(r"^## When a person is deleted\n.*?```sql\n(.*?)```", page, re.DOTALL | re.MULTILINE)
    assert sql
    account.sim.add_period("2024-01-01", "2024-01-04")
    names = ["events", "individuals", "users", "sessions"]
    outcome = account.sync(streams=names)
    people = {row["Uid"] for row in outcome.records("individuals") if row.get("Uid")}
    person = min(people & {row["uid"] for row in outcome.records("users")})
    before, after = tables({name: outcome.records(name) for name in names}, sql[1].replace("cust-42", person))
    gone = {
        "events": [row for row in outcome.records("events") if row.get("UserAppKey") == person],
        "individuals": [row for row in outcome.records("individuals") if row.get("Uid") == person],
        "users": [row for row in outcome.records("users") if row["uid"] == person],
    }
    for name, rows in gone.items():
        assert rows, name
    assert before["users"] - after["users"] == len(gone["users"])
    assert before["individuals"] - after["individuals"] == len(gone["individuals"])
    assert len(gone["events"]) <= before["events"] - after["events"] < before["events"]
    assert 0 < after["sessions"] < before["sessions"]


def tables(rows: dict[str, list[Row]], sql: str) -> list[dict[str, int]]:
    """How many rows each table has before and after."""
    base = sqlite3.connect(":memory:")
    for name, some in rows.items():
        columns = sorted({column for row in some for column in row})
        base.execute(f"CREATE TABLE {name} ({', '.join(map(json.dumps, columns))})")
        marks = ", ".join("?" for _ in columns)
        values = [[str(row[each]) if each in row else None for each in columns] for row in some]
        base.executemany(f"INSERT INTO {name} VALUES ({marks})", values)
    counts = []
    for script in ("", sql):
        base.executescript(script)
        counts.append({name: base.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in rows})
    base.close()
    return counts
