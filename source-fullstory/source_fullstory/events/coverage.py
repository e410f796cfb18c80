"""Which spans of time have been read: all before `read_to`, except for the holes. All times are Unix seconds.

FullStory may list a bundle later than one that follows it, and the period of bundles may be changed, so that a new
bundle overlaps what was read. Coverage says which part of a bundle is still missing, remembers what was passed
over, and is what the state of `events` holds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from source_fullstory import epochs

HOLE_SECONDS = 48 * 3600
"""How long a hole is looked for, from when it was first seen."""

Span = tuple[int, int]
"""Half-open: (start, stop)."""


@dataclass(frozen=True, slots=True)
class Hole:
    """No bundle of [start, stop) was listed yet."""

    start: int
    stop: int
    first_seen: int


@dataclass(slots=True)
class Coverage:
    """Everything before `read_to` has been read or given up, except for `holes` (disjoint, oldest first)."""

    read_to: int
    holes: list[Hole] = field(default_factory=list)

    def missing(self, start: int, stop: int) -> list[Span]:
        """The parts of [start, stop) that have not been read."""
        spans = [(max(start, hole.start), min(stop, hole.stop)) for hole in self.holes]
        spans.append((max(start, self.read_to), stop))
        return [(first, last) for first, last in spans if first < last]

    def add(self, start: int, stop: int, now: int) -> None:
        """[start, stop) has been read; what it left out below itself is a hole from `now` on."""
        parts = [
            part
            for hole in self.holes
            for part in (
                replace(hole, stop=min(hole.stop, start)),
                replace(hole, start=max(hole.start, stop)),
            )
            if part.start < part.stop
        ]
        if start > self.read_to:
            parts.append(Hole(self.read_to, start, first_seen=now))
        self.holes = parts
        self.read_to = max(self.read_to, stop)

    def begin_at(self, start: int) -> None:
        """What lies before `start` is not wanted (any more)."""
        self.holes = [replace(hole, start=max(hole.start, start)) for hole in self.holes if hole.stop > start]
        self.read_to = max(self.read_to, start)

    def give_up(self, now: int) -> list[Hole]:
        """Forget the holes that have been looked for long enough, and return them."""
        old = [hole for hole in self.holes if now - hole.first_seen >= HOLE_SECONDS]
        self.holes = [hole for hole in self.holes if hole not in old]
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
            "holes": [
                {
                    "start": epochs.to_text(hole.start),
                    "stop": epochs.to_text(hole.stop),
                    "first_seen": epochs.to_text(hole.first_seen),
                }
                for hole in self.holes
            ],
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Coverage | None:
        """None for the empty state. Reads also the state of the Singer tap, `{"events": "<stop of the last
        bundle>"}`. Raises ValueError for anything else."""
        if not state:
            return None
        found = [state.get(name) for name in ("bundle_stop", "complete_through", "events")]
        text = next((value for value in found if value), None)
        try:
            read_to = epochs.parse(text or "")
            holes = [
                Hole(*(epochs.parse(hole[name]) for name in ("start", "stop", "first_seen")))
                for hole in state.get("holes") or []
            ]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise ValueError(f"not a state of events: {dict(state)}") from error
        return cls(read_to, sorted(holes, key=lambda hole: hole.start))
