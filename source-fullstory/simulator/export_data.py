"""What is exported on demand: orders and their operations, segments, and the truth about what exports hold."""

from __future__ import annotations

import tempfile
from pathlib import Path

from .bundle_data import BundleData
from .bundles import Bundle, Moment, epoch
from .delivery import Delivery
from .exports import Export, Exports
from .individuals import individuals
from .moments import SECOND
from .operations import Operations
from .rows import Row, decode, instant
from .segments import Segment, built_in
from .selection import Selection
from .settings import Settings


class ExportData(BundleData):
    """Bundles, and what is made of them when it is ordered; `delivery` has the bytes of both."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings)
        self.operations = Operations()
        self.orders = Exports(self.operations)
        self.segments = {segment.id: segment for segment in built_in()}
        self._folder = tempfile.TemporaryDirectory(prefix="fullstory-simulator-", ignore_cleanup_errors=True)
        self.delivery = Delivery(Path(self._folder.name))

    def forget(self) -> None:
        """Remove all files."""
        self.delivery.forget()
        self._folder.cleanup()

    @property
    def exports(self) -> list[Export]:
        """All that were ordered, in that order; `order.window`, `order.kind`, `operation.state`, `downloads`."""
        return self.orders.all()

    def export_rows(self, export: Export | str) -> list[Row]:
        """What the file of an export holds (or of the export with that id, or with that operation's id)."""
        if isinstance(export, str):
            export = next(e for e in self.exports if export in {e.id, e.operation.id})
        return [decode(row) for row in export.rows()]

    def expire_export(self, export: Export | str) -> None:
        """Its content is gone, as some days after it was finished."""
        key = export if isinstance(export, str) else export.id
        self.orders.get(key).expired = True

    def lose_operation(self, id: str) -> None:  # noqa: A002 - it is the operation's id
        """From now on nobody knows it; what it made stays where it is."""
        self.operations.lose(id)

    def event_truth(self, start: Moment, stop: Moment) -> list[Row]:
        """Every event of [start, stop) once, final, as a segment export of everyone has it (`truth`: as bundles do)."""
        return [decode(raw) for _, raw in Selection.of(self.bundles).events(*_span(start, stop))]

    def individual_truth(self, start: Moment, stop: Moment) -> list[Row]:
        """Everyone with events in [start, stop), as a segment export has them now."""
        until = int(self.now() * SECOND) if self.settings.individual_totals == "all" else None
        everyone = built_in()[0]
        return list(individuals(Selection.of(self.bundles), *_span(start, stop), everyone, until))

    def add_segment(self, segment: Segment) -> Segment:
        """One more, or another one under the same id."""
        self.segments[segment.id] = segment
        return segment

    def prepare(self) -> None:
        """Make the bytes of big bundles and exports now instead of during their first download."""
        sources: list[Bundle | Export] = [*self.bundles, *self.exports]
        for source in sources:
            self.delivery.prepare(source, self.settings)


def _span(start: Moment, stop: Moment) -> tuple[int, int]:
    first, last = (instant(at) for at in (start, stop))
    return epoch(start) * SECOND if first is None else first, epoch(stop) * SECOND if last is None else last
