"""A walk through a long list by its own order (a timestamp): nothing is lost while the list shifts.

The next page is asked for from the second of the last row on, that second included, and rows already seen there are
dropped. `_skip` is used only inside a second that holds more rows than a page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from source_closeio.http.api import Client, Params
from source_closeio.http.errors import Refused, unusable_list
from source_closeio.kit import times
from source_closeio.kit.contract import Page
from source_closeio.paging.ids import prove_ids
from source_closeio.paging.pages import SAFE_LIMIT, fetch_page, get_page, offset_pages
from source_closeio.paging.windows import Progress

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class KeysetWalk:
    """Walks a list that is sorted by `key` (a timestamp), from one end to the other, by time instead of `_skip`.

    `newest_first` says which way Close sorts the list. `low` (inclusive) and `high` (exclusive) bound the key in
    whole seconds, because Close filters activities to the second. The near bound follows the walk; the far one
    may be moved closer while the walk goes on.
    """

    client: Client
    path: str
    params: Params
    key: str
    newest_first: bool
    limit: int
    low: datetime | None
    high: datetime | None
    undated: set[Any]
    """Ids of rows without the key. No filter holds them, so they may turn up in every window: here, once."""
    dense_second: Callable[[Params], Iterator[Page]]
    """Another way to all rows of a second, for when `_skip` does not reach them."""
    progress: Progress = field(default_factory=Progress)
    total: int | None = None
    more: bool = True
    _asked: tuple[datetime | None, datetime | None] = (None, None)
    _seen: set[Any] = field(default_factory=set)

    def pages(self) -> Iterator[Page]:
        """The rows, page by page. After each page `progress` tells how far the walk has come."""
        while self.low is None or self.high is None or self.low < self.high:
            self._asked = self.low, self.high
            page = fetch_page(self.client, self.path, self._filters(self.low, self.high), 0, self.limit)
            prove_ids(page.rows, self.path)
            self.more = page.more
            self.total = page.total if self.total is None else self.total
            fresh = self._fresh(page.rows)
            stuck_at = self._advance(page.rows, len(fresh))
            yield fresh
            if not page.more:
                return
            if stuck_at:
                yield from self._one_second(stuck_at, len(page.rows))
                if not self._step_over(stuck_at):
                    return
            elif self.progress.edge is None:
                raise unusable_list(self.path, f"a page without any {self.key}")

    def _fresh(self, rows: Page) -> Page:
        """The rows that were not on an earlier page."""
        fresh = [row for row in rows if row.get("id") not in self._seen] if self._seen else rows
        if all(row.get(self.key) is not None for row in fresh):
            return fresh
        fresh = [row for row in fresh if row.get(self.key) is not None or row.get("id") not in self.undated]
        self.undated.update(row.get("id") for row in fresh if row.get(self.key) is None)
        return fresh

    def _advance(self, rows: Page, fresh: int) -> datetime | None:
        """Move the near bound to the second of the last row; if the page did not get beyond one second, say which."""
        dated = [(second, row.get("id")) for row in rows if (second := times.second_of(row.get(self.key)))]
        if not dated:
            return None
        if any(self._is_outside(second) for second, _ in dated):
            raise unusable_list(self.path, f"rows outside the {self.key} that was asked for")
        seconds = [second for second, _ in dated]
        if seconds != sorted(seconds, reverse=self.newest_first):
            raise unusable_list(self.path, f"a page that is not sorted by {self.key}")
        before, edge = self.progress.edge, seconds[-1]
        ids = {id_ for second, id_ in dated if second == edge}
        self._seen = self._seen | ids if edge == before else ids
        self.progress.add(seconds[0], edge, fresh)
        if self.newest_first:
            self.high = times.next_second(edge)
        else:
            self.low = edge
        return edge if edge in (before, seconds[0]) else None

    def _is_outside(self, second: datetime) -> bool:
        """Unknown parameters are ignored silently: a filter that does not filter would never end."""
        low, high = self._asked
        return bool((low and second < low) or (high and second >= high))

    def _one_second(self, second: datetime, offset: int) -> Iterator[Page]:
        """All rows of one second, of which the first `offset` are known."""
        filters = self._filters(second, times.next_second(second))
        pages = offset_pages(self.client, self.path, filters, self.limit, self._seen, offset - 1)
        try:
            yield from pages
        except Refused as refused:
            logger.info(f"{self.client.stream}: {second} holds more rows than Close lists ({refused}); narrowing down")
            yield from self._another_way(second, filters)

    def _another_way(self, second: datetime, filters: Params) -> Iterator[Page]:
        """All rows of a second that `_skip` does not reach."""
        seen = self._seen
        known, found = set(seen), set[Any]()
        for page in self.dense_second(filters):
            found.update(row.get("id") for row in page)
            fresh = [row for row in page if row.get("id") not in seen]
            seen.update(row.get("id") for row in fresh)
            yield fresh
        self._prove_complete(known - found, second)

    def _prove_complete(self, missing: set[Any], second: datetime) -> None:
        """The other way must have found all that the list showed, but for what was deleted in between."""
        sample = sorted(missing)[:SAFE_LIMIT]
        asked = {**self.params, "id__in": ",".join(sample)}
        if sample and any(
            row.get("id") in missing for row in get_page(self.client, self.path, asked, 0, SAFE_LIMIT).rows
        ):
            raise unusable_list(self.path, f"more rows dated {second} than it lets us read")

    def _step_over(self, second: datetime) -> bool:
        """Put the near bound behind a second that was read to its end; False if nothing lies there."""
        if self.newest_first:
            self.high = second
            return True
        self.low = times.next_second(second)
        return self.low is not None

    def _filters(self, low: datetime | None, high: datetime | None) -> dict[str, Any]:
        bounds = {f"{self.key}__gte": low, f"{self.key}__lt": high}
        return {**self.params, **{name: times.to_text(bound) for name, bound in bounds.items() if bound}}
