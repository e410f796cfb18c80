"""What response headers say of time. They are input: whatever cannot be read counts as absent, and nothing raises."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

_NUMBER = re.compile(r"[0-9]{1,12}(?:\.[0-9]{1,12})?")


def parsed_date(text: str) -> datetime | None:
    """An HTTP date, in UTC; None for anything else. One that says it is of no zone (`-0000`) is UTC as well."""
    try:
        moment = parsedate_to_datetime(text)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def number(text: str) -> float | None:
    """A plain decimal number of ordinary size, not negative; None for anything else."""
    text = text.strip()
    return float(text) if _NUMBER.fullmatch(text) else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a Retry-After asks for, in either form (RFC 9110, 10.2.3); None where there is none.

    A date is compared with the answer's own Date, so that it does not matter how right this machine's clock is.
    """
    text = headers.get("Retry-After", "")
    seconds = number(text)
    if seconds is not None:
        return seconds
    until = parsed_date(text)
    if until is None:
        return None
    now = parsed_date(headers.get("Date", "")) or datetime.now(UTC)
    wait = (until - now).total_seconds()
    return max(0.0, wait) if math.isfinite(wait) else None
