"""A walk through a search, oldest first.

A walk by `cursor` returns at most 10,000 objects and a cursor lives 30 seconds, so the walk goes by key: the next page
begins at the last row's time, inclusive, and rows already seen are dropped. Ascending order makes that safe on live
data: a row that changes meanwhile moves ahead of the walk, not behind it. The cursor is used where the key does not
help: among rows that share one timestamp, and near the present, where the index lags behind, so that rows can stand
elsewhere than their time says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from source_closeio.http.api import Client
from source_closeio.http.errors import Refused, unusable_search
from source_closeio.kit import times
from source_closeio.kit.contract import Page
from source_closeio.paging.query import Bounds, Query, SearchPage
from source_closeio.paging.windows import Progress

_MOST_ROWS_PER_CURSOR = 10_000
_CURSOR_RESTARTS = 20


@dataclass(slots=True)
class SearchWalk:
    """Walks a query in ascending order of its first key; the other keys divide rows that share it.

    A row whose key is at or after `head` may stand anywhere in the list: its place tells nothing.
    """

    query: Query
    keys: tuple[str, ...]
    bounds: dict[str, Bounds]
    head: datetime | None = None
    high: datetime | None = None
    """Upper bound of the first key, exclusive; may be moved closer while the walk goes on."""
    progress: Progress = field(default_factory=Progress)
    total: int | None = None
    more: bool = True
    _low: datetime | None = None
    _lost_order: bool = False
    _seen: dict[tuple[Any, Any], datetime | None] = field(default_factory=dict)
    """(id, key) of rows from the edge's second on: they come again. A row that changed since is another."""

    def __post_init__(self) -> None:
        self._low, self.high = self.bounds.get(self.keys[0], (None, None))

    def pages(self) -> Iterator[Page]:
        """The rows, page by page. After each page `progress` tells how far the walk has come."""
        while self._low is None or self.high is None or self._low < self.high:
            page = self._fetch(None)
            self.total = page.total if self.total is None else self.total
            fresh, moved = self._take(page.rows)
            self.more = bool(page.cursor and page.rows)
            yield fresh
            if not self.more:
                return
            if not moved and not (yield from self._by_cursor(page)):
                return

    def _by_cursor(self, page: SearchPage) -> Generator[Page, None, bool]:
        """Go on from a page behind which the key does not lead. Returns whether there is more, by key."""
        total, got = page.total, len(page.rows)
        refused_at: set[int] = set()
        while page.cursor and page.rows:
            try:
                page = self._fetch(page.cursor)
            except Refused:
                # Expired, because the destination was slow; or, when it comes at the same place again, the cap.
                if got in refused_at or len(refused_at) >= _CURSOR_RESTARTS:
                    return (yield from self._divide())
                refused_at.add(got)
                page, got = self._fetch(None), 0
            got += len(page.rows)
            fresh, moved = self._take(page.rows)
            yield fresh
            if moved:
                return True
            if got > _MOST_ROWS_PER_CURSOR + self.query.limit:  # the cursor leads nowhere, and would never end
                return (yield from self._divide())
        if got < _MOST_ROWS_PER_CURSOR and (self._lost_order if total is None else got >= total):
            return False
        return (yield from self._divide())

    def _divide(self) -> Generator[Page, None, bool]:
        """The cursor ended before the rows did: go on by key after all, or divide one second by the next key.
        Returns whether there is more, by key."""
        latest = max((moment for moment in self._seen.values() if moment), default=self._low)
        if latest is None or self._lost_order:
            raise unusable_search(self.query.object_type, f"more than {_MOST_ROWS_PER_CURSOR:,} rows in no order")
        second = times.floor_second(latest)
        if self._low is None or second > self._low:
            self._low = second
            return True
        if len(self.keys) == 1:
            raise unusable_search(self.query.object_type, f"more rows dated {second} than it lets us read")
        after = times.next_second(second)
        inner = SearchWalk(self.query, self.keys[1:], {**self.bounds, self.keys[0]: (second, after)})
        for page in inner.pages():
            yield self._take(page)[0]
        self._low = after
        return after is not None

    def _fetch(self, cursor: str | None) -> SearchPage:
        return self.query.page({**self.bounds, self.keys[0]: (self._low, self.high)}, self.keys, cursor)

    def _take(self, rows: Page) -> tuple[Page, bool]:
        """The rows not seen before; and whether the lower bound moved up, to the last row that can be trusted."""
        key = self.keys[0]
        marked = [((row.get("id"), row.get(key)), times.parse_or_none(row.get(key)), row) for row in rows]
        fresh = [row for mark, _, row in marked if mark not in self._seen]
        self._seen.update((mark, moment) for mark, moment, _ in marked)
        placed = [moment for _, moment, _ in marked if moment and not (self.head and moment >= self.head)]
        anchor = _anchor(placed)
        if anchor is None or (self._low is not None and anchor <= self._low):
            self._lost_order = self._lost_order or (anchor is None and bool(placed))
            return fresh, False
        self._low = anchor
        self.progress.add(placed[0], anchor, len(fresh))
        second = times.floor_second(anchor)
        self._seen = {mark: moment for mark, moment in self._seen.items() if not moment or moment >= second}
        return fresh, True


def all_leads(client: Client) -> Iterator[str]:
    """The ids of all leads."""
    query = Query(client, "lead", ["id", "date_created", "date_updated"])
    for page in SearchWalk(query, ("date_created", "date_updated"), {}).pages():
        yield from (row["id"] for row in page)


def _anchor(moments: list[datetime]) -> datetime | None:
    """Where a walk may go on by key: no row behind the page is older. None where the page is not in order."""
    if moments == sorted(moments):
        return moments[-1] if moments else None
    seconds = [times.floor_second(moment) for moment in moments]
    return seconds[-1] if seconds == sorted(seconds) else None
