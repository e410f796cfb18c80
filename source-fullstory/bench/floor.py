"""The least that a program can do: unpack a bundle, split it into lines, write each as an Airbyte RECORD line.

`python -m bench.floor FILE`, where FILE is a bundle as FullStory delivers it: a gzipped JSON array, one row a line.
"""

from __future__ import annotations

import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import orjson

PIECE = 64 * 1024
GZIP = 31


def main(bundle: str) -> None:
    for lines in pages(Path(bundle)):
        sys.stdout.buffer.writelines(records(lines))


def pages(bundle: Path) -> Iterator[list[bytes]]:
    """The lines, as many at a time as one piece of the file brings."""
    unpacker = zlib.decompressobj(GZIP)
    rest = b""
    with bundle.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            *lines, rest = (rest + unpacker.decompress(piece)).split(b"\n")
            yield lines
    yield [rest]


def records(lines: list[bytes]) -> Iterator[bytes]:
    emitted_at = time.time_ns() // 1_000_000
    for line in lines:
        if row := line.strip(b"[,]"):
            record = {"stream": "floor", "data": orjson.loads(row), "emitted_at": emitted_at}
            yield orjson.dumps({"type": "RECORD", "record": record}, option=orjson.OPT_APPEND_NEWLINE)


if __name__ == "__main__":
    main(*sys.argv[1:])
