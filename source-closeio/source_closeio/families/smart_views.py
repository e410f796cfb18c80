"""Smart Views: https://developer.close.com/api/resources/smart-views. Unless types are named, only those of leads are
listed."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

from source_closeio.families.lists import ListStream
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import offset_pages, whole_list

_PATH = "saved_search/"
_LIMIT = 100
_TYPES = (
    *("lead", "contact", "opportunity", "call", "email", "sms", "meeting", "note", "whatsapp_message"),
    *("custom_activity", "form_submission"),
)

logger = logging.getLogger("airbyte")


class SmartViewStream(ListStream):
    """The Smart Views of all types."""

    path = _PATH

    def pages(self) -> Iterator[Page]:
        for page in self._listed():
            yield [self._with_filters(row) for row in page]

    def _listed(self) -> Iterator[Page]:
        try:
            yield from offset_pages(self.client, _PATH, {"type__in": ",".join(_TYPES)}, _LIMIT)
        except Refused as refused:
            # A type that this Close does not have, or one too many: ask for each.
            logger.info(f"{self.name}: asking for one type after the other ({refused})")
            yield from whole_list(self.client, _PATH, ({}, *({"type": kind} for kind in _TYPES)))

    def _with_filters(self, row: dict[str, Any]) -> dict[str, Any]:
        """Close's own scripts fetch each view, because the list leaves out what it searches for."""
        if "s_query" in row:
            return row
        try:
            return self.client.get(f"{_PATH}{row['id']}/")
        except (Missing, NotOffered, Refused):
            return row  # deleted since, or not for this key to see
