"""JSON from the network: exact where it can be, and such that every destination can store it."""

from __future__ import annotations

import json
import re
import sys
from typing import Any

import orjson

# For good, because it holds for all threads: one that lowered it again would lower it under another. orjson reads 1,024
# levels, and what is read has to be written.
sys.setrecursionlimit(max(5000, sys.getrecursionlimit()))
_LONG_NUMBER = re.compile(rb"[:,\[]\s*-?[0-9]{19}")
"""What orjson may round: it reads integers beyond 64 bits as floats, silently."""
_DIGITS_AS_ZEROS = bytes(ord("0") if chr(byte).isdecimal() else ord(" ") for byte in range(256))
_LONG = b"0" * 19


class NotJson(ValueError):
    """The text says what it is instead, without quoting it."""


def parse(content: bytes) -> Any:
    """The value, with exact integers of any size.

    Half a surrogate pair, as text cut in the middle of an emoji has it, becomes U+FFFD, and NaN null: no destination
    can store either, and some drop the whole row. Raises NotJson.
    """
    if not _has_long_number(content):
        try:
            return orjson.loads(content)
        except ValueError:
            pass
    try:
        return _storable(json.loads(content, parse_constant=lambda _: None))
    except RecursionError:
        raise NotJson("JSON that is nested too deeply") from None
    except ValueError:
        raise NotJson("something that is not JSON") from None


def _has_long_number(content: bytes) -> bool:
    """Is there an integer that orjson may round? Most texts have no such run of digits at all, which is six times
    cheaper to find out."""
    return _LONG in content.translate(_DIGITS_AS_ZEROS) and bool(_LONG_NUMBER.search(content))


def _storable(value: Any) -> Any:
    """Text without halves of surrogate pairs, at any depth."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list):
        return [_storable(each) for each in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(each) for name, each in value.items()}
    return value


def dump_line(value: Any) -> bytes:
    """The value as one line of JSON, newline included."""
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer beyond 64 bits, or nested more than 254 deep
        return json.dumps(value, separators=(",", ":")).encode() + b"\n"
