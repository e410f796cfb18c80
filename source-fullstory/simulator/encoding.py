"""From rows to bytes: one JSON array in any layout or one row a line, gzipped in any way, damaged on request.

Documented is "the bytes composing a JSON document (optionally gzipped)" (developer.fullstory.com, "Get data export").
How the gzip is announced has changed over the years; clients were written against each of these variants.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from .rows import decode
from .settings import Encoding, Style

BATCH = 256  # rows to a chunk
LEVEL = 1
GZIP = 31  # zlib's wbits for a gzip wrapper


@dataclass(frozen=True)
class Layout:
    """How the array is written."""

    row: Callable[[bytes], bytes]
    open: bytes = b"["
    between: bytes = b",\n"
    close: bytes = b"]\n"


def _as_is(row: bytes) -> bytes:
    return row


def _pretty(row: bytes) -> bytes:
    return b"  " + json.dumps(decode(row), indent=2).encode().replace(b"\n", b"\n  ")


def _spaced(row: bytes) -> bytes:
    return json.dumps(decode(row), separators=(" ,\r\n\t", "\t: ")).encode()


LAYOUTS: dict[Style, Layout] = {
    "lines": Layout(_as_is),
    "single": Layout(_as_is, between=b",", close=b"]"),
    "crlf": Layout(_as_is, open=b"[\r\n", between=b",\r\n", close=b"\r\n]\r\n"),
    "pretty": Layout(_pretty, open=b"[\n", close=b"\n]"),
    "spaced": Layout(_spaced, open=b" \n[ \t\n ", between=b"\n\n , ", close=b"\n\r\n ] \n\n"),
}


@dataclass(frozen=True)
class Wrapping:
    """How often the JSON is gzipped, in how many members, and what the headers say about it."""

    layers: int
    content_type: str
    content_encoding: str = ""
    members: bool = False


WRAPPINGS: dict[Encoding, Wrapping] = {
    "gzip": Wrapping(1, "application/gzip"),
    "content-encoding": Wrapping(1, "application/json", "gzip"),
    "plain": Wrapping(0, "application/json"),
    "double": Wrapping(2, "application/gzip", "gzip"),
    "members": Wrapping(1, "application/gzip", members=True),
    "mislabelled": Wrapping(1, "application/json"),
    "claimed": Wrapping(0, "application/gzip", "gzip"),
}


def document(
    rows: Iterable[bytes], style: Style, *, html_escapes: bool = False, closed: bool = True
) -> Iterator[bytes]:
    """The JSON array of the rows, in chunks; not `closed`: without its `]`."""
    layout = LAYOUTS[style]
    source = iter(rows)
    lead = layout.open
    while batch := [layout.row(row) for row in islice(source, BATCH)]:
        chunk = lead + layout.between.join(batch)
        yield _escaped(chunk) if html_escapes else chunk
        lead = layout.between
    if lead == layout.open:
        yield lead
    if closed:
        yield layout.close


def lines(rows: Iterable[bytes], *, html_escapes: bool = False, ended: bool = True) -> Iterator[bytes]:
    """The rows as NDJSON, in chunks; not `ended`: without the last line's end. No rows: no chunk."""
    source = iter(rows)
    lead = b""
    while batch := list(islice(source, BATCH)):
        chunk = lead + b"\n".join(batch)
        yield _escaped(chunk) if html_escapes else chunk
        lead = b"\n"
    if lead and ended:
        yield lead


def wrap(chunks: Iterable[bytes], encoding: Encoding) -> Iterator[bytes]:
    """The chunks as they go over the wire."""
    wrapping = WRAPPINGS[encoding]
    wrapped = iter(chunks)
    for _ in range(wrapping.layers):
        wrapped = _members(wrapped) if wrapping.members else gzipped(wrapped)
    return wrapped


def gzipped(chunks: Iterable[bytes], *, ended: bool = True) -> Iterator[bytes]:
    """One gzip member; not `ended`: it stops at a deflate block boundary, with neither end mark nor checksum."""
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, GZIP)
    for chunk in chunks:
        if packed := packer.compress(chunk):
            yield packed
    yield packer.flush(zlib.Z_FINISH if ended else zlib.Z_FULL_FLUSH)


def headers(encoding: Encoding, name: str = "DataExport.json") -> dict[str, str]:
    """What the answer says about its body; the file name of bundles is documented."""
    wrapping = WRAPPINGS[encoding]
    suffix = ".gz" if wrapping.content_type == "application/gzip" else ""
    named = {
        "Content-Type": wrapping.content_type,
        "Content-Disposition": f'attachment; filename="{name}{suffix}"',
    }
    return {**named, "Content-Encoding": wrapping.content_encoding} if wrapping.content_encoding else named


def damaged(chunks: Iterable[bytes], damage: str) -> Iterator[bytes]:
    """The chunks as one plain member of gzip, with one of `faults.DAMAGES` that concern gzip."""
    if damage == "deflate_boundary":
        return gzipped(chunks, ended=False)
    packed = gzipped(chunks)
    return _wrong_checksum(packed) if damage == "crc" else then(packed, b"\x00garbage\xff")


def without_end(chunks: Iterable[bytes], count: int) -> Iterator[bytes]:
    """The chunks without the last `count` bytes."""
    kept = b""
    for chunk in chunks:
        kept += chunk
        yield kept[:-count]
        kept = kept[-count:]


def then(chunks: Iterable[bytes], tail: bytes) -> Iterator[bytes]:
    """The chunks, and something after them."""
    yield from chunks
    yield tail


def _wrong_checksum(packed: Iterable[bytes]) -> Iterator[bytes]:
    """The last chunk of `gzipped` ends in CRC and length, four bytes each."""
    last = b""
    for chunk in packed:
        yield last
        last = chunk
    yield last[:-8] + bytes([last[-8] ^ 0xFF]) + last[-7:]


def _members(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Members that end in the middle of rows, and an empty one at last."""
    for chunk in chunks:
        middle = len(chunk) // 2
        for part in (chunk[:middle], chunk[middle:]):
            yield from gzipped([part])
    yield from gzipped([b""])


def _escaped(chunk: bytes) -> bytes:
    return chunk.replace(b"<", rb"\u003c").replace(b">", rb"\u003e").replace(b"&", rb"\u0026")
