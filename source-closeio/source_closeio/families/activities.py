"""Activities: lists by `date_created`, newest first (https://developer.close.com/api/resources/activities).

Close has no filter by time of change for them, and no other order. `date_created` is what the creator says: planned
meetings lie in the future, so the last window has no end; imported and synced rows lie in the past. What changed, or
was added, outside the windows is found by the event log, and fetched by id.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from source_closeio.event_log.changes import Deletion
from source_closeio.event_log.kinds import ACTIVITIES
from source_closeio.families.changed_rows import DELETED_AT, FollowingStream
from source_closeio.http.api import Params
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.dense import by_all_leads
from source_closeio.paging.keyset import KeysetWalk
from source_closeio.paging.pages import offset_pages
from source_closeio.paging.rows_by_id import rows_by_id
from source_closeio.paging.windows import Window
from source_closeio.stream import Slice

_LIMIT = 100
_ALL = "activity/"
_PARTS = {kind: part for part, kind in ACTIVITIES.items()}
_THREAD = ACTIVITIES["emailthread"]
_TRANSCRIBED = ("Call", "Meeting")
_TRANSCRIPTS = ("recording_transcript", "voicemail_transcript", "transcripts")
"""Fields that come only when asked for (changelog of 2023-10-26 and 2025-08-14); then no others come."""


logger = logging.getLogger("airbyte")


class ActivityStream(FollowingStream):
    """Activities of one type, or of all, re-reading the last `lookback_window_hours` on each sync."""

    path: ClassVar[str]
    also: str | None = None
    """A second list to read for the same windows, where the first leaves rows out: the list of all types answers
    an Email per message unless it is asked for threads *instead*, so email threads come from their own list."""
    needed_fields = ("_type", "lead_id")
    rows_per_window = 20 * _LIMIT

    @classmethod
    def listed_fields(cls) -> list[str]:
        return [name for name in super().listed_fields() if name not in _TRANSCRIPTS]

    @property
    def probe_path(self) -> str:
        return self.path

    @property
    def window_field(self) -> str:
        return "date_created"

    @property
    def lookback(self) -> timedelta:  # type: ignore[override]  # constant elsewhere, here the user's choice
        return self.config.lookback

    def read_slice(self, stream_slice: Slice) -> Iterator[Page | Estimate]:
        for page in super().read_slice(stream_slice):
            yield self._with_transcripts(page) if isinstance(page, list) else page

    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        threads: set[Any] = set()
        walk = self._walk(self.path, {}, window.start, window.end)
        for page in walk.pages():
            threads.update(row.get("id") for row in page if row.get("_type") == "EmailThread")
            yield page
            if walk.more:
                self.split_below(window, walk.progress)
                walk.low = window.start
        for page in self._others({}, window.start, window.end):
            yield [row for row in page if row.get("id") not in threads]

    def _others(self, filters: Params, low: datetime | None, high: datetime | None) -> Iterator[Page]:
        """The rows of the second list, if there is one."""
        try:
            if self.also:
                yield from self._walk(self.also, filters, low, high).pages()
        except NotOffered as refusal:
            logger.warning(f"{self.name}: the rows of /{self.also} are left out. {refusal}")
            self.also = None

    @property
    def kinds(self) -> tuple[str, ...]:
        return ("activity.",) if self.path == _ALL else (ACTIVITIES[self.path.removeprefix(_ALL).rstrip("/")],)

    def exists(self, deletion: Deletion) -> bool:
        """A type that is newer than this connector has no path that we know: then the list of all types tells."""
        if deletion.kind in _PARTS:
            return super().exists(deletion)
        try:
            return bool(self.client.get_list(_ALL, {"id__in": deletion.id, "_limit": 1})["data"])
        except (Missing, NotOffered, Refused):
            return True

    def path_of(self, kind: str) -> str:
        return f"{_ALL}{_PARTS[kind]}/"

    def changed_pages(self, since: datetime) -> Iterator[Page]:
        yield from super().changed_pages(since)
        if self.path != _ALL:
            yield from self._by_id(self.path, self.changes.touched(self.kinds, since))
            return
        threads = self.changes.touched((_THREAD,), since)
        if self.also:
            yield from self._by_id(self.also, threads)
        single = {id_: self.path_of(kind) for kind in _PARTS for id_ in self.changes.touched((kind,), since)}
        known = set(threads)
        rest = [id_ for id_ in self.changes.touched(self.kinds, since) if id_ not in known]
        yield from self._by_id(_ALL, rest, single)

    def _by_id(self, path: str, ids: list[str], one_at: Mapping[str, str] | None = None) -> Iterator[Page]:
        return rows_by_id(self.client, path, [id_ for id_ in ids if id_ not in self.noted], self.named, one_at)

    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        yield from self._walk(self.path, {"lead_id": lead_id}, None, None).pages()
        yield from self._others({"lead_id": lead_id}, None, None)

    def _with_transcripts(self, page: Page) -> Page:
        """The page with its calls' and meetings' transcripts, which take one more request."""
        if not self.config.include_transcripts or not self._transcripts:
            return page
        rows = {row["id"]: row for row in page if row.get("_type") in _TRANSCRIBED and DELETED_AT not in row}
        single = {id_: f"{_ALL}{row['_type'].lower()}/" for id_, row in rows.items()}
        fields = {"_fields": ",".join(("id", *self._transcripts))}
        for found in rows_by_id(self.client, self.path, list(rows), fields, single, is_extra=True):
            for row in found:
                rows[row["id"]].update(row)
        return page

    @cached_property
    def _transcripts(self) -> list[str]:
        """Those to ask for: all, unless some of this type's are deselected."""
        own = [name for name in super().listed_fields() if name in _TRANSCRIPTS]
        wanted = [name for name in own if name in self.chosen]
        return wanted if self.chosen and wanted != own else list(_TRANSCRIPTS)

    def _walk(self, path: str, filters: Params, low: datetime | None, high: datetime | None) -> KeysetWalk:
        return KeysetWalk(
            client=self.client,
            path=path,
            params={**self.named, **filters},
            key=self.window_field,
            newest_first=True,
            limit=_LIMIT,
            low=low,
            high=high,
            undated=self.undated,
            dense_second=lambda filters: self._dense_second(path, filters),
        )

    def _dense_second(self, path: str, filters: Params) -> Iterator[Page]:
        """More rows in a second than `_skip` reaches: ask type by type, and where that is too much, lead by lead."""
        for type_path in [f"{_ALL}{part}/" for part in ACTIVITIES] if path == _ALL else [path]:
            try:
                yield from offset_pages(self.client, type_path, filters, _LIMIT)
            except Refused:
                if "lead_id" in filters:
                    raise
                yield from by_all_leads(self.client, type_path, filters, _LIMIT)
            except NotOffered:
                continue  # a type that this Close does not have
