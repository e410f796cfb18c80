"""Which rows of a list are new, or have changed, since the last sync, where FullStory has no parameter for that."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from source_fullstory import epochs
from source_fullstory.http.api import Params
from source_fullstory.kit.contract import Page
from source_fullstory.rows.event_key import instant
from source_fullstory.stream import FUTURE_SECONDS, FullStoryStream

_LOOKBACK_SECONDS = 3600
"""For what changed while the last sync was reading."""
NEVER = "0001-01-01T00:00:00Z"
"""How FullStory, which is written in Go, writes a time that was never set."""
_OVER = frozenset({"COMPLETED", "COMPLETE", "FAILED", "CANCELLED", "CANCELED"})

logger = logging.getLogger("airbyte")


class Changes:
    """State: {cursor_field: the greatest time that was seen, "read_at": when, "parts": the greatest time of each part,
    where a list has parts}. Times are compared as event_key.instant writes them.

    Each part has a greatest time of its own, so that one which FullStory refused can be taken up later.
    """

    def __init__(self, stream: FullStoryStream[Any], queries: Sequence[Params]) -> None:
        self._stream = stream
        self._parts = [self.part_of(params) for params in queries]
        self._before: dict[str, str] = {}
        """The greatest time of each part that earlier syncs have seen."""
        self._greatest: dict[str, str] = {}
        self._read_at = ""
        self._unsure = ""
        """What changed from then on may have escaped the last sync, which was reading about that time."""

    def open(self, state: Mapping[str, Any]) -> None:
        cursor = state.get(self._stream.cursor_field)
        if not cursor:
            return
        saved = self._to_now(cursor, state)
        parts = state.get("parts") or dict.fromkeys(self._parts, saved)
        if not isinstance(parts, Mapping):
            raise self._stream.unreadable_state(state)
        self._before = {part: instant(self._to_now(text, state)) for part, text in parts.items()}
        self._greatest = dict(self._before)
        self._read_at = self._to_now(state.get("read_at") or saved, state)
        self._unsure = instant(epochs.to_text(max(0, epochs.parse(self._read_at) - _LOOKBACK_SECONDS)))

    def _to_now(self, text: Any, state: Mapping[str, Any]) -> str:
        """A saved time; one in the future counts as now."""
        saved = epochs.parse_or_none(text)
        if saved is None:
            raise self._stream.unreadable_state(state)
        now = self._stream.api.sync_start
        if saved > now + FUTURE_SECONDS:
            logger.warning(f"{self._stream.name}: the saved state lies in the future ({text}); going on from now.")
            return epochs.to_text(now)
        return str(text)

    def keep(self, rows: Page) -> Page:
        """Those of the rows that are new, or have changed. All of them count as seen."""
        for row in rows:
            part, changed = self.part_of(row), self.changed_at(row)
            self._greatest[part] = max(self._greatest.get(part, ""), changed)
        return [row for row in rows if self.is_new(row)]

    def state(self) -> dict[str, Any]:
        """After all pages."""
        times = {part: f"{greatest}Z" for part, greatest in self._greatest.items() if greatest}
        if not times:
            return {}
        read_at = max(self._read_at, epochs.to_text(self._stream.api.sync_start), key=instant)
        state = {self._stream.cursor_field: max(times.values()), "read_at": read_at}
        return state if set(times) == {""} else {**state, "parts": times}

    def part_of(self, row: Mapping[str, Any]) -> str:
        return str(row.get("platform", ""))

    def changed_at(self, row: Mapping[str, Any]) -> str:
        """When the row last changed; "" if it does not tell."""
        return instant(row.get(self._stream.cursor_field))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        """Has the row come, or changed, since the last sync? One without a date always counts as new."""
        before, changed = self._before.get(self.part_of(row), ""), self.changed_at(row)
        return not before or not changed or changed > before or changed >= self._unsure

    def is_through(self, rows: Page, new: Page) -> bool:
        """After this page, of which `new` was kept, can there be nothing new?"""
        return False


class Versions(Changes):
    """Of a list whose newest rows come first."""

    def changed_at(self, row: Mapping[str, Any]) -> str:
        return "" if row["last_updated"] == NEVER else super().changed_at(row)

    def is_through(self, rows: Page, new: Page) -> bool:
        return bool(rows) and not new


class Operations(Changes):
    """Of operations (https://developer.fullstory.com, "List operations"): their order is not documented, and each
    changes until it is over.

    State: also "running": the ids of those that were not over. Nothing says that each gets a time when it is.
    """

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._were_running: frozenset[str] = frozenset()
        self._running: list[str] = []

    def open(self, state: Mapping[str, Any]) -> None:
        running = state.get("running") or []
        if not isinstance(running, list):
            raise self._stream.unreadable_state(state)
        self._were_running = frozenset(map(str, running))
        super().open(state)

    def keep(self, rows: Page) -> Page:
        self._running += [str(row.get("id")) for row in rows if not _is_over(row)]
        return super().keep(rows)

    def state(self) -> dict[str, Any]:
        return {**super().state(), "running": self._running}

    def changed_at(self, row: Mapping[str, Any]) -> str:
        return max(instant(row.get("createdAt")), instant(row.get("finishedAt")))

    def is_new(self, row: Mapping[str, Any]) -> bool:
        went_on = not _is_over(row) or str(row.get("id")) in self._were_running
        return went_on or super().is_new(row)


def _is_over(row: Mapping[str, Any]) -> bool:
    return str(row.get("state")).upper() in _OVER
