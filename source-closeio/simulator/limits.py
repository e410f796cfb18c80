"""Rate limits: a bucket per key and endpoint group, and one three times as large for the organization.

https://developer.close.com/api/overview/rate-limits.  Which paths share a group is not published; one table here
says it.  The headers describe the bucket that is closest to exhaustion, in the spellings that were observed:
`ratelimit: limit=100, remaining=50, reset=5` (with `,` or `;`) and the `ratelimit-limit` family.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import orjson

from simkit.reply import Reply

from .settings import Settings

GROUPS: Final = {"POST data/search": "search"}
"""Method and path -> group; all else is grouped by method and first part of the path."""


@dataclass
class Bucket:
    """Counts requests, in fixed windows or as tokens that flow back."""

    size: int
    window: float
    token: bool
    used: float = 0.0
    since: float = 0.0

    def refresh(self, now: float) -> None:
        if self.token:
            self.used = max(0.0, self.used - (now - self.since) * self.size / self.window)
            self.since = now
        elif now - self.since >= self.window:
            self.used, self.since = 0.0, now - (now - self.since) % self.window

    @property
    def remaining(self) -> int:
        return max(0, math.floor(self.size - self.used + 1e-9))

    def reset(self, now: float) -> float:
        """Seconds until a request is possible (tokens) or the bucket is full again (window)."""
        if self.token:
            return max(0.0, self.used + 1 - self.size if self.remaining == 0 else self.used) * self.window / self.size
        return max(0.001, self.since + self.window - now)


@dataclass(frozen=True)
class Verdict:
    """Whether a request passes, and what the headers say about it."""

    allowed: bool
    limit: int = 0
    remaining: int = 0
    reset: float = 0.0
    group: str = ""
    kind: str = "key"
    window: float = 1.0


class Limits:
    """All buckets of one simulator."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self._settings, self._clock = settings, clock
        self._buckets: dict[tuple[str, str], Bucket] = {}

    def group(self, method: str, path: str) -> str:
        """The name of the group that a request is counted in."""
        first = f"{method} {path.split('/', maxsplit=1)[0]}"
        return GROUPS.get(f"{method} {path}", first)

    def count(self, key: str, method: str, path: str) -> Verdict | None:
        """Count one request; None when there are no limits."""
        settings = self._settings
        if settings.rate <= 0:
            return None
        group = self.group(method, path)
        rate = settings.rate
        if group == "search":
            rate = settings.search_rate if settings.search_rate is not None else rate * 0.8
        now = self._clock()
        own = self._bucket("key", f"{key}/{group}", rate, now)
        whole = self._bucket("organization", "", settings.rate * settings.organization_factor, now)
        allowed = own.remaining >= 1 and whole.remaining >= 1
        if allowed:
            own.used += 1
            whole.used += 1
        kind, tight = min([("key", own), ("organization", whole)], key=lambda each: each[1].remaining / each[1].size)
        return Verdict(allowed, tight.size, tight.remaining, tight.reset(now), f"{group}", kind, settings.rate_window)

    def _bucket(self, kind: str, name: str, rate: float, now: float) -> Bucket:
        size = max(1, round(rate * self._settings.rate_window))
        token = self._settings.algorithm == "token"
        bucket = self._buckets.get((kind, name))
        if bucket is None or (bucket.size, bucket.window, bucket.token) != (
            size,
            self._settings.rate_window,
            token,
        ):
            bucket = self._buckets[kind, name] = Bucket(size, self._settings.rate_window, token, since=now)
        bucket.refresh(now)
        return bucket


def headers(settings: Settings, verdict: Verdict | None) -> dict[str, str]:
    """The rate limit headers of an answer; none without limits."""
    found: dict[str, str] = {}
    if verdict is None:
        return found
    reset = f"{verdict.reset:.3f}".rstrip("0").rstrip(".") or "0"
    parts = (f"limit={verdict.limit}", f"remaining={verdict.remaining}", f"reset={reset}")
    if settings.rate_headers in ("both", "combined"):
        found["ratelimit"] = f"{settings.rate_separator} ".join(parts)
    if settings.rate_headers in ("both", "family"):
        found |= {
            "ratelimit-limit": str(verdict.limit),
            "ratelimit-remaining": str(verdict.remaining),
            "ratelimit-reset": str(math.ceil(verdict.reset)),
        }
    return found


def throttled(settings: Settings, verdict: Verdict, shape: str = "") -> Reply:
    """A 429 in one of the shapes that Close has had."""
    reset = f"{verdict.reset:.6f}"
    flat: dict[str, Any] = {
        "message": "API call count exceeded for this period",
        "rate_endpoint_group": verdict.group,
        "rate_limit": verdict.limit,
        "rate_limit_type": verdict.kind,
        "rate_reset": reset,
        "rate_window": verdict.window,
    }
    bodies = {
        "text": b"<html><body><h1>429 Too Many Requests</h1></body></html>",
        "nested": orjson.dumps({"error": flat}),
        "flat": orjson.dumps(flat),
        "string": orjson.dumps({"error": "Too many requests."}),
        "header": b"",
    }
    shape = shape or settings.throttle_shape
    reply = Reply(429, {"content-type": "text/html" if shape == "text" else "application/json"}, bodies[shape])
    if settings.retry_after:
        reply.headers["retry-after"] = str(max(1, math.ceil(verdict.reset)))
    return reply
