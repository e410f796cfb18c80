"""Rows by their ids (`id__in`): https://developer.close.com/api/resources/activities lists it as a filter."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence

from source_closeio.api import Client
from source_closeio.errors import Missing, Refused
from source_closeio.reader import Page

_MOST_IDS = 100

logger = logging.getLogger("airbyte")


def rows_by_id(
    client: Client, path: str, ids: Sequence[str], fields: str | None = None, one_at: Mapping[str, str] | None = None
) -> Iterator[Page]:
    """The rows of the list at `path` with these ids, as far as they still exist; `fields` asks for these only.

    `one_at` says for which ids a single row is found elsewhere than under `path`.
    """
    params = {"_fields": fields} if fields else {}
    for start in range(0, len(ids), _MOST_IDS):
        some = ids[start : start + _MOST_IDS]
        try:
            asked = {**params, "id__in": ",".join(some), "_limit": _MOST_IDS}
            rows: Page = client.get_list(path, asked)["data"]
            if any(row.get("id") not in some for row in rows):
                raise Refused(200, f"GET /{path}", "rows that were not asked for")  # noqa: TRY301 - one way out
            yield rows
        except (Refused, Missing) as refused:
            logger.info(f"{client.stream}: asking for rows one by one ({refused})")
            yield [row for id_ in some for row in _one(client, (one_at or {}).get(id_, path), id_, params)]


def _one(client: Client, path: str, id_: str, params: Mapping[str, str]) -> Page:
    try:
        return [client.get(f"{path}{id_}/", params)]
    except Missing:
        return []
