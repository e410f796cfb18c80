"""Times as the API writes and reads them: RFC 3339 in UTC."""

from __future__ import annotations

from datetime import UTC, datetime

from .rows import instant

SECOND = 1_000_000_000
DAY = 86_400 * SECOND
BEFORE_ALL = -(2**62)


def stamp(seconds: float) -> str:
    """Unix seconds as text, with microseconds, as recorded operations and settings have."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def stamp_of(at: int) -> str:
    """Nanoseconds since 1970 as text, with milliseconds."""
    return stamp(at // 1_000_000 / 1000)[:-4] + "Z"


def bound(text: object) -> int | None:
    """An end of a time range in nanoseconds, None for "" (forever); what is no time raises ValueError."""
    if text in {"", None}:
        return None
    at = instant(text)
    if at is None:
        raise ValueError(f"{text!r} is not a time in RFC 3339")
    return at
