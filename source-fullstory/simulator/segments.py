"""Segments: named sets of people, which exports are made of."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from .rows import Row
from .shop import iso

EVERYONE = "everyone"  # documented as the built-in segment of all users; its own time range is the last 30 days


@dataclass(frozen=True)
class Segment:
    """One of them. `days` is its own time range (None: all time), `one_in` says which share of people it has."""

    id: str
    name: str
    creator: str = ""
    created: str | None = None  # built-in segments have none
    days: float | None = 30
    one_in: int = 1

    def has(self, row: Row) -> bool:
        """Whether it has the person of that event."""
        return (row.get("IndvId") or 0) % self.one_in == 0

    def listed(self, org: str) -> Row:
        """As the API shows it."""
        url = f"https://app.fullstory.com/ui/{org}/segments/{self.id}"
        row = {"id": self.id, "name": self.name, "creator": self.creator, "created": self.created, "url": url}
        return {name: value for name, value in row.items() if value is not None}


def built_in() -> list[Segment]:
    """What every account has."""
    return [Segment(EVERYONE, "Everyone"), Segment("signed-up", "Signed Up", one_in=2)]


def made_up(seed: int, count: int) -> list[Segment]:
    """What people of the account have put together."""
    rng = Random(f"{seed}/segments")
    return [
        Segment(
            id=f"{rng.randrange(16**12):012X}",
            name=f"{rng.choice(('Bought', 'Left', 'Liked'))} {rng.choice(('apples', 'Käse', 'a cart'))} {number}",
            creator=f"person.{number % 3}@example.com",
            created=iso(1_600_000_000 + number * 86_400),
            days=rng.choice((7, 30, None)),
            one_in=rng.randint(2, 5),
        )
        for number in range(count)
    ]
