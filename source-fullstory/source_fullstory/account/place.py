"""How far a stream without a cursor has come: its state while it is being read, by which a sync that is cut goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY

from source_fullstory import epochs
from source_fullstory.jobs import job, this_job

_LONGEST_ATTEMPTS = 24 * 3600
"""Seconds after which a state is no longer of the same sync, where nobody says which sync it is."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a stream: which of its queries, and the token of the page to read next ("" for the first)."""

    began: str
    """When the first attempt began."""
    query: int = 0
    token: str = ""
    is_end: bool = False

    @classmethod
    def begin(cls, state: Mapping[str, Any], now: int) -> Place:
        """Where to begin: where another attempt of this sync stopped, or at the first page."""
        start = cls(epochs.to_text(now))
        if not _is_of_this_sync(state, now):
            return start
        if state.get(NO_CURSOR_STATE_KEY):
            return replace(start, is_end=True)
        token, query = state.get("page_token"), state.get("query", 0)
        if not isinstance(token, str) or not isinstance(query, int) or query < 0:
            return start
        return cls(str(state.get("began")), query, token)

    @property
    def is_start(self) -> bool:
        return not (self.query or self.token or self.is_end)

    def to_state(self) -> dict[str, Any]:
        if self.is_end:
            return {NO_CURSOR_STATE_KEY: True, **this_job()}
        return {"page_token": self.token, "query": self.query, "began": self.began, **this_job()}


def _is_of_this_sync(state: Mapping[str, Any], now: int) -> bool:
    if job() and "job" in state:
        return bool(state["job"] == job())
    began = epochs.parse_or_none(state.get("began"))
    return began is not None and now - _LONGEST_ATTEMPTS <= began <= now + _LONGEST_ATTEMPTS
