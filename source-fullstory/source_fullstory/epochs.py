"""Times of bundles: whole Unix seconds in the connector, as FullStory lists them; UTC text in records and states."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any


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


def to_text(seconds: int) -> str:
    """`2025-01-31T00:00:00Z`. Raises ValueError or OverflowError beyond the calendar."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
