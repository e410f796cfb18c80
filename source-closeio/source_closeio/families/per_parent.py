"""Lists that Close gives one parent at a time."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from source_closeio.http.errors import CloseError, Missing, NotOffered, Refused
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.lists import ListStream, offset_pages, whole_list
from source_closeio.paging.search import all_leads

_PARENTS_PER_SLICE = 10
_FEW = 2  # parents that may all have vanished
_LIMIT = 1000
_SUBSCRIPTIONS = "sequence_subscription/"

Parents = tuple[str, ...]

logger = logging.getLogger("airbyte")


class PartitionStream(ListStream):
    """The rows of all parents. A slice is some of these, so that several are read side by side."""

    parents: ClassVar[str]
    """The list of the parents."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._waiting: deque[Parents] = deque()

    def open(self, state: Mapping[str, Any]) -> None:
        super().open(state)
        ids = [str(row["id"]) for page in whole_list(self.client, self.parents) for row in page]
        starts = range(0, len(ids) or 1, _PARENTS_PER_SLICE)  # without parents one slice all the same, for its state
        self._waiting.extend(tuple(ids[start : start + _PARENTS_PER_SLICE]) for start in starts)

    def take_slice(self) -> Any | None:  # of parents, where other streams have windows
        return self._waiting.popleft() if self._waiting else None

    def has_slices(self) -> bool:
        return bool(self._waiting)

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        gone: list[CloseError] = []
        refused: list[CloseError] = []
        for parent in stream_slice:
            try:
                yield from self.pages_of(parent)
            except Missing as missing:
                gone.append(missing)  # the parent has vanished since it was listed
            except Refused as refusal:
                refused.append(refusal)
        if len(gone + refused) == len(stream_slice) and (refused or len(gone) > _FEW):
            first = (refused + gone)[0]
            raise NotOffered(first.status, first.endpoint, first.text)
        if refused:
            raise refused[0]

    @abstractmethod
    def pages_of(self, parent: str) -> Iterator[Page]:
        """The rows of one parent."""


class GroupStream(PartitionStream):
    """Groups with their members, which the list leaves out."""

    parents = "group/"

    def pages_of(self, parent: str) -> Iterator[Page]:
        yield [self.client.get(f"group/{parent}/")]


class SubscriptionStream(PartitionStream):
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
