"""The pace that refusals teach, beyond what headers tell.

Close has limits that its headers do not tell ("some endpoints have stricter limits", says
https://developer.close.com/topics/rate-limits/), a proxy may strip the headers, and others use up the same bucket.
So a pace is learned as in congestion control: faster by little and little while requests are accepted, slower by a
factor at each refusal.
"""

from __future__ import annotations

from dataclasses import dataclass

# name                      value     unit                  why
_SLOWER = 1.1  #                      factor per refusal    from a pace that is known, a small step is enough
_MUCH_SLOWER = 2.0  #                 factor per refusal    too few requests to know a pace: halve it
_MOST_FORETOLD = 2.0  #               factor                of the headers' interval: half of the bucket for others
_MEASURABLE = 10  #                   requests              fewer tell more of a burst than of a pace
_FASTER = 5e-7  #                     share per request²    10 % in 630 requests: each try costs a refusal or more
_FASTEST = 0.005  #                   share per request     twice as fast in 140 requests: outages end
_LONGEST_INTERVAL = 1.0  #            seconds               slower than any limit of Close that was observed (16/s)
_PER_REFUSAL = 100  #                 requests              as many as one refusal may cost
_UNRELATED = 12  #                    refusals              that came sooner, in a row: the pace is not their reason


@dataclass(frozen=True, slots=True)
class Refusal:
    """A 429."""

    heard_at: float
    pause: float
    """Seconds without a request that follow."""
    interval: float
    """Seconds between two requests, from the limit and window that headers tell; 0 if they do not."""
    foretold: bool
    """The headers say that no request is left."""


class Pace:
    """How long to wait between two requests, so that refusals are rare."""

    def __init__(self) -> None:
        self.interval = 0.0
        """Seconds; 0 as long as nothing was refused."""
        self._accepted = 0  # since the last refusal
        self._since: float | None = None  # when the first of these was sent, or could have been
        self._early = 0  # refusals in a row that came before _PER_REFUSAL requests

    def accept(self, sent_at: float) -> None:
        self._since = sent_at if self._since is None else self._since
        self._accepted += 1
        self.interval *= 1 - min(_FASTEST, _FASTER * self._accepted)

    def refuse(self, refusal: Refusal) -> None:
        self._early = 0 if self._accepted >= _PER_REFUSAL else self._early + 1
        self.interval = 0.0 if self._early > _UNRELATED else min(self._slower(refusal), _LONGEST_INTERVAL)
        self._accepted, self._since = 0, refusal.heard_at + refusal.pause

    def _slower(self, refusal: Refusal) -> float:
        told = refusal.interval
        if refusal.foretold:
            return min(max(told, _SLOWER * self.interval), _MOST_FORETOLD * told)
        if self._since is None or self._accepted < _MEASURABLE:
            return max(told, _MUCH_SLOWER * self.interval)
        if told:
            return max(told, _SLOWER * self.interval)
        # The pause is part of the time in which so many were accepted.
        measured = _SLOWER * (refusal.heard_at + refusal.pause - self._since) / self._accepted
        return min(measured, _MUCH_SLOWER * self.interval or measured)
