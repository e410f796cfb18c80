"""Advanced Filtering: what to ask `POST /data/search/` for, and its pages.

https://developer.close.com/api/resources/advanced-filtering/search
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from source_closeio.http.api import Client
from source_closeio.kit import times
from source_closeio.kit.contract import Page
from source_closeio.paging.ids import prove_ids
from source_closeio.paging.pages import fitting

SEARCH_LIMIT = 200

Bounds = tuple[datetime | None, datetime | None]


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
    limit: int = SEARCH_LIMIT

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
            "include_counts": True,
            **({"cursor": cursor} if cursor else {}),
        }
        what = f"data/search/ {self.object_type}"
        answer, _ = fitting(self.client, what, self.limit, lambda size: self.client.search({**body, "_limit": size}))
        prove_ids(answer["data"], what)
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
