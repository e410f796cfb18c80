"""Files that FullStory makes when they are asked for, and files that are something else than rows."""

import json
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from simulator import Fault, delivery, faults, simulator
from simulator.encoding import wrap
from simulator.settings import Encoding
from source_fullstory import epochs
from unit_tests.syncs import Account, Row, assert_rows

DAY = 86_400
GET, STORAGE, ORDER = "/export/get", "fullstoryapp-search-export", "/segments/v1/exports"
WAYS = {"bundles": GET, "segment_export": STORAGE}


@pytest.fixture(params=list(WAYS))
def way(request: pytest.FixtureRequest, account: Account) -> str:
    """How the events of three days come; returns what the downloads' addresses hold."""
    account.sim.settings.change(events_per_day=240, export_polls=0)
    today = int(time.time()) // DAY * DAY
    account.sim.add_period(today - 4 * DAY, today - DAY)
    account.config["start_date"] = epochs.to_text(today - 4 * DAY)
    account.config["events_source"] = {"method": request.param, "window_hours": 24}
    return WAYS[request.param]


def truth(account: Account) -> list[Row]:
    if account.config["events_source"]["method"] == "bundles":
        return account.sim.truth()
    return account.sim.event_truth(account.sim.bundles[0].start, account.sim.bundles[-1].stop)


def asked(account: Account, path: str) -> int:
    return sum(path in request.target for request in account.sim.requests)


# Silence.


@pytest.mark.parametrize("kind", ["stall_headers", "stall_body"])
def test_a_silent_file_is_waited_for_longer_and_longer(account: Account, way: str, kind: str) -> None:
    account.sim.fault(Fault(way, kind, seconds=1.2, times=2, at=50))
    outcome = account.in_time(file_silence=0.8, tell=0.2).sync(num_workers=1)
    assert_rows(outcome.records(), truth(account))
    assert "sent nothing for 1 s" in outcome.log
    assert "FullStory may still be making it" in outcome.log
    assert asked(account, way) <= 5
    assert ("waits for FullStory to make" if kind == "stall_headers" else "MB of which are here") in outcome.log


def test_silence_is_given_up_in_the_end(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    account.sim.fault(Fault(GET, "stall_headers", times=99))
    outcome = account.in_time(file_silence=0.1, longest_file_silence=0.2).sync()
    assert outcome.errors()[0]["failure_type"] == "transient_error"
    assert "could not be downloaded: it sent nothing for" in outcome.errors()[0]["message"]
    assert asked(account, GET) == 4


def test_headers_that_drip_have_an_end(account: Account, way: str) -> None:
    account.sim.fault(Fault(way, "stall_headers", seconds=30))
    outcome = account.in_time(file_silence=0.3, answer=0.1).sync()
    assert_rows(outcome.records(), truth(account))


@pytest.mark.parametrize("code", ["202", "204"])
def test_a_file_that_is_being_made_is_no_failure(account: Account, way: str, code: str) -> None:
    account.sim.fault(Fault(way, code, times=12, body="", headers={"Retry-After": "0"}))
    outcome = account.sync()
    assert_rows(outcome.records(), truth(account))
    assert f"answered {code}: FullStory is still making it" in outcome.log


# What is no list of rows.


@pytest.fixture
def deliver(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[Iterable[bytes]], Iterable[bytes]]], None]:
    """Put other bytes in the place of each file's."""

    def put(change: Callable[[Iterable[bytes]], Iterable[bytes]]) -> None:
        def changed(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
            return wrap(change(chunks), encoding)

        monkeypatch.setattr(delivery, "wrap", changed)

    return put


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
def test_a_byte_order_mark_is_skipped(account: Account, way: str, deliver: Any, encoding: str) -> None:
    account.sim.settings.change(encoding=encoding, export_encoding=encoding)
    deliver(lambda chunks: (b"\xef\xbb\xbf", *chunks))
    assert_rows(account.sync().records(), truth(account))


SECRET = "zoe@example.com"
WRONG = {
    "CSV": f"IndvId,UserEmail\n1,{SECRET}\n".encode(),
    "HTML": f"<html><body>{SECRET}</body></html>".encode(),
    "XML": f"<?xml version='1.0'?><a>{SECRET}</a>".encode(),
    "UTF-16": f'[{{"UserEmail":"{SECRET}"}}]'.encode("utf-16"),
    "a single value": json.dumps(SECRET).encode(),
    "zeros": bytes(1_000_000),
    "the bytes 7a 6f": SECRET.encode(),
    "a row that is not an object": json.dumps([SECRET]).encode(),
}


@pytest.mark.parametrize("kind", list(WRONG))
def test_a_wrong_format_is_named_by_kind_and_asked_for_twice(
    account: Account, way: str, deliver: Any, kind: str
) -> None:
    deliver(lambda _: [WRONG[kind]])
    outcome = account.sync(num_workers=1, debug=True)
    assert outcome.status() == "INCOMPLETE"
    assert outcome.errors()[0]["failure_type"] == "transient_error"
    assert kind in outcome.errors()[0]["message"]
    assert "halves" not in outcome.log
    assert "zoe" not in outcome.text
    assert "zoe".encode("utf-16-le").decode("latin-1") not in outcome.text
    asked_for = Counter(r.params.get("id", r.path) for r in account.sim.requests if way in r.target)
    assert max(asked_for.values()) == 2
    windows = [export.order.window for export in account.sim.exports]
    assert len(windows) == len(set(windows))


@pytest.mark.parametrize("kind", ["an object", "holds objects, but no rows"])
def test_an_error_object_is_no_row(account: Account, way: str, deliver: Any, kind: str) -> None:
    if (kind == "an object") != (way == GET):
        return
    deliver(lambda _: [json.dumps({"code": "x", "message": SECRET}).encode()])
    outcome = account.sync(num_workers=1)
    assert kind in outcome.errors()[0]["message"]
    assert SECRET not in outcome.text


def test_a_row_that_is_nested_too_deeply_is_a_sentence(account: Account, way: str, deliver: Any) -> None:
    deep = b'{"EventType":"custom","evt_a":' + b"[" * 3000 + b"]" * 3000 + b"}"
    deliver(lambda _: [b"[" + deep + b"]"] if way == GET else [deep])
    message = account.sync(num_workers=1).errors()[0]["message"]
    assert "defect" not in message
    assert ("nested too deeply" in message) or ("not JSON" in message) or ("no row" in message)


def test_256_levels_are_read(account: Account, way: str, deliver: Any) -> None:
    value = json.loads('{"a":' * 256 + "1" + "}" * 256)
    row = {"EventStart": epochs.to_text(account.sim.bundles[0].start), "evt_deep": value}
    deliver(lambda _: [b"[" + json.dumps(row).encode() + b"]" if way == GET else json.dumps(row).encode()])
    (record, *_) = account.sync(num_workers=1).records()
    assert record["evt_vars"] == {"evt_deep": value}


# Addresses.


@pytest.mark.parametrize("path", [r"http://127.0.0.2:{port}\@{host}/x", "http://127.0.0.2:{port}\t@{host}/x"])
def test_an_address_that_programs_read_differently_gets_no_key(
    account: Account, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    host = account.sim.url.removeprefix("http://")
    where = path.format(port=host.split(":")[1], host=host)
    monkeypatch.setattr("simulator.api._location", lambda *_: where)
    account.sim.settings.redirect = "storage"
    outcome = account.sync()
    assert "redirected a download to nowhere" in outcome.errors()[0]["message"]
    assert {request.headers["host"] for request in account.sim.requests} == {host}
    assert asked(account, GET) == 1


@pytest.mark.parametrize(
    "address", [f"https://{host}/x?X-Goog-Signature=abcdef0123" for host in ("storage.example.com:99999", "[::1")]
)
@pytest.mark.parametrize("method", list(WAYS))
def test_nothing_of_a_signed_address_that_cannot_be_parsed_is_told(
    account: Account, monkeypatch: pytest.MonkeyPatch, address: str, method: str
) -> None:
    account.sim.settings.export_polls = 0
    account.sim.add_bundle("2024-01-01", "2024-01-02", 5)
    monkeypatch.setattr("simulator.api._location", lambda *_: address)
    monkeypatch.setattr("simulator.endpoints_exports.signed_url", lambda *_: address)
    account.sim.settings.redirect = "storage"
    outcome = account.sync(events_source={"method": method}, debug=True)
    assert outcome.status() == "INCOMPLETE"
    assert "abcdef0123" not in outcome.text
    assert "Goog" not in outcome.text
    assert "Traceback" not in outcome.text


@pytest.mark.parametrize("status", ["302", "500", "400"])
def test_an_endless_answer_that_is_no_success_is_read_to_a_bound(account: Account, way: str, status: str) -> None:
    account.sim.fault(Fault(way, status, times=1))
    sent: list[int] = []

    def endless(reply: Any) -> Iterator[bytes]:
        for _ in range(2000):
            sent.append(1)
            yield b"x" * 100_000

    original = faults.failure

    def failure(fault: Fault) -> Any:
        reply = original(fault)
        reply.body, reply.framing = endless(reply), "chunked"
        return reply

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(simulator, "failure", failure)
        account.sync(num_workers=1)
    assert len(sent) < 200
