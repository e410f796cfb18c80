"""Rate limits: every spelling is understood, and the allowance is neither passed nor wasted."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from requests.structures import CaseInsensitiveDict
from simulator import CloseSimulator, Settings
from source_closeio.rate_limit import Allowance, Limiter, allowance, retry_after
from unit_tests.syncs import sync


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


class Server:
    """A fixed window of `limit` requests, as Close's, in simulated time."""

    def __init__(self, limit: int, window: float) -> None:
        self.limit, self.window = limit, window
        self.now = 0.0
        self.count: dict[int, int] = {}
        self.refused = 0

    def ask(self) -> Allowance | None:
        """None is a 429."""
        number = int(self.now // self.window)
        self.count[number] = self.count.get(number, 0) + 1
        if self.count[number] > self.limit:
            self.refused += 1
            return None
        return Allowance(self.limit, self.limit - self.count[number], (number + 1) * self.window - self.now)


@pytest.mark.parametrize(("limit", "window"), [(20, 1.0), (160, 8.0), (16, 1.0), (600, 15.0)])
@pytest.mark.parametrize("latency", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("workers", [4, 32])
def test_the_allowance_is_used_and_not_passed(limit: int, window: float, latency: float, workers: int) -> None:
    server = Server(limit, window)
    limiter = Limiter(clock=lambda: server.now)
    flying: deque[tuple[float, int, Allowance | None]] = deque()
    answered = 0
    while server.now < 60:
        while flying and flying[0][0] <= server.now:
            _, ticket, said = flying.popleft()
            if said:
                answered += 1
                limiter.learn(ticket, said)
            else:
                limiter.refuse(ticket, 1.0)
        if len(flying) < workers and (ticket := limiter.take()[1]):
            flying.append((server.now + latency, ticket, server.ask()))
        else:
            server.now += 0.002

    possible = 60 * min(limit / window, workers / latency)
    assert server.refused <= answered / 100
    assert answered >= 0.9 * possible


def test_a_429_holds_back_the_whole_group_and_then_one_goes_first() -> None:
    now = [0.0]
    limiter = Limiter(clock=lambda: now[0])
    ticket = limiter.take()[1]
    limiter.refuse(ticket, 5.0)

    assert limiter.take() == (5.0, 0)
    now[0] = 5.0
    first = limiter.take()[1]
    assert first
    assert limiter.take()[1] == 0
    limiter.learn(first, Allowance(20, 15, 1))
    assert limiter.take()[1]


def test_a_sync_at_a_limit_meets_hardly_any_429() -> None:
    for algorithm in ("window", "token"):
        with CloseSimulator(Settings(activities=6000, rate=50, latency_ms=20, algorithm=algorithm)) as sim:
            result = sync(sim, "activities", "tasks", num_workers=16)

            refused = [request for request in sim.requests if request.status == 429]
            assert len(refused) <= len(sim.requests) / 100
            assert len(result.table("activities")) == 6000


@pytest.mark.parametrize("header", ["limit=100, remaining=0, reset=86400", "limit=100, remaining=0, reset=4102444800"])
def test_a_reset_beyond_reason_is_not_believed(header: str) -> None:
    assert allowance(CaseInsensitiveDict({"RateLimit": header})) is None
