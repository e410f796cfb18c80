"""Lists (GET with `_skip`, `_limit`; https://developer.close.com/topics/pagination/), paged so that nothing is lost.

Lists shift while they are read: a new row repeats one at the edge of a page, a deleted row hides one. And Close
refuses a `_skip` beyond a limit that it does not publish. So a long list is paged by its own order: the next page is
asked for from the second of the last row on, that second included, and rows already seen there are dropped. `_skip`
is used only inside a second that holds more rows than a page.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.http.api import Client, Params
from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Progress, Window
from source_closeio.stream import CloseStream

_SAFE_LIMIT = 100
_SMALLER_LIMITS = (_SAFE_LIMIT, 50, 10)
_LIMIT = 1000
_PARENTS = frozenset({"lead_id", "lead_id__in", "sequence_id", "thread_id"})
_REPEATS = 200
_FRUITLESS_WALKS = 3  # after so many, a list with fewer ids than places must hold some ids twice

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class ListPage:
    rows: Page
    more: bool
    total: int | None = None
    told: bool = True
    """Whether Close said that there is more, or that there is not."""


def fetch_page(client: Client, path: str, params: Params, skip: int, limit: int) -> ListPage:
    """One page. Asks for smaller pages when the server refuses large ones, and moves past a document that was
    deleted while the list was read. Raises NotOffered if Close has no such list for this key."""
    limit = client.limits.get(path, limit)
    try:
        page = _get(client, path, params, skip, limit)
    except Refused as refused:
        if skip or refused.status != 400:
            raise
        page = _smaller_page(client, path, params, limit, refused)
    except Missing as missing:
        if not _deleted_document(missing):
            _prove_offered(client, path, params, missing)
            raise
        client.pause(0.5)  # the list forgets the document soon; often that is all it takes
        page = _around_deleted(client, path, params, skip, limit)
        if not page.rows and page.more:
            raise
    client.offered.add(path)
    return page


def _smaller_page(client: Client, path: str, params: Params, limit: int, refused: Refused) -> ListPage:
    """The first page of a list that refused one of `limit` rows: the largest page is not published per endpoint."""
    for smaller in (size for size in _SMALLER_LIMITS if size < limit):
        try:
            page = _get(client, path, params, 0, smaller)
        except Refused:
            _prove_offered(client, path, params, refused)
        else:
            client.limits[path] = smaller
            return page
    raise refused


def _prove_offered(client: Client, path: str, params: Params, refusal: CloseError) -> None:
    """Raise NotOffered if the list has never answered, and does not even without parameters that it could dislike.

    Plans and older deployments lack some lists, and not all say so with a 403: send_as was seen to answer 400
    "requires payment". Of a list of some parent's rows nothing is known: the parent may be gone, and without it the
    list may be refused for that.
    """
    if path in client.offered or not _PARENTS.isdisjoint(params):
        return
    try:
        client.get_list(path, {"_limit": 1})
    except (Refused, Missing):
        raise NotOffered(refusal.status, refusal.endpoint, refusal.text) from refusal
    client.offered.add(path)


def _get(client: Client, path: str, params: Params, skip: int, limit: int) -> ListPage:
    body = client.get_list(path, {**params, "_limit": limit, **({"_skip": skip} if skip else {})})
    rows, more, total = body["data"], body.get("has_more"), body.get("total_results")
    if more is None:
        # Small endpoints leave it out, and answer everything at once, whatever `_skip` says. A page that looks full
        # may be one of several all the same: then one more request tells.
        more = len(rows) >= min(limit, _SAFE_LIMIT)
    told = body.get("has_more") is not None
    return ListPage(rows, bool(rows and more), total if isinstance(total, int) else None, told)


def _deleted_document(error: Missing) -> bool:
    """404 `Empty query: Document has been deleted.` on a list: seen in the wild, documented nowhere."""
    return "deleted" in error.text.lower()


def _around_deleted(client: Client, path: str, params: Params, skip: int, limit: int) -> ListPage:
    """The page [skip, skip + limit) without the document that breaks it, which is found by halving."""
    try:
        return _get(client, path, params, skip, limit)
    except Missing as missing:
        if not _deleted_document(missing):
            raise
    if limit == 1:
        return ListPage([], True)
    half = limit // 2
    first = _around_deleted(client, path, params, skip, half)
    if not first.more or 0 < len(first.rows) < half:
        return first  # the next page goes on from its last row, be it short for whatever reason
    second = _around_deleted(client, path, params, skip + half, limit - half)
    return ListPage(first.rows + second.rows, second.more)


def offset_pages(
    client: Client,
    path: str,
    params: Params,
    limit: int,
    seen: set[Any] | None = None,
    offset: int = 0,
    key: str = "id",
) -> Iterator[Page]:
    """The rows of a list by `_skip`, from `offset` on, without those whose `key` is in `seen` (which grows).

    Each page begins with the last row of the page before. If a page begins with a row that was not seen, rows
    before it have vanished and others moved up past us: the walk steps back until it stands on known ground, and
    lets its pages overlap more. If at the end fewer rows were met than the list has places, their order has changed
    meanwhile (that of equal timestamps is not promised), and the list is walked again. Raises Refused where the server
    does not take so large a `_skip`.
    """
    seen = set() if seen is None else seen
    met = set(seen) if offset else set()
    overlap, size = 1, limit
    repeats = fruitless = 0
    met_before = len(met)
    while True:
        page = fetch_page(client, path, params, offset, limit)
        ids = [row.get(key) for row in page.rows]
        if offset and (not ids or ids[0] not in met):
            offset = max(0, offset - size)
            overlap = min(overlap * 4, max(1, size // 2))
            repeats += 1
        else:
            fresh = [row for row in page.rows if row.get(key) not in seen]
            known = len(met)
            seen.update(ids)
            met.update(ids)
            yield fresh
            size = max(1, len(ids))
            repeats += len(met) == known
            if page.more and (len(met) > known or page.told):
                offset += max(1, size - overlap)
            elif not page.told or len(met) >= offset + len(ids) or fruitless == _FRUITLESS_WALKS:
                return
            else:
                fruitless = 0 if len(met) > met_before else fruitless + 1
                met_before, offset = len(met), 0
        if repeats > _REPEATS:
            raise _unstable(path)


def whole_list(client: Client, path: str, filters: tuple[Params, ...] = ({},), key: str = "id") -> Iterator[Page]:
    """All rows of a list, each once, asked for with each of `filters`."""
    seen: set[Any] = set()
    for number, params in enumerate(filters):
        begun = False
        try:
            for page in offset_pages(client, path, params, _LIMIT, seen, key=key):
                begun = True
                yield page
        except (Missing, Refused) as error:
            if begun or not number:
                raise
            logger.warning(f"{client.stream}: rows with {params} are left out. {error}")


class ListStream(CloseStream):
    """A short list that cannot be filtered: read whole on each sync, and put out whole.

    No date tells of every change in a definition, and overwriting the table drops what was deleted. The start date does
    not apply: without the old definitions new rows make no sense.
    """

    path: ClassVar[str]
    is_incremental = False
    filters: ClassVar[tuple[Params, ...]] = ({},)
    """A list that shows only a part unless it is asked for the rest is asked more than once."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Fields that never leave the connector."""

    def pages(self) -> Iterator[Page]:
        for page in whole_list(self.client, self.path, self.filters, self.primary_key):
            yield [_without(row, self.secrets) for row in page] if self.secrets else page

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        yield from self.pages()


def _without(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


class ChangedListStream(ListStream):
    """A list that is read whole on each sync, of which rows that have not changed since the last one are left out."""

    is_incremental = True
    lookback = timedelta(minutes=1)  # for rows that were being written when the last sync began

    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        for page in self.pages():
            yield [row for row in page if self._is_new(row)]

    def _is_new(self, row: dict[str, Any]) -> bool:
        changed = times.parse_or_none(row.get(self.cursor_field))
        return not self.saved or not changed or changed >= self.saved - self.lookback


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
                raise _unusable(self.path, f"a page without any {self.key}")

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
            raise _unusable(self.path, f"rows outside the {self.key} that was asked for")
        seconds = [second for second, _ in dated]
        if seconds != sorted(seconds, reverse=self.newest_first):
            raise _unusable(self.path, f"a page that is not sorted by {self.key}")
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
        sample = sorted(missing)[:_SAFE_LIMIT]
        asked = {**self.params, "id__in": ",".join(sample)}
        if sample and any(row.get("id") in missing for row in _get(self.client, self.path, asked, 0, _SAFE_LIMIT).rows):
            raise _unusable(self.path, f"more rows dated {second} than it lets us read")

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


def by_lead(client: Client, path: str, filters: Params, limit: int, leads: list[str]) -> Iterator[Page]:
    """The rows of some leads, in ever smaller groups of leads where `_skip` does not reach them all."""
    wanted = {"lead_id": leads[0]} if len(leads) == 1 else {"lead_id__in": ",".join(leads)}
    try:
        for page in offset_pages(client, path, {**filters, **wanted}, limit):
            if any(row.get("lead_id") not in leads for row in page):
                raise _unusable(path, "rows of leads that were not asked for")
            yield page
    except Refused:
        if len(leads) == 1:
            raise
        half = len(leads) // 2
        yield from by_lead(client, path, filters, limit, leads[:half])
        yield from by_lead(client, path, filters, limit, leads[half:])


def by_halves(
    client: Client, path: str, filters: Params, limit: int, key: str, low: datetime, high: datetime
) -> Iterator[Page]:
    """The rows whose `key` lies in [low, high), which is halved where `_skip` does not reach them all. Raises Refused
    where a single second holds too many."""
    bounds = {f"{key}__gte": times.to_text(low), f"{key}__lt": times.to_text(high)}
    try:
        yield from offset_pages(client, path, {**filters, **bounds}, limit)
    except Refused:
        middle = times.floor_second(low + (high - low) / 2)
        if not low < middle:
            raise
        yield from by_halves(client, path, filters, limit, key, low, middle)
        yield from by_halves(client, path, filters, limit, key, middle, high)


def _unusable(path: str, what: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"The list /{path} of Close answered {what}, so it cannot be read without losing rows. What was read "
        "before is kept. Please report this: Close seems to have changed its API.",
        internal_message=f"/{path}: {what}",
        failure_type=FailureType.system_error,
    )


def _unstable(path: str) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"The list /{path} of Close kept changing while it was read. Run the sync again when fewer rows are "
        "being deleted; what was read before is kept.",
        internal_message=f"/{path} unstable",
        failure_type=FailureType.transient_error,
    )
