"""Bundles on their way: which version of the rows, in which bytes, kept in a file when they are many."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

from .bundles import Bundle
from .encoding import WRAPPINGS, damaged, document, headers, wrap
from .faults import DAMAGES, NO_FAULT, Fault
from .messages import Reply
from .rows import served
from .server import PIECE
from .settings import Settings

KEEP_ABOVE = 20_000  # rows; their bytes are made once and kept until the simulator stops
REPACKED = {"crc", "deflate_boundary", "garbage"}  # damages that need gzip, whatever the settings say


class Delivery:
    """Makes the body of `/export/get`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[object, Path] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def reply(self, bundle: Bundle, settings: Settings, fault: Fault = NO_FAULT) -> Reply:
        """One download of the bundle (which counts as one)."""
        with self._lock:
            bundle.downloads += 1
        style, encoding = bundle.style or settings.style, bundle.encoding or settings.encoding
        length = None
        if fault.kind in DAMAGES:
            body = damaged(rows_of(bundle, settings), len(bundle.events), style, encoding, fault.kind)
            encoding = "gzip" if fault.kind in REPACKED and WRAPPINGS[encoding].layers != 1 else encoding
        elif kept := self._kept.get(self._key(bundle, settings)):
            body, length = _content(kept), kept.stat().st_size
        else:
            body = self._made(bundle, settings)
        return Reply(200, headers(encoding), body, settings.framing, length, settings.bytes_per_second, fault)

    def prepare(self, bundle: Bundle, settings: Settings) -> None:
        """Make the bytes of a big bundle now, so that a benchmark does not measure the simulator."""
        if self._key(bundle, settings) not in self._kept:
            for _ in self._made(bundle, settings):
                pass

    def forget(self) -> None:
        """The files are gone."""
        self._kept.clear()

    def _key(self, bundle: Bundle, settings: Settings) -> object:
        """What the bytes depend on; None when they are not worth keeping or never the same."""
        if len(bundle.events) <= KEEP_ABOVE or settings.regenerate:
            return None
        style, encoding = bundle.style or settings.style, bundle.encoding or settings.encoding
        return id(bundle), style, encoding, settings.html_escapes, settings.row_order

    def _made(self, bundle: Bundle, settings: Settings) -> Iterator[bytes]:
        """The bytes; what is worth keeping goes to a file at the same time, so that nobody has to wait for it."""
        style, encoding = bundle.style or settings.style, bundle.encoding or settings.encoding
        rows = rows_of(bundle, settings)
        chunks = wrap(document(rows, style, html_escapes=settings.html_escapes), encoding)
        key = self._key(bundle, settings)
        if key is None:
            yield from chunks
            return
        path = self._folder / f"bundle-{next(self._numbers)}"
        try:
            with path.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    yield chunk
            self._kept.setdefault(key, path)
        finally:
            if self._kept.get(key) != path:
                path.unlink(missing_ok=True)


def rows_of(bundle: Bundle, settings: Settings) -> Iterator[bytes]:
    """The rows as the last download delivered them (or the first one will)."""
    version = max(0, bundle.downloads - 1)
    shuffled = settings.row_order == "shuffled"
    return served(bundle.events.rows(), settings.regenerate, version, shuffled=shuffled)


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(PIECE), b"")
