"""Files on their way: which version of the rows, in which bytes, kept in a file when they are many."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from simkit.faults import NO_FAULT, Fault
from simkit.reply import Reply
from simkit.server import PIECE

from .bundles import Bundle
from .encoding import WRAPPINGS, damaged, document, headers, lines, then, without_end, wrap
from .exports import Export
from .faults import DAMAGES
from .rows import served
from .settings import Encoding, Settings

KEEP_ABOVE = 20_000  # rows; their bytes are made once and kept until the simulator stops
REPACKED = {"crc", "deflate_boundary", "garbage"}  # damages that need gzip, whatever the settings say


@dataclass(frozen=True)
class Parcel:
    """A file to deliver. `key` is what its bytes depend on, None when they are never the same.

    `written` gives the text of rows; when it is told that this is not all, without what closes it.
    """

    name: str
    count: int
    rows: Callable[[], Iterator[bytes]]
    written: Callable[[Iterable[bytes], bool], Iterator[bytes]]
    encoding: Encoding
    framing: str
    key: object
    is_lines: bool = False

    def damaged(self, damage: str) -> tuple[Encoding, Iterator[bytes]]:
        """With one of `faults.DAMAGES`, and how it is then encoded."""
        if damage in REPACKED:
            encoding: Encoding = self.encoding if WRAPPINGS[self.encoding].layers == 1 else "gzip"
            cut = damage == "deflate_boundary"
            rows = islice(self.rows(), self.count // 2) if cut else self.rows()
            return encoding, damaged(self.written(rows, not cut), damage)
        if damage == "json_garbage":
            rest = b'{"EventType":' if self.is_lines else b'{"EventType":"click"}'
            return self.encoding, wrap(then(self.written(self.rows(), True), rest), self.encoding)
        text = self.written(self.rows(), False)
        return self.encoding, wrap(without_end(text, 2) if self.is_lines else text, self.encoding)


class Delivery:
    """Makes the bodies of downloads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._kept: dict[object, Path] = {}
        self._numbers = itertools.count()
        self._lock = threading.Lock()

    def reply(self, source: Bundle | Export, settings: Settings, fault: Fault = NO_FAULT) -> Reply:
        """One download of a bundle or of an export (which counts as one)."""
        with self._lock:
            source.downloads += 1
        parcel = parcel_of(source, settings)
        length = None
        encoding = parcel.encoding
        body: Iterator[bytes]
        if fault.kind in DAMAGES:
            encoding, body = parcel.damaged(fault.kind)
        elif kept := self._kept.get(parcel.key):
            body, length = _content(kept), kept.stat().st_size
        else:
            body = self._made(parcel)
        named = headers(encoding, parcel.name)
        return Reply(200, named, body, parcel.framing, length, settings.bytes_per_second, fault)

    def prepare(self, source: Bundle | Export, settings: Settings) -> None:
        """Make the bytes of something big now, so that a benchmark does not measure the simulator."""
        parcel = parcel_of(source, settings)
        if parcel.key is not None and parcel.key not in self._kept:
            for _ in self._made(parcel):
                pass

    def forget(self) -> None:
        """The files are gone."""
        self._kept.clear()

    def _made(self, parcel: Parcel) -> Iterator[bytes]:
        """The bytes; what is worth keeping goes to a file at the same time, so that nobody has to wait for it."""
        chunks = wrap(parcel.written(parcel.rows(), True), parcel.encoding)
        if parcel.key is None:
            yield from chunks
            return
        path = self._folder / f"file-{next(self._numbers)}"
        try:
            with path.open("wb") as file:
                for chunk in chunks:
                    file.write(chunk)
                    yield chunk
            self._kept.setdefault(parcel.key, path)
        finally:
            if self._kept.get(parcel.key) != path:
                path.unlink(missing_ok=True)


def parcel_of(source: Bundle | Export, settings: Settings) -> Parcel:
    """How a bundle or an export is delivered."""
    return _bundle(source, settings) if isinstance(source, Bundle) else _export(source, settings)


def rows_of(bundle: Bundle, settings: Settings) -> Iterator[bytes]:
    """The rows as the last download delivered them (or the first one will)."""
    version = max(0, bundle.downloads - 1)
    shuffled = settings.row_order == "shuffled"
    return served(bundle.events.rows(), settings.regenerate, version, shuffled=shuffled)


def _bundle(bundle: Bundle, settings: Settings) -> Parcel:
    style, encoding, escapes = (
        bundle.style or settings.style,
        bundle.encoding or settings.encoding,
        settings.html_escapes,
    )
    kept = len(bundle.events) > KEEP_ABOVE and not settings.regenerate
    return Parcel(
        name="DataExport.json",
        count=len(bundle.events),
        rows=lambda: rows_of(bundle, settings),
        written=lambda rows, closed: document(rows, style, html_escapes=escapes, closed=closed),
        encoding=encoding,
        framing=settings.framing,
        key=(id(bundle), style, encoding, escapes, settings.row_order) if kept else None,
    )


def _export(export: Export, settings: Settings) -> Parcel:
    encoding, escapes = settings.export_encoding, settings.html_escapes
    style, ended = settings.style, settings.ndjson_ended
    is_lines = export.order.format == "FORMAT_NDJSON"
    count = len(export)
    if is_lines and not count and settings.empty_export == "bytes":
        encoding = "plain"

    def written(rows: Iterable[bytes], closed: bool) -> Iterator[bytes]:
        if is_lines:
            return lines(rows, html_escapes=escapes, ended=ended)
        return document(rows, style, html_escapes=escapes, closed=closed)

    return Parcel(
        name=f"{export.id}.{'ndjson' if is_lines else 'json'}",
        count=count,
        rows=export.rows,
        written=written,
        encoding=encoding,
        framing=settings.export_framing,
        key=(export.id, encoding, escapes, style, ended) if count > KEEP_ABOVE else None,
        is_lines=is_lines,
    )


def _content(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from iter(lambda: file.read(PIECE), b"")
