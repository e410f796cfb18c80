"""Tasks: a list with filters on `date_updated`, and sorted by `date_created` at will.

https://developer.close.com/api/resources/tasks. Windows are cut by `date_updated`, the cursor. Inside a window the
walk goes by `date_created`, which does not move when a task is edited; a task edited meanwhile leaves its window for
a later one, or for the next sync.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from source_closeio.families.changed_rows import FollowingStream
from source_closeio.http.api import Params
from source_closeio.http.errors import Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.dense import by_all_leads, by_halves
from source_closeio.paging.keyset import KeysetWalk
from source_closeio.paging.pages import fetch_page
from source_closeio.paging.windows import Window

_PATH = "task/"
_LIMIT = 1000
_TYPES = (
    *("lead", "incoming_email", "email_followup", "missed_call", "answered_detached_call", "voicemail"),
    *("opportunity_due", "incoming_sms", "outgoing_call"),
)
_EVER = Window(datetime(1970, 1, 1, tzinfo=UTC), None)


class TaskStream(FollowingStream):
    """Tasks of every type: without `_type=all` Close answers lead tasks only."""

    needed_fields = ("date_created", "lead_id")
    rows_per_window = 10 * _LIMIT
    lookback = timedelta(minutes=1)  # for rows that were being written when the last sync began

    @property
    def probe_path(self) -> str:
        return _PATH

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("task", "task.")

    def path_of(self, kind: str) -> str:
        return _PATH

    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        walk = self._walk(window, {})
        rows = 0
        for page in walk.pages():
            yield from self.estimate(walk.total)
            if self.split_by_total(window, walk.total or 0):
                # The page holds rows of all the parts: it is read again, in parts.
                yield from self.rows_of(window)
                return
            rows += len(page)
            yield page
        if walk.total and rows < walk.total:
            yield self._without_creation(walk.params)

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        return self._walk(_EVER, {"lead_id": lead_id}).pages()

    def _without_creation(self, params: Params) -> Page:
        """Tasks without `date_created`: a walk by that date does not meet them if they are sorted last."""
        page = fetch_page(self.client, _PATH, {**params, "_order_by": "-date_created"}, 0, _LIMIT)
        undated = [row for row in page.rows if row.get("date_created") is None and row.get("id") not in self.undated]
        self.undated.update(row.get("id") for row in undated)
        return undated

    def _walk(self, window: Window, filters: Params) -> KeysetWalk:
        updated = _updated(window.start, window.end)
        return KeysetWalk(
            client=self.client,
            path=_PATH,
            params={"_type": "all", "_order_by": "date_created", **self.named, **updated, **filters},
            key="date_created",
            newest_first=False,
            limit=_LIMIT,
            low=None,
            high=None,
            undated=self.undated,
            dense_second=lambda filters: self._dense_second(filters, window),
        )

    def _dense_second(self, filters: Params, window: Window) -> Iterator[Page]:
        """More rows created in a second than `_skip` reaches: divide them by `date_updated`, by type where many were
        changed in one second, too, and then by lead."""
        low, high = window.start, window.end or max(self.api.sync_start, window.start) + timedelta(days=1)
        try:
            yield from by_halves(self.client, _PATH, filters, _LIMIT, "date_updated", low, high)
        except Refused:
            for kind in _TYPES:
                yield from self._dense_type({**filters, "_type": kind}, low, high)

    def _dense_type(self, filters: Params, low: datetime, high: datetime) -> Iterator[Page]:
        try:
            yield from by_halves(self.client, _PATH, filters, _LIMIT, "date_updated", low, high)
        except Refused:
            if "lead_id" in filters:
                raise
            yield from by_all_leads(self.client, _PATH, filters, _LIMIT)


def _updated(low: datetime, high: datetime | None) -> Params:
    bounds = {"date_updated__gte": times.to_text(low)}
    return {**bounds, "date_updated__lt": times.to_text(high)} if high else bounds
