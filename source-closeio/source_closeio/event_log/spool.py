"""Rows that wait until all are known: the first megabyte in memory, the rest in a temporary file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice
from threading import Lock
from typing import Any
from weakref import finalize

from source_closeio.kit.contract import Page
from source_closeio.kit.errors import config_error
from source_closeio.kit.json_text import dump_line, parse

_IN_MEMORY_BYTES = 1 << 20
_PAGE = 100


class Spool:
    """Written to its end, then read, by several at once."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY_BYTES)  # noqa: SIM115 - as long as the sync
        finalize(self, self._file.close)

    def add(self, row: Mapping[str, Any]) -> None:
        with _room():
            self._file.write(dump_line(row))

    def pages(self) -> Iterator[Page]:
        place = 0
        while True:
            with self._lock:
                lines, place = self._lines(place)
            if not lines:
                return
            yield [parse(line) for line in lines]

    def _lines(self, place: int) -> tuple[list[bytes], int]:
        with _room():
            self._file.seek(place)  # writes what is still in the buffer
            lines = list(islice(self._file, _PAGE))
            return lines, place + sum(map(len, lines))


@contextmanager
def _room() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        folder = tempfile.tempdir or os.environ.get("TMPDIR") or "for temporary files"
        raise config_error(
            f"The folder {folder} cannot take in the deletions that the event log tells of ({error.strerror}). They "
            "wait there until the log was read. Make room in it, or name another folder in the environment variable "
            "TMPDIR."
        ) from error
