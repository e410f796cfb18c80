"""The pace that refusals teach, where headers do not tell the limit.

Close has limits that its headers do not tell ("some endpoints have stricter limits", says
https://developer.close.com/topics/rate-limits/), a proxy may strip the headers, and others use up the same bucket.
So a pace is learned as in congestion control: faster by little and little while requests are accepted, slower by a
factor at each refusal.
"""

from __future__ import annotations

# name                 value     unit                  why
_SLOWER = 1.1  #                 factor per refusal    with a pace that was measured, a small step is enough
_MUCH_SLOWER = 2.0  #            factor per refusal    too few requests to measure a pace: halve it
_MEASURABLE = 10  #              requests              fewer tell more of a burst than of a pace
_FASTER = 5e-7  #                share per request²    10 % after 630 requests: a refusal costs some, it may be 1 %
_FASTEST_GAIN = 0.005  #         share per request     doubles in 140 requests: after an outage, minutes matter
_LONGEST_INTERVAL = 1.0  #       seconds               slower than any limit of Close that was observed (16/s)
_PER_REFUSAL = 100  #            requests              one refusal in so many is what a learned pace has to cost
_MOST_TOLD = 2.0  #              factor                of the told interval: others take the rest of the bucket
_UNRELATED = 12  #               refusals in a row     that come sooner, at any pace: the pace is not their reason


class Pace:
    """How long to wait between two requests, so that refusals are rare."""

    def __init__(self) -> None:
        self.interval = 0.0
        """Seconds; 0 as long as nothing was refused."""
        self._accepted = 0  # requests since the last refusal
        self._since: float | None = None  # when the first of these was sent, or could have been
        self._early = 0  # refusals in a row that came before _PER_REFUSAL requests

    def accepted(self, sent_at: float) -> None:
        self._since = sent_at if self._since is None else self._since
        self._accepted += 1
        self.interval *= 1 - min(_FASTEST_GAIN, _FASTER * self._accepted)

    def refused(self, now: float, pause: float, told: float) -> None:
        """A request was refused, and none goes out for `pause` seconds. `told` is the interval that headers tell of,
        if they foretold this refusal; else 0."""
        self._early = 0 if self._accepted >= _PER_REFUSAL else self._early + 1
        slower = min(max(told, _SLOWER * self.interval), _MOST_TOLD * told) if told else self._slower(now + pause)
        self.interval = 0.0 if self._early > _UNRELATED else min(slower, _LONGEST_INTERVAL)
        self._accepted, self._since = 0, now + pause

    def _slower(self, until: float) -> float:
        """Slower than what was refused: the pause is part of the time in which so many were accepted."""
        if self._since is None or self._accepted < _MEASURABLE:
            return _MUCH_SLOWER * self.interval
        measured = _SLOWER * (until - self._since) / self._accepted
        return min(measured, _MUCH_SLOWER * self.interval or measured)
