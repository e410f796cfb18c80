"""Moments as whole microseconds since 1970, in UTC: cheap to store in arrays, exact to compare.

Close writes moments in two styles: most objects with a zone (`2026-06-19T11:04:19.934000+00:00`), events,
pipelines, roles and a few others without one, meaning UTC.  The fraction is milliseconds padded to six digits
and is missing when it is zero.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
EPOCH_NAIVE: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - the style without a zone
SECOND: Final = 1_000_000
DAY: Final = 86_400 * SECOND
NULL: Final = -(2**62)
"""Where a missing moment stands in an ascending order: before every real one."""
END: Final = 2**62


def to_micros(moment: datetime) -> int:
    """A datetime (naive means UTC) as microseconds since 1970."""
    span = moment.replace(tzinfo=moment.tzinfo or UTC) - EPOCH
    return span.days * DAY + span.seconds * SECOND + span.microseconds


def to_datetime(micros: int) -> datetime:
    return EPOCH + timedelta(microseconds=micros)


def parse(text: object) -> int:
    """A date or moment as the API or a client writes it; NULL for null, ValueError for anything else."""
    if text is None or text == "":
        return NULL
    if isinstance(text, datetime):
        return to_micros(text)
    written = str(text).strip()
    if "T" in written:
        written = written.replace(" ", "+")  # a plus sign that was not escaped in a URL
    return to_micros(datetime.fromisoformat(written))


def parse_loosely(text: object) -> int:
    """Like `parse`, but NULL for what is no moment: rows may hold odd values."""
    try:
        return parse(text)
    except ValueError:
        return NULL


def zoned(micros: int) -> str:
    """`2026-06-19T11:04:19.934000+00:00`, as leads, contacts, activities, tasks and users have it."""
    return (EPOCH + timedelta(microseconds=micros)).isoformat()


def naive(micros: int) -> str:
    """`2026-06-19T11:04:19.934000`, as events, pipelines and roles have it."""
    return (EPOCH_NAIVE + timedelta(microseconds=micros)).isoformat()


def to_milliseconds(micros: int) -> int:
    """Cut to the milliseconds that Close keeps."""
    return micros // 1000 * 1000
