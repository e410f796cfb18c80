"""The allowance is neither passed nor wasted."""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial
from heapq import heappop, heappush

import pytest
from simulator import CloseSimulator, Settings
from source_closeio.http.rate_headers import Allowance
from source_closeio.http.rate_limit import Limiter, Turn
from unit_tests.syncs import sync


@dataclass
class Bucket:
    """`limit` requests in `window` seconds, in simulated time: "fixed" windows, windows that begin with a request, as
    many "tokens" that flow back, or a window that slides along."""

    limit: int
    window: float
    kind: str
    used: float = 0.0
    since: float = 0.0
    accepted: deque[float] = field(default_factory=deque)

    def refresh(self, now: float) -> None:
        if self.kind == "tokens":
            self.used = max(0.0, self.used - (now - self.since) * self.limit / self.window)
            self.since = now
        elif self.kind == "sliding":
            while self.accepted and now - self.accepted[0] >= self.window:
                self.accepted.popleft()
            self.used = len(self.accepted)
        elif now - self.since >= self.window:
            self.used = 0.0
            self.since = now if self.kind == "begun" else now - (now - self.since) % self.window

    def count(self, now: float) -> None:
        self.used += 1
        self.accepted.append(now)

    def says(self, now: float) -> Allowance:
        left = math.floor(self.limit - self.used + 1e-9)
        if self.kind == "tokens":
            return Allowance(self.limit, left, (self.used if left else 1) * self.window / self.limit)
        since = (self.accepted or [now])[0] if self.kind == "sliding" else self.since
        return Allowance(self.limit, left, since + self.window - now)


@dataclass
class Server:
    """Groups of endpoints, each with a bucket, and one three times as large for all; `tells` of one of the two."""

    groups: list[Bucket]
    organization: Bucket
    tells: str

    def ask(self, group: int, now: float) -> tuple[Allowance | None, Allowance | None]:
        """The headers of the answer; and those that speak of the empty bucket, if it is a 429."""
        buckets = (self.groups[group], self.organization)
        for bucket in buckets:
            bucket.refresh(now)
        empty = next((bucket.says(now) for bucket in buckets if bucket.says(now).remaining < 1), None)
        if not empty:
            for bucket in buckets:
                bucket.count(now)
        closest = min((bucket.says(now) for bucket in buckets), key=lambda said: said.remaining / said.limit)
        told = {"the closest": closest, "its own": buckets[0].says(now), "nothing": None}.get(self.tells, closest)
        if told and self.tells == "whole seconds":
            told = replace(told, reset=math.ceil(told.reset))
        return told, empty


@dataclass
class Crowd:
    """So many workers, that ask the server as fast as the limiters let them, for a simulated minute or two."""

    server: Server
    workers: int
    latency: float
    now: float = 0.0
    answered: int = 0
    refused: int = 0

    def __post_init__(self) -> None:
        self._limiters = [Limiter(lambda: self.now) for _ in self.server.groups]
        self._organization = Limiter(lambda: self.now, alone_first=False)
        self._to_come: list[tuple[float, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def work(self, seconds: float) -> None:
        for worker in range(self.workers):
            self._begin(worker % len(self._limiters))
        while self.now < seconds:
            self.now, _, what = heappop(self._to_come)
            what()

    def _in(self, seconds: float, what: Callable[[], None]) -> None:
        heappush(self._to_come, (self.now + seconds, next(self._numbers), what))

    def _begin(self, group: int) -> None:
        self._go_on(group, Turn(self._limiters[group], self._organization))

    def _go_on(self, group: int, turn: Turn) -> None:
        if wait := turn.wait():
            self._in(wait, partial(self._go_on, group, turn))
        else:
            turn.sends()
            self._in(self.latency / 2, partial(self._arrive, group, turn))

    def _arrive(self, group: int, turn: Turn) -> None:
        self._in(self.latency / 2, partial(self._hear, group, turn, *self.server.ask(group, self.now)))

    def _hear(self, group: int, turn: Turn, told: Allowance | None, empty: Allowance | None) -> None:
        if empty:
            self.refused += 1
            turn.refused(told, math.ceil(empty.reset))  # as Retry-After says it
        else:
            self.answered += 1
            turn.answered(told)
        self._begin(group)


@pytest.mark.parametrize(
    ("tells", "used", "refused"),
    [("the closest", 0.9, 0.01), ("its own", 0.7, 0.02), ("whole seconds", 0.8, 0.01), ("nothing", 0.4, 0.01)],
)
@pytest.mark.parametrize("kind", ["fixed", "tokens"])
@pytest.mark.parametrize(("limit", "window"), [(20, 1.0), (160, 8.0)])
@pytest.mark.parametrize(("groups", "workers", "latency"), [(1, 4, 0.1), (1, 16, 0.3), (5, 20, 0.1)])
def test_the_allowance_is_used_and_not_passed(
    tells: str,
    used: float,
    refused: float,
    kind: str,
    limit: int,
    window: float,
    groups: int,
    workers: int,
    latency: float,
) -> None:
    buckets = [Bucket(limit, window, kind, since=-0.3 * number) for number in range(groups)]
    crowd = Crowd(Server(buckets, Bucket(3 * limit, window, kind), tells), workers, latency)

    crowd.work(seconds=200)

    possible = 200 * min(limit / window * min(groups, 3), workers / latency)
    assert crowd.refused <= refused * crowd.answered
    assert crowd.answered >= used * possible


@pytest.mark.parametrize(("kind", "used"), [("fixed", 0.97), ("begun", 0.97), ("tokens", 0.97), ("sliding", 0.93)])
@pytest.mark.parametrize(("limit", "window"), [(20, 1.0), (160, 8.0)])
@pytest.mark.parametrize("latency", [0.0, 0.05, 0.1])
def test_what_the_headers_tell_is_used_to_the_full(
    kind: str, used: float, limit: int, window: float, latency: float
) -> None:
    for workers in (1, 4, 32):
        bucket = Bucket(limit, window, kind, since=-0.3)
        crowd = Crowd(Server([bucket], Bucket(3 * limit, window, kind), "its own"), workers, latency)

        crowd.work(seconds=60)

        possible = 60 * min(limit / window, workers / latency if latency else math.inf)
        assert crowd.answered >= used * possible, workers
        assert crowd.refused <= 0.005 * crowd.answered, workers


@pytest.mark.parametrize("kind", ["fixed", "begun", "tokens"])
@pytest.mark.parametrize(("limit", "window"), [(20, 1.0), (160, 8.0)])
@pytest.mark.parametrize("latency", [0.0, 0.05, 0.1])
def test_many_groups_use_the_organization_s_limit_to_the_full(
    kind: str, limit: int, window: float, latency: float
) -> None:
    buckets = [Bucket(limit, window, kind, since=-0.3 * number) for number in range(5)]
    crowd = Crowd(Server(buckets, Bucket(3 * limit, window, kind), "the closest"), 25, latency)

    crowd.work(seconds=60)

    assert crowd.answered >= 0.97 * 60 * 3 * limit / window
    assert crowd.refused <= 0.005 * crowd.answered


def test_a_429_holds_back_the_whole_group_and_then_one_goes_first() -> None:
    now = [0.0]
    limiter = Limiter(clock=lambda: now[0])
    ticket = limiter.take()[1]
    limiter.refuse(ticket, 5.0, None)

    assert limiter.take() == (5.0, 0)
    now[0] = 5.0
    first = limiter.take()[1]
    assert first
    assert limiter.take()[1] == 0
    limiter.accept(first, Allowance(20, 15, 0.9))
    now[0] = 5.1  # what is left is spread over the time that is left
    assert limiter.take()[1]


def test_refusals_that_have_nothing_to_do_with_the_pace_do_not_slow_it_down_for_ever() -> None:
    now = [0.0]
    limiter = Limiter(clock=lambda: now[0])
    for number in range(1, 1000):
        while not (ticket := limiter.take()[1]):
            now[0] += 0.01
        if number % 20:
            limiter.accept(ticket, None)
        else:
            limiter.refuse(ticket, 0.1, None)

    assert [limiter.take()[0] for _ in range(3)] == [0, 0, 0]


def test_a_sync_at_a_limit_meets_hardly_any_429() -> None:
    for algorithm in ("window", "token"):
        with CloseSimulator(Settings(activities=6000, rate=50, latency_ms=20, algorithm=algorithm)) as sim:
            result = sync(sim, "activities", "tasks", num_workers=16)

            refused = [request for request in sim.requests if request.status == 429]
            assert len(refused) <= len(sim.requests) / 100
            assert len(result.table("activities")) == 6000
