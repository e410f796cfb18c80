"""Rate limits: reading what Close says about them, and keeping within them.

Close counts requests per endpoint group and API key, and those of all groups and keys per organization, and says in
every response how many are left (https://developer.close.com/topics/rate-limits/). A limiter spreads what is left over
the time that is left, so that a 429 is rare, while nothing of the allowance is wasted.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock
from typing import Any

_PAIR = re.compile(r"(limit|remaining|reset)\s*=\s*(\d+(?:\.\d+)?)", re.IGNORECASE)
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_EPOCH = 1e6
_UNKNOWN = float("inf")
_LONGEST_PERIOD_SECONDS = 600.0
_PROBE_SECONDS = 0.01
_FIRST_ANSWER_SECONDS = 2.0
_MARGIN_SECONDS = 0.01
_CATCH_UP_SECONDS = 0.01  # threads wake up late
_ENOUGH_TO_TELL = 10  # requests from which a pace can be told
_SLOW_DOWN = 1.1
_QUICKENING = 5e-7  # for each request since the last refusal
_QUICKENING_FORETOLD = 1e-5  # headers will prevent the next refusal, as a rule
_MOST_QUICKENING = 0.005
_SLOWEST_PACE = 1.0
_WORTH_A_REFUSAL = 100  # requests: one refusal in so many is what Close may well have to answer
_MOST_IN_VAIN = 12


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a response says of its group: `remaining` of `limit` requests until `reset` seconds from now."""

    limit: float
    remaining: float
    reset: float


def allowance(headers: Mapping[str, str]) -> Allowance | None:
    """Read the RateLimit header (`limit=100, remaining=50, reset=5`, with commas or semicolons), else its
    older family of three; None where neither is complete."""
    found = {name.lower(): float(value) for name, value in _PAIR.findall(headers.get("RateLimit", ""))}
    if len(found) < 3:
        for prefix in ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-"):
            texts = {name: headers.get(prefix + name, "") for name in ("limit", "remaining", "reset")}
            numbers = {name: _NUMBER.match(text.strip()) for name, text in texts.items()}
            found = {name: float(number.group()) for name, number in numbers.items() if number}
            if len(found) == 3:
                break
    if len(found) < 3 or found["limit"] < 1:
        return None
    # Some gateways give the reset as a time of day.
    reset = found["reset"] if found["reset"] < _EPOCH else max(0.0, found["reset"] - time.time())
    return Allowance(found["limit"], found["remaining"], reset) if reset <= _LONGEST_PERIOD_SECONDS else None


def retry_after(headers: Mapping[str, str], body: Any) -> float | None:
    """Seconds that a refused request has to wait, from wherever Close says it; None where it does not.

    Retry-After is the RateLimit header's reset rounded up, so the reset is exact; where Retry-After is
    clearly longer it speaks of another bucket and rules. The body's `rate_reset` is deprecated since 2024.
    """
    said = allowance(headers)
    exact = said.reset if said else None
    rounded = _retry_after_header(headers.get("Retry-After"))
    if rounded is not None:
        return exact if exact is not None and rounded - 1 < exact else rounded
    return exact if exact is not None else _rate_reset(body)


def _retry_after_header(text: str | None) -> float | None:
    if text is None:
        return None
    if _NUMBER.fullmatch(text.strip()):
        return float(text)
    try:
        return max(0.0, (parsedate_to_datetime(text).astimezone(UTC) - datetime.now(UTC)).total_seconds())
    except ValueError:
        return None


def _rate_reset(body: Any) -> float | None:
    """`rate_reset` stood at the top of the body, or under `error`; as a number, or as a text."""
    nested = body.get("error") if isinstance(body, dict) else None
    for place in (body, nested):
        value = place.get("rate_reset") if isinstance(place, dict) else None
        if isinstance(value, int | float | str) and _NUMBER.fullmatch(str(value)):
            return float(value)
    return None


class _Pace:
    """The pace that refusals teach: Close has limits that it does not tell of, others use up the organization's, and a
    gateway may strip the headers. Without refusals it quickens, slowly, for each try of a faster one costs some."""

    def __init__(self) -> None:
        self.seconds = 0.0
        """Between two requests; 0 as long as nothing was refused."""
        self._quickening = _QUICKENING
        self._in_vain = 0
        self._let_in = 0
        self._since: float | None = None

    def let_in(self, sent_at: float) -> None:
        self._since = sent_at if self._since is None else self._since
        self._let_in += 1
        self.seconds *= 1 - min(_MOST_QUICKENING, self._quickening * self._let_in)

    def refused(self, now: float, pause: float, told: float | None, *, foretold: bool) -> None:
        """`told` is the pace that headers tell of, if they do; `foretold`: they told of this refusal as well."""
        self._quickening = _QUICKENING_FORETOLD if foretold else _QUICKENING
        self._in_vain = 0 if self._let_in >= _WORTH_A_REFUSAL else self._in_vain + 1
        soon = self._since is None or self._let_in < _ENOUGH_TO_TELL
        slower = (2.0 if soon and not foretold else _SLOW_DOWN) * self.seconds
        if self._in_vain > _MOST_IN_VAIN:  # the pace is not the reason
            self.seconds = 0.0
        elif told or soon or self._since is None:
            self.seconds = min(max(told or 0.0, slower), _SLOWEST_PACE)
        else:
            taught = _SLOW_DOWN * (now + pause - self._since) / self._let_in
            self.seconds = min(taught, 2 * self.seconds or taught, _SLOWEST_PACE)
        self._let_in, self._since = 0, now + pause


class Limiter:
    """One endpoint group's allowance, shared by all threads.

    `take` answers how long to wait before asking again, or gives a ticket, which goes back with the
    response's headers to `learn`. Tickets are numbered, so that an answer which was overtaken by a newer one
    does not count, and so that requests sent after the one that is answered are known to be uncounted in it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic, *, alone_first: bool = True) -> None:
        self._clock = clock
        self._lock = Lock()
        self._alone_first = alone_first
        self._own_limit = _UNKNOWN
        self._sent = 0
        self._last_sent = float("-inf")
        self._sent_at: dict[int, float] = {}
        self._answered = 0  # number of the newest ticket whose answer is known
        self._known: Allowance | None = None
        self._resets_at = 0.0
        self._period = 1.0  # the longest reset that was seen
        self._renewed = False  # the period is over by our clock, and no answer has said so yet
        self._margin = _MARGIN_SECONDS
        self._blocked_until = 0.0
        self._pace = _Pace()
        self._due = float("-inf")  # when the next request may go, at an even pace
        self._rounded = False  # whether resets come in whole seconds
        self._probing = False  # after a 429: one request at a time until an answer says how much is left

    def take(self) -> tuple[float, int]:
        """(0.0, ticket) when the request may go now, else (seconds to wait, 0)."""
        with self._lock:
            now = self._clock()
            wait = self._wait(now)
            if wait > 0:
                return wait, 0
            self._sent += 1
            self._last_sent = self._sent_at[self._sent] = now
            self._due = max(self._due, now - _CATCH_UP_SECONDS) + self._even_pace()
            return 0.0, self._sent

    def sends(self, ticket: int) -> None:
        """The request goes out now (it had to wait for something else, after it got its ticket)."""
        with self._lock:
            self._sent_at[ticket] = self._clock()

    def is_own(self, said: Allowance) -> bool:
        """Whether this is about the group's bucket. The organization's is three times as large, and used by others:
        by more requests than this group has sent."""
        with self._lock:
            if said.limit - said.remaining <= self._sent:
                self._own_limit = min(self._own_limit, said.limit)
            return said.limit < 1.5 * self._own_limit < _UNKNOWN

    def forget(self, limit: float) -> None:
        """A bucket of this limit was taken for this one, and is another."""
        with self._lock:
            if self._known and self._known.limit == limit:
                self._known = None

    def learn(self, ticket: int, said: Allowance | None) -> None:
        """Take in the answer to a request that was not refused; None if it said nothing about this bucket."""
        with self._lock:
            self._probing = False
            sent_at = self._sent_at.pop(ticket)
            self._pace.let_in(sent_at)
            if ticket <= self._answered or (self._known and not said):
                return  # overtaken by a newer answer, or by a new period; or still to be counted
            self._answered = ticket
            if said:
                self._learn_reset(said, sent_at)
                self._known = said
                self._renewed = False

    def _learn_reset(self, said: Allowance, sent_at: float) -> None:
        # Counted from when the request went out, for the next one takes as long to arrive.
        resets_at = sent_at + said.reset + self._margin
        self._rounded = said.reset == int(said.reset)
        if self._rounded:
            # Rounded: the true reset is up to a second off. Within a period, the earliest is the best guess.
            resets_at = sent_at + max(said.reset, 1.0) + self._margin
            same_period = self._known and not self._renewed and said.remaining < self._known.remaining
            resets_at = min(resets_at, self._resets_at) if same_period else resets_at
        self._resets_at = resets_at
        self._period = max(self._period, said.reset)

    def refuse(self, ticket: int, seconds: float, said: Allowance | None) -> None:
        """Take in a 429: nothing of this group goes out for so many seconds, and then one request first."""
        with self._lock:
            sent_at = self._sent_at.pop(ticket)
            if said and self._known is None:  # refusals are the only news of this bucket: keep to what they say
                self._learn_reset(said, sent_at)
                self._known = said
            self._answered = max(self._answered, ticket)
            now = self._clock()
            if now >= self._blocked_until:
                told = self._period / self._known.limit if self._known else None
                self._pace.refused(now, seconds, told, foretold=bool(said and said.remaining < 1))
            if (
                self._renewed
            ):  # too early: from now on, wait longer for the next reset, which was rounded down or is late
                self._margin = min(1.0, self._margin + 0.25) if self._rounded else min(0.04, self._margin + 0.01)
            self._blocked_until = max(self._blocked_until, now + seconds)
            self._probing = True

    def lost(self, ticket: int) -> None:
        """No answer came."""
        with self._lock:
            del self._sent_at[ticket]

    def _wait(self, now: float) -> float:
        if now < self._blocked_until:
            return self._blocked_until - now
        if self._probing or (self._alone_first and self._answered == 0):
            # The first request goes alone: its answer tells how many may follow.
            alone = not self._sent_at or now - self._last_sent > _FIRST_ANSWER_SECONDS
            return 0.0 if alone else _PROBE_SECONDS
        return max(self._due - now, self._wait_for_told(now))

    def _even_pace(self) -> float:
        """Seconds from one request to the next, where no more is known; 0 where the headers say it all."""
        told = self._period / self._known.limit if self._known and self._rounded else 0.0
        return max(told, self._pace.seconds)

    def _wait_for_told(self, now: float) -> float:
        if self._known is None:
            return 0.0
        if now >= self._resets_at:
            # A new period begins, or so it should be: until an answer says so, the requests keep an even pace. One of
            # the last period may have come late, and count in this.
            self._known = Allowance(self._known.limit, max(1.0, self._known.limit - 1), self._period)
            self._resets_at = now + self._period
            self._answered = self._sent
            self._renewed = True
        available = self._known.remaining - (self._sent - self._answered)
        if available < 1:
            return self._resets_at - now
        if self._rounded:  # what is left is not known to be for how long
            return 0.0
        if available > self._known.limit / 2 and not self._renewed:
            return 0.0
        return self._last_sent + (self._resets_at - now) / available - now


class Turn:
    """Leave to send one request: its group's limiter has to give it, and the organization's.

    The organization's bucket counts the requests of all groups, of all keys. Headers tell of whichever bucket is
    closest to exhaustion (https://developer.close.com/topics/rate-limits/), so of this one only now and then; between
    that, its limiter goes by what we send ourselves.
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
        for limiter, ticket in self._each():
            limiter.sends(ticket)

    def lost(self) -> None:
        """No answer came, or the request was not sent at all."""
        for limiter, ticket in self._each():
            limiter.lost(ticket)

    def answered(self, said: Allowance | None) -> None:
        """The request was let in."""
        speaker = self._speaker(said)
        for limiter, ticket in self._each():
            limiter.learn(ticket, said if limiter is speaker else None)

    def refused(self, said: Allowance | None, seconds: float) -> None:
        """The request was one too many: nothing of that bucket goes out for so many seconds."""
        speaker = self._speaker(said)
        for limiter, ticket in self._each():
            if limiter is speaker:
                limiter.refuse(ticket, seconds, said)
            else:
                limiter.lost(ticket)

    def _speaker(self, said: Allowance | None) -> Limiter:
        group, organization = self._limiters
        if said and not group.is_own(said):
            return organization
        if said:
            organization.forget(said.limit)
        return group

    def _each(self) -> Iterator[tuple[Limiter, int]]:
        return zip(self._limiters, self._tickets, strict=False)  # a turn may be given up while it waits for the second
