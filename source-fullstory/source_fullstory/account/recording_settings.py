"""Recording settings and their history: https://developer.fullstory.com, "Settings".

An account has one of each; of some, one for each platform.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from source_fullstory.account.account_stream import AccountStream
from source_fullstory.account.changes import NEVER, Versions
from source_fullstory.account.pages import Listing
from source_fullstory.http.api import Params
from source_fullstory.rows.event_key import instant

PLATFORMS: tuple[Params, ...] = ({"platform": "web"}, {"platform": "mobile"})


class PlatformSettingStream(AccountStream):
    """A setting of each platform."""

    primary_key = ("platform",)
    queries = PLATFORMS

    def shaped(self, row: dict[str, Any], params: Params) -> dict[str, Any]:
        return {**row, **params}


class HistoryStream(AccountStream):
    """The versions of a setting, newest first. A version has no id; when it was made tells it from others."""

    primary_key: ClassVar[tuple[str, ...]] = ("last_updated",)
    cursor_field = "last_updated"
    listing = Listing("versions", "paginationToken", limit=100)
    changes = Versions

    def shaped(self, row: dict[str, Any], params: Params) -> dict[str, Any]:
        return {**row, **params, "last_updated": _last_updated(row)}


def _last_updated(row: Mapping[str, Any]) -> str:
    metadata = row.get("metadata")
    if not isinstance(metadata, Mapping):
        return NEVER
    found = metadata.get("lastUpdated") or metadata.get("last_updated")
    return str(found) if instant(found) else NEVER
