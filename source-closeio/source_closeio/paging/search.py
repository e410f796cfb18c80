"""Streams read through Advanced Filtering (`POST /data/search/`), which filters and sorts by time of change.

https://developer.close.com/api/resources/advanced-filtering/search. A walk by `cursor` returns at most 10,000 objects
and a cursor lives 30 seconds, so the walk goes by key: the next page begins at the last row's time, inclusive, and
rows already seen are dropped. Ascending order makes that safe on live data: a row that changes meanwhile moves ahead
of the walk, not behind it. The cursor is used where the key does not help: among rows that share one timestamp, and
near the present, where the index lags behind, so that rows can stand elsewhere than their time says.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.event_log.change_reading import FollowingStream
from source_closeio.http.api import Client
from source_closeio.http.errors import Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.lists import offset_pages
from source_closeio.paging.windows import Progress, Window

_LIMIT = 200
_SAFE_LIMIT = 100
_MOST_ROWS_PER_CURSOR = 10_000
_CURSOR_RESTARTS = 20
_INDEX_LAG = timedelta(minutes=10)  # not documented; assumed generously

Bounds = tuple[datetime | None, datetime | None]


class SearchStream(FollowingStream):
    """Objects of one type, by `date_updated`."""

    object_type: ClassVar[str]
    lookback = _INDEX_LAG
    rows_per_window = 20 * _LIMIT

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        for number, query in enumerate(self.queries()):
            yield from self._read_query(query, window, may_split=number == 0)

    def queries(self) -> list[Query]:
        """What to ask for, one after the other, to get all objects of the stream."""
        return [Query(self.client, self.object_type, [*self.json_schema()["properties"], "custom"])]

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        return offset_pages(self.client, f"{self.object_type}/", {"lead_id": lead_id}, _SAFE_LIMIT)

    def _read_query(self, query: Query, window: Window, *, may_split: bool) -> Iterator[Page | Estimate]:
        walk = SearchWalk(
            query=query,
            keys=("date_updated", "date_created"),
            bounds={"date_updated": (window.start, window.end)},
            head=self.api.sync_start - _INDEX_LAG,
        )
        for page in walk.pages():
            yield from self.estimate(walk.total)
            yield [_with_flat_custom_fields(row) for row in page]
            if walk.more and may_split:
                self.split_above(window, walk.progress)
                walk.high = window.end


@dataclass(frozen=True, slots=True)
class SearchPage:
    rows: Page
    cursor: str | None
    total: int | None
    """How many objects match the query in all, this page included."""


@dataclass(frozen=True, slots=True)
class Query:
    """Objects of one type with some of their fields, bounded and sorted by time fields."""

    client: Client
    object_type: str
    fields: list[str]
    where: Mapping[str, str] = field(default_factory=dict)
    """Values that fields of the objects have."""

    def page(self, bounds: Mapping[str, Bounds], sort: tuple[str, ...], cursor: str | None) -> SearchPage:
        """One page, ascending. Lower bounds are inclusive, upper ones exclusive (`on_or_after`, `before`)."""
        conditions = [self._equals(name, value) for name, value in self.where.items()]
        conditions += [self._between(name, low, high) for name, (low, high) in bounds.items() if low or high]
        body: dict[str, Any] = {
            "query": {
                "type": "and",
                "queries": [{"type": "object_type", "object_type": self.object_type}, *conditions],
            },
            "sort": [{"direction": "asc", "field": self._field(name)} for name in sort],
            "_fields": {self.object_type: list(dict.fromkeys(self.fields))},
            "_limit": _LIMIT,
            "include_counts": True,
            **({"cursor": cursor} if cursor else {}),
        }
        answer = self.client.search(body)
        count = answer.get("count")
        total = count.get("total") if isinstance(count, dict) else count
        return SearchPage(answer["data"], answer.get("cursor") or None, total if isinstance(total, int) else None)

    def _between(self, name: str, low: datetime | None, high: datetime | None) -> dict[str, Any]:
        condition: dict[str, Any] = {"type": "moment_range"}
        for word, moment in (("on_or_after", low), ("before", high)):
            if moment:
                condition[word] = {"type": "fixed_utc", "value": times.to_text(moment)}
        return {"type": "field_condition", "field": self._field(name), "condition": condition}

    def _equals(self, name: str, value: str) -> dict[str, Any]:
        condition = {"type": "term", "values": [value]}
        return {"type": "field_condition", "field": self._field(name), "condition": condition}

    def _field(self, name: str) -> dict[str, str]:
        return {"type": "regular_field", "object_type": self.object_type, "field_name": name}


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
        if got < _MOST_ROWS_PER_CURSOR and (self._lost_order if total is None else got >= total):
            return False
        return (yield from self._divide())

    def _divide(self) -> Generator[Page, None, bool]:
        """The cursor ended before the rows did: go on by key after all, or divide one second by the next key.
        Returns whether there is more, by key."""
        latest = max((moment for moment in self._seen.values() if moment), default=self._low)
        if latest is None or self._lost_order:
            raise _unusable(self.query.object_type, f"more than {_MOST_ROWS_PER_CURSOR:,} rows in no order")
        second = times.floor_second(latest)
        if self._low is None or second > self._low:
            self._low = second
            return True
        if len(self.keys) == 1:
            raise _unusable(self.query.object_type, f"more rows dated {second} than it lets us read")
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


def _with_flat_custom_fields(row: dict[str, Any]) -> dict[str, Any]:
    """Custom fields as `custom.cf_...` columns, as lists have them; search was seen to nest them under `custom` too."""
    nested = row.get("custom")
    if not isinstance(nested, dict) or not all(name.startswith(("cf_", "lcf_")) for name in nested):
        return row
    flat = {f"custom.{name}": value for name, value in nested.items()}
    return {**{name: value for name, value in row.items() if name != "custom"}, **flat}


def _unusable(object_type: str, what: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"Searching for {object_type} objects, Close answered {what}, so they cannot be read without losing "
        "some. What was read before is kept. Please report this.",
        internal_message=f"/data/search/ {object_type}: {what}",
        failure_type=FailureType.system_error,
    )
