"""Objects that are read through Advanced Filtering, which filters and sorts by time of change."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from source_closeio.families.changed_rows import FollowingStream
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.pages import SAFE_LIMIT, offset_pages
from source_closeio.paging.query import SEARCH_LIMIT, Query
from source_closeio.paging.search_walk import SearchWalk
from source_closeio.paging.windows import Window

_MOST_FIELDS = 90  # from some 110 on, "List is too long." was seen
_MOST_NAMED = 50
_INDEX_LAG = timedelta(minutes=10)  # not documented; assumed generously

logger = logging.getLogger("airbyte")


class SearchStream(FollowingStream):
    """Objects of one type, by `date_updated`."""

    object_type: ClassVar[str]
    is_listed: ClassVar[bool] = True
    """Is there a list of these objects, with all their fields?"""
    needed_fields = ("date_created",)
    lookback = _INDEX_LAG
    late = _INDEX_LAG  # so long a search may still find what was deleted, which has to be marked once more then
    rows_per_window = 20 * SEARCH_LIMIT

    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        for number, condition in enumerate(self.conditions()):
            query = Query(self.client, self.object_type, self._fields(), condition)
            yield from self._read_query(query, window, may_split=number == 0)

    @property
    def kinds(self) -> tuple[str, ...]:
        return (self.object_type,)

    def path_of(self, kind: str) -> str:
        return f"{kind}/"

    def probe(self) -> None:
        Query(self.client, self.object_type, ["id"], limit=1).page({}, (), None)

    def conditions(self) -> list[Mapping[str, str]]:
        """What to ask for, one after the other, to get all objects of the stream."""
        return [{}]

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        return offset_pages(self.client, f"{self.object_type}/", {"lead_id": lead_id, **self.named}, SAFE_LIMIT)

    def _fields(self) -> list[str]:
        """What a search names: it gives nothing else. It refuses long lists, so custom fields are not named singly."""
        if self.fields:
            return [name for name in self.fields if not name.startswith("custom.")]
        declared = self.listed_fields()
        added = self.api.once(f"fields of {self.object_type}", self._added_fields)
        return [*declared, *added[: _MOST_FIELDS - len(declared)], "custom"]

    def _added_fields(self) -> list[str]:
        """Fields that Close has and this version does not know."""
        if not self.is_listed:
            return []
        try:
            rows = self.client.get_list(f"{self.object_type}/", {"_limit": 1})["data"]
        except (Missing, NotOffered, Refused):
            return []
        known = {*self.listed_fields(), "custom"}
        added = [name for row in rows for name in row if name not in known and not name.startswith("custom.")]
        if added:
            more = f" and {len(added) - _MOST_NAMED} more" if len(added) > _MOST_NAMED else ""
            named = ", ".join(added[:_MOST_NAMED])
            logger.info(f"{self.name}: Close has fields that this version does not declare: {named}{more}")
        return added

    def _read_query(self, query: Query, window: Window, *, may_split: bool) -> Iterator[Page | Estimate]:
        walk = SearchWalk(
            query=query,
            keys=("date_updated", "date_created"),
            bounds={"date_updated": (window.start, window.end)},
            head=self.api.sync_start - _INDEX_LAG,
        )
        for page in self._offered(walk):
            yield from self.estimate(walk.total)
            yield [_as_listed(row) for row in page]
            if walk.more and may_split:
                self.split_above(window, walk.progress)
                walk.high = window.end

    def _offered(self, walk: SearchWalk) -> Iterator[Page]:
        """The pages. A type of which Close has never answered a search is not offered: custom objects are in beta, and
        not every Close can search for them."""
        try:
            for page in walk.pages():
                self.client.offered.add(self.object_type)
                yield page
        except Refused as refused:
            if self.object_type in self.client.offered:
                raise
            raise NotOffered(refused.status, refused.endpoint, refused.text) from refused


def _as_listed(row: dict[str, Any]) -> dict[str, Any]:
    """The row as lists have it: without what search adds, and with custom fields as `custom.cf_...` columns; search was
    seen to nest them under `custom` too."""
    row.pop("__object_type", None)
    nested = row.get("custom")
    if not isinstance(nested, dict) or not all(name.startswith(("cf_", "lcf_")) for name in nested):
        return row
    flat = {f"custom.{name}": value for name, value in nested.items()}
    return {**{name: value for name, value in row.items() if name != "custom"}, **flat}
