"""FullStory's limits: so many bundle downloads a minute, and whatever a Retry-After says.

Two downloads a minute are documented (https://developer.fullstory.com, "Get data export"); more are answered with
429 and Retry-After. Whether the limit is counted by key, by account or by address is not documented.
"""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Lock

MINUTE = 60.0
_MARGIN = 0.25  # seconds: requests do not all take equally long to reach FullStory
_ANSWER_SECONDS = 10.0  # a refusal is quicker
_POLL_SECONDS = 0.02
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After asks for, in either form; None where there is none.

    A date is compared with the answer's own Date, so that it does not matter how right this machine's clock is.
    """
    text = headers.get("Retry-After", "").strip()
    if _NUMBER.fullmatch(text):
        return float(text)
    until = parsed_date(text)
    if until is None:
        return None
    return max(0.0, (until - (parsed_date(headers.get("Date", "")) or datetime.now(UTC))).total_seconds())


def parsed_date(text: str) -> datetime | None:
    """An HTTP date; None for anything else."""
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


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
