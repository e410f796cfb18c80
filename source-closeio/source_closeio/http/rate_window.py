"""What is known of one rate limit bucket: how many requests are left, and until when.

The server counts a request somewhere between its sending and its answer, and answers overtake each other. So:

- Requests that were sent before the one whose answer is known are counted in it; those sent later are not.
- The answer to a request that was sent after some news was heard is newer than that news, and takes its place. Of two
  requests that were under way together, the answer that leaves fewer counts.
- Times are as of sending: a request that is sent `reset` seconds after another was arrives when the bucket is reset,
  if both take as long to arrive.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from source_closeio.http.rate_headers import Allowance

# name                 value    unit      why
_SHORTEST_PERIOD = 1.0  #       seconds   the shortest window of Close that was observed (16 searches in 1 s)
_FIRST_MARGIN = 0.01  #         seconds   after a reset: two requests do not take equally long to arrive
_MARGIN_STEP = 0.01  #          seconds   added when a request arrived before the reset
_MOST_MARGIN = 0.05  #          seconds   the window that follows makes up for it
_ROUNDED_STEP = 0.25  #         seconds   the same where resets come in whole seconds,
_ROUNDED_MOST = 1.0  #          seconds   which may have been rounded down
_POLL = 0.02  #                 seconds   an answer under way may give more


@dataclass(slots=True)
class Window:
    """The bucket's count in its present window. Not thread-safe; times are by the caller's clock."""

    limit: float = 0.0
    """0 as long as nothing is known."""
    expected: bool = False
    """By our clock, this window has begun; no answer told of it yet."""
    _remaining: float = 0.0
    _as_of: float = 0.0  # requests sent until then are counted in what remains
    _heard_at: float = 0.0
    _began_at: float = 0.0
    _resets_at: float = 0.0
    _period: float = _SHORTEST_PERIOD  # the longest reset that was told
    _rounded: bool = True  # no reset with decimals was told
    _margin: float = _FIRST_MARGIN
    _taken_at: float = float("-inf")
    _in_flight: dict[int, float] = field(default_factory=dict)  # ticket -> when it was sent

    def wait(self, now: float) -> float:
        """Seconds until the next request may go: what is left is spread over the time that is left."""
        if not self.limit:
            return 0.0
        if now >= self._resets_at + self._margin:
            self._begin_anew(now)
        end = self._resets_at + self._margin
        available = self._remaining - sum(sent_at > self._as_of for sent_at in self._in_flight.values())
        if available < 1:
            return end - now if self._remaining < 1 else min(end - now, _POLL)
        spread = (end - self._taken_at) / (available + 1)
        return self._taken_at + (min(spread, self.interval) if self._rounded else spread) - now

    def _begin_anew(self, now: float) -> None:
        self._began_at = self._resets_at + (now - self._resets_at) // self._period * self._period
        self._resets_at = self._began_at + self._period
        self._remaining = self.limit
        self._as_of = self._heard_at = self._began_at
        self.expected = True

    def take(self, ticket: int, now: float) -> None:
        """The request may go out now, though it may have to wait for something else."""
        self._in_flight[ticket] = float("inf")
        self._taken_at = now

    def send(self, ticket: int, now: float) -> None:
        self._in_flight[ticket] = now

    def lose(self, ticket: int) -> None:
        """No answer came, or it was about another bucket."""
        del self._in_flight[ticket]

    def count(self, ticket: int) -> None:
        """The request was accepted, and its answer tells nothing of this bucket."""
        self._remaining -= self._in_flight.pop(ticket) > self._as_of

    def hear(self, ticket: int, told: Allowance, now: float) -> None:
        """The answer tells of this bucket."""
        sent_at = min(now, self._in_flight.pop(ticket))
        if sent_at >= self._heard_at or not self.limit:
            self._take_over(told, sent_at)
            self._heard_at, self._as_of = now, sent_at
        elif sent_at >= self._began_at:
            self._remaining = min(self._remaining, told.remaining)
            self._as_of = max(self._as_of, sent_at)

    def _take_over(self, told: Allowance, sent_at: float) -> None:
        self._rounded = self._rounded and told.reset == int(told.reset)
        resets_at = sent_at + (max(told.reset, 1.0) if self._rounded else told.reset)
        if not self.expected and told.limit == self.limit and told.remaining <= self._remaining:
            # Still the same window. The request with the shortest way knows its end best; a rounded one was rounded up.
            resets_at = (min if self._rounded else max)(resets_at, self._resets_at)
        else:
            self._began_at = sent_at
        self._resets_at = resets_at
        self._period = max(self._period, told.reset)
        self.limit, self._remaining, self.expected = told.limit, told.remaining, False

    @property
    def interval(self) -> float:
        """Seconds from one request to the next, if the whole limit is spread over the whole window; 0 if unknown."""
        return self._period / self.limit if self.limit else 0.0

    def widen_margin(self) -> bool:
        """A request of an expected window was refused: wait longer for the next one. False if that does not help."""
        step, most = (_ROUNDED_STEP, _ROUNDED_MOST) if self._rounded else (_MARGIN_STEP, _MOST_MARGIN)
        before, self._margin = self._margin, min(most, self._margin + step)
        return self._margin > before

    def forget(self) -> None:
        self.limit = 0.0
