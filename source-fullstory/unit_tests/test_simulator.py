"""The simulator behaves as FullStory's documentation and public clients say the API does, and fails when told to."""

import gzip
import http.client
import json
import subprocess
import sys
import zlib
from collections import Counter
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from simulator import (
    OPTIONAL_TRICKS,
    TRICKS,
    BulkEvents,
    Fault,
    FullStorySimulator,
    Request,
    Settings,
    bundle_id,
    epoch,
    identity,
    showcase,
)
from simulator.api import Route
from unit_tests.calls import Answer, ask, call

from simkit.reply import Reply

DAY = 86_400
JAN_1 = epoch("2024-01-01")
LIST = "/api/v1/export/list"
GET = "/api/v1/export/get"


@pytest.fixture
def sim() -> Iterator[FullStorySimulator]:
    """An account without bundles or limits, at a time long after all of them."""
    with FullStorySimulator(Settings(downloads_per_minute=0, events_per_day=96)) as running:
        yield running


def listed(sim: FullStorySimulator, start: int | None = 0) -> list[int]:
    return [export["Id"] for export in call(sim, LIST if start is None else f"{LIST}?start={start}").json["exports"]]


def download(sim: FullStorySimulator, bundle: int) -> Answer:
    return call(sim, f"{GET}?id={bundle}")


def rows(answer: Answer) -> list[dict[str, Any]]:
    """The events of a download, however it is wrapped."""
    body = answer.body
    while body[:2] == b"\x1f\x8b":
        body = gzip.decompress(body)
    found: list[dict[str, Any]] = json.loads(body)
    return found


def event(number: int = 0, **more: Any) -> dict[str, Any]:
    start = f"2024-01-01T00:00:{number % 60:02d}.000Z"
    return {"UserId": 1, "SessionId": 2, "PageId": 3, "EventStart": start, "EventType": "click", "n": number, **more}


# The account


@pytest.mark.parametrize("key", [None, "", "wrong", "bmExLmtleQ=="])
def test_only_the_verbatim_key_is_let_in(sim: FullStorySimulator, key: str | None) -> None:
    assert [ask(sim.url, path, key).status for path in ("/me", LIST, GET)] == [401, 401, 401]
    assert call(sim, "/me").json == {
        "orgId": sim.settings.org_id,
        "email": sim.settings.email,
        "role": "ARCHITECT",
    }


def test_a_standard_key_may_ask_who_it_is_but_not_export(sim: FullStorySimulator) -> None:
    sim.settings.role = "USER"
    assert call(sim, "/me").json["role"] == "USER"
    assert [call(sim, path).status for path in (LIST, GET)] == [403, 403]


@pytest.mark.parametrize("status", [401, 403, 404])
def test_without_the_add_on_exports_are_refused(sim: FullStorySimulator, status: int) -> None:
    sim.settings.change(data_export=False, no_data_export_status=status)
    assert call(sim, "/me").status == 200
    assert call(sim, LIST).status == status


def test_unknown_paths_and_methods_are_refused(sim: FullStorySimulator) -> None:
    assert call(sim, "/api/v1/export/nothing").status == 404
    assert ask(sim.url, "/me", sim.api_key, "POST").status == 405


def test_a_setting_that_does_not_exist_is_a_mistake() -> None:
    with pytest.raises(AttributeError, match="page_sise"):
        Settings().change(page_sise=21)
    with pytest.raises(ValueError, match="encoding is one of"):
        Settings().change(encoding="zip")
    with pytest.raises(ValueError, match="tricks"):
        Settings().change(tricks=["nonsense"])
    with pytest.raises(ValueError, match="fault"):
        Fault(GET, "explode")


# The list


def test_the_list_holds_twenty_bundles_that_end_after_start_oldest_first(sim: FullStorySimulator) -> None:
    bundles = [bundle.id for bundle in sim.add_period(JAN_1, JAN_1 + 25 * DAY, events=0)]
    assert listed(sim, JAN_1) == bundles[:20]
    assert listed(sim, None) == bundles[:20]
    assert listed(sim, -62_135_596_800) == bundles[:20]
    assert listed(sim, JAN_1 + 20 * DAY) == bundles[20:]
    assert listed(sim, JAN_1 + 25 * DAY) == []


def test_the_list_can_be_asked_by_post(sim: FullStorySimulator) -> None:
    sim.add_period(JAN_1, JAN_1 + 2 * DAY, events=0)
    answer = ask(sim.url, LIST, sim.api_key, "POST", {"start": JAN_1 + DAY})
    assert [export["Start"] for export in answer.json["exports"]] == [JAN_1 + DAY]


def test_a_start_that_is_no_time_is_a_bad_request(sim: FullStorySimulator) -> None:
    assert call(sim, f"{LIST}?start=2024-01-01").status == 400
    assert ask(sim.url, LIST, sim.api_key, "POST", [1]).status == 400


def test_ids_tell_start_and_length_as_in_known_data(sim: FullStorySimulator) -> None:
    assert bundle_id(epoch("2019-07-15"), epoch("2019-07-16")) == 156314880048
    bundle = sim.add_bundle("2024-01-01", "2024-01-01T06:00:00Z", 0)
    assert call(sim, LIST).json["exports"] == [
        {"Start": JAN_1, "Stop": JAN_1 + DAY // 4, "Id": JAN_1 * 100 + 12},
    ]
    assert bundle.id == JAN_1 * 100 + 12


def test_the_list_comes_in_every_shape_seen(sim: FullStorySimulator) -> None:
    ids = [bundle.id for bundle in sim.add_period(JAN_1, JAN_1 + 25 * DAY, events=0)]
    sim.settings.page_size = 21
    assert listed(sim) == ids[:21]
    sim.settings.order = "shuffled"
    assert listed(sim) != ids[:21]
    assert sorted(listed(sim)) == ids[:21]
    sim.settings.order = "reversed"
    assert listed(sim) == ids[20::-1]
    sim.settings.change(order="sorted", shape="lower", page_size=1)
    assert call(sim, LIST).json == {
        "exports": [{"id": str(ids[0]), "start": str(JAN_1), "stop": str(JAN_1 + DAY)}],
    }


def test_an_inclusive_start_and_an_endless_last_page_can_be_had(sim: FullStorySimulator) -> None:
    ids = [bundle.id for bundle in sim.add_period(JAN_1, JAN_1 + 3 * DAY, events=0)]
    sim.settings.inclusive_start = True
    assert listed(sim, JAN_1 + 3 * DAY) == ids[2:]
    sim.settings.change(inclusive_start=False, repeat_last_page=True, page_size=2)
    assert listed(sim, JAN_1 + 9 * DAY) == ids[1:]
    sim.settings.hide_bundles = True
    assert listed(sim) == []


def test_bundles_with_one_stop_are_listed_together(sim: FullStorySimulator) -> None:
    stop = JAN_1 + DAY
    ids = {sim.add_bundle(stop - hours * 3600, stop, 0).id for hours in (24, 6, 1)}
    assert set(listed(sim, stop - 1)) == ids
    assert listed(sim, stop) == []


def test_a_bundle_appears_a_day_after_its_stop(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, 1)
    sim.settings.now = JAN_1 + 2 * DAY - 1
    assert listed(sim) == []
    assert download(sim, bundle.id).status == 404
    sim.settings.now += 1
    assert listed(sim) == [bundle.id]
    assert download(sim, bundle.id).status == 200
    assert parsedate_to_datetime(call(sim, "/me").headers["date"]).timestamp() == sim.now()


def test_a_bundle_can_be_late_and_can_go_away(sim: FullStorySimulator) -> None:
    first, second = sim.add_period(JAN_1, JAN_1 + 2 * DAY, events=1)
    sim.late(first.id, 3600)
    sim.settings.now = JAN_1 + 3 * DAY
    assert listed(sim) == [first.id, second.id]
    sim.late(first.id, 3 * DAY)
    assert listed(sim) == [second.id]
    assert [row["EventStart"] for row in sim.truth(listed=True)] == [row["EventStart"] for row in sim.events(second.id)]
    sim.settings.now = first.listed_at(sim.settings)
    assert listed(sim) == [first.id, second.id]
    sim.remove_bundle(second.id)
    assert listed(sim) == [first.id]
    assert download(sim, second.id).status == 404


def test_bundles_past_retention_are_gone(sim: FullStorySimulator) -> None:
    old, new = sim.add_period(JAN_1, JAN_1 + 2 * DAY, events=1)
    sim.settings.change(now=JAN_1 + 10 * DAY, retention_days=9)
    assert listed(sim) == [new.id]
    assert download(sim, old.id).status == 404


def test_one_id_is_one_bundle(sim: FullStorySimulator) -> None:
    sim.add_bundle(JAN_1, JAN_1 + DAY, 1, id=7)
    with pytest.raises(ValueError, match="7"):
        sim.add_bundle(JAN_1, JAN_1 + DAY, 1, id=7)


# The download


@pytest.mark.parametrize(
    ("encoding", "content_type", "content_encoding", "magic"),
    [
        ("gzip", "application/gzip", None, True),
        ("content-encoding", "application/json", "gzip", True),
        ("plain", "application/json", None, False),
        ("double", "application/gzip", "gzip", True),
        ("members", "application/gzip", None, True),
        ("mislabelled", "application/json", None, True),
        ("claimed", "application/gzip", "gzip", False),
    ],
)
@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
def test_a_bundle_comes_in_every_wrapping_and_framing(
    sim: FullStorySimulator,
    encoding: str,
    content_type: str,
    content_encoding: str | None,
    magic: bool,
    framing: str,
) -> None:
    sim.settings.change(encoding=encoding, framing=framing)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(1), event(2)])
    answer = download(sim, bundle.id)
    assert rows(answer) == [event(1), event(2)]
    assert answer.headers["content-type"] == content_type
    assert answer.headers.get("content-encoding") == content_encoding
    assert (answer.body[:2] == b"\x1f\x8b") == magic
    assert ("content-length" in answer.headers) == (framing == "length")
    assert ("transfer-encoding" in answer.headers) == (framing == "chunked")
    assert sim.requests[-1].sent == len(answer.body)


def test_one_connection_serves_many_requests_at_any_pace(sim: FullStorySimulator) -> None:
    sim.settings.change(latency_ms=1, bytes_per_second=10**6)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(1)], encoding="plain")
    connection = http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=5)
    for _ in range(3):
        connection.request("GET", f"{GET}?id={bundle.id}", headers={"Authorization": f"Basic {sim.api_key}"})
        assert json.loads(connection.getresponse().read()) == [event(1)]
    connection.close()


def test_double_gzip_is_double_and_members_are_several(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(1)], encoding="double")
    assert gzip.decompress(download(sim, bundle.id).body)[:2] == b"\x1f\x8b"
    bundle.encoding = "members"
    first = zlib.decompressobj(31)
    first.decompress(download(sim, bundle.id).body)
    assert first.eof
    assert first.unused_data[:2] == b"\x1f\x8b"


@pytest.mark.parametrize(
    ("style", "text"),
    [
        ("lines", '[{"a":1},\n{"a":2}]\n'),
        ("single", '[{"a":1},{"a":2}]'),
        ("crlf", '[\r\n{"a":1},\r\n{"a":2}\r\n]\r\n'),
        ("pretty", '[\n  {\n    "a": 1\n  },\n  {\n    "a": 2\n  }\n]'),
        ("spaced", ' \n[ \t\n {"a"\t: 1}\n\n , {"a"\t: 2}\n\r\n ] \n\n'),
    ],
)
def test_the_array_is_written_in_every_layout(sim: FullStorySimulator, style: str, text: str) -> None:
    sim.settings.change(style=style, encoding="plain")
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [{"a": 1}, {"a": 2}])
    assert download(sim, bundle.id).body.decode() == text


@pytest.mark.parametrize("style", ["lines", "single", "crlf", "pretty", "spaced"])
def test_every_layout_holds_the_same_rows_however_odd(sim: FullStorySimulator, style: str) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, showcase(JAN_1, JAN_1 + DAY) * 10)
    sim.settings.change(style=style, html_escapes=True)
    assert rows(download(sim, bundle.id)) == sim.events(bundle.id) == showcase(JAN_1, JAN_1 + DAY) * 10


def test_an_empty_bundle_is_an_empty_array(sim: FullStorySimulator) -> None:
    sim.settings.encoding = "plain"
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [])
    assert download(sim, bundle.id).body == b"[]\n"


def test_html_characters_can_be_escaped_as_go_does(sim: FullStorySimulator) -> None:
    sim.settings.change(encoding="plain", html_escapes=True)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [{"a": "<b>&"}])
    assert download(sim, bundle.id).body == b'[{"a":"\\u003cb\\u003e\\u0026"}]\n'


def test_a_row_of_bytes_is_served_as_it_is(sim: FullStorySimulator) -> None:
    sim.settings.encoding = "plain"
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [b'{"a": 1.50, "a": NaN}'])
    assert download(sim, bundle.id).body == b'[{"a": 1.50, "a": NaN}]\n'


def test_an_unknown_bundle_is_not_found(sim: FullStorySimulator) -> None:
    assert [call(sim, f"{GET}?id={which}").status for which in ("1", "x", "")] == [404, 404, 404]
    assert call(sim, GET).status == 404


# Redirects


def test_a_redirect_leads_to_a_storage_host_that_wants_no_key(sim: FullStorySimulator) -> None:
    sim.settings.redirect = "storage"
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event()])
    answer = download(sim, bundle.id)
    location = answer.headers["location"]
    assert answer.status == 302
    assert location.startswith(sim.storage_url)
    assert sim.storage_url != sim.url
    path = location.removeprefix(sim.storage_url)
    assert rows(ask(sim.storage_url, path)) == [event()]
    assert ask(sim.storage_url, path, sim.api_key).status == 400
    assert [(r.server, r.status, "authorization" in r.headers) for r in sim.requests] == [
        ("api", 302, True),
        ("storage", 200, False),
        ("storage", 400, True),
    ]


def test_a_signed_url_expires_and_cannot_be_altered(sim: FullStorySimulator) -> None:
    sim.settings.change(redirect="storage", now=JAN_1 + 9 * DAY)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event()])
    path = download(sim, bundle.id).headers["location"].removeprefix(sim.storage_url)
    assert ask(sim.storage_url, path.replace(str(bundle.id), "1")).status == 403
    assert ask(sim.storage_url, path.partition("?")[0]).status == 403
    sim.settings.now = JAN_1 + 9 * DAY + 300
    answer = ask(sim.storage_url, path)
    assert answer.status == 400
    assert b"ExpiredToken" in answer.body


def test_a_redirect_can_lead_astray(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event()])
    sim.settings.redirect = "http://storage.example.com"
    assert download(sim, bundle.id).headers["location"].startswith("http://storage.example.com/")
    sim.settings.redirect = "loop"
    assert download(sim, bundle.id).headers["location"] == f"{sim.url}{GET}?id={bundle.id}"


# A bundle that changes


def test_a_second_download_may_come_in_another_order(sim: FullStorySimulator) -> None:
    sim.settings.change(regenerate=["order"])
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(n) for n in range(20)])
    first, second = rows(download(sim, bundle.id)), rows(download(sim, bundle.id))
    assert first == [event(n) for n in range(20)]
    assert second != first
    assert sorted(row["n"] for row in second) == list(range(20))
    assert second == sim.events(bundle.id)


def test_a_second_download_may_have_settled_values_and_a_new_column(sim: FullStorySimulator) -> None:
    sim.settings.change(regenerate=["settled", "column", "numbers"])
    given = event(IndvId=2**60 + 1, UserEmail="", PageDuration=5, PageActiveDuration=1, evt_a_real=4)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [given])
    (first,), (second,), (third,) = (rows(download(sim, bundle.id)) for _ in range(3))
    changed = {name for name in second if second[name] != first.get(name)}
    assert first == given
    assert changed == {"IndvId", "UserEmail", "PageDuration", "PageActiveDuration", "PageSettledScore"}
    assert (type(first["evt_a_real"]), type(second["evt_a_real"])) == (int, float)
    assert identity(first) == identity(second)
    assert third == second


def test_rows_need_not_come_by_time(sim: FullStorySimulator) -> None:
    sim.settings.row_order = "shuffled"
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(n) for n in range(20)])
    served = rows(download(sim, bundle.id))
    assert served != [event(n) for n in range(20)]
    assert served == rows(download(sim, bundle.id))
    assert sorted(row["n"] for row in served) == list(range(20))


# Limits


def test_the_third_download_in_a_minute_has_to_wait(sim: FullStorySimulator) -> None:
    sim.settings.downloads_per_minute = 2
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event()])
    answers = [download(sim, bundle.id) for _ in range(3)]
    assert [answer.status for answer in answers] == [200, 200, 429]
    assert 55 <= int(answers[2].headers["retry-after"]) <= 60
    assert sim.early_requests == 0
    assert listed(sim) == [bundle.id]
    assert sim.early_requests == 0
    assert download(sim, bundle.id).status == 429
    assert sim.early_requests == 1
    assert [request.early for request in sim.requests] == [False, False, False, False, True]
    sim.clear_requests()
    assert (sim.early_requests, sim.requests) == (0, [])


def test_the_wait_can_be_said_as_a_date_or_not_at_all(sim: FullStorySimulator) -> None:
    sim.settings.change(downloads_per_minute=1, retry_after="date", now=JAN_1 + 9 * DAY)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event()])
    download(sim, bundle.id)
    when = parsedate_to_datetime(download(sim, bundle.id).headers["retry-after"]).timestamp()
    assert 55 <= when - sim.now() <= 60
    sim.settings.retry_after = "none"
    assert "retry-after" not in download(sim, bundle.id).headers
    assert sim.early_requests == 1


def test_the_minute_can_be_made_short_and_lists_can_be_limited(sim: FullStorySimulator) -> None:
    sim.settings.change(lists_per_minute=1, window_seconds=0.001)
    assert [call(sim, LIST).status for _ in range(3)].count(200) >= 1
    sim.settings.window_seconds = 60
    assert {call(sim, LIST).status for _ in range(2)} >= {429}


# Faults


@pytest.mark.parametrize("status", ["408", "429", "500", "502", "503", "504"])
def test_a_status_can_be_ordered(sim: FullStorySimulator, status: str) -> None:
    sim.fault(Fault(LIST, status, headers={"Retry-After": "7"}))
    sim.fault(Fault(LIST, status, body=""))
    sim.fault(Fault(LIST, status, body='{"code":"x","message":"y"}'))
    html, empty, said = (call(sim, LIST) for _ in range(3))
    assert {html.status, empty.status, said.status} == {int(status)}
    assert html.headers["content-type"].startswith("text/html")
    assert html.headers["retry-after"] == "7"
    assert empty.body == b""
    assert set(said.json) == {"code", "message"}
    assert call(sim, LIST).status == 200
    assert sim.early_requests == 3


def test_faults_choose_their_requests(sim: FullStorySimulator) -> None:
    sim.fault(Fault(r"list\?start=5", "500", times=2, after=1))
    assert [call(sim, f"{LIST}?start={start}").status for start in (5, 4, 5, 5, 5)] == [200, 200, 500, 500, 200]
    often = sim.fault(Fault("/me", "503", probability=0.5))
    statuses = Counter(call(sim, "/me").status for _ in range(60))
    assert statuses[503] == often.hits
    assert 10 < statuses[503] < 50
    sim.clear_faults()
    assert {call(sim, "/me").status for _ in range(20)} == {200}


def test_the_connection_can_be_reset(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(n) for n in range(500)], encoding="plain")
    sim.fault(Fault(GET, "reset"))
    sim.fault(Fault(GET, "reset_body", at=5000))
    with pytest.raises(ConnectionError):
        download(sim, bundle.id)
    with pytest.raises(ConnectionError):
        download(sim, bundle.id)
    assert [request.status for request in sim.requests] == [0, 200]
    assert download(sim, bundle.id).status == 200


def test_a_stream_can_be_cut_with_and_without_a_promise(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(n) for n in range(50)])
    whole = download(sim, bundle.id).body
    for framing in ("length", "chunked", "close", "terminated"):
        sim.fault(Fault(GET, "cut", at=100, framing=framing))
    length, chunked, close, terminated = (download(sim, bundle.id) for _ in range(4))
    assert {answer.body for answer in (length, close, terminated)} == {whole[:100]}
    assert whole[:100].startswith(chunked.body)  # http.client drops what it has of a broken chunk
    assert [answer.cut for answer in (length, chunked, close, terminated)] == [True, True, False, False]
    assert length.headers["content-length"] == str(len(whole))
    for at in (-1, 10**9):
        sim.fault(Fault(GET, "cut", at=at, framing="close"))
        assert download(sim, bundle.id).body == whole[:-1]


def test_silence_can_come_before_the_answer_and_in_its_middle(sim: FullStorySimulator) -> None:
    sim.fault(Fault("/me", "stall_headers", seconds=30))
    sim.fault(Fault("/me", "stall_body", seconds=30, at=10))
    connection = http.client.HTTPConnection(urlsplit(sim.url).netloc, timeout=0.4)
    connection.request("GET", "/me", headers={"Authorization": f"Basic {sim.api_key}"})
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    connection.request("GET", "/me", headers={"Authorization": f"Basic {sim.api_key}"})
    response = connection.getresponse()
    assert response.read(10) == b'{"orgId": '
    with pytest.raises(TimeoutError):
        response.read()
    connection.close()


def test_a_gzip_stream_can_be_wrong_in_every_way(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(n) for n in range(50)])
    for kind in ("crc", "deflate_boundary", "garbage"):
        sim.fault(Fault(GET, kind))
    crc, boundary, garbage = (download(sim, bundle.id).body for _ in range(3))
    with pytest.raises(gzip.BadGzipFile, match="CRC"):
        gzip.decompress(crc)
    with pytest.raises(EOFError):
        gzip.decompress(boundary)
    inflated = zlib.decompressobj(31)
    assert len(json.loads(inflated.decompress(boundary) + b"]")) == 25
    assert not inflated.eof
    tail = zlib.decompressobj(31)
    assert len(json.loads(tail.decompress(garbage))) == 50
    assert (tail.eof, tail.unused_data) == (True, b"\x00garbage\xff")
    assert len(rows(download(sim, bundle.id))) == 50


def test_the_document_can_be_wrong_although_the_bytes_are_right(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [{"a": 1}])
    for kind in ("missing_bracket", "json_garbage", "error_object", "html"):
        sim.fault(Fault(GET, kind))
    bracket, extra, problem, page = (download(sim, bundle.id) for _ in range(4))
    assert gzip.decompress(bracket.body) == b'[{"a":1}'
    assert gzip.decompress(extra.body) == b'[{"a":1}]\n{"EventType":"click"}'
    assert problem.status == page.status == 200
    assert "code" in problem.json
    assert page.body.startswith(b"<!DOCTYPE html>")


def test_a_body_can_drip_and_claim_to_be_huge(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [event(1)], encoding="plain")
    sim.fault(Fault(GET, "drip", at=40, seconds=0.001))
    sim.fault(Fault(GET, "huge_length", at=10**15))
    drip, huge = (download(sim, bundle.id) for _ in range(2))
    assert rows(drip) == [event(1)]
    assert huge.headers["content-length"] == str(10**15)
    assert huge.cut
    assert json.loads(huge.body) == [event(1)]


# Events


def test_the_same_seed_makes_the_same_events_whatever_the_period(sim: FullStorySimulator) -> None:
    day = sim.add_bundle(JAN_1, JAN_1 + DAY)
    quarters = sim.add_period(JAN_1, JAN_1 + DAY, hours=6)
    assert len(quarters) == 4
    pieces = [row for bundle in quarters for row in sim.events(bundle.id)]
    assert sim.events(day.id) == pieces
    assert len(pieces) == sim.count(day.id) == 96
    assert sim.count() == 192
    with FullStorySimulator(Settings(events_per_day=96)) as again:
        assert again.events(again.add_bundle(JAN_1, JAN_1 + DAY).id) == pieces
    with FullStorySimulator(Settings(events_per_day=96, seed=2)) as other:
        assert other.events(other.add_bundle(JAN_1, JAN_1 + DAY).id) != pieces


def test_the_truth_has_every_event_of_overlapping_bundles_once(sim: FullStorySimulator) -> None:
    sim.settings.events_per_day = 960
    sim.add_period(JAN_1, JAN_1 + 2 * DAY, hours=24)
    before = Counter(identity(row) for row in sim.truth())
    assert sum(before.values()) == 1920
    assert max(before.values()) > 1  # identical rows are events of their own
    sim.add_period(JAN_1 + DAY // 2, JAN_1 + 2 * DAY, hours=6)
    assert Counter(identity(row) for row in sim.truth()) == before


@pytest.mark.parametrize("edge", ["start", "stop", "both"])
def test_an_event_between_two_bundles_is_where_the_setting_says(sim: FullStorySimulator, edge: str) -> None:
    sim.settings.change(edge=edge)
    first, second = sim.add_period(JAN_1, JAN_1 + 2 * DAY)
    at_stop = [row for row in sim.events(first.id) if row["EventStart"] == "2024-01-02T00:00:00.000Z"]
    at_start = [row for row in sim.events(second.id) if row["EventStart"] == "2024-01-02T00:00:00.000Z"]
    assert (len(at_stop), len(at_start)) == {"start": (0, 1), "stop": (1, 0), "both": (1, 1)}[edge]
    for bundle in (first, second):
        assert len(bundle.events) == len(sim.events(bundle.id))


def test_any_number_of_events_fills_a_bundle_by_time(sim: FullStorySimulator) -> None:
    sim.settings.tricks = TRICKS - {"zones"}
    bundle = sim.add_bundle(JAN_1, JAN_1 + 1800, 300)
    starts = [row["EventStart"][:19] for row in sim.events(bundle.id)]
    assert len(starts) == 300
    assert starts == sorted(starts)
    assert starts[0] == "2024-01-01T00:00:00"
    assert starts[-1] < "2024-01-01T00:30:00"


@pytest.mark.parametrize(("generation", "agents"), [("legacy", {"PageAgent"}), ("new", {"PageUserAgent"})])
def test_names_are_of_the_chosen_generation(sim: FullStorySimulator, generation: str, agents: set[str]) -> None:
    sim.settings.change(generation=generation)
    made = sim.events(sim.add_bundle(JAN_1, JAN_1 + DAY).id)
    assert {name for row in made for name in row if name.endswith("Agent")} == agents
    selectors = {"legacy": "EventTargetSelectorTok", "new": "EventTargetSelector"}
    assert {name for row in made for name in row if "Selector" in name} == {selectors[generation]}


def test_generations_can_be_mixed(sim: FullStorySimulator) -> None:
    sim.settings.generation = "mixed"
    made = sim.events(sim.add_bundle(JAN_1, JAN_1 + DAY).id)
    assert {"PageAgent", "PageUserAgent"} <= {name for row in made for name in row}


def test_custom_variables_come_with_every_suffix_and_dots(sim: FullStorySimulator) -> None:
    made = sim.events(sim.add_bundle(JAN_1, JAN_1 + DAY, 1000).id)
    names = {name for row in made for name in row if name.startswith(("evt_", "user_", "page_"))}
    assert {name.rpartition("_")[2] for name in names} == {"str", "strs", "int", "real", "bool", "date"}
    assert {name.partition("_")[0] for name in names} == {"evt", "user", "page"}
    assert any("." in name for name in names)
    assert {"evt_term_int", "evt_term_real"} <= names
    items = [row["evt_order.items_real"] for row in made if "evt_order.items_real" in row]
    assert {type(value) for value in items} == {int}


def test_the_showcase_has_every_trick(sim: FullStorySimulator) -> None:
    made = sim.events(sim.add_bundle(JAN_1, JAN_1 + DAY, showcase(JAN_1, JAN_1 + DAY)).id)
    texts = [str(value) for row in made for value in row.values()]
    times = {row["EventStart"] for row in made}
    ids = {row[name] for row in made for name in ("IndvId", "UserId", "SessionId", "PageId")}
    whole = Counter(json.dumps(row, sort_keys=True) for row in made)
    assert max(whole.values()) > 1
    assert len({(row["PageId"], row["EventStart"]) for row in made}) < len(whole)
    assert {len(time.partition(".")[2].rstrip("Z")) for time in times if time.endswith("Z")} >= {0, 3, 6, 9}
    assert any(time[-6] in "+-" for time in times)
    assert None in ids
    assert max(number for number in ids if number) > 2**62
    assert any(2**53 - 8 <= number <= 2**53 + 8 for number in ids if number)
    assert any(row.get("UserEmail", "absent") is None for row in made)
    assert len({type(row["evt_mixed_str"]) for row in made if "evt_mixed_str" in row}) > 1
    assert any(row.get("evt_account_int", 0) > 2**53 for row in made)
    assert any("},\n{" in text for text in texts)
    assert max(map(len, texts)) >= 2000
    assert any("\ud800" <= letter <= "\udfff" for text in texts for letter in text)
    assert {"PageVitalsScore", "EventLabels", "PageContext", "eventNotes"} & {name for row in made for name in row}


def test_a_lone_surrogate_is_escaped_and_the_body_is_utf_8(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, [{"a": "x\ud83d"}, {"a": "\U0001f600"}], encoding="plain")
    assert download(sim, bundle.id).body == b'[{"a":"x\\ud83d"},\n{"a":"\xf0\x9f\x98\x80"}]\n'


def test_integers_beyond_64_bits_are_served_when_asked_for(sim: FullStorySimulator) -> None:
    made = showcase(JAN_1, JAN_1 + DAY, tricks=OPTIONAL_TRICKS)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, made)
    served = rows(download(sim, bundle.id))
    assert served == made
    assert any(not -(2**63) <= row["evt_galactic_int"] < 2**64 for row in served)


# Big bundles


def test_a_big_bundle_is_streamed_and_counted_without_being_held(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, 30_000)
    assert isinstance(bundle.events, BulkEvents)
    first, second = download(sim, bundle.id), download(sim, bundle.id)
    made = rows(first)
    assert first.body == second.body
    assert len(made) == sim.count(bundle.id) == 30_000
    assert len({identity(row) for row in made}) == 30_000
    assert made[0]["EventStart"] == "2024-01-01T00:00:00.000Z"
    assert [row["EventStart"] for row in made] == sorted(row["EventStart"] for row in made)
    with pytest.raises(ValueError, match="count"):
        sim.truth()


def test_a_thousand_million_events_cost_nothing_until_they_are_asked_for(sim: FullStorySimulator) -> None:
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, 10**9)
    lines = bundle.events.rows()
    assert sim.count(bundle.id) == 10**9
    assert json.loads(next(lines)) != json.loads(next(lines))


def test_files_of_big_bundles_are_gone_after_the_stop() -> None:
    sim = FullStorySimulator(Settings(downloads_per_minute=0, framing="length")).start()
    folder = Path(sim._folder.name)
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, 25_000)
    sim.prepare()
    assert len(list(folder.iterdir())) == 1
    answer = download(sim, bundle.id)
    assert int(answer.headers["content-length"]) == len(answer.body)
    sim.stop()
    assert not folder.exists()


# Tests that look at it, and other processes


def test_requests_are_logged_and_can_change_the_data(sim: FullStorySimulator) -> None:
    def appear(request: Request) -> None:
        if request.path == LIST and not sim.bundles:
            sim.add_bundle(JAN_1, JAN_1 + DAY, 1, id=9)

    sim.on_request = appear
    assert listed(sim) == [9]
    (request,) = sim.requests
    assert (request.method, request.path, request.params, request.status) == ("GET", LIST, {"start": "0"}, 200)
    assert request.headers["authorization"] == f"Basic {sim.api_key}"


def test_a_mistake_in_the_simulator_is_not_taken_for_an_answer() -> None:
    def fail(_: Request) -> None:
        raise ZeroDivisionError

    sim = FullStorySimulator().start()
    sim.on_request = fail
    with pytest.raises(http.client.RemoteDisconnected):
        call(sim, "/me")
    with pytest.raises(RuntimeError, match="simulator"):
        sim.stop()


def test_a_mistake_while_a_body_is_sent_is_not_taken_for_a_cut() -> None:
    class Broken:
        def __len__(self) -> int:
            return 1

        def rows(self) -> Iterator[bytes]:
            yield from [b"{}", b"}"]
            raise ZeroDivisionError

    sim = FullStorySimulator().start()
    bundle = sim.add_bundle(JAN_1, JAN_1 + DAY, Broken())
    assert download(sim, bundle.id).cut
    with pytest.raises(RuntimeError, match="simulator"):
        sim.stop()


def test_a_route_can_have_variable_parts() -> None:
    route = Route(("GET",), "/operations/v1/{id}", lambda *_: Reply())
    assert route.match("/operations/v1/abc") == {"id": "abc"}
    assert route.match("/operations/v1/abc/cancel") is None
    assert route.match("/operations/v1") is None


def test_other_processes_control_it_over_http(sim: FullStorySimulator) -> None:
    def order(command: str, **given: Any) -> Any:
        return ask(sim.url, f"/_simulator/{command}", method="POST", body=given).json

    def tell(what: str) -> Any:
        return ask(sim.url, f"/_simulator/{what}").json

    added = order("bundle", start="2024-01-01", stop="2024-01-02", events=[event(1, a="\ud83d")])
    assert tell("bundles") == [{"id": added["id"], "start": JAN_1, "stop": JAN_1 + DAY, "rows": 1, "downloads": 0}]
    assert tell("truth") == [event(1, a="\ud83d")]
    assert tell("count") == {"count": 1}
    order("bundle", action="late", id=added["id"], seconds=10**10)
    assert listed(sim) == []
    order("bundle", action="remove", id=added["id"])
    assert sim.bundles == []
    assert order("settings", role="USER", regenerate=["order"])["role"] == "USER"
    assert tell("settings")["regenerate"] == ["order"]
    assert call(sim, LIST).status == 403
    order("fault", path="/me", kind="503")
    assert call(sim, "/me").status == 503
    assert [request["status"] for request in tell("requests")["requests"]] == [200, 403, 503]
    ask(sim.url, "/_simulator/requests", method="DELETE")
    assert tell("requests") == {"early": 0, "requests": []}
    assert "error" in order("settings", rolle="USER")
    assert "error" in order("nothing")


def test_the_command_line_serves_a_filled_account() -> None:
    command = [sys.executable, "-m", "simulator", "--days", "2", "--bundle-hours", "12", "--events-per-bundle", "48"]
    more = ["--until", "2024-01-03", "--downloads-per-minute", "0", "--encoding", "plain", "--page-size", "3"]
    folder = Path(__file__).parents[1]
    with subprocess.Popen([*command, *more], stdout=subprocess.PIPE, text=True, cwd=folder) as process:
        try:
            assert process.stdout
            words = process.stdout.readline().split()
            url, key = words[3], words[-1]
            exports = ask(url, LIST, key).json["exports"]
            assert [export["Start"] for export in exports] == [JAN_1, JAN_1 + DAY // 2, JAN_1 + DAY]
            assert len(rows(ask(url, f"{GET}?id={exports[0]['Id']}", key))) == 48
        finally:
            process.terminate()
    assert process.returncode == 0
