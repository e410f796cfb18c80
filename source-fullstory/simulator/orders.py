"""What a client asks for when it creates an export: the documented body, checked."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, get_args

from .moments import BEFORE_ALL, DAY, SECOND, bound, stamp_of
from .rows import Row
from .segments import Segment
from .shop import selector_tokens

Kind = Literal["TYPE_EVENT", "TYPE_INDIVIDUAL"]
SCOPES = ("SCOPE_EVENTS", "SCOPE_PAGES", "SCOPE_SESSIONS", "SCOPE_INDIVIDUALS")
FORMATS = ("FORMAT_JSON", "FORMAT_NDJSON", "FORMAT_CSV")


class Refused(Exception):
    """The order cannot be taken: `status` and why."""

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True)
class Order:
    """[start, stop), nanoseconds since 1970, of a segment."""

    segment: Segment
    kind: Kind
    format: str
    start: int
    stop: int
    fields: tuple[str, ...] = ()
    body: Any = None  # as it came

    @property
    def hours(self) -> float:
        """How long the time is that it covers."""
        return (self.stop - self.start) / SECOND / 3600

    @property
    def window(self) -> tuple[str, str]:
        """What it covers, as text with milliseconds; "" for the beginning of time."""
        return ("" if self.start == BEFORE_ALL else stamp_of(self.start)), stamp_of(self.stop)

    def columns(self, row: Row) -> Row:
        """The wanted fields. `user_*`, `evt_*` and `page_*` are wildcards; none named: all (documented).

        `EventTargetSelectorTok` comes only when it is named.
        """
        if not self.fields:
            return row
        if "EventTargetSelectorTok" in self.fields and "EventTargetSelector" in row:
            row = {**row, "EventTargetSelectorTok": selector_tokens(row["EventTargetSelector"])}
        prefixes = tuple(name[:-1] for name in self.fields if name.endswith("_*"))
        return {name: value for name, value in row.items() if name in self.fields or name.startswith(prefixes or "\0")}


def order(body: Any, segment: Callable[[str], Segment], now: float) -> Order:
    """The order in a request's body, in either spelling of names; Refused for what the API would not take."""
    if not isinstance(body, dict):
        raise Refused("the body is not a JSON object")
    given = _camel(body)
    kind, form = given.get("type"), given.get("format")
    if kind not in get_args(Kind):
        raise Refused(f"type: {kind!r} is not one of {', '.join(get_args(Kind))}")
    if form not in FORMATS:
        raise Refused(f"format: {form!r} is not one of {', '.join(FORMATS)}")
    if form == "FORMAT_CSV":
        raise Refused("format: FORMAT_CSV is not supported by this simulator")
    scope = (given.get("eventDetails") or {}).get("scope", SCOPES[0])
    if scope not in SCOPES:
        raise Refused(f"eventDetails.scope: {scope!r} is not one of {', '.join(SCOPES)}")
    fields = tuple(given.get("fields") or ())
    if len(set(fields)) != len(fields):
        raise Refused("fields: a name occurs twice")
    pinned = int(_time(given, "now") or now * SECOND)
    if not isinstance(given.get("timeRange"), dict):
        raise Refused("timeRange is missing")
    start, stop = _range(given, "timeRange", pinned)
    chosen = segment(str(given.get("segmentId") or ""))
    if given.get("segmentTimeRange") is not None:
        first, last = _range(given, "segmentTimeRange", pinned)
    else:
        first, last = (BEFORE_ALL if chosen.days is None else pinned - int(chosen.days * DAY)), pinned
    begin = max(start, first)
    return Order(chosen, kind, form, begin, max(begin, min(stop, last)), fields, body)


def _range(given: dict[str, Any], name: str, now: int) -> tuple[int, int]:
    """`start` "" is forever in the past, `end` "" is now (documented)."""
    span = given[name]
    if not isinstance(span, dict):
        raise Refused(f"{name} is not an object")
    start, end = _time(span, "start"), _time(span, "end")
    if start is not None and end is not None and start > end:
        raise Refused(f"{name}: it ends before it starts")
    return BEFORE_ALL if start is None else start, now if end is None else end


def _time(given: dict[str, Any], name: str) -> int | None:
    try:
        return bound(given.get(name))
    except ValueError as error:
        raise Refused(f"{name}: {error}") from error


def _camel(value: Any) -> Any:
    """Names in snake_case are taken too (public clients send them)."""
    if not isinstance(value, dict):
        return value
    return {re.sub("_([a-z])", lambda found: found[1].upper(), key): _camel(item) for key, item in value.items()}
