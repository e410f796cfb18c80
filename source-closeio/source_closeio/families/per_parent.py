"""Lists that Close gives one parent at a time."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import deque
from collections.abc import Iterator, Mapping
from threading import Lock
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
        self._unread = 0
        self._answered = False
        self._refusal: CloseError | None = None
        self._lock = Lock()

    @property
    def probe_path(self) -> str:
        return self.parents

    def open(self, state: Mapping[str, Any]) -> None:
        self.plan_parents()

    def plan_parents(self) -> None:
        """A slice for every few parents; without parents one all the same, for its state."""
        ids = [str(row["id"]) for page in whole_list(self.client, self.parents) for row in page]
        starts = range(0, len(ids) or 1, _PARENTS_PER_SLICE)
        self.plan(*(Parents(tuple(ids[start : start + _PARENTS_PER_SLICE])) for start in starts))

    def plan(self, *slices: Slice) -> None:
        self._unread += sum(isinstance(each, Parents) for each in slices)
        self._waiting.extend(slices)

    def take_slice(self) -> Slice | None:
        return self._waiting.popleft() if self._waiting else None

    def has_slices(self) -> bool:
        return bool(self._waiting)

    def read_parents(self, ids: tuple[str, ...]) -> Iterator[Page]:
        for parent in ids:
            try:
                yield from self.pages_of(parent)
                self._answered = True
            except (Missing, NotOffered) as error:  # vanished since it was listed, or not for this key to see
                self.client.leave_out(error)
                self._refusal = self._refusal or error
            except Refused as error:
                self._refusal = error
        with self._lock:
            self._unread -= 1
            is_last = not self._unread
        if is_last and self._refusal:
            self._judge(self._refusal)

    def _judge(self, refusal: CloseError) -> None:
        """One parent that is hidden says nothing about the others. But if none has answered, the stream is not
        offered."""
        few_have_vanished = isinstance(refusal, Missing) and self.client.usage.left_out <= _FEW
        if not self._answered and not few_have_vanished:
            raise NotOffered(refusal.status, refusal.endpoint, refusal.text)
        if isinstance(refusal, Refused):
            raise refusal

    @abstractmethod
    def pages_of(self, parent: str) -> Iterator[Page]:
        """The rows of one parent."""


class GroupStream(ParentStream):
    """Groups with their members, which the list leaves out."""

    parents = "group/"

    def pages_of(self, parent: str) -> Iterator[Page]:
        try:
            yield [self.client.get(f"group/{parent}/")]
        except Refused as refused:  # one object, however it is refused, is a row less
            raise NotOffered(refused.status, refused.endpoint, refused.text) from refused


class SubscriptionStream(ParentStream):
    """The subscriptions of every sequence: Close wants a sequence, a lead or a contact named."""

    parents = "sequence/"

    def pages_of(self, parent: str) -> Iterator[Page]:
        seen: set[Any] = set()
        leads: set[str] = set()
        try:
            for page in offset_pages(self.client, _SUBSCRIPTIONS, {"sequence_id": parent}, _LIMIT, seen):
                leads.update(lead for row in page if isinstance(lead := row.get("lead_id"), str))
                yield page
        except Refused as refused:
            if not seen:
                raise
            logger.warning(f"{self.name}: {parent} has more than Close lists ({refused}); going lead by lead")
            # Not every lead is found by a search: new ones are missing for a while.
            for lead_id in leads.union(all_leads(self.client)):
                filters = {"sequence_id": parent, "lead_id": lead_id}
                for page in offset_pages(self.client, _SUBSCRIPTIONS, filters, _LIMIT, seen):
                    yield [row for row in page if row.get("sequence_id") == parent]
