"""Rows by their ids (`id__in`): https://developer.close.com/api/resources/activities lists it as a filter.

How many ids Close takes at once, and whether it answers them all, is not documented.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from source_closeio.http.api import Client
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit.contract import Page
from source_closeio.kit.transport import TooLarge
from source_closeio.paging.ids import prove_ids

_SIZES = (100, 30, 1)
"""Ids per request: the second fits into a URL, the last is a request of another kind."""

logger = logging.getLogger("airbyte")


def rows_by_id(
    client: Client,
    path: str,
    ids: Sequence[str],
    params: Mapping[str, str],
    one_at: Mapping[str, str] | None = None,
    *,
    is_extra: bool = False,
) -> Iterator[Page]:
    """The rows of the list at `path` with these ids, as far as they still exist.

    `one_at` says for which ids a single row is found elsewhere than under `path`. `is_extra`: they are known already,
    and only lack some fields.
    """
    waiting = list(ids)
    while waiting:
        size = client.ids_at_once.get(path, _SIZES[0])
        some, rest = waiting[:size], waiting[size:]
        if size == 1:
            rows = _one(client, (one_at or {}).get(some[0], path), some[0], params, is_extra=is_extra)
        else:
            try:
                rows = _several(client, path, some, params)
            except (Refused, Missing, NotOffered, TooLarge) as refused:
                client.ids_at_once[path] = smaller = _SIZES[_SIZES.index(size) + 1]
                logger.info(f"{client.stream}: asking for {smaller} rows at once ({refused})")
                continue
        found = set(prove_ids(rows, path))
        yield rows
        # A page may be shorter than what was asked for. Once it is empty, what is left is gone.
        left = [id_ for id_ in some if id_ not in found] if found and size > 1 else []
        waiting = left + rest


def _several(client: Client, path: str, ids: Sequence[str], params: Mapping[str, str]) -> Page:
    rows: Page = client.get_list(path, {**params, "id__in": ",".join(ids), "_limit": len(ids)})["data"]
    if any(row.get("id") not in ids for row in rows):
        raise Refused(200, f"GET /{path}", "rows that were not asked for")
    return rows


def _one(client: Client, path: str, id_: str, params: Mapping[str, str], *, is_extra: bool) -> Page:
    try:
        return [client.get(f"{path}{id_}/", params)]
    except (Refused, Missing, NotOffered) as error:
        if not is_extra:
            client.leave_out(error)
        return []
