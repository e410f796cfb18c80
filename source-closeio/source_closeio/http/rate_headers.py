"""What Close says about its rate limits, in headers and in the bodies of refusals.

Every response has `RateLimit: limit=100, remaining=50, reset=5` (https://developer.close.com/topics/rate-limits/).
Also observed: semicolons for commas, and the three numbers as headers of their own, in several spellings. Whatever
the headers hold, nothing here raises: what makes no sense counts as not said.
"""

from __future__ import annotations

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from source_closeio.kit.headers import retry_after as http_retry_after

_NAMES = ("limit", "remaining", "reset")
_FAMILIES = ("RateLimit-", "X-RateLimit-", "X-Rate-Limit-")
_NUMBER = r"[0-9]{1,15}(?:\.[0-9]{1,30})?"
_PAIR = re.compile(rf"\b(limit|remaining|reset)\s*=\s*({_NUMBER})(?![\w.])", re.IGNORECASE)
_LEADING = re.compile(rf"\s*({_NUMBER})(?![\w.])")  # `60, 60;w=1`: the first is the tightest
_WHOLE = re.compile(rf"\s*{_NUMBER}\s*")

_EPOCH_FROM = 1e6  # seconds; a reset above is a moment in Unix time, as some gateways give it
_LONGEST_RESET = 600.0  # seconds; Close's windows are 1, 8 and 15 s long (observed), so this is a mistake


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a response says of one bucket: `remaining` of `limit` requests until `reset` seconds from now."""

    limit: float
    remaining: float
    reset: float


def allowance(headers: Mapping[str, str]) -> Allowance | None:
    """Read the RateLimit header, else its older family of three; None where neither is complete or believable."""
    found = _combined(headers.get("RateLimit", ""))
    for prefix in _FAMILIES:
        found = found or _family(headers, prefix)
    if not found or found["limit"] < 1:
        return None
    reset = _seconds_until(found["reset"])
    return Allowance(found["limit"], found["remaining"], reset) if reset <= _LONGEST_RESET else None


def _combined(text: str) -> dict[str, float]:
    found = {name.lower(): float(value) for name, value in _PAIR.findall(text)}
    return found if len(found) == len(_NAMES) else {}


def _family(headers: Mapping[str, str], prefix: str) -> dict[str, float]:
    matches = {name: _LEADING.match(headers.get(prefix + name, "")) for name in _NAMES}
    found = {name: float(match.group(1)) for name, match in matches.items() if match}
    return found if len(found) == len(_NAMES) else {}


def _seconds_until(reset: float) -> float:
    return reset if reset < _EPOCH_FROM else max(0.0, reset - time.time())


def retry_after(headers: Mapping[str, str], body: Any) -> float | None:
    """Seconds that a refused request has to wait, from wherever Close says it; None where it does not.

    Retry-After is the RateLimit header's reset rounded up, so the reset is exact; where Retry-After is clearly
    longer it is about another bucket, and the longer one counts. The body's `rate_reset` is deprecated since 2024.
    """
    known = allowance(headers)
    rounded = http_retry_after(headers)
    if known and (rounded is None or rounded - 1 < known.reset):
        return known.reset
    return rounded if rounded is not None else _rate_reset(body)


def _rate_reset(body: Any) -> float | None:
    """`rate_reset` is at the top of the body, or under `error`; as a number, or as a text."""
    nested = body.get("error") if isinstance(body, dict) else None
    values = [place.get("rate_reset") for place in (body, nested) if isinstance(place, dict)]
    return next((seconds for seconds in map(_seconds, values) if seconds is not None), None)


def _seconds(value: Any) -> float | None:
    if isinstance(value, str):
        return float(value) if _WHOLE.fullmatch(value) else None
    believable = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= _EPOCH_FROM
    return float(value) if believable else None
