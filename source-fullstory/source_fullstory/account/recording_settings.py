"""Recording settings and their history: https://developer.fullstory.com, "Settings".

An account has one of each; of some, one for each platform.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from source_fullstory.account.pages import Listing
from source_fullstory.account.whole_lists import ChangedListStream, ObjectStream
from source_fullstory.http.api import Params
from source_fullstory.kit.contract import Page
from source_fullstory.rows.event_key import instant

PLATFORMS: tuple[Params, ...] = ({"platform": "web"}, {"platform": "mobile"})
_NEVER = "0001-01-01T00:00:00Z"
"""How FullStory, which is written in Go, writes a time that was never set."""


class PlatformSettingStream(ObjectStream):
    """A setting of each platform."""

    primary_key = ("platform",)
    queries = PLATFORMS

    def pages_of(self, params: Params) -> Iterator[Page]:
        yield [{**self.client.get(self.path, params), **params}]


class HistoryStream(ChangedListStream):
    """The versions of a setting, newest first. A version has no id; when it was made tells it from others."""

    primary_key: ClassVar[tuple[str, ...]] = ("last_updated",)
    cursor_field = "last_updated"
    listing = Listing("versions", "paginationToken", limit=100)

    def pages_of(self, params: Params) -> Iterator[Page]:
        for page in super().pages_of(params):
            rows = [{**row, **params, "last_updated": _last_updated(row)} for row in page]
            yield rows
            if rows and not any(map(self.is_new, rows)):
                return

    def changed_at(self, row: Mapping[str, Any]) -> str:
        return "" if row["last_updated"] == _NEVER else super().changed_at(row)


class PlatformHistoryStream(HistoryStream):
    """The versions of a setting of each platform."""

    primary_key = ("platform", "last_updated")
    queries = PLATFORMS
    parts = tuple(params["platform"] for params in PLATFORMS)

    def part_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("platform"))


def _last_updated(row: Mapping[str, Any]) -> str:
    metadata = row.get("metadata") or {}
    found = metadata.get("lastUpdated") or metadata.get("last_updated")
    return str(found) if instant(found) else _NEVER
