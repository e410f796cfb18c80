"""Rows of one kind, found by id and by moment, a million of them if need be.

Generated rows exist only as numbers ("slots") until somebody looks at them; rows that were added or changed are
kept as JSON.  An index is a pair of arrays, sorted by moment, so that a page at any offset costs a slice.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from random import Random
from threading import RLock
from typing import Any, Final, Protocol

import orjson

from .moments import NULL, parse_loosely

Row = dict[str, Any]
Kinds = frozenset[str] | None
FIRST_ADDED: Final = 2**40


class Bulk(Protocol):
    """Generated rows: everything is a function of the slot, 0 <= slot < count."""

    count: int

    def raw(self, slot: int) -> bytes: ...
    def part(self, slot: int, name: Any, pick: Callable[[Row], Row]) -> bytes: ...
    def hidden(self, slot: int) -> Row: ...
    def id_of(self, slot: int) -> str: ...
    def slot_of(self, id_: str) -> int | None: ...
    def kind_of(self, slot: int) -> str: ...
    def moments(self, name: str) -> array[int] | None: ...
    def value(self, slot: int, name: str) -> Any:
        """The value of a field without making the row; KeyError when that is not possible."""


class NoBulk:
    """Nothing generated."""

    count = 0

    def raw(self, slot: int) -> bytes:
        raise IndexError(slot)

    def part(self, slot: int, name: Any, pick: Callable[[Row], Row]) -> bytes:
        raise IndexError(slot, name, pick)

    def hidden(self, slot: int) -> Row:
        raise IndexError(slot)

    def id_of(self, slot: int) -> str:
        raise IndexError(slot)

    def slot_of(self, id_: str) -> int | None:
        return None

    def kind_of(self, slot: int) -> str:
        raise IndexError(slot)

    def moments(self, name: str) -> array[int] | None:
        return None

    def value(self, slot: int, name: str) -> Any:
        raise IndexError(slot, name)


@dataclass(slots=True)
class Live:
    """A row that somebody added or changed."""

    row: Row
    raw: bytes
    hidden: Row


@dataclass(slots=True)
class Change:
    """One write, told to the observers of a collection."""

    collection: Collection
    action: str
    slot: int
    before: Row | None
    after: Row | None
    log: bool
    user_id: str | None


class Index:
    """Slots in the order of one moment, those of the same moment by `tie`."""

    def __init__(self, pairs: Iterable[tuple[int, int]], tie: Callable[[int], Any]) -> None:
        self._tie = tie
        ordered = sorted(pairs, key=lambda pair: pair[0])
        self.keys = array("q", [key for key, _ in ordered])
        self.slots = array("q", [slot for _, slot in ordered])
        self._order_ties()

    def _order_ties(self) -> None:
        keys, at, end = self.keys, 0, len(self.keys)
        while at < end:
            after = at + 1
            if after < end and keys[after] == keys[at]:
                after = bisect_right(keys, keys[at], after)
                self.slots[at:after] = array("q", sorted(self.slots[at:after], key=self._tie))
            at = after

    def span(self, low: int, high: int) -> tuple[int, int]:
        """Where the moments low <= x < high are."""
        first = bisect_left(self.keys, low)
        return first, max(first, bisect_left(self.keys, high, first))

    def place(self, key: int, slot: int) -> int:
        low, high = bisect_left(self.keys, key), bisect_right(self.keys, key)
        return bisect_left(self.slots, self._tie(slot), low, high, key=self._tie)

    def insert(self, key: int, slot: int) -> None:
        at = self.place(key, slot)
        self.keys.insert(at, key)
        self.slots.insert(at, slot)

    def remove(self, key: int, slot: int) -> None:
        at = self.place(key, slot)
        if at < len(self.slots) and self.slots[at] == slot:
            del self.keys[at]
            del self.slots[at]


class Collection:
    """The rows behind one endpoint, as `sim.data["activity"]`.

    `add`, `update` and `delete` act like a user of Close at this moment: they move `date_updated` and are written
    to the event log unless `log=False`.
    """

    def __init__(
        self,
        name: str,
        *,
        now: Callable[[], int],
        stamp: Callable[[int], str],
        new_id: Callable[[], str],
        lock: RLock,
        bulk: Bulk | None = None,
        kind_of: Callable[[Row], str] | None = None,
        hidden: frozenset[str] = frozenset(),
        key: str = "id",
        tie_by_slot: bool = False,
    ) -> None:
        self.name = name
        self.key = key
        self.version = 0
        self.observers: list[Callable[[Change], None]] = []
        self.hidden_fields = hidden
        self.deleted: list[Row] = []
        self.missing = NULL  # where a row without a moment stands in an ascending order
        self._now, self._stamp, self._new_id, self._lock = now, stamp, new_id, lock
        self._bulk: Bulk = bulk or NoBulk()
        self._kind_of_row = kind_of or (lambda row: str(row.get("_type", "")))
        self._tie: Callable[[int], Any] = (lambda slot: slot) if tie_by_slot else self.id_of
        self._live: dict[int, Live] = {}
        self._gone: set[int] = set()
        self._added: dict[str, int] = {}
        self._next = FIRST_ADDED
        self._indexes: dict[tuple[Kinds, str], Index] = {}

    # -- what tests and generators use --------------------------------------------------------------------

    def add(self, row: Mapping[str, Any], *, log: bool = True, user_id: str | None = None) -> Row:
        """Store a row; a missing id or missing dates are filled in.  Returns the row as stored."""
        with self._lock:
            new = dict(row)
            new.setdefault(self.key, self._new_id())
            for name in dates_of(self.name):
                if name not in new:
                    new[name] = self._stamp(self._now())
            if self.slot_of(new[self.key]) is not None:
                raise ValueError(f"{self.name} already has {new[self.key]}")
            slot = self._next
            self._next += 1
            self._added[new[self.key]] = slot
            self._store(slot, new)
            self._tell(Change(self, "created", slot, None, new, log, user_id))
            return dict(new)

    def update(
        self,
        id_: str,
        changed: Mapping[str, Any] | None = None,
        /,
        *,
        log: bool = True,
        user_id: str | None = None,
        **changes: Any,
    ) -> Row:
        """Change fields of a row; the time of the last one becomes now unless it is among the changes."""
        with self._lock:
            slot = self._must(id_)
            before = self.row(slot)
            after = before | dict(changed or {}) | changes
            for name in dates_of(self.name)[1:]:
                if name in before and name not in {*(changed or {}), *changes}:
                    after[name] = self._stamp(self._now())
            self._unstore(slot)
            self._store(slot, after)
            self._tell(Change(self, "updated", slot, before, after, log, user_id))
            return dict(after)

    def delete(self, id_: str, *, log: bool = True, user_id: str | None = None) -> Row:
        """Take a row away.  Close keeps no tombstone: only the event log tells."""
        with self._lock:
            slot = self._must(id_)
            before = self.row(slot)
            self._unstore(slot)
            self._live.pop(slot, None)
            if slot < self._bulk.count:
                self._gone.add(slot)
            self._added.pop(id_, None)
            self.deleted.append(before)
            self._tell(Change(self, "deleted", slot, before, None, log, user_id))
            return before

    def get(self, id_: str) -> Row | None:
        with self._lock:
            slot = self.slot_of(id_)
            return None if slot is None else self.row(slot)

    def rows(self) -> list[Row]:
        """Every row as the API would show it now, in no particular order."""
        with self._lock:
            return [self.row(slot) for slot in self.slots()]

    @property
    def truth(self) -> dict[str, Row]:
        """Every row by its key."""
        return {row[self.key]: row for row in self.rows()}

    def shuffle_ties(self, chance: Random) -> None:
        """From now on, rows of the same moment stand in another order."""
        with self._lock:
            places: dict[int, float] = {}
            self._tie = lambda slot: places.setdefault(slot, chance.random())
            self._indexes.clear()
            self.version += 1

    def __len__(self) -> int:
        return self._bulk.count - len(self._gone) + len(self._added)

    def __contains__(self, id_: object) -> bool:
        return isinstance(id_, str) and self.slot_of(id_) is not None

    # -- what the endpoints use ---------------------------------------------------------------------------

    @property
    def bulk(self) -> Bulk:
        """The generated rows, as they were made."""
        return self._bulk

    def use(self, bulk: Bulk | None) -> None:
        """Start with these generated rows."""
        self._bulk = bulk or NoBulk()

    def has_slot(self, slot: int) -> bool:
        return (slot < self._bulk.count and slot not in self._gone) or slot in self._live

    def slots(self) -> Iterator[int]:
        yield from (slot for slot in range(self._bulk.count) if slot not in self._gone)
        yield from list(self._added.values())

    def slot_of(self, id_: str) -> int | None:
        slot = self._added.get(id_)
        if slot is None:
            slot = self._bulk.slot_of(id_)
            if slot is None or slot in self._gone:
                return None
        return slot

    def id_of(self, slot: int) -> str:
        live = self._live.get(slot)
        return str(live.row[self.key]) if live else self._bulk.id_of(slot)

    def raw(self, slot: int) -> bytes:
        """The row as JSON, without the fields that Close shows only on request."""
        live = self._live.get(slot)
        return live.raw if live else self._bulk.raw(slot)

    def part(self, slot: int, name: Any, pick: Callable[[Row], Row]) -> bytes:
        """What `pick` leaves of a row and its hidden fields, as JSON; `name` stands for what `pick` does."""
        live = self._live.get(slot)
        if live:
            return orjson.dumps(pick(live.row | live.hidden))
        return self._bulk.part(slot, name, pick)

    def row(self, slot: int) -> Row:
        row: Row = orjson.loads(self.raw(slot))
        return row

    def hidden(self, slot: int) -> Row:
        """The fields that come only when `_fields` names them."""
        live = self._live.get(slot)
        return live.hidden if live else self._bulk.hidden(slot)

    def kind_of(self, slot: int) -> str:
        live = self._live.get(slot)
        return self._kind_of_row(live.row) if live else self._bulk.kind_of(slot)

    def value(self, slot: int, name: str) -> Any:
        live = self._live.get(slot)
        if live:
            return live.row.get(name)
        try:
            return self._bulk.value(slot, name)
        except KeyError:
            return self.row(slot).get(name)

    def moment(self, slot: int, name: str) -> int:
        if slot not in self._live:
            known = self._bulk.moments(name)
            if known is not None:
                return known[slot]
        return self._moment_of(self.value(slot, name))

    def index(self, name: str, kinds: Kinds = None) -> Index:
        """The slots (of some kinds) ordered by a moment; made when first asked for, then kept up to date."""
        made = self._indexes.get((kinds, name))
        if made is None:
            chosen = (slot for slot in self.slots() if kinds is None or self.kind_of(slot) in kinds)
            made = Index(((self.moment(slot, name), slot) for slot in chosen), self._tie)
            self._indexes[kinds, name] = made
        return made

    # -- inner ---------------------------------------------------------------------------------------------

    def _must(self, id_: str) -> int:
        slot = self.slot_of(id_)
        if slot is None:
            raise KeyError(f"no {self.name} {id_}")
        return slot

    def _store(self, slot: int, row: Row) -> None:
        hidden = {name: row.pop(name) for name in self.hidden_fields & row.keys()}
        if not hidden and self.has_slot(slot):
            hidden = self.hidden(slot)
        self._live[slot] = Live(row, orjson.dumps(row), hidden)
        kind = self._kind_of_row(row)
        for (kinds, name), index in self._indexes.items():
            if kinds is None or kind in kinds:
                index.insert(self._moment_of(row.get(name)), slot)
        self.version += 1

    def _unstore(self, slot: int) -> None:
        kind = self.kind_of(slot)
        for (kinds, name), index in self._indexes.items():
            if kinds is None or kind in kinds:
                index.remove(self.moment(slot, name), slot)
        self.version += 1

    def _moment_of(self, value: Any) -> int:
        moment = parse_loosely(value)
        return self.missing if moment == NULL else moment

    def _tell(self, change: Change) -> None:
        for observer in self.observers:
            observer(change)


UNDATED: Final = frozenset(
    [
        "me",
        "status/lead",
        "status/opportunity",
        "group",
        "connected_account",
        "send_as",
        "unsubscribe/email",
        "scheduling_link",
        "shared_scheduling_link",
        "organization",
        "membership",
    ]
)
"""Collections whose rows have no dates in the API."""
DATED_AT: Final = frozenset(["comment", "comment_thread", "playbook"])


def dates_of(collection: str) -> tuple[str, ...]:
    """What says when a row was made and changed."""
    if collection in DATED_AT:
        return ("created_at", "updated_at")
    return () if collection in UNDATED else ("date_created", "date_updated")
