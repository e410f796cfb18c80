"""Individuals, by segment exports of TYPE_INDIVIDUAL (https://developer.fullstory.com, "Create segment export"): who
had events in a window, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from source_fullstory import epochs
from source_fullstory.events.coverage import Coverage
from source_fullstory.events.export_stream import ExportStream
from source_fullstory.events.export_windows import Window
from source_fullstory.files.spool import Spool
from source_fullstory.kit.contract import Page
from source_fullstory.rows.decode import batches
from source_fullstory.rows.variables import Variables

_LONGEST_SECONDS = 30 * 24 * 3600
"""The range of the segment `everyone` unless another is asked for: surely allowed. The most is not documented."""


class IndividualStream(ExportStream):
    """A row for each window in which an individual was seen; by key, the last one stays.

    State: {"LastEventStart": everything before this time was read}, and `exports`.
    """

    kind = "TYPE_INDIVIDUAL"
    objects = ("user_vars",)
    kept = ("window_start", "window_end", "user_vars")
    can_exclude = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._variables = Variables(self.name, self.columns)

    def longest(self, grid: int) -> int:
        return max(grid, _LONGEST_SECONDS // grid * grid)

    def load(self, state: Mapping[str, Any]) -> Coverage | None:
        text = state.get(self.cursor_field)
        return self.saved_coverage({"bundle_stop": text} if text else {})

    def save(self) -> Mapping[str, Any]:
        return {self.cursor_field: epochs.to_text(self.coverage.read_to)}

    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        times = {"window_start": epochs.to_text(window.start), "window_end": epochs.to_text(window.stop)}
        for rows in batches(spool.chunks()):
            page = [{**row, **times} for row in self._variables.gather(rows)]
            window.tally.rows += len(page)
            yield self.exclusion.strip(page)
