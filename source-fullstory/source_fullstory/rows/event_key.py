"""event_key: which event a row is. FullStory has no id for events.

The key is a hash of what never changes about an event, and the number of the row among those that have the same
hash, counted from 0 in the order of the file: `9f86d081884c7d659a2feaa0c55ad015-0`. What is hashed: UserId,
SessionId, PageId, EventStart (as an instant, cut to microseconds), EventType, EventCustomName ("" is null), and the
evt_ variables (without those that are null; 4.0 is 4). Not hashed: what settles later (durations, e-mail addresses,
IndvId), what bundles and segment exports name differently (PageAgent, EventTargetSelectorTok), and what older bundles
lack (EventSubType). So an event has the same key by either way.

Rows with one hash have one EventStart, so they always lie in the same bundle or export, whatever its period, and each
download of it gives them the same set of keys. Which of them gets which number follows their order in the
file: a download in another order may exchange what they hold apart from the hashed fields, but as it brings all of
them, a table by key ends with exactly the rows of the last download.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any

import orjson

from source_fullstory.rows.lenient import Row

Keyed = tuple[Row, str, str]
"""A row, its instant (see `instant`), its event_key."""

_PLAIN = frozenset({str, int, bool})
_MOST_AT_ONE_TIME = 20_000
_FILTER_BITS_PER_BYTE = 1 / 8
_MOST_FILTER_BYTES = 32 * 1024 * 1024


def instant(start: Any) -> str:
    """EventStart as UTC text of one length, `2020-08-27T06:20:26.900000`, so that instants compare as text does.

    "" for what is no timestamp.
    """
    if type(start) is not str:
        return ""
    if len(start) == 24 and start[10] == "T" and start[19] == "." and start[23] == "Z":
        return start[:23] + "000"
    try:
        moment = datetime.fromisoformat(start)
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return ""
    return moment.isoformat(timespec="microseconds")[:26]


def identity(row: Row, at: str, bundle: str = "") -> str:
    """The hash (128 bits, in hex) of what never changes about the event. `row` has its variables in `evt_vars`.

    `bundle` takes the place of a time for rows without one: only inside their bundle can they be numbered.
    """
    variables = row.get("evt_vars")
    if variables and not _PLAIN.issuperset(map(type, variables.values())):
        variables = {name: _canonical(value) for name, value in variables.items() if value is not None}
    get = row.get
    fixed = [
        _as_integer(get("UserId")),
        _as_integer(get("SessionId")),
        _as_integer(get("PageId")),
        at or [get("EventStart"), bundle],
        get("EventType"),
        get("EventCustomName") or None,
        variables or None,
    ]
    try:
        text = orjson.dumps(fixed, option=orjson.OPT_SORT_KEYS)
    except TypeError:  # an integer beyond 64 bits
        text = json.dumps(fixed, sort_keys=True, separators=(",", ":")).encode()
    return blake2b(text, digest_size=16).hexdigest()


def _as_integer(id_: Any) -> Any:
    """FullStory's own dbt package has ids as text since it found them beyond 2^53; an id is the same either way."""
    return int(id_) if type(id_) is str and len(id_) < 20 and id_.isdecimal() else id_


def _canonical(value: Any) -> Any:
    if type(value) is float and value.is_integer():
        return int(value)
    if type(value) is list:
        return [_canonical(item) for item in value]
    if type(value) is dict:
        return {name: _canonical(item) for name, item in value.items()}
    return value


def keyed(read: Callable[[], Iterator[list[Row]]], size: int, bundle: str = "") -> Iterator[list[Keyed]]:
    """The rows of a bundle with their keys. `read` begins to read it, from the start, as often as it is called;
    `size` is about how many bytes of JSON it has. `bundle` is its start, which stands in for missing times.

    As long as the rows come by time, equal hashes can only follow each other, and nothing else has to be
    remembered. If they do not, the bundle is read once to find the hashes that occur more than once, and once
    more from the start to count those; the rows that are out already got the same numbers.
    """
    done = 0
    for page, in_order in _while_in_order(read(), bundle):
        yield page
        done += len(page)
        if not in_order:
            break
    else:
        return
    counts = dict.fromkeys(_repeated(read(), size, bundle), 0)
    for page in _counted(read(), counts, bundle):
        rest = page[done:] if done else page
        done -= len(page) - len(rest)
        if rest:
            yield rest


def _while_in_order(batches: Iterator[list[Row]], bundle: str) -> Iterator[tuple[list[Keyed], bool]]:
    """Pages, and whether the rows came by time so far; the last page ends before the first row that does not."""
    now = ""
    counts: dict[str, int] = {}
    for rows in batches:
        page: list[Keyed] = []
        for row in rows:
            at = instant(row.get("EventStart"))
            if at != now:
                if at < now:
                    yield page, False
                    return
                now = at
                counts = {}
            elif len(counts) > _MOST_AT_ONE_TIME:
                yield page, False
                return
            base = identity(row, at, bundle)
            number = counts.get(base, 0)
            counts[base] = number + 1
            page.append((row, at, f"{base}-{number}"))
        yield page, True


def _counted(batches: Iterator[list[Row]], counts: dict[str, int], bundle: str) -> Iterator[list[Keyed]]:
    for rows in batches:
        page: list[Keyed] = []
        for row in rows:
            at = instant(row.get("EventStart"))
            base = identity(row, at, bundle)
            number = counts.get(base)
            if number is None:
                number = 0
            else:
                counts[base] = number + 1
            page.append((row, at, f"{base}-{number}"))
        yield page


def _repeated(batches: Iterator[list[Row]], size: int, bundle: str) -> set[str]:
    """The hashes that occur more than once, and by chance a few others: a Bloom filter of two bits a hash."""
    seen = bytearray(min(_MOST_FILTER_BYTES, max(1024, int(size * _FILTER_BITS_PER_BYTE / 8))))
    bits = len(seen) * 8
    repeated: set[str] = set()
    for rows in batches:
        for row in rows:
            base = identity(row, instant(row.get("EventStart")), bundle)
            number = int(base, 16)
            (first, one), (second, two) = _bit(number % bits), _bit((number >> 64) % bits)
            if seen[first] & one and seen[second] & two:
                repeated.add(base)
            seen[first] |= one
            seen[second] |= two
    return repeated


def _bit(number: int) -> tuple[int, int]:
    return number >> 3, 1 << (number & 7)
