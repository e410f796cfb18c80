"""Rows one by one, without any assumption about where they end: slower, and for what the fast way cannot read."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

from source_fullstory.rows.lenient import Row, mended, refuse
from source_fullstory.rows.unpack import NOTHING, WHITESPACE, BadBundle, NotRows

_STEP = 256 * 1024


class Buffer:
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
        self.skip_whitespace()
        self.fill(len(NOTHING) + 1)
        return self.data.rstrip(WHITESPACE) in {b"", NOTHING}

    def skip_whitespace(self) -> None:
        self.data = self.data.lstrip(WHITESPACE)
        while not self.data and not self.ended:
            self.fill(1)
            self.data = self.data.lstrip(WHITESPACE)

    def skip_opening(self) -> None:
        self.skip_whitespace()
        if not self.data.startswith(b"["):
            raise NotRows("is not a list")
        self.data = self.data[1:]

    def drop(self, size: int) -> None:
        """Forget what was read."""
        self.data = self.data[size:]

    def last(self) -> bytes | None:
        """What stands before the closing bracket, if this is the end of all."""
        data = self.data.rstrip(WHITESPACE)
        return data[:-1] if self.ended and data.endswith(b"]") else None


_DECODER = json.JSONDecoder(parse_constant=refuse)
_SPACES = re.compile(r"[ \t\r\n]*")


def walk(reader: Buffer) -> Iterator[list[Row]]:
    """Row by row, without any assumption about where rows end."""
    text = _Text(reader)
    rows: list[Row] = []
    while text.skip(",") or text.next() != "]":
        row = text.value()
        if type(row) is not dict:
            raise NotRows("holds a row that is not an object")
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

    def __init__(self, reader: Buffer) -> None:
        self._reader = reader
        self._decode = codecs.getincrementaldecoder("utf-8")().decode
        self._text = ""
        self._at = 0
        self._more()

    def _more(self) -> bool:
        """Read on, in steps that grow with what is held, so that a huge row is not parsed too often."""
        self._reader.fill(max(_STEP, len(self._text) - self._at))
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
                return mended(value)
