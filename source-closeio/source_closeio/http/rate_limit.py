"""Keeping within Close's rate limits, so that a 429 is rare and nothing of the allowance is wasted.

Close counts requests per endpoint group and API key, and those of all groups and keys per organization, where three
times as many are allowed (https://developer.close.com/topics/rate-limits/). Each bucket has a Limiter:

    Turn -> Limiter of the endpoint group  -> Window: what the headers tell (limit, remaining, reset)
         -> Limiter of the organization    -> Pace: what refusals teach
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from threading import Lock

from source_closeio.http.pace import Pace, Refusal
from source_closeio.http.rate_headers import Allowance
from source_closeio.http.rate_window import Window

# name                    value   unit      why
_POLL = 0.01  #                   seconds   between two looks whether the request that goes first was answered
_LONGEST_ALONE = 2.0  #           seconds   an answer may take minutes; then others go as well
_LARGER = 1.5  #                  factor    the organization's limit is three times the key's


class Limiter:
    """One bucket, shared by all threads.

    `take` tells how long to wait before asking again, or gives a ticket, which goes back with the outcome: to
    `accept`, `refuse` or `lose`.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, alone_first: bool = True) -> None:
        self._clock = clock
        self._lock = Lock()
        self._window = Window()
        self._pace = Pace()
        self._own_limit = float("inf")
        self._tickets = 0
        self._taken_at = float("-inf")
        self._sent_at: dict[int, float] = {}
        self._blocked_until = float("-inf")
        self._refused_at = float("-inf")
        self._one_first = alone_first  # until an answer comes, one request at a time

    def take(self) -> tuple[float, int]:
        """(0.0, ticket) when the request may go now, else (seconds to wait, 0)."""
        with self._lock:
            now = self._clock()
            wait = self._wait(now)
            if wait > 0:
                return wait, 0
            self._tickets += 1
            self._taken_at = self._sent_at[self._tickets] = now
            self._window.take(self._tickets, now)
            return 0.0, self._tickets

    def send(self, ticket: int) -> None:
        """The request goes out now (it had to wait for something else, after it got its ticket)."""
        with self._lock:
            self._sent_at[ticket] = self._clock()
            self._window.send(ticket, self._sent_at[ticket])

    def accept(self, ticket: int, told: Allowance | None) -> None:
        """The request was not refused; `told` is what the answer tells of this bucket, if it does."""
        with self._lock:
            self._one_first = False
            self._pace.accept(self._sent_at.pop(ticket))
            if told:
                self._window.hear(ticket, told, self._clock())
            else:
                self._window.count(ticket)

    def refuse(self, ticket: int, seconds: float, told: Allowance | None) -> None:
        """The answer was a 429: nothing goes out for so many seconds, and then one request first."""
        with self._lock:
            now = self._clock()
            if self._sent_at.pop(ticket) > self._refused_at:  # the first of those that were under way together
                self._learn(now, seconds, told)
            if told:
                self._window.hear(ticket, told, now)
            else:
                self._window.lose(ticket)
            self._blocked_until = max(self._blocked_until, now + seconds)
            self._one_first = True

    def _learn(self, now: float, seconds: float, told: Allowance | None) -> None:
        self._refused_at = now
        foretold = told is not None and told.remaining < 1
        too_early = self._window.expected and (foretold or not told)
        if not (too_early and self._window.widen_margin()):
            self._pace.refuse(Refusal(now, seconds, self._window.interval, foretold))

    def lose(self, ticket: int) -> None:
        """No answer came, or it was about another bucket."""
        with self._lock:
            del self._sent_at[ticket]
            self._window.lose(ticket)

    def is_own(self, told: Allowance) -> bool:
        """Whether this is about the group's bucket. The organization's is larger, and used by others: by more
        requests than this group has sent."""
        with self._lock:
            if told.limit - told.remaining <= self._tickets:
                self._own_limit = min(self._own_limit, told.limit)
            return told.limit < _LARGER * self._own_limit < float("inf")

    def forget(self, limit: float) -> None:
        """A bucket of this limit was taken for this one, and is another."""
        with self._lock:
            if self._window.limit == limit:
                self._window.forget()

    def _wait(self, now: float) -> float:
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._one_first:
            alone = not self._sent_at or now - self._taken_at > _LONGEST_ALONE
            return 0.0 if alone else _POLL
        return max(self._taken_at + self._pace.interval - now, self._window.wait(now))


class Turn:
    """Leave to send one request: its group's limiter has to give it, and the organization's.

    Headers tell of the bucket that is closest to exhaustion, so of the organization's only now and then; between
    that, its limiter goes by what is sent from here.
    """

    def __init__(self, group: Limiter, organization: Limiter) -> None:
        self._limiters = (group, organization)
        self._tickets: list[int] = []

    def wait(self) -> float:
        """Seconds after which to ask again; 0.0 when the request may go."""
        for limiter in self._limiters[len(self._tickets) :]:
            seconds, ticket = limiter.take()
            if not ticket:
                return seconds
            self._tickets.append(ticket)
        return 0.0

    def sends(self) -> None:
        """The request goes out now (it may have had to wait for something else)."""
        for limiter, ticket in self._taken():
            limiter.send(ticket)

    def lost(self) -> None:
        """No answer came, or the request was not sent at all."""
        for limiter, ticket in self._taken():
            limiter.lose(ticket)

    def answered(self, told: Allowance | None) -> None:
        """The request was accepted."""
        subject = self._subject(told)
        for limiter, ticket in self._taken():
            limiter.accept(ticket, told if limiter is subject else None)

    def refused(self, told: Allowance | None, seconds: float) -> None:
        """The request was one too many: nothing of that bucket goes out for so many seconds."""
        subject = self._subject(told)
        for limiter, ticket in self._taken():
            if limiter is subject:
                limiter.refuse(ticket, seconds, told)
            else:
                limiter.lose(ticket)

    def _subject(self, told: Allowance | None) -> Limiter:
        """The limiter of the bucket that the headers tell of; the group's where they tell nothing."""
        group, organization = self._limiters
        if told and not group.is_own(told):
            return organization
        if told:
            organization.forget(told.limit)
        return group

    def _taken(self) -> Iterator[tuple[Limiter, int]]:
        return zip(self._limiters, self._tickets, strict=False)  # a turn may be given up while it waits for the second
