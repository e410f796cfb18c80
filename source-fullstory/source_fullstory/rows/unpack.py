"""From the bytes of a download to its text: gunzip as often as needed, and what it is, if it is no list of rows.

How FullStory announces gzip has changed over the years, so the magic bytes decide, never a header. No byte of what
is in a file ever gets into a message.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import IO

WHITESPACE = b" \t\r\n"
NOTHING = b"null"
"""So Go, which FullStory is written in, writes an empty list."""

_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31
_MOST_LAYERS = 4
_PIECE = 256 * 1024
_BOM = b"\xef\xbb\xbf"
_HEAD = 512
_CLOSING = {b"[": b"]", b"{": b"}"}
_KINDS: tuple[tuple[bytes, str], ...] = (
    (rb"(?i)<!doctype html|<html|<head|<body", "HTML"),
    (rb"<", "XML"),
    (rb"\{", "an object"),
    (rb'"|-?[0-9]+\s*$|true|false', "a single value"),
    (rb"PK\x03\x04", "a ZIP archive"),
    (rb"PAR1", "Parquet"),
    (rb"Obj\x01", "Avro"),
    (rb"\xff\xfe|\xfe\xff", "UTF-16"),
    (rb"\x00+$", "zeros"),
    (rb"[^\n\[\]{}\x00]*,[^\n\[\]{}\x00]*(\n|$)", "CSV"),
)


class BadBundle(ValueError):
    """The bytes are no complete bundle; the text says why, to be put after the bundle's name."""


class NotRows(BadBundle):
    """What is there is complete, and no list of rows."""


@dataclass(frozen=True, slots=True)
class Content:
    """What is in a download."""

    json_bytes: int
    lines: int
    """About as many as rows, for all known downloads have one a line."""


def pieces(file: IO[bytes]) -> Iterator[bytes]:
    """The file from its beginning."""
    file.seek(0)
    return iter(lambda: file.read(_PIECE), b"")


def is_packed(file: IO[bytes]) -> bool:
    """Then its end is proved, too."""
    return next(pieces(file), b"").startswith(_GZIP)


def unpacked(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The text: unpacked if it begins as gzip does, and again, to the last layer, and without a byte order mark.
    Raises BadBundle."""
    for _ in range(_MOST_LAYERS):
        first, chunks = _peek(chunks, len(_GZIP))
        if not first.startswith(_GZIP):
            break
        chunks = _gunzip(chunks)
    first, chunks = _peek(chunks, len(_BOM))
    if first.startswith(_BOM):
        next(chunks)
        chunks = _chained(first[len(_BOM) :], chunks)
    return chunks


def _peek(chunks: Iterable[bytes], size: int) -> tuple[bytes, Iterator[bytes]]:
    """The first so many bytes or more, and all chunks, of which these are the first."""
    rest = iter(chunks)
    first = b""
    while len(first) < size and (chunk := next(rest, None)) is not None:
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


def examined(chunks: Iterable[bytes], *, lines: bool = False) -> Content:
    """What the text is. Raises NotRows unless it begins with `[`, BadBundle unless it ends with `]`; with `lines` it
    may also be NDJSON that ends with an object, or nothing at all."""
    size, ends, head, tail = 0, 0, b"", b""
    for chunk in chunks:
        size += len(chunk)
        ends += chunk.count(b"\n")
        if len(head) < _HEAD:
            head = (head + chunk).lstrip(WHITESPACE)[:_HEAD]
        tail = chunk.rstrip(WHITESPACE)[-1:] or tail
    if not head and not lines:
        raise BadBundle("is empty, not even an empty list")
    if head and head.rstrip(WHITESPACE) != NOTHING:
        _check_form(head, tail, size, lines=lines)
    return Content(size, ends)


def _check_form(head: bytes, tail: bytes, size: int, *, lines: bool) -> None:
    if not head.startswith((b"[", b"{") if lines else b"["):
        raise NotRows(f"is not a list of events but {_kind(head)}")
    if tail != _CLOSING[head[:1]]:
        raise BadBundle(f"breaks off after {size:,} bytes of JSON, before its closing bracket")


def _kind(head: bytes) -> str:
    """What it is, in a word: what is in it is nobody's business."""
    found = next((name for pattern, name in _KINDS if re.match(pattern, head)), None)
    return found or f"something that begins with the bytes {head[:2].hex(' ')}"
