"""From the text of a download to its rows, in flat memory.

Known bundles have one row a line; that is the fast way (a batch of lines is one small array for orjson), and every
batch that does not parse as such is read in a way that needs no framing (walk.py). Segment exports are NDJSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import orjson

from source_fullstory.rows.lenient import Row, loads, may_be_rounded
from source_fullstory.rows.unpack import BadBundle, NotRows
from source_fullstory.rows.walk import Buffer, walk

_BATCH = 256 * 1024
_LINES = b"},\n{"
_SEPARATORS = (_LINES, b"},\r\n{", b"},{")
_OBJECTS = {dict}
_SEPARATOR = re.compile(rb"\}\s*,\s*\{")


def batches(chunks: Iterable[bytes]) -> Iterator[list[Row]]:
    """The rows of an array or of NDJSON in small lists, in order; integers are exact at any length. Raises BadBundle
    for anything but objects."""
    reader = Buffer(chunks)
    if reader.is_nothing():
        return
    yield from _lines(reader) if reader.data.startswith(b"{") else _array(reader)
    if not reader.ended:
        raise BadBundle("was not read to its end")


def _array(reader: Buffer) -> Iterator[list[Row]]:
    """A cut is made only where a batch then parses as an array of its own: at any other place (inside a string, or
    inside a nested list) brackets or quotes would stay open."""
    reader.skip_opening()
    while True:
        reader.fill(_BATCH)
        cut = _cut(reader.data)
        text = reader.data[:cut] if cut else reader.last()
        rows = None if text is None else _parse(text)
        if rows is None:
            break
        yield rows
        if not cut:
            return
        reader.drop(cut + 1)  # and the comma
    yield from walk(reader)


def _cut(data: bytes) -> int | None:
    """After the last row that seems to be followed by another one; None where no row seems to end."""
    for separator in _SEPARATORS:
        at = data.rfind(separator)
        if at >= 0:
            return at + 1
    return None


def _lines(reader: Buffer) -> Iterator[list[Row]]:
    """A line end is never inside a string, and each line is a row."""
    while not reader.ended or reader.data:
        reader.fill(max(_BATCH, 2 * len(reader.data)))
        cut = len(reader.data) if reader.ended else reader.data.rfind(b"\n") + 1
        if cut:
            yield _rows_of_lines(reader.data[:cut].strip())
            reader.drop(cut)


def _rows_of_lines(text: bytes) -> list[Row]:
    rows = _parse(text.replace(b"\n", b","))
    if rows is not None and len(rows) == text.count(b"\n") + bool(text):
        return rows
    return [row for line in text.split(b"\n") if line.strip() for row in _row_of_line(line)]


def _row_of_line(line: bytes) -> list[Row]:
    rows = _parse(line)
    if rows is None or len(rows) != 1:
        raise BadBundle("holds a line that is no row")
    return rows


def _parse(text: bytes) -> list[Row] | None:
    """The rows of `text`, which is the inside of an array; None if it is not."""
    array = b"[%b]" % text
    try:
        rows = orjson.loads(array)
    except ValueError:
        return _parse_by_row(text)
    if not set(map(type, rows)) <= _OBJECTS:
        raise NotRows("holds a row that is not an object")
    if any(map(may_be_rounded, rows)):
        return loads(array)
    return rows  # type: ignore[no-any-return]


def _parse_by_row(text: bytes) -> list[Row] | None:
    """Slower, and for what orjson refuses: half of a surrogate pair, as text cut in the middle of an emoji has it."""
    rows: list[Row] = []
    for line in _rows_of(text):
        found = _parse_one(line)
        if found is None:
            return loads(b"[%b]" % text)
        rows.append(found)
    return rows


def _rows_of(text: bytes) -> Iterator[bytes]:
    """What seem to be the rows: a line break is never inside a string, but it may be inside a row."""
    if _LINES in text:
        yield from text.split(b",\n")
        return
    separated = _SEPARATOR.split(text)
    last = len(separated) - 1
    for number, row in enumerate(separated):
        yield b"%b%b%b" % (b"{" if number else b"", row, b"}" if number < last else b"")


def _parse_one(text: bytes) -> Row | None:
    try:
        row = orjson.loads(text)
    except ValueError:
        rows = loads(b"[%b]" % text)
        return rows[0] if rows and len(rows) == 1 else None
    if type(row) is not dict:
        return None
    return loads(b"[%b]" % text)[0] if may_be_rounded(row) else row  # type: ignore[index]
