"""Individuals, by segment exports of TYPE_INDIVIDUAL (https://developer.fullstory.com, "Create segment export"): who
had events in a window, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from source_fullstory import epochs
from source_fullstory.events.export_stream import ExportStream
from source_fullstory.events.export_windows import Window
from source_fullstory.files.spool import Spool
from source_fullstory.kit.contract import Page
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

    def load(self, state: Mapping[str, Any]) -> None:
        text = state.get(self.cursor_field)
        self.ledger.load({"bundle_stop": text} if text else {})

    def save(self) -> Mapping[str, Any]:
        return {self.cursor_field: epochs.to_text(self.ledger.coverage.read_to)}

    def estimate(self, known: int, left: float) -> int:
        """Nothing tells how many people other windows have: the same ones may be in all, or in none."""
        return known

    def close(self) -> None:
        self._variables.tell_of_the_rest()

    def pages(self, spool: Spool, window: Window) -> Iterator[Page]:
        times = {"window_start": epochs.to_text(window.start), "window_end": epochs.to_text(window.stop)}
        for rows in spool.batches():
            page = [{**row, **times} for row in self._variables.gather(rows)]
            window.tally.rows += len(page)
            yield self.exclusion.strip(page)
