"""Events as rows: their JSON, what a second download changes in them, and which rows are one event."""

from __future__ import annotations

import json
import random
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Protocol, runtime_checkable

import orjson

Row = dict[str, Any]
Dated = tuple[int, bytes]
"""The instant of an event, in nanoseconds since 1970, and its JSON."""

INT64_MAX = 2**63 - 1
REORDERED = 10_000  # rows that are shuffled among each other; a small bundle is one such run
RFC_3339 = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)")
IDENTITY = ("UserId", "SessionId", "PageId", "EventStart", "EventType", "EventSubType", "EventCustomName")


@runtime_checkable
class EventSource(Protocol):
    """Where a bundle's rows come from: the same rows, as JSON, each time it is asked."""

    def __len__(self) -> int:
        """How many rows there are, without making them."""
        ...

    def rows(self) -> Iterator[bytes]:
        """One JSON object after the other."""
        ...


@runtime_checkable
class DatedSource(Protocol):
    """A source that knows by itself which of its events are in a span of time."""

    def dated(self, start: int, stop: int) -> Iterator[Dated]:
        """Its events of [start, stop), nanoseconds since 1970, under the newer names, whatever `rows` uses."""
        ...


class ListedEvents:
    """Given rows. A row of bytes is served as it is, for JSON that no Python value would be written as."""

    def __init__(self, events: Iterable[Row | bytes]) -> None:
        self._rows = [row if isinstance(row, bytes) else encode(row) for row in events]

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> Iterator[bytes]:
        """The rows in the order in which they were given."""
        return iter(self._rows)


def encode(row: Row) -> bytes:
    r"""JSON as a Go server writes it: compact UTF-8. Lone surrogates can only be written escaped (`\ud83d`)."""
    try:
        return orjson.dumps(row)
    except TypeError:  # a lone surrogate, or an integer beyond 64 bits
        return json.dumps(row, separators=(",", ":")).encode()


def decode(row: bytes) -> Row:
    """The row back as a dict: integers of any size exact, lone surrogates kept."""
    value: Row = json.loads(row)
    return value


def instant(text: object) -> int | None:
    """Nanoseconds since 1970 of an RFC 3339 timestamp; None for what is none."""
    found = RFC_3339.fullmatch(text) if isinstance(text, str) else None
    if found is None:
        return None
    try:
        whole = datetime.fromisoformat(found[1] + ("+00:00" if found[3] == "Z" else found[3]))
    except ValueError:
        return None
    return int(whole.timestamp()) * 1_000_000_000 + int((found[2] or "0").ljust(9, "0"))


def served(rows: Iterator[bytes], changes: frozenset[str], version: int, *, shuffled: bool) -> Iterator[bytes]:
    """The rows as download number `version` (from 0) delivers them, `shuffled` or in the order they have.

    Exports are made when they are asked for, and values settle for a day or so (help.fullstory.com, "Data
    Export"): identities are linked, durations grow, columns appear. The first download is unsettled, all later ones
    agree with each other except for the order.
    """
    changes = changes if version else frozenset()
    shuffled = shuffled or "order" in changes
    if not changes and not shuffled:
        yield from rows
        return
    while run := list(islice(rows, REORDERED)):
        if shuffled:
            random.Random(version if "order" in changes else 0).shuffle(run)
        for row in run:
            yield _settled(row, changes) if changes - {"order"} else row


def _settled(raw: bytes, changes: frozenset[str]) -> bytes:
    row = decode(raw)
    if "settled" in changes:
        row["PageDuration"] = (row.get("PageDuration") or 0) + 61_000
        row["PageActiveDuration"] = (row.get("PageActiveDuration") or 0) + 17_000
        row["UserEmail"] = row.get("UserEmail") or "linked.later@example.com"
        row["IndvId"] = INT64_MAX - (row.get("IndvId") or 0)
    if "column" in changes:
        row["PageSettledScore"] = 7
    if "numbers" in changes:
        row.update({name: float(v) for name, v in row.items() if name[:4] == "evt_" and _plain_int(v)})
    return encode(row)


def _plain_int(value: object) -> bool:
    return type(value) is int and abs(value) < 2**53


def identity(row: Row) -> str:
    """What never changes about an event, as text: no export field is an event id (developer.fullstory.com)."""
    fixed = [row.get(name) for name in IDENTITY]
    variables = {name: _canonical(value) for name, value in row.items() if name.startswith("evt_")}
    return json.dumps([fixed, variables], sort_keys=True)


def _canonical(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def united(bundles: Iterable[Sequence[Row]]) -> list[Row]:
    """Every event of overlapping bundles once, and equal rows as often as the bundle that has most of them.

    Where bundles disagree about an event's other fields, the later bundle counts.
    """
    best: dict[str, list[Row]] = {}
    for rows in bundles:
        groups: dict[str, list[Row]] = defaultdict(list)
        for row in rows:
            groups[identity(row)].append(row)
        best.update({key: group for key, group in groups.items() if len(group) >= len(best.get(key, ()))})
    return [row for group in best.values() for row in group]
