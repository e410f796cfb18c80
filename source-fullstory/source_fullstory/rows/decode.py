"""From the bytes of a download to its rows, in flat memory: gunzip as often as needed, then one JSON array.

How FullStory announces gzip has changed over the years, so the magic bytes decide, never a header. Known bundles
have one row a line; that is the fast way (a batch of lines is one small array for orjson), and every batch that does
not parse as such is read in a way that needs no framing. Segment exports are NDJSON, which commas and brackets make
the same thing.
"""

from __future__ import annotations

import codecs
import json
import re
import zlib
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

Row = dict[str, Any]

_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31
_MOST_LAYERS = 4
_PIECE = 256 * 1024
_BATCH = 256 * 1024
_WHITESPACE = b" \t\r\n"
_LINES = b"},\n{"
_SEPARATOR = re.compile(rb"\}\s*,\s*\{")
_LINE_END = re.compile(rb"\n\s*")
_CLOSING = {b"[": b"]", b"{": b"}"}
_QUOTE = 120
_NOTHING = b"null"  # so Go, which FullStory is written in, writes an empty list
_COMPOUND = frozenset({float, list, dict})
_EXACT_BELOW = 2.0**63


class BadBundle(ValueError):
    """The bytes are no complete bundle; the text says why, to be put after the bundle's name."""


def inflated(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The chunks, unpacked if they begin as gzip does, and again, to the last layer. Raises BadBundle."""
    for _ in range(_MOST_LAYERS):
        first, chunks = _peek(chunks)
        if first[:2] != _GZIP:
            break
        chunks = _gunzip(chunks)
    return iter(chunks)


def _peek(chunks: Iterable[bytes]) -> tuple[bytes, Iterator[bytes]]:
    """The first two bytes or more, and all chunks."""
    rest = iter(chunks)
    first = b""
    while len(first) < 2 and (chunk := next(rest, None)) is not None:
        first += chunk
    return first, _chained(first, rest)


def _chained(first: bytes, rest: Iterator[bytes]) -> Iterator[bytes]:
    if first:
        yield first
    yield from rest


def _gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """One or more gzip members and nothing else; zlib checks the CRC and the length at the end of each."""
    member = zlib.decompressobj(_GZIP_WBITS)
    begun = False
    try:
        for chunk in chunks:
            data = chunk
            while data:
                begun = True
                yield member.decompress(data, _PIECE)
                if member.eof:
                    data = member.unused_data
                    member, begun = zlib.decompressobj(_GZIP_WBITS), False
                else:
                    data = member.unconsumed_tail
    except zlib.error as error:
        raise BadBundle(f"is damaged ({error})") from error
    if begun:
        raise BadBundle("breaks off before the end of its gzip stream")


def is_whole(chunks: Iterable[bytes], *, lines: bool = False) -> tuple[int, int]:
    """How many bytes and line ends the JSON has. Raises BadBundle unless it begins with `[` and ends with `]`; with
    `lines` it may also be NDJSON that ends with an object, or nothing at all."""
    size, ends, head, tail = 0, 0, b"", b""
    for chunk in chunks:
        size += len(chunk)
        ends += chunk.count(b"\n")
        if len(head) < len(_NOTHING):
            head = (head + chunk).strip(_WHITESPACE)[:_QUOTE]
        tail = chunk.rstrip(_WHITESPACE)[-1:] or tail
    if not head:
        if lines:
            return size, ends
        raise BadBundle("is empty, not even an empty list")
    if head == _NOTHING and tail == _NOTHING[-1:]:
        return size, ends
    if not head.startswith((b"[", b"{") if lines else b"["):
        raise BadBundle(f"is not a list of events but {_quote(head)}")
    if tail != _CLOSING[head[:1]]:
        raise BadBundle(f"breaks off after {size:,} bytes of JSON, before its closing bracket")
    return size, ends


def _quote(head: bytes) -> str:
    """What it is, for the log; but no event, with whatever it may hold."""
    try:
        found = json.loads(head)
    except ValueError:
        found = {}
    said = [str(found[name]) for name in ("code", "message") if isinstance(found, dict) and name in found]
    if said or head.startswith(b"{"):
        return f"an object ({', '.join(said) or 'of some kind'})"
    return f"begins with {head.decode(errors='replace')!r}"


def arrays(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """NDJSON as one array; what is an array stays as it is. A line end is never inside a string."""
    rest = iter(chunks)
    first = b""
    while not first.strip(_WHITESPACE) and (chunk := next(rest, None)) is not None:
        first += chunk
    first = first.lstrip(_WHITESPACE)
    if first and not first.startswith(b"{"):
        yield from _chained(first, rest)
        return
    yield b"["
    held = b""
    for chunk in _chained(first, rest):
        data = held + chunk
        text = data.rstrip(_WHITESPACE)
        held = data[len(text) :]
        if text:
            yield _LINE_END.sub(b",\n", text)
    yield b"]"


def batches(chunks: Iterable[bytes]) -> Iterator[list[Row]]:
    """The rows of the array in small lists, in order. Raises BadBundle for anything but objects.

    Integers are exact at any length. A cut is made only where a batch then parses as an array of its own: at any
    other place (inside a string, or inside a nested list) brackets or quotes would stay open.
    """
    reader = _Buffer(chunks)
    if reader.is_nothing():
        return
    reader.skip_opening()
    while True:
        reader.fill(_BATCH)
        cut = reader.cut()
        text = reader.data[:cut] if cut else reader.last()
        rows = None if text is None else _parse(text)
        if rows is None:
            break
        yield rows
        if not cut:
            return
        reader.drop(cut)
    yield from _walk(reader)


class _Buffer:
    """The bytes that are not read yet."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = b""
        self.ended = False

    def fill(self, size: int) -> None:
        parts = [self.data]
        held = len(self.data)
        while held < size and not self.ended:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.ended = True
            else:
                parts.append(chunk)
                held += len(chunk)
        self.data = b"".join(parts)

    def is_nothing(self) -> bool:
        self.fill(len(_NOTHING) + 1)
        return self.data.strip(_WHITESPACE) == _NOTHING

    def skip_opening(self) -> None:
        self.data = self.data.lstrip(_WHITESPACE)
        while not self.data and not self.ended:
            self.fill(1)
            self.data = self.data.lstrip(_WHITESPACE)
        if not self.data.startswith(b"["):
            raise BadBundle("is not a list")
        self.data = self.data[1:]

    def cut(self) -> int | None:
        """After the last row that seems to be followed by another one; None where no row seems to end."""
        for separator in (_LINES, b"},\r\n{", b"},{"):
            at = self.data.rfind(separator)
            if at >= 0:
                return at + 1
        return None

    def drop(self, cut: int) -> None:
        """Forget what was read, and the comma behind it."""
        self.data = self.data[cut + 1 :]

    def last(self) -> bytes | None:
        """What stands before the closing bracket, if this is the end of all."""
        data = self.data.rstrip(_WHITESPACE)
        return data[:-1] if self.ended and data.endswith(b"]") else None


def _parse(text: bytes) -> list[Row] | None:
    """The rows of `text`, which is the inside of an array; None if it is not."""
    array = b"[%b]" % text
    try:
        rows = orjson.loads(array)
    except ValueError:
        return _parse_by_row(text)
    if not all(type(row) is dict for row in rows):
        raise BadBundle("holds a row that is not an object")
    if any(map(_may_be_rounded, rows)):
        return _loads(array)
    return list(rows)


def _parse_by_row(text: bytes) -> list[Row] | None:
    """Slower, and for what orjson refuses: half of a surrogate pair, as text cut in the middle of an emoji has it."""
    rows: list[Row] = []
    for line in _rows_of(text):
        found = _parse_one(line)
        if found is None:
            return _loads(b"[%b]" % text)
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
        rows = _loads(b"[%b]" % text)
        return rows[0] if rows and len(rows) == 1 else None
    if type(row) is not dict:
        return None
    return _loads(b"[%b]" % text)[0] if _may_be_rounded(row) else row  # type: ignore[index]


def _may_be_rounded(row: Row) -> bool:
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


def _loads(array: bytes) -> list[Row] | None:
    try:
        rows = json.loads(array, parse_constant=_refuse)
    except ValueError:
        return None
    if not all(type(row) is dict for row in rows):
        raise BadBundle("holds a row that is not an object")
    return list(_mended(rows))


def _mended(value: Any) -> Any:
    """Half of a surrogate pair becomes U+FFFD: no destination can store it, and some drop the whole row."""
    text = json.dumps(value, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return json.loads(text.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    return value


def lenient(content: bytes) -> Any:
    """JSON that orjson refuses. Raises ValueError for what is none."""
    return _mended(json.loads(content, parse_constant=_refuse))


def _refuse(constant: str) -> Any:
    raise BadBundle(f"holds {constant}, which is not JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)
_SPACES = re.compile(r"[ \t\r\n]*")


def _walk(reader: _Buffer) -> Iterator[list[Row]]:
    """Row by row, without any assumption about where rows end."""
    text = _Text(reader)
    rows: list[Row] = []
    while text.skip(",") or text.next() != "]":
        row = text.value()
        if type(row) is not dict:
            raise BadBundle("holds a row that is not an object")
        rows.append(row)
        if len(rows) == 250:
            yield rows
            rows = []
        if text.next() not in (",", "]"):
            raise BadBundle("has rows that no comma separates")
    yield rows
    text.skip("]")
    if text.next():
        raise BadBundle("goes on after its closing bracket")


class _Text:
    """What is not read yet, as text, with a place in it."""

    def __init__(self, reader: _Buffer) -> None:
        self._reader = reader
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._at = 0
        self._more()

    def _more(self) -> bool:
        """Read on, in steps that grow with what is held, so that a huge row is not parsed too often."""
        self._reader.fill(max(_BATCH, len(self._text) - self._at))
        data, self._reader.data = self._reader.data, b""
        try:
            new = self._decode(data, self._reader.ended)
        except UnicodeDecodeError as error:
            raise BadBundle("is not UTF-8") from error
        self._text = self._text[self._at :] + new
        self._at = 0
        return bool(new) or not self._reader.ended

    def next(self) -> str:
        """The next character that is no space; "" at the end."""
        while True:
            match = _SPACES.match(self._text, self._at)
            self._at = match.end() if match else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def skip(self, character: str) -> bool:
        found = self.next() == character
        self._at += found
        return found

    def value(self) -> Any:
        """The JSON value here. Raises BadBundle if there is none, however much is read on."""
        self.next()
        while True:
            try:
                value, end = _DECODER.raw_decode(self._text, self._at)
            except ValueError as error:
                if isinstance(error, BadBundle):
                    raise
                if not self._more():
                    raise BadBundle(f"holds something that is not JSON ({error})") from error
            else:
                self._at = end
                return _mended(value)
