"""Streams that are read in one go: lists of pages, single objects, and what changed in them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_fullstory import epochs, errors
from source_fullstory.api import Params
from source_fullstory.event_key import instant
from source_fullstory.lists import Listing, pages
from source_fullstory.reader import Estimate, Page
from source_fullstory.spelling import respelled
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

    def pages(self) -> Iterator[Page]:
        """The rows, as FullStory has them. Raises errors.FullStoryError."""
        yield [{**self.client.get(self.path), "id": self.name}]

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
    queries: ClassVar[tuple[Params, ...]] = ({},)
    """A list that shows a part at a time is asked for each."""

    def pages(self) -> Iterator[Page]:
        for params in self.queries:
            yield from pages(self.client, self.path, self.listing, params)


class ChangedListStream(ListStream):
    """A list of which only rows that are new, or have changed, since the last sync are put out.

    State: {cursor_field: the greatest time that was seen, "read_at": when}.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._before = self._greatest = ""
        self._unsure = ""
        """What changed from then on may have escaped the last sync, which was reading about that time."""

    def open(self, state: Mapping[str, Any]) -> None:
        if not state.get(self.cursor_field):
            return
        greatest = epochs.parse_or_none(state[self.cursor_field])
        if greatest is None:
            raise self.unreadable_state(state)
        if greatest > self.api.sync_start + FUTURE_SECONDS:
            logger.warning(f"{self.name}: the saved state lies in the future; going on from now.")
            state = {self.cursor_field: epochs.to_text(self.api.sync_start)}
        self._before = self._greatest = instant(state[self.cursor_field])
        read_at = epochs.parse_or_none(state.get("read_at"))
        since = greatest if read_at is None else read_at
        self._unsure = instant(epochs.to_text(min(since, self.api.sync_start) - _LOOKBACK_SECONDS))

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        for page in super().read_slice(stream_slice):
            if isinstance(page, list):
                self._greatest = max([self._greatest, *map(self.changed_at, page)])
                yield [row for row in page if self.is_new(row)]

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        if not self._greatest:
            return {}
        return {self.cursor_field: f"{self._greatest}Z", "read_at": epochs.to_text(self.api.sync_start)}

    def changed_at(self, row: Mapping[str, Any]) -> str:
        """When the row last changed, as event_key.instant writes it; "" if it does not tell."""
        return instant(row.get(self.cursor_field))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        """Has the row come, or changed, since the last sync? One without a date always counts as new."""
        changed = self.changed_at(row)
        return not changed or changed > self._before or changed >= self._unsure
