"""Segment exports: what each one holds, frozen when it is ordered, and whether it may be ordered at all."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from .individuals import individuals
from .moments import BEFORE_ALL, DAY, SECOND
from .operations import KEPT_DAYS, Operation, Operations
from .orders import Order
from .rows import INT64_MAX, Row, decode, encode, identity, served
from .selection import Selection

if TYPE_CHECKING:
    from .settings import Settings, Unsettled


@dataclass
class Export:
    """What was ordered, and the account as it was then."""

    id: str
    operation: Operation
    order: Order
    selection: Selection
    created: float
    oldest: int  # what is older is past retention
    settle: int
    unsettled: Unsettled
    all_time: bool
    shuffled: bool
    downloads: int = 0
    expired: bool = False

    def is_expired(self, now: float) -> bool:
        """Whether its content is gone."""
        finished = self.operation.finished
        return self.expired or (finished is not None and now >= finished + KEPT_DAYS * 86_400)

    def rows(self) -> Iterator[bytes]:
        """What its file holds."""
        return self._poured() if self.is_bulk else iter(self._held)

    def __len__(self) -> int:
        return self._count if self.is_bulk else len(self._held)

    @cached_property
    def is_bulk(self) -> bool:
        """Whether there may be too many rows to hold."""
        return self.order.kind == "TYPE_EVENT" and self.selection.is_bulk(*self._span)

    @cached_property
    def _held(self) -> list[bytes]:
        return list(self._poured())

    @cached_property
    def _count(self) -> int:
        return self.selection.count(*self._span) if self._is_plain else sum(1 for _ in self._poured())

    @property
    def _is_plain(self) -> bool:
        """Whether every row is exported as it is."""
        return self.order.segment.one_in == 1 and not self.order.fields and not self.settle

    @property
    def _span(self) -> tuple[int, int]:
        """What has not happened yet, and what is past retention, is in no export."""
        return max(self.order.start, self.oldest), min(self.order.stop, int(self.created * SECOND))

    def _poured(self) -> Iterator[bytes]:
        if self.order.kind == "TYPE_INDIVIDUAL":
            until = int(self.created * SECOND) if self.all_time else None
            rows = individuals(self.selection, *self._span, self.order.segment, until)
            return (encode(self.order.columns(row)) for row in rows)
        return served(self._events(), frozenset(), 0, shuffled=self.shuffled)

    def _events(self) -> Iterator[bytes]:
        if self._is_plain:
            yield from (raw for _, raw in self.selection.events(*self._span))
            return
        segment, young = self.order.segment, int(self.created * SECOND) - self.settle
        for at, raw in self.selection.events(*self._span):
            settled = at < young or not self.settle
            row = decode(raw)
            if settled or self.unsettled == "values" or (self.unsettled == "some" and _is_early(row)):
                row = row if settled or self.unsettled == "some" else unsettled(row)
                if segment.has(row):
                    yield encode(self.order.columns(row))


def unsettled(row: Row) -> Row:
    """The event as it looks before a day has passed: people not linked yet, pages still open (help.fullstory.com)."""
    row = {**row, "PageDuration": 1, "PageActiveDuration": 1}
    if row.get("UserEmail"):
        row["UserEmail"] = ""
        row["IndvId"] = INT64_MAX - (row.get("IndvId") or 0)
    return row


def _is_early(row: Row) -> bool:
    """Half of the events are there at once, the others arrive late."""
    return sum(identity(row).encode()) % 2 == 0


class Exports:
    """All that were ordered."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._all: dict[str, Export] = {}
        self._failed = 0
        self._lost = 0
        self._lock = threading.Lock()

    def create(self, order: Order, selection: Selection, settings: Settings, now: float) -> Export:
        """Order one."""
        with self._lock:
            number = len(self._all) + 1
            key = f"{settings.seed:04x}{number:08x}{settings.id_suffix}"
            operation = Operation(key, "SEARCH_EXPORT", now, state="PENDING")
            days = settings.retention_days
            export = Export(
                id=f"export-{operation.id}",
                operation=operation,
                order=order,
                selection=selection,
                created=now,
                oldest=BEFORE_ALL if days is None else int(now * SECOND) - int(days * DAY),
                settle=int(settings.settle_seconds * SECOND),
                unsettled=settings.unsettled,
                all_time=settings.individual_totals == "all",
                shuffled=settings.row_order == "shuffled",
            )
            operation.will_fail = self._reason(export, settings)
            if self._lost < settings.export_losses:
                self._lost += 1
                operation.lost = True
            self._operations.add(operation)
            self._all[export.id] = export
            return export

    def get(self, key: str) -> Export:
        """The export of that id, or KeyError."""
        with self._lock:
            return self._all[key]

    def all(self) -> list[Export]:
        """In the order in which they were created."""
        with self._lock:
            return list(self._all.values())

    def running(self, settings: Settings, now: float) -> int:
        """How many are not over yet; one that is lost does not count."""
        operations = [export.operation for export in self.all() if not export.operation.lost]
        for operation in operations:
            operation.look(settings, now, polled=False)
        return sum(operation.running for operation in operations)

    def _reason(self, export: Export, settings: Settings) -> str:
        """Why it will fail, or ""."""
        hours, rows = settings.export_fails_above_hours, settings.export_fails_above_rows
        if self._failed < settings.export_failures:
            self._failed += 1
            return "the export could not be completed"
        if hours is not None and export.order.hours > hours:
            return "the time range is too long"
        if rows is not None and len(export) > rows:
            return "the export has too many rows"
        return ""
