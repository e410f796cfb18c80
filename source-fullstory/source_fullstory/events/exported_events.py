"""Events by segment export: the same rows under the same keys as by bundles, and the same state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from source_fullstory.events.bundles import Bundle
from source_fullstory.events.coverage import Coverage
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
        self._newest: dict[str, Any] = {}
        self._event_rows = EventRows(self.name, self.columns, self.exclusion)

    def load(self, state: Mapping[str, Any]) -> Coverage | None:
        self._newest = {name: state[name] for name in ("bundle_id", "period_seconds") if state.get(name) is not None}
        return self.saved_coverage(state)

    def save(self) -> Mapping[str, Any]:
        return {**self._newest, **self.coverage.to_state()}

    def passed(self, window: Window) -> None:
        if window.stop >= self.coverage.read_to:
            bundle = self._numbered(window)
            self._newest = {"bundle_id": bundle.id, "period_seconds": bundle.period}

    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        span = (window.start, window.stop)
        return self._event_rows.pages(spool, self._numbered(window), [span], self.floor, window.tally)

    def _numbered(self, window: Window) -> Bundle:
        """Never with a lower id than was given before: a destination that keeps the row with the greatest cursor must
        not keep the older of two readings."""
        newest = int(self._newest.get("bundle_id") or 0)
        return replace(window.bundle, id=max(window.bundle.id, newest))
