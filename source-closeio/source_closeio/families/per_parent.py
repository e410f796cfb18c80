"""Lists that Close gives one parent at a time."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused
from source_closeio.kit.contract import Page
from source_closeio.paging.pages import offset_pages, whole_list
from source_closeio.paging.search_walk import all_leads
from source_closeio.stream import CloseStream, Parents, Slice

_PARENTS_PER_SLICE = 10
_FEW = 2  # parents that may all have vanished
_LIMIT = 1000
_SUBSCRIPTIONS = "sequence_subscription/"

logger = logging.getLogger("airbyte")


class ParentStream(CloseStream):
    """The rows of all parents. A slice is some of these, so that several are read side by side."""

    parents: ClassVar[str]
    """The list of the parents."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: deque[Slice] = deque()

    def open(self, state: Mapping[str, Any]) -> None:
        self.plan_parents()

    def plan_parents(self) -> None:
        """A slice for every few parents; without parents one all the same, for its state."""
        ids = [str(row["id"]) for page in whole_list(self.client, self.parents) for row in page]
        starts = range(0, len(ids) or 1, _PARENTS_PER_SLICE)
        self.plan(*(Parents(tuple(ids[start : start + _PARENTS_PER_SLICE])) for start in starts))

    def plan(self, *slices: Slice) -> None:
        self._waiting.extend(slices)

    def take_slice(self) -> Slice | None:
        return self._waiting.popleft() if self._waiting else None

    def has_slices(self) -> bool:
        return bool(self._waiting)

    def read_parents(self, ids: tuple[str, ...]) -> Iterator[Page]:
        gone: list[CloseError] = []
        refused: list[CloseError] = []
        for parent in ids:
            try:
                yield from self.pages_of(parent)
            except Missing as missing:
                gone.append(missing)  # the parent has vanished since it was listed
            except Refused as refusal:
                refused.append(refusal)
        if len(gone + refused) == len(ids) and (refused or len(gone) > _FEW):
            first = (refused + gone)[0]
            raise NotOffered(first.status, first.endpoint, first.text)
        if refused:
            raise refused[0]

    @abstractmethod
    def pages_of(self, parent: str) -> Iterator[Page]:
        """The rows of one parent."""


class GroupStream(ParentStream):
    """Groups with their members, which the list leaves out."""

    parents = "group/"

    def pages_of(self, parent: str) -> Iterator[Page]:
        yield [self.client.get(f"group/{parent}/")]


class SubscriptionStream(ParentStream):
    """The subscriptions of every sequence: Close wants a sequence, a lead or a contact named."""

    parents = "sequence/"

    def pages_of(self, parent: str) -> Iterator[Page]:
        seen: set[Any] = set()
        leads: set[Any] = set()
        try:
            for page in offset_pages(self.client, _SUBSCRIPTIONS, {"sequence_id": parent}, _LIMIT, seen):
                leads.update(row.get("lead_id") for row in page)
                yield page
        except Refused as refused:
            if not seen:
                raise
            logger.warning(f"{self.name}: {parent} has more than Close lists ({refused}); going lead by lead")
            # Not every lead is found by a search: new ones are missing for a while.
            for lead_id in leads.union(all_leads(self.client)) - {None}:
                filters = {"sequence_id": parent, "lead_id": lead_id}
                for page in offset_pages(self.client, _SUBSCRIPTIONS, filters, _LIMIT, seen):
                    yield [row for row in page if row.get("sequence_id") == parent]
