"""Which spans of time have been read: all before `read_to`, except for the holes. All times are Unix seconds.

FullStory may list a bundle later than one that follows it, and the period of bundles may be changed, so that a new
bundle overlaps what was read. Coverage says which part of a bundle is still missing, remembers what was passed
over, and is what the state of `events` holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from source_fullstory import epochs

HOUR = 3600
LONGEST_PERIOD = 24 * HOUR
"""Of a bundle: longer ones are not known."""
LISTING_SECONDS = 24 * HOUR
"""After its end FullStory lists a bundle: so Stitch wrote; FullStory calls events settled then."""
HOLE_SECONDS = 48 * HOUR
"""How long a hole is looked for, from when it was first seen."""

Span = tuple[int, int]
"""Half-open: (start, stop)."""


@dataclass(frozen=True, slots=True)
class Hole:
    """[start, stop) has not been read: no bundle of it was listed yet, or `bundle_id` was, and FullStory did not give
    it."""

    start: int
    stop: int
    first_seen: int
    bundle_id: int | None = None

    def outside(self, start: int, stop: int) -> Iterator[Hole]:
        """What is left of it without [start, stop)."""
        if self.start < start:
            yield replace(self, stop=min(self.stop, start))
        if stop < self.stop:
            yield replace(self, start=max(self.start, stop))

    def inside(self, start: int, stop: int) -> Iterator[Hole]:
        """The part of it that lies in [start, stop)."""
        first, last = max(self.start, start), min(self.stop, stop)
        if first < last:
            yield replace(self, start=first, stop=last)

    def to_state(self) -> dict[str, Any]:
        times = {name: epochs.to_text(getattr(self, name)) for name in ("start", "stop", "first_seen")}
        return times if self.bundle_id is None else {**times, "bundle_id": self.bundle_id}

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Hole:
        start, stop, first_seen = (epochs.parse_saved(state[name]) for name in ("start", "stop", "first_seen"))
        bundle_id = state.get("bundle_id")
        return cls(start, stop, first_seen, None if bundle_id is None else int(bundle_id))


@dataclass(slots=True)
class Coverage:
    """Everything before `read_to` has been read or given up, except for `holes` (disjoint, oldest first)."""

    read_to: int
    holes: list[Hole] = field(default_factory=list)

    def missing(self, start: int, stop: int) -> list[Span]:
        """The parts of [start, stop) that have not been read."""
        spans = [(part.start, part.stop) for hole in self.holes for part in hole.inside(start, stop)]
        first = max(start, self.read_to)
        return [*spans, (first, stop)] if first < stop else spans

    def add(self, start: int, stop: int, now: int, late_from: int = 0, coming: int = epochs.LAST) -> None:
        """[start, stop) has been read. What it leaves out below itself is a hole from `now` on, as far as bundles
        that end after `late_from` may have been there: what ended before that is not late, it does not exist. Unless
        one that is listed has it: of those still to be read, the first begins at `coming`."""
        self._leave_out(start, stop, now, late_from, coming)
        self.holes = [part for hole in self.holes for part in hole.outside(start, stop)]
        self.read_to = max(self.read_to, stop)

    def pass_over(
        self, start: int, stop: int, bundle_id: int, now: int, late_from: int = 0, coming: int = epochs.LAST
    ) -> None:
        """The bundle of [start, stop) was listed, and cannot be had: all that is missing of it is a hole."""
        self._leave_out(start, stop, now, late_from, coming)
        if self.read_to < stop:
            self.holes.append(Hole(max(start, self.read_to), stop, now))
        left = [part for hole in self.holes for part in hole.outside(start, stop)]
        known = [replace(part, bundle_id=bundle_id) for hole in self.holes for part in hole.inside(start, stop)]
        self.holes = sorted(left + known, key=lambda hole: hole.start)
        self.read_to = max(self.read_to, stop)

    def _leave_out(self, start: int, stop: int, now: int, late_from: int, coming: int) -> None:
        late = late_from - LONGEST_PERIOD if late_from < start else start
        first = max(self.read_to, min(late, coming))
        if first < start:
            # A bundle that is listed has ended: so much is sure even where the clock is wrong.
            self.holes.append(Hole(first, start, first_seen=max(now, stop)))

    def begin_at(self, start: int) -> None:
        """What lies before `start` is not wanted (any more)."""
        self.holes = [part for hole in self.holes for part in hole.inside(start, hole.stop)]
        self.read_to = max(self.read_to, start)

    def end_at(self, stop: int) -> None:
        """Nothing after `stop` has been read."""
        self.holes = [part for hole in self.holes for part in hole.inside(hole.start, stop)]
        self.read_to = min(self.read_to, stop)

    def give_up(self, now: int) -> list[Hole]:
        """Forget the holes that have been looked for long enough, and return them."""
        old = [hole for hole in self.holes if now - hole.first_seen >= HOLE_SECONDS]
        self.holes = [hole for hole in self.holes if now - hole.first_seen < HOLE_SECONDS]
        return old

    @property
    def complete_through(self) -> int:
        """Before this time nothing is missing."""
        return self.holes[0].start if self.holes else self.read_to

    def copy(self) -> Coverage:
        return Coverage(self.read_to, list(self.holes))

    def to_state(self) -> dict[str, Any]:
        """What `from_state` reads: `bundle_stop` is `read_to`; `complete_through` is for people."""
        return {
            "bundle_stop": epochs.to_text(self.read_to),
            "complete_through": epochs.to_text(self.complete_through),
            "holes": [hole.to_state() for hole in self.holes],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Coverage | None:
        """None for the empty state. Reads also the state of the Singer tap, `{"events": "<stop of the last
        bundle>"}`. Raises ValueError for anything else."""
        if all(name.startswith("__ab_") for name in state):  # what a full refresh leaves says nothing
            return None
        found = [state.get(name) for name in ("bundle_stop", "complete_through", "events")]
        try:
            read_to = epochs.parse_saved(next((value for value in found if value), None))
            holes = [Hole.from_state(hole) for hole in state.get("holes") or []]
        except (AttributeError, KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError("not a state of events") from error
        # What two of them say would be read twice.
        disjoint: list[Hole] = []
        for hole in sorted(holes, key=lambda hole: hole.start):
            first = disjoint[-1].stop if disjoint else 0
            disjoint += hole.inside(first, min(hole.stop, read_to))
        return cls(read_to, disjoint)
