"""Opportunities: a list with filters on `date_updated`, and sorted by it at will.

https://developer.close.com/api/resources/opportunities. Ascending order makes the walk safe on live data: a row that
changes meanwhile moves ahead of it, not behind it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from source_closeio.families.changed_rows import FollowingStream
from source_closeio.http.api import Params
from source_closeio.http.errors import Refused
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.dense import by_all_leads, by_halves
from source_closeio.paging.keyset import KeysetWalk
from source_closeio.paging.windows import Window

_PATH = "opportunity/"
_LIMIT = 250
_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


class OpportunityStream(FollowingStream):
    """Opportunities by `date_updated`."""

    rows_per_window = 20 * _LIMIT
    lookback = timedelta(minutes=1)  # for rows that were being written when the last sync began

    @property
    def probe_path(self) -> str:
        return _PATH

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("opportunity",)

    def path_of(self, kind: str) -> str:
        return _PATH

    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        walk = self._walk({}, window.start, window.end)
        for page in walk.pages():
            yield from self.estimate(walk.total)
            yield page
            if walk.more:
                self.split_above(window, walk.progress)
                walk.high = window.end

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        return self._walk({"lead_id": lead_id}, None, None).pages()

    def _walk(self, filters: Params, low: datetime | None, high: datetime | None) -> KeysetWalk:
        return KeysetWalk(
            client=self.client,
            path=_PATH,
            params={"_order_by": self.cursor_field, **self.named, **filters},
            key=self.cursor_field,
            newest_first=False,
            limit=_LIMIT,
            low=low,
            high=high,
            undated=self.undated,
            dense_second=self._dense_second,
        )

    def _dense_second(self, filters: Params) -> Iterator[Page]:
        """More rows changed in a second than `_skip` reaches: divide them by when they were created, and by lead where
        that was one second, too."""
        try:
            yield from by_halves(self.client, _PATH, filters, _LIMIT, "date_created", _FIRST, _LAST)
        except Refused:
            if "lead_id" in filters:
                raise
            yield from by_all_leads(self.client, _PATH, filters, _LIMIT)
