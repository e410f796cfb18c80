"""JSON that orjson refuses, or does not read exactly."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from source_fullstory.rows.unpack import BadBundle, NotRows

Row = dict[str, Any]

_COMPOUND = frozenset({float, list, dict})
_EXACT_BELOW = 2.0**63


def may_be_rounded(row: Row) -> bool:
    """orjson reads an integer beyond 64 bits as a float, without a word: is there one that may have been one?"""
    return not _COMPOUND.isdisjoint(map(type, row.values())) and _holds_great_float(row.values())


def _holds_great_float(values: Iterable[Any]) -> bool:
    for value in [value for value in values if type(value) in _COMPOUND]:
        if type(value) is float:
            if not -_EXACT_BELOW < value < _EXACT_BELOW:
                return True
        elif _holds_great_float(value.values() if type(value) is dict else value):
            return True
    return False


def loads(array: bytes) -> list[Row] | None:
    try:
        rows = json.loads(array, parse_constant=refuse)
    except ValueError:
        return None
    except RecursionError:
        raise NotRows("holds a row that is nested too deeply") from None
    if not all(type(row) is dict for row in rows):
        raise NotRows("holds a row that is not an object")
    return list(mended(rows))


def mended(value: Any) -> Any:
    """Half of a surrogate pair becomes U+FFFD: no destination can store it, and some drop the whole row."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def refuse(constant: str) -> Any:
    raise BadBundle(f"holds {constant}, which is not JSON")
