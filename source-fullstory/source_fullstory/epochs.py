"""Times of bundles: whole Unix seconds in the connector, as FullStory lists them; UTC text in records and states."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

LAST = 253_402_300_799
"""The last second of the year 9999, where calendars end."""


def parse(text: str) -> int:
    """Read ISO 8601, cut to the whole second; without a zone it is UTC. Raises ValueError for anything else."""
    moment = datetime.fromisoformat(text)
    return int((moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment).timestamp() // 1)


def parse_or_none(value: Any) -> int | None:
    """Like parse, but None for null, and for what is no timestamp."""
    try:
        return parse(value)
    except (TypeError, ValueError, OverflowError):
        return None


def parse_saved(value: Any) -> int:
    """Like parse, for states: what lies before 1970, or beyond the calendar in UTC, is moved to where it begins or
    ends. Raises ValueError for what is no timestamp."""
    if not isinstance(value, str):
        raise ValueError("no timestamp")  # noqa: TRY004 - to whoever wrote the state it is a wrong value
    return min(max(0, parse(value)), LAST)


def to_text(seconds: int) -> str:
    """`2025-01-31T00:00:00Z`. Raises ValueError or OverflowError beyond the calendar."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")[:19] + "Z"
