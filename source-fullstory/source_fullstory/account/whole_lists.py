"""Streams that are read in one go: lists of pages, single objects, and what changed in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_fullstory import epochs
from source_fullstory.account.pages import Listing, pages
from source_fullstory.http import errors
from source_fullstory.http.api import Params
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.rows.event_key import instant
from source_fullstory.rows.spelling import respelled
from source_fullstory.stream import FUTURE_SECONDS, FullStoryStream

_LOOKBACK_SECONDS = 3600
"""For what changed while the last sync was reading."""

logger = logging.getLogger("airbyte")


class WholeStream(FullStoryStream):
    """One slice, which is all."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._taken = False

    def open(self, state: Mapping[str, Any]) -> None:
        """Nothing to plan."""

    def take_slice(self) -> Any | None:
        taken, self._taken = self._taken, True
        return None if taken else self.name

    def has_slices(self) -> bool:
        return not self._taken

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        return {NO_CURSOR_STATE_KEY: True}


class ObjectStream(WholeStream):
    """What FullStory answers at `path`: one row, under a constant id. Skipped where FullStory does not offer it."""

    path: ClassVar[str]
    primary_key: ClassVar[tuple[str, ...]] = ("id",)
    queries: ClassVar[tuple[Params, ...]] = ({},)
    """What shows a part at a time is asked for each. A part that FullStory refuses is left out with a warning."""

    def pages(self) -> Iterator[Page]:
        """The rows, as FullStory has them. Raises errors.FullStoryError, if every query is refused."""
        refused: list[errors.FullStoryError] = []
        for params in self.queries:
            begun = False
            try:
                for page in self.pages_of(params):
                    begun = True
                    yield page
            except errors.FullStoryError as error:
                if begun:
                    raise
                refused.append(error)
        if len(refused) == len(self.queries):
            raise refused[0]
        for refusal in refused:
            logger.warning(f"{self.name}: a part is left out. {refusal}")

    def pages_of(self, params: Params) -> Iterator[Page]:
        yield [{**self.client.get(self.path, params), "id": self.name}]

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        schema = self.json_schema()
        begun = False
        try:
            for page in self.pages():
                begun = True
                yield self.exclusion.strip(respelled(page, schema))
        except errors.FullStoryError as error:
            if begun:
                raise
            # Nothing in the request can be wrong. Plans and keys lack some endpoints, and not all need to say so with
            # a 403; those in beta may be gone.
            raise self.not_offered(error) from error


class ListStream(ObjectStream):
    """All pages of a list, put out whole on each sync: no date tells of every change, and overwriting the table drops
    what was deleted."""

    listing: ClassVar[Listing]

    def pages_of(self, params: Params) -> Iterator[Page]:
        return pages(self.client, self.path, self.listing, params)


class ChangedListStream(ListStream):
    """A list of which only rows that are new, or have changed, since the last sync are put out.

    State: {cursor_field: the greatest time that was seen, "read_at": when, "parts": the greatest time of each part,
    where a list has parts}.
    """

    parts: ClassVar[tuple[str, ...]] = ("",)
    """Of which each has a greatest time of its own, so that one which FullStory refused can be taken up later."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._before: dict[str, str] = {}
        """The greatest time of each part that earlier syncs have seen, as event_key.instant writes it."""
        self._greatest: dict[str, str] = {}
        self._unsure = ""
        """What changed from then on may have escaped the last sync, which was reading about that time."""

    def open(self, state: Mapping[str, Any]) -> None:
        if not state.get(self.cursor_field):
            return
        saved = self._to_now(state[self.cursor_field])
        parts = state.get("parts") or dict.fromkeys(self.parts, saved)
        self._before = {part: instant(self._to_now(text)) for part, text in parts.items()}
        self._greatest = dict(self._before)
        read_at = self._to_now(state.get("read_at") or saved)
        self._unsure = instant(epochs.to_text(epochs.parse(read_at) - _LOOKBACK_SECONDS))

    def _to_now(self, text: Any) -> str:
        """A saved time; one in the future counts as now."""
        saved = epochs.parse_or_none(text)
        if saved is None:
            raise self.unreadable_state({self.cursor_field: text})
        if saved > self.api.sync_start + FUTURE_SECONDS:
            logger.warning(f"{self.name}: the saved state lies in the future ({text}); going on from now.")
            return epochs.to_text(self.api.sync_start)
        return str(text)

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        for page in super().read_slice(stream_slice):
            if isinstance(page, list):
                for row in page:
                    part, changed = self.part_of(row), self.changed_at(row)
                    self._greatest[part] = max(self._greatest.get(part, ""), changed)
                yield [row for row in page if self.is_new(row)]

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        times = {part: f"{greatest}Z" for part, greatest in self._greatest.items() if greatest}
        if not times:
            return {}
        state = {self.cursor_field: max(times.values()), "read_at": epochs.to_text(self.api.sync_start)}
        return state if set(times) == {""} else {**state, "parts": times}

    def part_of(self, row: Mapping[str, Any]) -> str:
        """Which of `parts` the row is of."""
        return ""

    def changed_at(self, row: Mapping[str, Any]) -> str:
        """When the row last changed, as event_key.instant writes it; "" if it does not tell."""
        return instant(row.get(self.cursor_field))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        """Has the row come, or changed, since the last sync? One without a date always counts as new."""
        before, changed = self._before.get(self.part_of(row), ""), self.changed_at(row)
        return not before or not changed or changed > before or changed >= self._unsure
