"""What FullStory answers at one path: a list of pages, or an object that is the only row."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from source_fullstory.account.changes import Changes
from source_fullstory.account.pages import Found, Listing, pages
from source_fullstory.account.place import Place
from source_fullstory.http import errors
from source_fullstory.http.api import Client, Params
from source_fullstory.jobs import this_job
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.rows.spelling import respelled
from source_fullstory.stream import FullStoryStream

_PAGES_A_STATE = 10

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class Stretch:
    """Slice: some pages."""

    end: Place
    """Where the next one begins, once this one is read."""


class AccountStream(FullStoryStream[Stretch]):
    """Without a cursor it is put out whole on each sync: no date tells of every change, and overwriting the table drops
    what was deleted. With `changes`, only what is new since the last sync is put out."""

    path: ClassVar[str]
    primary_key: ClassVar[tuple[str, ...]] = ("id",)
    listing: ClassVar[Listing | None] = None
    """None: the answer is the row, under a constant id."""
    queries: ClassVar[tuple[Params, ...]] = ({},)
    """What shows a part at a time is asked for each. A part that FullStory refuses is left out with a warning."""
    changes: ClassVar[type[Changes] | None] = None

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._schema = self.json_schema()
        self._changes = self.changes(self, self.queries) if self.changes else None
        self._place = Place("")
        self._walk: Iterator[tuple[Page, Place]] = iter(())
        self._busy = self._through = False

    def shaped(self, row: dict[str, Any], params: Params) -> dict[str, Any]:
        """The row, with what FullStory does not say in it."""
        return row if self.listing else {**row, "id": self.name}

    # reader.Stream

    def open(self, state: Mapping[str, Any]) -> None:
        if self._changes:
            self.client.learn_clock()
            self._changes.open(state)
            state = {}
        self._place = Place.begin(state, self.api.sync_start)
        if not self._place.is_start:
            logger.info(f"{self.name}: going on where the attempt before stopped")
        self._walk = self._read_from(self._place)

    def take_slice(self) -> Stretch | None:
        if not self.has_slices():
            return None
        self._busy = True
        return Stretch(self._place)

    def has_slices(self) -> bool:
        return not (self._busy or self._through)

    def read_slice(self, stream_slice: Stretch) -> Iterator[Page | Estimate]:
        end = replace(self._place, is_end=True)
        number = 0
        # What is new since the last sync has one state, for all of it.
        while not stream_slice.end.is_end and (self._changes or number < _PAGES_A_STATE):
            page, stream_slice.end = next(self._walk, ([], end))
            yield self.exclusion.strip(page)
            number += 1

    def finish_slice(self, stream_slice: Stretch) -> Mapping[str, Any]:
        self._busy, self._place = False, stream_slice.end
        self._through = self._place.is_end
        return {**self._changes.state(), **this_job()} if self._changes else self._place.to_state()

    @property
    def goes_on(self) -> bool:
        return not self._place.is_start and not self._changes

    # pages

    def _read_from(self, place: Place) -> Iterator[tuple[Page, Place]]:
        """Pages, and where the one after each is. Raises NotOffered if every query is refused."""
        refused: list[errors.FullStoryError] = []
        for number, params in enumerate(self.queries):
            if number < place.query:
                continue
            here = replace(place, query=number, token=place.token if number == place.query else "")
            begun = False
            try:
                for page, token in self._query(params, here.token):
                    begun = True
                    yield page, self._after(here, token)
            except errors.FullStoryError as error:
                if begun:
                    raise
                refused.append(error)
        if len(refused) == len(self.queries):
            # Nothing in the request can be wrong. Plans and keys lack some endpoints, and not all need to say so with
            # a 403; those in beta may be gone.
            raise self.not_offered(refused[0]) from refused[0]
        for refusal in refused:
            logger.warning(f"{self.name}: a part is left out. {refusal}")

    def _after(self, here: Place, token: str) -> Place:
        if token:
            return replace(here, token=token)
        return replace(here, query=here.query + 1, token="")

    def _query(self, params: Params, token: str) -> Iterator[Found]:
        """The pages of one query. A token of an earlier attempt that is no longer good is forgotten."""
        begun = False
        try:
            for found in self._pages(params, token):
                begun = True
                yield found
        except (errors.Refused, errors.Missing) as error:
            if begun or not token:
                raise
            logger.info(f"{self.name}: the saved place is not known any more ({error}); beginning again")
            yield from self._pages(params, "")

    def _pages(self, params: Params, token: str) -> Iterator[Found]:
        if self.listing is None:
            yield self._rows([self.client.get(self.path, params)], params), ""
            return
        for answered, following in pages(self.client, self.path, self.listing, params, token):
            rows = self._rows(answered, params)
            new = self._changes.keep(rows) if self._changes else rows
            yield new, following
            if self._changes and self._changes.is_through(rows, new):
                return

    def _rows(self, answered: Page, params: Params) -> Page:
        return respelled([self.shaped(row, params) for row in answered], self._schema)

    # discover

    def probe(self, client: Client) -> None:
        """One row of the first part that there is."""
        few = {"limit": 1} if self.listing and self.listing.limit else {}
        for params in self.queries[:-1]:
            try:
                client.get(self.path, {**params, **few})
            except (errors.Denied, errors.Missing):
                continue
            return
        client.get(self.path, {**self.queries[-1], **few})
