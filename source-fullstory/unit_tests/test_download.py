"""Downloads: every form of a bundle, and nothing that is not whole is ever taken for a bundle."""

import tempfile
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from simulator import Fault, Request
from source_fullstory import SourceFullstory
from source_fullstory.files import download
from source_fullstory.http import rate_limit
from source_fullstory.rows import decode, unpack
from unit_tests.syncs import Account, assert_rows

GET = "/export/get"


@pytest.fixture
def bundles(account: Account) -> Account:
    account.sim.settings.events_per_day = 240
    account.sim.add_period("2024-01-01", "2024-01-04")
    return account


@pytest.mark.parametrize("framing", ["chunked", "length", "close"])
@pytest.mark.parametrize(
    "encoding", ["gzip", "content-encoding", "plain", "double", "members", "mislabelled", "claimed"]
)
def test_every_encoding_is_told_by_its_bytes(bundles: Account, encoding: str, framing: str) -> None:
    bundles.sim.settings.change(encoding=encoding, framing=framing)
    assert_rows(bundles.sync().records(), bundles.sim.truth())


@pytest.mark.parametrize("style", ["lines", "single", "pretty", "spaced", "crlf"])
def test_every_layout_of_the_array_is_read(bundles: Account, style: str) -> None:
    bundles.sim.settings.change(style=style, html_escapes=True)
    assert_rows(bundles.sync().records(), bundles.sim.truth())


def test_an_empty_bundle_is_read_and_passed(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", [])
    outcome = account.sync()
    assert outcome.records() == []
    assert outcome.state()["complete_through"] == "2024-01-02T00:00:00Z"


FAULTS: list[dict[str, Any]] = [
    {"kind": "cut", "at": 300, "framing": "length"},
    {"kind": "cut", "at": 300, "framing": "chunked"},
    {"kind": "cut", "at": 300, "framing": "close"},
    {"kind": "cut", "at": 300, "framing": "terminated"},
    {"kind": "cut", "at": -4, "framing": "terminated"},
    {"kind": "cut", "at": 0, "framing": "terminated"},
    {"kind": "reset_body", "at": 300},
    {"kind": "reset"},
    {"kind": "crc"},
    {"kind": "garbage"},
    {"kind": "deflate_boundary"},
    {"kind": "missing_bracket"},
    {"kind": "json_garbage"},
    {"kind": "html"},
    {"kind": "error_object"},
    {"kind": "408"},
    {"kind": "500"},
    {"kind": "503", "headers": {"Retry-After": "1"}},
]


def name_of(fault: dict[str, Any]) -> str:
    return " ".join(str(value) for value in fault.values())


@pytest.mark.parametrize("encoding", ["gzip", "plain"])
@pytest.mark.parametrize("fault", FAULTS, ids=name_of)
def test_a_broken_download_is_repeated(bundles: Account, fault: dict[str, Any], encoding: Any) -> None:
    bundles.sim.settings.encoding = encoding
    bundles.sim.fault(Fault(GET, **fault, after=1))
    assert_rows(bundles.sync().records(), bundles.sim.truth())
    assert sum(GET in request.path for request in bundles.sim.requests) == 4


@pytest.mark.parametrize("fault", FAULTS[:-1], ids=name_of)
def test_a_download_that_stays_broken_fails_by_name_and_keeps_what_was_read(
    bundles: Account, fault: dict[str, Any]
) -> None:
    first, second, _ = bundles.sim.bundles
    bundles.sim.fault(Fault(f"get.id={second.id}", **fault, times=99))
    outcome = bundles.sync()
    assert_rows(outcome.records(), bundles.sim.events(first.id))
    assert outcome.state()["bundle_id"] == first.id
    (error,) = [error for error in outcome.errors() if str(second.id) in error["message"]][:1]
    assert error["failure_type"] == "transient_error"
    assert "2024-01-02T00:00:00Z to 2024-01-03T00:00:00Z" in error["message"]
    is_file = fault["kind"] not in {"html", "error_object"}
    assert ("shorter bundle period" if is_file else "is not a list of events") in error["message"]


@pytest.mark.parametrize(
    "fault",
    [{"kind": "stall_headers"}, {"kind": "stall_body", "at": 50}, {"kind": "drip", "at": 1, "seconds": 0.05}],
    ids=name_of,
)
def test_silence_and_trickling_do_not_hold_a_sync_up(bundles: Account, fault: dict[str, Any]) -> None:
    bundles.sim.fault(Fault(GET, **fault))
    assert_rows(bundles.in_time(file_silence=0.5, stall=0.1).sync().records(), bundles.sim.truth())


def test_a_download_may_not_take_for_ever(bundles: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(download, "_SLOW_BYTES", 1)
    bundles.sim.fault(Fault(GET, "drip", at=1, seconds=0.05))
    assert_rows(bundles.in_time(download=0.3).sync().records(), bundles.sim.truth())


def test_a_bundle_that_does_not_fit_on_the_disk_is_not_begun(bundles: Account) -> None:
    bundles.sim.fault(Fault(GET, "huge_length", at=10**15))
    outcome = bundles.sync(num_workers=1)
    assert outcome.records() == []
    (error, *_) = outcome.errors()
    assert error["failure_type"] == "config_error"
    assert "TMPDIR" in error["message"]


def test_nothing_is_left_on_the_disk(bundles: Account, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    seen: list[list[Path]] = []
    bundles.sim.on_request = lambda _: seen.append([path for path in tmp_path.iterdir() if path.is_file()])
    bundles.sim.fault(Fault(GET, "crc"))
    bundles.sim.fault(Fault(GET, "html", after=3, times=99))
    bundles.sync()
    assert not any(seen)
    assert list(tmp_path.iterdir()) == []


def test_the_next_bundles_are_downloaded_while_one_is_waited_for(
    account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The answer for the first bundle is held back until two others have been asked for."""
    monkeypatch.setattr(rate_limit, "_ANSWER_SECONDS", 0.1)
    sim = account.sim
    first, *_ = sim.add_period("2024-01-01", "2024-01-07", events=5)
    others = Event()

    def hold(request: Request) -> None:
        ids = {request.params.get("id") for request in sim.requests} - {None, str(first.id)}
        if len(ids) == 2:
            others.set()
        if request.params.get("id") == str(first.id):
            assert others.wait(20)

    sim.on_request = hold
    assert len(account.sync(num_workers=3).records()) == 30


def test_no_more_than_num_workers_are_ahead(account: Account) -> None:
    sim = account.sim
    first, *_ = sim.add_period("2024-01-01", "2024-01-07", events=5)
    sim.fault(Fault(f"get.id={first.id}", "500", times=99))
    account.sync(num_workers=2)
    assert {r.params["id"] for r in sim.requests if "id" in r.params} == {str(b.id) for b in sim.bundles[:2]}


# Redirects.


def test_a_redirect_to_storage_is_followed_without_the_key(bundles: Account) -> None:
    bundles.sim.settings.redirect = "storage"
    assert_rows(bundles.sync().records(), bundles.sim.truth())
    stored = [request for request in bundles.sim.requests if request.server == "storage"]
    assert len(stored) == 3
    assert not any("authorization" in request.headers for request in stored)


def test_signed_addresses_and_the_key_stay_out_of_all_output(bundles: Account) -> None:
    bundles.sim.settings.redirect = "storage"
    bundles.sim.fault(Fault("fullstoryapp-data-export", "500"))
    bundles.sim.fault(Fault("fullstoryapp-data-export", "403", times=99, after=1))
    outcome = bundles.sync(debug=True)
    assert "answered 403" in outcome.log
    signatures = {r.params["Signature"] for r in bundles.sim.requests if "Signature" in r.params}
    assert signatures
    assert not any(secret in outcome.text for secret in (*signatures, bundles.sim.api_key, "Signature="))


def test_an_expired_address_is_asked_for_again(bundles: Account) -> None:
    bundles.sim.settings.redirect = "storage"
    bundles.sim.fault(Fault("fullstoryapp-data-export", "400"))
    assert_rows(bundles.sync().records(), bundles.sim.truth())


@pytest.mark.parametrize("where", ["http://192.0.2.1", "http://example.com", "ftp://example.com"])
def test_a_redirect_into_the_clear_is_refused(bundles: Account, where: str) -> None:
    bundles.sim.settings.redirect = where
    outcome = bundles.sync()
    assert "not encrypted" in outcome.errors()[0]["message"]
    assert outcome.records() == []


def test_redirects_in_a_circle_end(bundles: Account) -> None:
    bundles.sim.settings.redirect = "loop"
    outcome = bundles.sync()
    assert outcome.status() == "INCOMPLETE"
    assert "redirected more than" in outcome.errors()[0]["message"]


# A bundle that is listed and not there.


def test_a_bundle_that_vanished_becomes_a_hole_and_the_others_are_read(bundles: Account) -> None:
    first, second, third = bundles.sim.bundles

    def remove(request: Request) -> None:
        if request.params.get("id") == str(second.id):
            bundles.sim.on_request = None
            bundles.sim.remove_bundle(second.id)

    bundles.sim.on_request = remove
    outcome = bundles.sync()
    assert_rows(outcome.records(), bundles.sim.events(first.id) + bundles.sim.events(third.id))
    (hole,) = outcome.state()["holes"]
    assert (hole["start"], hole["stop"]) == ("2024-01-02T00:00:00Z", "2024-01-03T00:00:00Z")
    assert outcome.state()["complete_through"] == "2024-01-02T00:00:00Z"
    bundles.sim.add_bundle("2024-01-02", "2024-01-03")
    assert_rows(bundles.sync(outcome.state()).records(), bundles.sim.events(second.id))


def test_a_bundle_that_is_not_there_for_a_moment_is_read(bundles: Account) -> None:
    bundles.sim.fault(Fault(GET, "410", body='{"code":"gone","message":"Gone"}'))
    assert_rows(bundles.sync().records(), bundles.sim.truth())


# What a server may write, and what no proof of the bytes has shown.


def test_a_bundle_without_events_may_be_null(account: Account) -> None:
    account.sim.add_bundle("2024-01-01", "2024-01-02", [])
    account.sim.add_bundle("2024-01-02", "2024-01-03", 5)
    assert list(decode.batches([b" null\n"])) == []
    assert unpack.examined([b" nu", b"ll\n"]) == unpack.Content(6, 1)
    assert len(account.sync().records()) == 5


def test_damage_that_only_parsing_shows_is_downloaded_again(bundles: Account) -> None:
    last = bundles.sim.bundles[-1]
    span = last.start, last.stop
    bundles.sim.remove_bundle(last.id)
    bundles.sim.add_bundle(*span, [b'{"EventStart": oops}'])
    gets: list[Request] = []

    def mend(request: Request) -> None:
        if request.path.endswith("/get") and request.params["id"] == str(last.id):
            gets.append(request)
            if len(gets) == 2:
                bundles.sim.remove_bundle(last.id)
                bundles.sim.add_bundle(*span, [{"EventStart": "2024-01-03T05:00:00.000Z", "UserId": 5}])

    bundles.sim.on_request = mend
    outcome = bundles.sync()
    assert outcome.status() == "COMPLETE"
    assert len(gets) == 2
    assert [row for row in outcome.records() if row["bundle_id"] == last.id][-1]["UserId"] == 5


def test_the_config_with_the_key_is_never_written_to_a_file(tmp_path: Path) -> None:
    SourceFullstory().configure({"api_key": "na1.secret"}, str(tmp_path))
    assert not list(tmp_path.iterdir())
