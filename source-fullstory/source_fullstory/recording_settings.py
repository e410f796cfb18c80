"""Recording settings and their history: https://developer.fullstory.com, "Settings".

An account has one of each; of some, one for each platform.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from source_fullstory import errors
from source_fullstory.api import Params
from source_fullstory.event_key import instant
from source_fullstory.lists import Listing, pages
from source_fullstory.reader import Page
from source_fullstory.whole import ChangedListStream, ObjectStream

PLATFORMS: tuple[Params, ...] = ({"platform": "web"}, {"platform": "mobile"})
_NEVER = "0001-01-01T00:00:00Z"
"""How FullStory, which is written in Go, writes a time that was never set."""

logger = logging.getLogger("airbyte")


class PlatformSettingStream(ObjectStream):
    """A setting of each platform."""

    primary_key = ("platform",)

    def pages(self) -> Iterator[Page]:
        refused: list[errors.FullStoryError] = []
        for params in PLATFORMS:
            try:
                yield [{**self.client.get(self.path, params), **params}]
            except errors.FullStoryError as error:
                refused.append(error)
        if len(refused) == len(PLATFORMS):
            raise refused[0]
        for refusal in refused:
            logger.warning(f"{self.name}: one platform is left out. {refusal}")


class HistoryStream(ChangedListStream):
    """The versions of a setting, newest first. A version has no id; when it was made tells it from others."""

    primary_key: ClassVar[tuple[str, ...]] = ("last_updated",)
    cursor_field = "last_updated"
    listing = Listing("versions", "paginationToken", limit=100)
    platforms: ClassVar[tuple[Params, ...]] = ({},)

    def pages(self) -> Iterator[Page]:
        for params in self.platforms:
            for page in pages(self.client, self.path, self.listing, params):
                rows = [{**row, **params, "last_updated": _last_updated(row)} for row in page]
                yield rows
                if rows and not any(map(self.is_new, rows)):
                    break


class PlatformHistoryStream(HistoryStream):
    """The versions of a setting of each platform."""

    primary_key = ("platform", "last_updated")
    platforms = PLATFORMS


def _last_updated(row: Mapping[str, Any]) -> str:
    metadata = row.get("metadata") or {}
    found = metadata.get("lastUpdated") or metadata.get("last_updated")
    return str(found) if instant(found) else _NEVER
