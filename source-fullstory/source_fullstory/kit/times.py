"""Times as the connector handles them: aware, in UTC, cut to whole seconds where Close compares seconds."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

SECOND = timedelta(seconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def parse(text: str) -> datetime:
    """Read a timestamp of Close's. One without a zone is UTC (the event log sends such).

    Raises ValueError for anything that is not ISO 8601.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is UTC:
        return moment
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def parse_or_none(value: Any) -> datetime | None:
    """Like parse, but None for null, and for text that is no timestamp."""
    try:
        return parse(value)
    except (TypeError, ValueError, OverflowError):
        return None


def second_of(value: Any) -> datetime | None:
    """The whole second that a timestamp of Close's lies in; None for null, and for what is no timestamp."""
    moment = parse_or_none(value)
    return moment and floor_second(moment)


def to_text(moment: datetime) -> str:
    """Write a time for a request or a state: `2025-01-31T23:59:59Z`, with a fraction only where there is one.

    The explicit zone matters: Close reads bare dates in the zone of an `x-tz-offset` header.
    """
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def floor_second(moment: datetime) -> datetime:
    return moment.replace(microsecond=0)


def next_second(moment: datetime) -> datetime | None:
    """The start of the second after this one; None where the calendar ends (year 9999)."""
    try:
        return floor_second(moment) + SECOND
    except OverflowError:
        return None
