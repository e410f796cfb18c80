"""Every spelling of the rate limit headers is understood, and nothing that they hold raises."""

from __future__ import annotations

import itertools
import math
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from source_closeio.http.rate_headers import Allowance, allowance, retry_after


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"RateLimit": "limit=100, remaining=50, reset=5"}, Allowance(100, 50, 5)),
        ({"ratelimit": "limit=160; remaining=159; reset=0.59"}, Allowance(160, 159, 0.59)),
        ({"RATELIMIT": "Limit = 16;Remaining = 0;Reset = 1"}, Allowance(16, 0, 1)),
        ({"ratelimit-limit": "60", "ratelimit-remaining": "59", "ratelimit-reset": "1"}, Allowance(60, 59, 1)),
        (
            {"x-ratelimit-limit": "60, 60;w=1", "x-ratelimit-remaining": "7", "x-ratelimit-reset": "0.5"},
            Allowance(60, 7, 0.5),
        ),
        (
            {"X-Rate-Limit-Limit": "320", "X-Rate-Limit-Remaining": "1", "X-Rate-Limit-Reset": "7.5"},
            Allowance(320, 1, 7.5),
        ),
        ({"RateLimit": "limit=100"}, None),
        ({"RateLimit": "soon"}, None),
        ({}, None),
    ],
)
def test_every_spelling_of_the_headers(headers: dict[str, str], expected: Allowance | None) -> None:
    assert allowance(CaseInsensitiveDict(headers)) == expected


@pytest.mark.parametrize(
    ("headers", "body", "seconds"),
    [
        ({"RateLimit": "limit=100, remaining=0, reset=2.25", "Retry-After": "3"}, None, 2.25),
        ({"RateLimit": "limit=100, remaining=50, reset=1", "Retry-After": "60"}, None, 60),
        ({"Retry-After": "7"}, None, 7),
        ({}, {"rate_reset": "0.595956", "rate_limit": 320}, 0.595956),
        ({}, {"error": {"rate_reset": 4}}, 4),
        ({}, {"error": "slow down"}, None),
        ({}, "<html>", None),
        ({"Retry-After": "soon"}, None, None),
    ],
)
def test_every_way_to_say_how_long_to_wait(headers: dict[str, str], body: Any, seconds: float | None) -> None:
    assert retry_after(CaseInsensitiveDict(headers), body) == seconds


def test_retry_after_may_be_a_date() -> None:
    when = format_datetime(datetime.now(UTC) + timedelta(seconds=30), usegmt=True)

    assert 27 < (retry_after(CaseInsensitiveDict({"Retry-After": when}), None) or 0) <= 30


@pytest.mark.parametrize("header", ["limit=100, remaining=0, reset=86400", "limit=100, remaining=0, reset=4102444800"])
def test_a_reset_beyond_reason_is_not_believed(header: str) -> None:
    assert allowance(CaseInsensitiveDict({"RateLimit": header})) is None


ODD_NUMBERS = [
    "",
    " ",
    "-1",
    "-0",
    "+5",
    "1e5",
    "1E400",
    "nan",
    "inf",
    "-inf",
    "Infinity",
    "0x10",
    "1_000",
    "1.2.3",
    ".",
]
ODD_NUMBERS += [
    "5.",
    ".5",
    "\u0663",
    "\u00b2",
    "\uff15",
    "1" * 16,
    "9" * 400,
    "9" * 5000,
    "1." + "0" * 400,
    "5\x00",
    "\n5",
]
NAMES = ("limit", "remaining", "reset")
ODD_VALUES: list[Any] = [
    10**400,
    10**5000,
    -(10**400),
    1e300,
    float("nan"),
    float("inf"),
    -1,
    -0.5,
    True,
    None,
    [],
    {},
    b"5",
]


def believable(found: Allowance | None) -> bool:
    return found is None or all(
        math.isfinite(value) and value >= 0 for value in (found.limit, found.remaining, found.reset)
    )


@pytest.mark.parametrize("odd", ODD_NUMBERS)
def test_odd_numbers_in_headers_are_left_alone(odd: str) -> None:
    for texts in itertools.product([odd, "5"], repeat=3):
        pairs = dict(zip(NAMES, texts, strict=True))
        combined = {"RateLimit": ", ".join(f"{name}={text}" for name, text in pairs.items())}
        family = {f"X-RateLimit-{name}": text for name, text in pairs.items()}
        for headers in (combined, family, {"Retry-After": odd}, combined | family | {"Retry-After": odd}):
            assert believable(allowance(CaseInsensitiveDict(headers)))
            wait = retry_after(CaseInsensitiveDict(headers), {"rate_reset": odd})
            assert wait is None or (math.isfinite(wait) and wait >= 0)


@pytest.mark.parametrize("text", [f"Wed, 21 Oct {odd} 07:28:00 GMT" for odd in ODD_NUMBERS] + ["Wed, 99 Oct 2026", "0"])
def test_odd_dates_in_retry_after_are_left_alone(text: str) -> None:
    wait = retry_after(CaseInsensitiveDict({"Retry-After": text}), None)

    assert wait is None or (math.isfinite(wait) and wait >= 0)


@pytest.mark.parametrize("value", ODD_VALUES, ids=[type(value).__name__ + str(n) for n, value in enumerate(ODD_VALUES)])
def test_odd_values_in_bodies_are_left_alone(value: Any) -> None:
    for body in ({"rate_reset": value}, {"error": {"rate_reset": value}}, {"error": value}, value):
        assert retry_after(CaseInsensitiveDict({}), body) is None
