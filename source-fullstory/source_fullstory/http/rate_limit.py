"""FullStory's limits: so many bundle downloads a minute, and whatever a Retry-After says.

Two downloads a minute are documented (https://developer.fullstory.com, "Get data export"); more are answered with
429 and Retry-After. Whether the limit is counted by key, by account or by address is not documented.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from threading import Lock

MINUTE = 60.0
_MARGIN = 0.25  # seconds: requests do not all take equally long to reach FullStory
_ANSWER_SECONDS = 10.0  # a refusal is quicker
_POLL_SECONDS = 0.02


class Limiter:
    """At most `per_minute` requests in any minute (None: any number), and none before a Retry-After allows it.

    So that no request is on its way while another one is being refused, each waits until the one before it has been
    answered, or has been under way for so long that it was not refused; unless they go `side_by_side`. Shared by all
    threads. `clock` is in seconds.
    """

    def __init__(
        self,
        per_minute: int | None = None,
        clock: Callable[[], float] = time.monotonic,
        *,
        side_by_side: bool = False,
    ) -> None:
        self._per_minute = per_minute
        self._side_by_side = side_by_side
        self._clock = clock
        self._lock = Lock()
        self._sent: deque[float] = deque(maxlen=per_minute)
        self._blocked_until = float("-inf")
        self._tickets = 0
        self._unanswered_until = float("-inf")

    def take(self) -> tuple[float, int]:
        """(0.0, ticket) when a request may go now (it is counted), else (seconds after which to ask again, 0)."""
        with self._lock:
            now = self._clock()
            free_at = self._blocked_until
            if self._per_minute and len(self._sent) == self._per_minute:
                free_at = max(free_at, self._sent[0] + MINUTE + _MARGIN)
            if now < free_at:
                return free_at - now, 0
            if now < self._unanswered_until:
                return _POLL_SECONDS, 0
            if self._per_minute:
                self._sent.append(now)
            if not self._side_by_side:
                self._unanswered_until = now + _ANSWER_SECONDS
            self._tickets += 1
            return 0.0, self._tickets

    def answered(self, ticket: int) -> None:
        """The request was let in, or failed; after a refusal, call `refuse` first."""
        with self._lock:
            if ticket == self._tickets:
                self._unanswered_until = float("-inf")

    def refuse(self, seconds: float) -> None:
        """Take in a 429: nothing goes out for so many seconds."""
        with self._lock:
            self._blocked_until = max(self._blocked_until, self._clock() + seconds)

    def is_free(self) -> bool:
        """May requests go now, as far as refusals tell?"""
        with self._lock:
            return self._clock() >= self._blocked_until
