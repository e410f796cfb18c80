"""How far a stream of events or of exports has been read: what its state holds, and what the log hears of it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from source_fullstory import epochs
from source_fullstory.events.bundles import Bundle
from source_fullstory.events.coverage import Coverage
from source_fullstory.stream import FUTURE_SECONDS, FullStoryStream

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class Tally:
    """What became of the rows of a download."""

    rows: int = 0
    outside: int = 0
    dropped: int = 0
    wire_bytes: int = 0

    def __str__(self) -> str:
        notes = [f"{self.rows:,} rows, {self.wire_bytes / 1e6:,.1f} MB"]
        if self.dropped:
            notes.append(f"{self.dropped:,} left out that were read before, or lie before the start date")
        if self.outside:
            notes.append(f"{self.outside:,} dated outside its time")
        return ", ".join(notes)


class Ledger:
    """What one stream has read. State: see Coverage, and the newest bundle that was read: `bundle_id`,
    `period_seconds`."""

    def __init__(self, stream: FullStoryStream[Any]) -> None:
        self._stream = stream
        self._coverage: Coverage | None = None
        self.newest: dict[str, int] = {}
        self.late_from = 0
        """Bundles that ended before are not late: if they are not listed, they do not exist."""

    @property
    def coverage(self) -> Coverage:
        if self._coverage is None:
            raise RuntimeError("load() or begin() comes first")
        return self._coverage

    @property
    def is_begun(self) -> bool:
        return self._coverage is not None

    @property
    def now(self) -> int:
        return self._stream.api.sync_start

    def load(self, state: Mapping[str, Any]) -> None:
        """Take up what earlier syncs have read; nothing on the first one. Raises AirbyteTracedException."""
        try:
            self._coverage = Coverage.from_state(state)
            names = ("bundle_id", "period_seconds")
            self.newest = {name: int(state[name]) for name in names if state.get(name) is not None}
        except (TypeError, ValueError, OverflowError) as error:
            raise self._stream.unreadable_state(state) from error
        if self._coverage is None or self._coverage.read_to > self.now:
            self._stream.client.learn_clock()
        if self._coverage:
            self._mend(self._coverage)

    def _mend(self, coverage: Coverage) -> None:
        """A state from the future would stop the stream until then. But where the clocks disagree, ours may be the
        one that is wrong, and a position that was saved must not go back."""
        if coverage.read_to <= self.now + FUTURE_SECONDS:
            return
        if self._stream.api.clock.disagrees:
            logger.warning(f"{self._stream.name}: the saved state lies in the future, by this machine's clock.")
            return
        logger.warning(f"{self._stream.name}: the saved state lies in the future; going on from now.")
        coverage.end_at(self.now)

    def begin(self, start: int) -> None:
        """What lies before `start` is not wanted (any more)."""
        self._coverage = self._coverage or Coverage(start)
        self._coverage.begin_at(start)

    def add(self, bundle: Bundle, coming: int = epochs.LAST) -> None:
        """All of the bundle has been read. `coming`: see Coverage.add."""
        if bundle.stop >= self.coverage.read_to:
            self.newest = {"bundle_id": bundle.id, "period_seconds": bundle.period}
        self.coverage.add(bundle.start, bundle.stop, self.now, self.late_from, coming)

    def tell(self, what: object, tally: Tally) -> None:
        complete = epochs.to_text(self.coverage.complete_through)
        logger.info(f"{self._stream.name}: complete through {complete} after {what}: {tally}")

    def to_state(self) -> dict[str, Any]:
        return {**self.newest, **self.coverage.to_state()}
