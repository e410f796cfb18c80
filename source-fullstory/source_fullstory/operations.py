"""Long-running jobs of the account, among them the privacy deletions (https://developer.fullstory.com,
"List operations")."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from source_fullstory.event_key import instant
from source_fullstory.whole import ChangedListStream

_OVER = frozenset({"COMPLETED", "FAILED"})


class OperationStream(ChangedListStream):
    """The list is read whole, for its order is not documented, and an operation changes until it is over."""

    def changed_at(self, row: Mapping[str, Any]) -> str:
        return max(instant(row.get("createdAt")), instant(row.get("finishedAt")))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        return row.get("state") not in _OVER or super().is_new(row)
