"""Events by segment export: the same rows under the same keys as by bundles, and the same state."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from source_fullstory.events.bundles import Bundle
from source_fullstory.events.event_rows import ADDED, EventRows
from source_fullstory.events.export_stream import ExportStream
from source_fullstory.events.export_windows import Window
from source_fullstory.files.spool import Spool
from source_fullstory.kit.contract import Page
from source_fullstory.rows.variables import OBJECTS


class ExportedEventStream(ExportStream):
    """State: as of EventStream, which may go on where this one stopped, and the other way round."""

    kind = "TYPE_EVENT"
    objects = OBJECTS
    kept = (*ADDED, *OBJECTS)
    can_exclude = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._event_rows = EventRows(self.name, self.columns, self.exclusion)

    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        span = (window.start, window.stop)
        return self._event_rows.pages(spool, self.bundle_of(window), [span], self.floor, window.tally)

    def bundle_of(self, window: Window) -> Bundle:
        """Never with a lower id than was given before: a destination that keeps the row with the greatest cursor must
        not keep the older of two readings."""
        return replace(window.bundle, id=max(window.bundle.id, self.ledger.newest.get("bundle_id", 0)))

    def close(self) -> None:
        self._event_rows.close()
