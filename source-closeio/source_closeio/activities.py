"""Activities: lists by `date_created`, newest first (https://developer.close.com/api/resources/activities).

Close has no filter by time of change for them, and no other order. `date_created` is what the creator says: planned
meetings lie in the future, so the last window has no end; imported and synced rows lie in the past.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any, ClassVar

from source_closeio.api import Params
from source_closeio.errors import Missing, Refused
from source_closeio.lists import KeysetWalk, by_lead, offset_pages
from source_closeio.reader import Estimate, Page
from source_closeio.search import Query, SearchWalk
from source_closeio.stream import CloseStream
from source_closeio.windows import Window

_LIMIT = 100
_LEADS_PER_REQUEST = 30  # Close advises against URLs above 2,000 characters; a lead's id has 48
_TYPES = (
    *("call", "created", "custom", "email", "emailthread", "form_submission", "import_update", "lead_merge"),
    *("meeting", "note", "sms", "status_change/lead", "status_change/opportunity", "task_completed"),
    "whatsapp_message",
)


class ActivityStream(CloseStream):
    """Activities of one type, or of all, re-reading the last `lookback_window_hours` on each sync."""

    cursor_field = "date_created"
    path: ClassVar[str]
    also: ClassVar[str | None] = None
    """A second list to read for the same windows, where the first leaves rows out: the list of all types answers
    an Email per message unless it is asked for threads *instead*, so email threads come from their own list."""
    rows_per_window = 20 * _LIMIT

    @property
    def lookback(self) -> timedelta:  # type: ignore[override]  # constant elsewhere, here the user's choice
        return self.config.lookback

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        threads: set[Any] = set()
        walk = self._walk(self.path, window)
        for page in walk.pages():
            threads.update(row.get("id") for row in page if row.get("_type") == "EmailThread")
            yield page
            if walk.more:
                self.split_below(window, walk.progress)
                walk.low = window.start
        if self.also:
            yield from self._others(self._walk(self.also, window), threads)

    def _others(self, walk: KeysetWalk, known: set[Any]) -> Iterator[Page]:
        try:
            for page in walk.pages():
                yield [row for row in page if row.get("id") not in known]
        except Missing:
            return  # assumed: where Close has no such list, the first one holds everything

    def _walk(self, path: str, window: Window) -> KeysetWalk:
        return KeysetWalk(
            client=self.client,
            path=path,
            params={},
            key=self.cursor_field,
            newest_first=True,
            limit=_LIMIT,
            low=window.start,
            high=window.end,
            undated=self.undated,
            dense_second=lambda filters: self._dense_second(path, filters),
        )

    def _dense_second(self, path: str, filters: Params) -> Iterator[Page]:
        """More rows in a second than `_skip` reaches: ask type by type, and where that is too much, lead by lead."""
        for type_path in [f"activity/{kind}/" for kind in _TYPES] if path == "activity/" else [path]:
            try:
                yield from offset_pages(self.client, type_path, filters, _LIMIT)
            except Refused:
                for leads in self._leads():
                    yield from by_lead(self.client, type_path, filters, _LIMIT, leads)
            except Missing:
                continue  # a type that this Close does not have

    def _leads(self) -> Iterator[list[str]]:
        """The ids of all leads, in groups that fit into a URL."""
        query = Query(self.client, "lead", ["id", "date_created", "date_updated"])
        for page in SearchWalk(query, ("date_created", "date_updated"), {}).pages():
            ids = [row["id"] for row in page]
            yield from (ids[i : i + _LEADS_PER_REQUEST] for i in range(0, len(ids), _LEADS_PER_REQUEST))
