"""Rate limits, the waits they announce, and whether a client kept to them."""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from email.utils import formatdate


class RateLimit:
    """At most so many requests within any window of so many seconds.

    For `/export/get` two a minute are documented (developer.fullstory.com, "Get data export"), with `429` and
    `Retry-After` beyond. A refused request does not count.
    """

    def __init__(self) -> None:
        self._taken: deque[float] = deque()
        self._lock = threading.Lock()

    def wait(self, allowed: int, window: float) -> float:
        """0.0 and one request is counted, or the seconds until one would be let through (`allowed` 0: no limit)."""
        if not allowed:
            return 0.0
        now = time.monotonic()
        with self._lock:
            while self._taken and self._taken[0] <= now - window:
                self._taken.popleft()
            if len(self._taken) < allowed:
                self._taken.append(now)
                return 0.0
            return self._taken[len(self._taken) - allowed] + window - now


class Promises:
    """What `Retry-After` asked of the client, per path, and how often it came back too early."""

    def __init__(self) -> None:
        self._not_before: dict[str, float] = {}
        self._lock = threading.Lock()
        self.broken = 0

    def ask(self, path: str, seconds: float) -> None:
        """The client was told to stay away from `path` for so long."""
        with self._lock:
            self._not_before[path] = max(self._not_before.get(path, 0.0), time.monotonic() + seconds)

    def arrive(self, path: str) -> bool:
        """A request came; whether it came too early (which is counted)."""
        with self._lock:
            early = time.monotonic() < self._not_before.get(path, 0.0)
            self.broken += early
        return early


def retry_after(form: str, wait: float, now: float) -> tuple[str, float]:
    """The header for a wait of `wait` seconds in the asked form, and the seconds it really asks for.

    RFC 9110 has whole seconds or a date with whole seconds; both are rounded up. "none" gives no header.
    """
    if form == "seconds":
        seconds = max(1, math.ceil(wait))
        return str(seconds), float(seconds)
    if form == "date":
        when = math.ceil(now + wait)
        return formatdate(when, usegmt=True), when - now
    return "", 0.0
