"""Other readings of the documentation than the simulator's: none of them may lose a row without a word."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson
import pytest
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from simulator import CloseSimulator, Settings
from source_closeio import SourceCloseio
from unit_tests.syncs import Sync, catalog, config, hurry, sync

Row = dict[str, Any]
Answer = Callable[[str, Row], Any]
START = datetime(2024, 5, 1, tzinfo=UTC)


class OddClose:
    """Answers each request with what `answer(path, parameters or body)` returns."""

    api_key = "api_odd.0123456789"

    def __init__(self, answer: Answer) -> None:
        self.asked = 0
        odd = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                self.reply(dict(parse_qsl(urlsplit(self.path).query)))

            def do_POST(self) -> None:
                self.reply(orjson.loads(self.rfile.read(int(self.headers["Content-Length"]))))

            def reply(self, params: Row) -> None:
                odd.asked += 1
                path = urlsplit(self.path).path.strip("/")
                content = orjson.dumps({} if path == "me" else answer(path, params))
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's word
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def odd() -> Iterator[Callable[[Answer], OddClose]]:
    running: list[OddClose] = []

    def start(answer: Answer) -> OddClose:
        running.append(OddClose(answer))
        return running[-1]

    yield start
    for server in running:
        server.stop()


def rows(count: int, *, every: timedelta = timedelta(seconds=1), prefix: str = "acti") -> list[Row]:
    moments = (START + every * number for number in range(count))
    return [
        {"id": f"{prefix}_{number}", "date_created": moment.isoformat(), "date_updated": moment.isoformat()}
        for number, moment in enumerate(moments)
    ]


def within(row: Row, params: Row, key: str) -> bool:
    second = row[key] and datetime.fromisoformat(row[key]).replace(microsecond=0)
    low, high = params.get(f"{key}__gte"), params.get(f"{key}__lt")
    if second is None:
        return not (low or high)
    return not (low and second < datetime.fromisoformat(low)) and not (high and second >= datetime.fromisoformat(high))


def listed(found: list[Row], params: Row, most: int = 1000, **extra: Any) -> Row:
    skip, limit = int(params.get("_skip", 0)), min(int(params.get("_limit", 100)), most)
    return {"data": found[skip : skip + limit], "has_more": skip + limit < len(found), **extra}


def activities(all_rows: list[Row]) -> Answer:
    """A plain /activity/, newest first."""

    def answer(path: str, params: Row) -> Row:
        found = [row for row in all_rows if within(row, params, "date_created")] if path == "activity" else []
        return listed(sorted(found, key=lambda row: row["date_created"], reverse=True), params, 100)

    return answer


def read(server: OddClose, stream: str, **changes: Any) -> Sync:
    return sync(server, stream, start_date="2024-01-01", **changes)  # type: ignore[arg-type]


def test_lists_that_do_not_say_whether_there_is_more(odd: Callable[[Answer], OddClose]) -> None:
    everything = rows(2300)

    def answer(path: str, params: Row) -> Row:
        body = activities(everything)(path, params)
        return {"data": body["data"]}

    assert len(read(odd(answer), "activities").table("activities")) == 2300


def test_an_unpaged_list_of_exactly_a_page(odd: Callable[[Answer], OddClose]) -> None:
    users = rows(100, prefix="user")

    result = read(odd(lambda _path, _params: {"data": users}), "users")

    assert len(result.rows("users")) == 100


@pytest.mark.parametrize("count", [150, 450, 1500])
def test_equal_timestamps_in_another_order_on_each_request(odd: Callable[[Answer], OddClose], count: int) -> None:
    everything = rows(count, every=timedelta(0))
    chance = random.Random(count)

    def answer(path: str, params: Row) -> Row:
        found = [row for row in everything if within(row, params, "date_created")] if path == "activity" else []
        return listed(chance.sample(found, len(found)), params, 100)

    result = read(odd(answer), "activities")

    assert len(result.table("activities")) == count or result.errors


def test_a_filter_that_does_not_filter_is_an_error_and_no_endless_loop(odd: Callable[[Answer], OddClose]) -> None:
    everything = sorted(rows(500), key=lambda row: row["date_created"], reverse=True)

    server = odd(lambda _path, params: listed(everything, params, 100))
    result = read(server, "activities")

    assert "outside the date_created that was asked for" in result.errors[0]
    assert server.asked < 50


def test_tasks_without_a_date_of_creation_sorted_last(odd: Callable[[Answer], OddClose]) -> None:
    everything = rows(1500, prefix="task")
    for row in everything[::50]:
        row["date_created"] = None

    def answer(_path: str, params: Row) -> Row:
        found = [row for row in everything if within(row, params, "date_updated")]
        found = [row for row in found if within(row, params, "date_created")]
        found.sort(key=lambda row: row["date_created"] or "9999")
        if params["_order_by"].startswith("-"):
            found.reverse()
        return listed(found, params, total_results=len(found))

    result = read(odd(answer), "tasks")

    assert len(result.table("tasks")) == len(result.rows("tasks")) == 1500


def leads(everything: list[Row], cap: int, count: Callable[[int], Any], page: int = 200) -> Answer:
    """/data/search/ with a cap on what one cursor returns."""

    def answer(_path: str, body: Row) -> Row:
        found = list(everything)
        for query in body["query"]["queries"][1:]:
            name, condition = query["field"]["field_name"], query["condition"]
            low, high = (condition.get(word, {}).get("value") for word in ("on_or_after", "before"))
            found = [
                row
                for row in found
                if not (low and datetime.fromisoformat(row[name]) < datetime.fromisoformat(low))
                and not (high and datetime.fromisoformat(row[name]) >= datetime.fromisoformat(high))
            ]
        keys = [sort["field"]["field_name"] for sort in body["sort"]]
        found.sort(key=lambda row: [row[name] for name in keys])
        at = int(body.get("cursor") or 0)
        end = min(at + page, cap)
        cursor = str(end) if end < min(len(found), cap) else None
        return {"data": found[at:end], "cursor": cursor, **({"count": count(len(found))} if count(1) else {})}

    return answer


@pytest.mark.parametrize("count", [lambda _: None, lambda n: n, lambda n: {"total": n}, lambda n: {"count": n}])
@pytest.mark.parametrize("page", [200, 150])
def test_search_with_a_low_cap_and_any_way_to_count(
    odd: Callable[[Answer], OddClose], count: Callable[[int], Any], page: int
) -> None:
    everything = rows(2500, prefix="lead")
    for row in everything:
        row["date_updated"] = START.isoformat()

    result = read(odd(leads(everything, 1000, count, page)), "leads")

    assert len(result.table("leads")) == 2500
    assert not result.errors


def test_a_deep_document_is_a_typed_error(odd: Callable[[Answer], OddClose]) -> None:
    deep: Any = {}
    for _ in range(250):
        deep = {"deeper": deep}

    server = odd(lambda _path, _params: {"data": [{"id": "user_1", "deep": deep}], "has_more": False})
    fine = read(server, "users", timing=hurry(1))

    assert len(fine.table("users")) == 1


def test_the_default_start_date_splits_as_any_other(close: Callable[..., CloseSimulator]) -> None:
    sim = close(Settings(activities=9000, days=300))
    year_ago = datetime.now(UTC).replace(year=datetime.now(UTC).year - 1)

    result = sync(sim, "activities", start_date=None)

    truth = sim.data["activity"].rows()
    recent = {row["id"] for row in truth if datetime.fromisoformat(row["date_created"]) > year_ago}
    assert not result.errors
    assert result.table("activities").keys() == recent
    assert len(result.states("activities")) > 1


def test_discover_survives_a_definition_list_that_is_refused(close: Callable[..., CloseSimulator]) -> None:
    sim = close(forbidden={"custom_field/custom_object_type": (400, {"error": "Not in your plan."})})

    assert catalog(sim).keys() >= {"leads"}


@pytest.mark.parametrize("odd_id", [None, [1], {"a": 1}, True, 1.5])
@pytest.mark.parametrize("stream", ["roles", "activities", "tasks", "users", "leads", "event_log", "groups"])
def test_rows_without_a_usable_id_are_an_error_and_no_loss(
    odd: Callable[[Answer], OddClose], stream: str, odd_id: Any
) -> None:
    found = [row | {"id": odd_id} for row in rows(150, every=timedelta(minutes=1))]
    moment = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    recent = [row | {"date_updated": moment} for row in found] if stream == "event_log" else found

    def answer(_path: str, params: Row) -> Row:
        return listed(recent, params if "query" not in params else {}, 100)

    result = read(odd(answer), stream)

    assert len(result.rows(stream)) == 150 or "a row whose id is" in result.errors[0]
    assert "defect" not in "".join(result.errors)


def test_a_custom_field_without_an_id_is_a_sentence(odd: Callable[[Answer], OddClose]) -> None:
    server = odd(lambda _path, params: listed([{"name": "no id"}], params))

    with pytest.raises(AirbyteTracedException) as raised:
        SourceCloseio().discover(logging.getLogger("airbyte"), config(server))  # type: ignore[arg-type]

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
def test_odd_settings_are_config_errors(close: Callable[..., CloseSimulator], changes: Row) -> None:
    result = sync(close(), "users", **changes)

    assert result.failures[0].failure_type is FailureType.config_error
