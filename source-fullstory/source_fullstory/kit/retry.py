"""Tries again what time may mend, and gives it up in the end."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, TypeVar

Result = TypeVar("Result")

_SHORTEST_PAUSE_SECONDS = 0.1


class Retry(Exception):
    """This try failed in a way that time may mend.

    `wait` is how many seconds the server asked to wait; `throttled` that it did so by a rate limit (429), which is no
    failed try.
    """

    def __init__(self, problem: str, wait: float | None = None, *, throttled: bool = False) -> None:
        self.problem = problem
        self.wait = wait
        self.throttled = throttled
        super().__init__(problem)


class GivenUp(Exception):
    """Retried in vain. `problem` is that of the last try; `wait` how long the server asked to wait, if that was too
    long."""

    def __init__(self, problem: str, tries: int, seconds: float, wait: float | None = None) -> None:
        self.problem = problem
        self.wait = wait
        super().__init__(f"{problem}, {tries} {'time' if tries == 1 else 'times'} in {seconds:.0f} s")


@dataclass(frozen=True, slots=True)
class Patience:
    """When to give up: after `tries` failures, when `seconds` have passed at a failure, when a rate limit has held
    for `throttled_seconds`, or when the server asks to wait for more than `longest_wait` seconds. Where it does not
    say how long to wait, pauses grow from `first_pause` to `longest_pause` seconds."""

    tries: int
    seconds: float = float("inf")
    throttled_seconds: float = float("inf")
    longest_wait: float = 3600.0
    first_pause: float = 0.5
    longest_pause: float = 30.0

    def backoff(self, tries: int) -> float:
        """Exponential, with jitter so that workers that failed together do not come back together."""
        pause = min(self.longest_pause, self.first_pause * 2.0 ** min(tries - 1, 10))
        return pause * random.uniform(0.5, 1.0)  # noqa: S311 - spreads load, guards nothing


@dataclass(frozen=True, slots=True)
class Timing:
    """How long is waited for what, in seconds; tests are in more of a hurry."""

    patience: Patience
    check_patience: Patience = Patience(tries=3, seconds=20.0, longest_wait=20.0)
    """Where a person waits."""
    silence: float = 60.0
    """The longest pause between two pieces of an answer."""
    answer: float = 300.0
    """The longest time for a whole answer."""


class Turn(Protocol):
    """One request's place under a rate limit."""

    def refused(self, retry: Retry, seconds: float) -> bool:
        """The server told this request to wait. Returns whether the limit now holds all requests of its kind back,
        so that this one need not sleep by itself."""

    def close(self) -> None:
        """The request is over, however it ended."""


Place = TypeVar("Place", bound=Turn)


@dataclass(slots=True)
class Tries:
    """The tries of one request so far."""

    patience: Patience
    failures: int = 0
    throttles: int = 0
    began: float = 0.0
    throttled_since: float | None = None

    def pause_after(self, retry: Retry) -> float:
        """Count a failed try; how many seconds to wait for the next one."""
        now = time.monotonic()
        self.throttles += retry.throttled
        self.failures += not retry.throttled
        self.throttled_since = (self.throttled_since or now) if retry.throttled else None
        pause = self.patience.backoff(self.failures + self.throttles) if retry.wait is None else retry.wait
        return max(_SHORTEST_PAUSE_SECONDS, pause) if retry.wait is not None else pause

    def check(self, retry: Retry, pause: float) -> None:
        """Raise GivenUp if it is not worth going on."""
        now = time.monotonic()
        held = now - self.throttled_since if self.throttled_since else 0.0
        too_long = pause > self.patience.longest_wait
        spent = now - self.began > self.patience.seconds
        if too_long or spent or self.failures >= self.patience.tries or held > self.patience.throttled_seconds:
            tries = self.failures + self.throttles
            raise GivenUp(retry.problem, tries, now - self.began, pause if too_long else None) from retry


def persist(
    take_turn: Callable[[], Place],
    attempt: Callable[[Place], Result],
    patience: Patience,
    pause: Callable[[float], None],
    tell: Callable[[str], None],
) -> Result:
    """What `attempt` returns, which is called again as long as it raises Retry and patience lasts.

    `pause` sleeps, `tell` writes to the log. Raises GivenUp, and whatever else these functions raise.
    """
    tries = Tries(patience)
    while True:
        turn = take_turn()
        tries.began = tries.began or time.monotonic()  # waiting for the first turn is nobody's failure
        try:
            return attempt(turn)
        except Retry as retry:
            seconds = tries.pause_after(retry)
            # All requests of this kind wait, not just this one, even if it gives up now.
            is_held = seconds <= patience.longest_wait and turn.refused(retry, seconds)
            tries.check(retry, seconds)
            tell(f"{retry.problem}; next try in {seconds:.1f} s")
        finally:
            turn.close()
        if not is_held:
            pause(seconds)
