"""Long-running jobs of the account, among them the privacy deletions (https://developer.fullstory.com,
"List operations")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from source_fullstory.account.whole_lists import ChangedListStream
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.rows.event_key import instant

_OVER = frozenset({"COMPLETED", "COMPLETE", "FAILED", "CANCELLED", "CANCELED"})


class OperationStream(ChangedListStream):
    """The list is read whole, for its order is not documented, and an operation changes until it is over.

    State: also "running": the ids of those that were not over. Nothing says that each gets a time when it is.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._were_running: frozenset[str] = frozenset()
        self._running: list[str] = []

    def open(self, state: Mapping[str, Any]) -> None:
        self._were_running = frozenset(map(str, state.get("running") or ()))
        super().open(state)

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        for page in super().read_slice(stream_slice):
            if isinstance(page, list):
                self._running += [str(row.get("id")) for row in page if not _is_over(row)]
            yield page

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        return {**super().finish_slice(stream_slice), "running": self._running}

    def changed_at(self, row: Mapping[str, Any]) -> str:
        return max(instant(row.get("createdAt")), instant(row.get("finishedAt")))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        went_on = not _is_over(row) or str(row.get("id")) in self._were_running
        return went_on or super().is_new(row)


def _is_over(row: Mapping[str, Any]) -> bool:
    return str(row.get("state")).upper() in _OVER
