"""What is read from others and told to the user: secrets, headers, JSON, settings, the clock."""

from __future__ import annotations

import html
import json
import logging
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote as url_escaped

import pytest
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets, update_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from hypothesis import given, settings
from hypothesis import strategies as some
from source_closeio.kit import config, errors, headers, json_text, secrets, times
from source_closeio.kit.clock import ServerClock
from source_closeio.kit.retry import GivenUp, Patience, Retry, persist
from unit_tests.hostile import KEY

settings.register_profile("same every time", deadline=None, derandomize=True, database=None)
settings.load_profile("same every time")
FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "with a colon": lambda key: f"{key}:",
    "base64": lambda key: b64encode(key.encode()).decode(),
    "base64 with a colon": lambda key: b64encode(f"{key}:".encode()).decode(),
    "base64 behind one byte": lambda key: b64encode(f":{key}".encode()).decode()[2:],
    "base64 behind two": lambda key: b64encode(f"u:{key}".encode()).decode()[3:],
    "base64 without padding": lambda key: b64encode(f"{key}:".encode()).decode().rstrip("="),
    "URL": lambda key: url_escaped(key, safe=""),
    "URL in small letters": lambda key: url_escaped(key, safe="").lower(),
    "URL of base64": lambda key: url_escaped(b64encode(f"{key}:".encode()).decode(), safe=""),
    "JSON": lambda key: json.dumps(key)[1:-1],
    "JSON of PHP": lambda key: key.replace("/", "\\/"),
    "HTML": html.escape,
    "capitals": str.upper,
}


@pytest.fixture(autouse=True)
def _no_secrets(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(secrets, "_pieces", set())
    update_secrets([])
    yield
    update_secrets([])


def pieces(secret: str) -> set[str]:
    return {secret[at : at + secrets.SHORTEST] for at in range(len(secret) - secrets.SHORTEST + 1)}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("around", ["{}", "Authorization: Basic {}, which is wrong", '{{"key": "{}"}}'])
def test_an_api_that_quotes_the_key_cut_at_any_place(form: str, around: str) -> None:
    secrets.conceal(KEY, f"{KEY}:")
    token = FORMS[form](KEY)
    body = around.format(token)
    for length in range(len(body) + 1):
        for filler in ("", "x" * (296 - length)):  # the quote is cut at 300
            said = errors.quote(filler + body[:length])
            found = pieces(token) & pieces(said)
            assert not found, (said, found)


def test_a_key_that_is_typed_with_what_is_around_it() -> None:
    typed = f" Basic {KEY}\r\n"
    assert config.api_key({"api_key": typed}, "") == KEY
    assert pieces(KEY).isdisjoint(pieces(errors.quote(f"bad {KEY[:20]}")))
    assert KEY not in filter_secrets(f"bad {KEY}")


@pytest.mark.parametrize("typed", ["a b" * 9, "a\nb" * 9, "clé" * 9, "a\0b" * 9])
def test_a_key_that_cannot_be_one_is_not_quoted(typed: str) -> None:
    with pytest.raises(AirbyteTracedException) as caught:
        config.api_key({"api_key": typed}, "")
    assert pieces(typed).isdisjoint(pieces(str(caught.value.message)))


@given(some.text(max_size=60), some.text(max_size=60))
def test_words_around_a_secret_stay(before: str, after: str) -> None:
    secrets.conceal(KEY)
    assert secrets.masked(f"{before} {KEY} {after}") == f"{secrets.masked(before)} **** {secrets.masked(after)}"


def test_a_short_secret_does_not_blank_words() -> None:
    secrets.conceal("key")
    assert errors.quote("no key") == filter_secrets("no key") == "no key"


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (None, "no explanation"),
        ("", "no explanation"),
        ([], "no explanation"),
        ("  a\n b\t", "a b"),
        ({"a": [1, None]}, '{"a":[1,null]}'),
        ("<!DOCTYPE html><html><head><title>Bad\n Gateway &amp; more</title>", "a web page, 'Bad\\n Gateway & more'"),
        ("<html><body>Sorry", "a web page"),
        ("x" * 999, "x" * 300 + "..."),
    ],
)
def test_what_is_quoted(said: Any, told: str) -> None:
    assert errors.quote(said) == told


def test_what_is_nested_deeply_or_huge_is_quoted_soon() -> None:
    deep: Any = "end"
    for _ in range(1000):
        deep = [deep]
    began = time.monotonic()
    assert errors.quote(deep).startswith("[[[[")
    assert errors.quote(" " * 50_000_000 + "x") == "no explanation"
    assert time.monotonic() - began < 10


class TestHeaders:
    MONSTERS = (
        "Thu, 01 Jan 1970 00:00:00 +99999999999999",
        "Thu, 01 Jan 99999999999999999999 00:00:00 GMT",
        "Mon, 01 Jan 0001 00:00:00 +2359",
        "Fri, 31 Dec 9999 23:59:59 -2359",
        "Thu, 99 Foo 2024 99:99:99 GMT",
        "9" * 5000,
        "١٢٣",
        "-1",
        "nan",
        "inf",
        "1e999",
        ",,,",
        "\0",
    )

    @pytest.mark.parametrize("text", MONSTERS)
    def test_monsters(self, text: str) -> None:
        for name in ("Retry-After", "Date"):
            wait = headers.retry_after({"Retry-After": "Thu, 01 Jan 2026 00:00:00 GMT", name: text})
            assert wait is None or wait >= 0
        ServerClock("the server").read({"Date": text})

    @given(some.text() | some.from_regex(r"\w{3}, \d+ \w{3} \d+ \d+:\d+:\d+ [+-]?\w+", fullmatch=True))
    def test_anything(self, text: str) -> None:
        moment = headers.parsed_date(text)
        assert moment is None or moment.tzinfo is UTC
        wait = headers.retry_after({"Retry-After": text, "Date": text})
        assert wait is None or 0 <= wait < 1e12

    def test_both_forms(self) -> None:
        assert headers.retry_after({"Retry-After": " 17.5 "}) == 17.5
        date = "Thu, 01 Jan 2026 00:01:30 GMT"
        told = {"Retry-After": date, "Date": "Thu, 01 Jan 2026 00:00:00 -0000"}
        assert headers.retry_after(told) == 90.0
        assert headers.retry_after({}) is None


class TestClock:
    NOW = datetime.now(UTC)

    def read(self, *dates: datetime | str) -> tuple[timedelta, ServerClock]:
        clock = ServerClock("the server")
        before = clock.sync_start
        for date in dates:
            text = date if isinstance(date, str) else date.strftime("%a, %d %b %Y %H:%M:%S GMT")
            clock.read({"Date": text})
        return clock.sync_start - before, clock

    def test_right_clocks_are_left_alone(self) -> None:
        moved, clock = self.read(datetime.now(UTC))
        assert (moved, clock.is_known) == (timedelta(0), True)

    @pytest.mark.parametrize("hours", [-20, 20])
    def test_two_answers_correct_it(self, hours: int) -> None:
        date = datetime.now(UTC) + timedelta(hours=hours)
        assert self.read(date)[0] == timedelta(0)
        moved, clock = self.read(date, date)
        assert abs(moved - timedelta(hours=hours)) < timedelta(seconds=30)
        assert clock.is_known

    @pytest.mark.parametrize("days", [-20_000, -3, 3, 20_000])
    def test_more_than_a_day_is_not_believed(self, days: int, caplog: pytest.LogCaptureFixture) -> None:
        date = datetime.now(UTC) + timedelta(days=days)
        with caplog.at_level(logging.WARNING):
            moved, clock = self.read(date, date)
        assert (moved, clock.is_known) == (timedelta(0), True)
        assert "set the clock" in caplog.text

    def test_two_answers_that_differ_do_not_agree(self) -> None:
        moved, clock = self.read(self.NOW + timedelta(hours=2), self.NOW + timedelta(hours=5), "nonsense")
        assert (moved, clock.is_known) == (timedelta(0), False)


class TestJson:
    @pytest.mark.parametrize(
        "number", ["9223372036854775807", "9223372036854775808", "-99999999999999999999999999", "18446744073709551616"]
    )
    def test_integers_are_exact(self, number: str) -> None:
        value = json_text.parse(f'{{"a": [{number}]}}'.encode())
        assert value == {"a": [int(number)]}
        assert json_text.dump_line(value) == f'{{"a":[{number}]}}\n'.encode()

    def test_what_no_destination_can_store(self) -> None:
        assert json_text.parse(b'{"a\\ud83d": [NaN, -Infinity, "\\udc00"]}') == {"a�": [None, None, "�"]}

    @pytest.mark.parametrize("content", [b"", b"\xff", b"[", b"[" * 1_000_000, b"{'a': 1}", b"\0" * 100, b" " * 100])
    def test_what_is_not_json(self, content: bytes) -> None:
        with pytest.raises(json_text.NotJson) as caught:
            json_text.parse(content)
        assert "[" not in str(caught.value)

    @pytest.mark.parametrize("within", [b"", b"1", b"99999999999999999999", b'"\\ud800"'])
    @pytest.mark.parametrize("depth", [200, 300, 1000, 1020])
    def test_depth(self, depth: int, within: bytes) -> None:
        content = b"[" * depth + within + b"]" * depth
        written = json_text.dump_line(json_text.parse(content))
        assert (written.count(b"["), written.count(b"]")) == (depth, depth)

    @given(some.recursive(some.none() | some.booleans() | some.integers() | some.text(), some.lists))
    def test_what_is_parsed_can_be_written(self, value: Any) -> None:
        parsed = json_text.parse(json.dumps(value).encode())
        assert json.loads(json_text.dump_line(parsed)) == parsed


class TestSettings:
    @pytest.mark.parametrize(
        "url",
        [
            "http://api.example.com",
            "https://user:hunter22@api.example.com",
            "https://api.example.com/?token=hunter22",
            "https://api.example.com/#hunter22",
            "https://api.example.com:99999/hunter22",
            "https://\\@api.example.com/hunter22",
            "https://api.example.com\\hunter22",
            "http://127.0.0.1\\@evil.example.com/hunter22",
            "http://localhost@evil.example.com/hunter22",
            "http://127.0.0.1.evil.example.com/hunter22",
            "https://api.example.com/hunter22\n",
            "https://api.exa mple.com/hunter22",
            "ftp://api.example.com/hunter22",
            "//api.example.com/hunter22",
            "https:///hunter22",
            "hunter22",
            ["hunter22"],
            7,
        ],
    )
    def test_addresses_that_are_refused_are_not_shown(self, url: Any) -> None:
        with pytest.raises(AirbyteTracedException) as caught:
            config.base_url({"api_url": url}, "api_url", "https://api.example.com")
        assert "hunter22" not in f"{caught.value.message} {caught.value.internal_message}"

    @pytest.mark.parametrize("url", ["https://a.b/c/", "http://127.0.0.1:80", "http://[::1]/x", "HTTP://localhost"])
    def test_addresses_that_are_good(self, url: str) -> None:
        assert config.base_url({"api_url": url}, "api_url", "https://x") == url.rstrip("/")

    @given(some.text())
    def test_any_address_is_read_or_refused(self, text: str) -> None:
        for prefix in ("", "https://", "http://127.0.0.1"):
            config.parsed_url(prefix + text)
            config.is_safe(prefix + text)

    @pytest.mark.parametrize("value", [0, 9, 1.5, True, "3", [], float("nan"), float("inf"), 10**400, {"a": KEY * 99}])
    def test_no_whole_number(self, value: Any) -> None:
        secrets.conceal(KEY)
        with pytest.raises(AirbyteTracedException, match="whole number from 1 to 8") as caught:
            config.whole_number({"n": value}, "n", 2, 1, 8)
        assert len(str(caught.value.message)) < 200
        assert pieces(KEY).isdisjoint(pieces(str(caught.value.message)))

    @pytest.mark.parametrize("value", [None, "", 2, 2.0])
    def test_whole_numbers(self, value: Any) -> None:
        assert config.whole_number({"n": value}, "n", 2, 1, 8) == 2

    @pytest.mark.parametrize("value", ["1969-12-31", "0001-01-01T00:00:00+23:59", "soon", 7, ["2024-01-01"], True])
    def test_no_date(self, value: Any) -> None:
        with pytest.raises(AirbyteTracedException, match="is not a date since 1970"):
            config.start_date({"start_date": value})

    def test_dates(self) -> None:
        assert config.start_date({"start_date": "2024-05-01T02:00:00.5+02:00"}) == datetime(2024, 5, 1, tzinfo=UTC)
        assert config.start_date({"start_date": "9999-12-31T23:59:59Z"}) == datetime(
            9999, 12, 31, 23, 59, 59, tzinfo=UTC
        )
        assert config.start_date({}) is None

    @pytest.mark.parametrize("value", [0, "true", [True]])
    def test_no_switch(self, value: Any) -> None:
        with pytest.raises(AirbyteTracedException, match="true or false"):
            config.yes_or_no({"n": value}, "n")

    def test_switches(self) -> None:
        assert [config.yes_or_no({"n": value}, "n") for value in (None, "", False, True)] == [False, False, False, True]


class TestTimes:
    @given(some.text() | some.datetimes().map(lambda moment: f"{moment.isoformat()}+23:59"))
    def test_any_text(self, text: str) -> None:
        moment = times.parse_or_none(text)
        assert moment is None or moment.tzinfo is UTC
        if moment:
            assert times.parse(times.to_text(moment)) == moment
            following = times.next_second(moment)
            assert following is None or following > moment


class TestRetry:
    class Turn:
        closed = 0

        def refused(self, retry: Retry, seconds: float) -> bool:
            return False

        def close(self) -> None:
            self.closed += 1

    def persist(self, *outcomes: Any, **patience: Any) -> tuple[Any, list[float]]:
        coming, turn = list(outcomes), self.Turn()
        pauses: list[float] = []

        def attempt(_: Any) -> Any:
            outcome = coming.pop(0)
            if isinstance(outcome, Exception):
                raise outcome
            return outcome

        try:
            found: Any = persist(
                lambda: turn, attempt, Patience(**{"tries": 3, **patience}), pauses.append, lambda _: None
            )
        except GivenUp as error:
            found = error
        assert turn.closed == len(outcomes) - len(coming)
        return found, pauses

    def test_what_passes(self) -> None:
        found, pauses = self.persist(Retry("a"), Retry("b", 7.0), "here")
        assert found == "here"
        assert 0.2 < pauses[0] < 0.6
        assert pauses[1] == 7.0

    def test_what_does_not(self) -> None:
        found, pauses = self.persist(Retry("a"), Retry("b"), Retry("c"), "never")
        assert str(found) == "c, 3 times in 0 s"
        assert len(pauses) == 2

    def test_a_limit_is_no_failed_try_but_ends_as_well(self) -> None:
        limits = [Retry("over", 0.0, throttled=True) for _ in range(9)]
        assert self.persist(*limits, "here")[0] == "here"
        assert isinstance(self.persist(*limits, throttled_seconds=-1.0)[0], GivenUp)

    def test_a_pause_that_is_too_long(self) -> None:
        found, _ = self.persist(Retry("a", 9999.0), "never")
        assert found.wait == 9999.0


class TestMachine:
    @pytest.mark.parametrize(
        ("error", "remedy"),
        [
            (MemoryError(), "Give the connector more"),
            (RuntimeError("can't start new thread"), "ulimit -u"),
            (OSError(24, "Too many open files"), "ulimit -n"),
            (OSError(28, "No space left on device"), "TMPDIR"),
            (FileNotFoundError(2, "No usable temporary directory found in ['/tmp']"), "--tmpfs /tmp"),
            (OSError(30, "Read-only file system"), "--tmpfs /tmp"),
        ],
    )
    def test_what_the_machine_lacks_is_no_defect(self, error: Exception, remedy: str) -> None:
        told = errors.defect("Stream users", error)
        assert str(told.message).startswith("Stream users failed: ")
        assert remedy in str(told.message)

    def test_a_defect_quotes_nothing(self) -> None:
        told = errors.defect("Stream users", KeyError("zoe@example.com"))
        assert "zoe" not in f"{told.message}{told.internal_message}"
        assert "Please report it" in str(told.message)

    def test_names(self) -> None:
        assert errors.names(["a", "b"]) == "a, b"
        assert errors.names(["a"] * 1053).endswith("a and 1,003 more")
