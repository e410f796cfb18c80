"""Lists (GET with `_skip`, `_limit`; https://developer.close.com/topics/pagination/), page by page.

Lists shift while they are read: a new row repeats one at the edge of a page, a deleted row hides one. And Close
refuses a `_skip` beyond a limit that it does not publish. So only short lists are walked by `_skip`; long ones go by
key (keyset.py).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from source_closeio.http.api import FEWEST_ROWS, Client, Params
from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused, deleted_document
from source_closeio.kit.answers import Body
from source_closeio.kit.contract import Page
from source_closeio.kit.errors import transient_error
from source_closeio.kit.transport import TooLarge
from source_closeio.paging.ids import prove_ids

SAFE_LIMIT = 100
_SMALLER_LIMITS = (SAFE_LIMIT, 50, 10)
_LIMIT = 1000
_PARENTS = frozenset({"lead_id", "sequence_id", "thread_id"})
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
        page = get_page(client, path, params, skip, limit)
    except Refused as refused:
        if skip or refused.status != 400:
            raise
        page = _smaller_page(client, path, params, limit, refused)
    except Missing as missing:
        if not deleted_document(missing):
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
            page = get_page(client, path, params, 0, smaller)
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


def fitting(client: Client, what: str, limit: int, ask: Callable[[int], Body]) -> tuple[Body, int]:
    """What `ask` brings for a page of `limit` rows, or of as few as fit into memory; and how many it asked for."""
    while True:
        size = min(limit, client.limits.get(what, limit))
        try:
            return ask(size), size
        except TooLarge:
            if size <= FEWEST_ROWS:
                raise
            client.limits[what] = min(max(FEWEST_ROWS, size // 2), client.limits.get(what, size))


def get_page(client: Client, path: str, params: Params, skip: int, limit: int) -> ListPage:
    """One page."""
    place = {"_skip": skip} if skip else {}
    body, limit = fitting(client, path, limit, lambda size: client.get_list(path, {**params, "_limit": size, **place}))
    rows, more, total = body["data"], body.get("has_more"), body.get("total_results")
    if more is None:
        # Small endpoints leave it out, and answer everything at once, whatever `_skip` says. A page that looks full
        # may be one of several all the same: then one more request tells.
        more = len(rows) >= min(limit, SAFE_LIMIT)
    told = body.get("has_more") is not None
    return ListPage(rows, bool(rows and more), total if isinstance(total, int) else None, told)


def _around_deleted(client: Client, path: str, params: Params, skip: int, limit: int) -> ListPage:
    """The page [skip, skip + limit) without the document that breaks it, which is found by halving."""
    try:
        return get_page(client, path, params, skip, limit)
    except Missing as missing:
        if not deleted_document(missing):
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
        ids = prove_ids(page.rows, path, key)
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


def _unstable(path: str) -> Exception:
    return transient_error(
        f"The list /{path} of Close kept changing while it was read. Run the sync again when fewer rows are being "
        "deleted; what was read before is kept.",
        f"/{path} unstable",
    )
