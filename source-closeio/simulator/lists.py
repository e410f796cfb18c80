"""Which rows a list endpoint shows, in which order: filters, date bounds, `_order_by`.

https://developer.close.com/api/overview/filter-parameters and the page of each resource.  Filters that an
endpoint does not know are ignored without a word, as Close does.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from .errors import bad_field
from .moments import DAY, END, NULL, SECOND, parse
from .store import Collection, Kinds

Params = Mapping[str, Any]
Span = tuple[int, int]
Test = Callable[[int], bool]
OPERATORS: Final = ("gt", "gte", "lt", "lte")


def values(param: Any) -> list[str]:
    """`a,b` in the URL or a list in a body."""
    parts = param if isinstance(param, list) else str(param).split(",")
    return [text for part in parts if (text := str(part).strip())]


def truth(param: Any) -> bool:
    return str(param).lower() in ("true", "1", "yes", "t")


def moment_of(name: str, param: Any) -> int:
    try:
        return parse(param)
    except ValueError:
        raise bad_field(name, "Invalid date/time format.") from None


def bounds(params: Params, name: str, *, by_second: bool) -> Span | None:
    """low <= moment < high for `name__gt/gte/lt/lte`, or None without such a parameter.

    With precision to the second both sides are cut before they are compared, so `__gt` leaves out the rest of its
    second and `__lte` includes it.
    """
    grain = SECOND if by_second else 1
    low, high, any_given = NULL + 1, END, False
    for operator in OPERATORS:
        param = params.get(f"{name}__{operator}")
        if param in (None, ""):
            continue
        any_given = True
        at = moment_of(f"{name}__{operator}", param) // grain * grain
        if operator in ("gt", "gte"):
            low = max(low, at + (grain if operator == "gt" else 0))
        else:
            high = min(high, at + (grain if operator == "lte" else 0))
    if params.get(name) not in (None, ""):
        any_given = True
        text = str(params[name])
        low = moment_of(name, text)
        high = low + (DAY if len(text) == 10 else grain)
    return (low, high) if any_given else None


@dataclass(frozen=True, slots=True)
class Wanted:
    """One question to a collection, ready to be answered."""

    kinds: Kinds
    order: str
    descending: bool
    spans: tuple[tuple[str, Span], ...]
    tests: tuple[Test, ...] = ()
    tests_key: str = ""
    ids: tuple[str, ...] | None = None


class Answers:
    """The rows that answer a question, as slots; remembers the answers that had to be sorted."""

    def __init__(self, keep: int = 64) -> None:
        self._kept: OrderedDict[tuple[Any, ...], Sequence[int]] = OrderedDict()
        self._keep = keep

    def find(self, collection: Collection, wanted: Wanted, skip: int, limit: int) -> tuple[list[int], int]:
        """The slots of one page, and how many rows there are in all."""
        plain = wanted.ids is None and not wanted.tests and is_moment(wanted.order)
        if plain and all(name == wanted.order for name, _ in wanted.spans):
            return from_index(collection, wanted, skip, limit)
        order = (wanted.order, wanted.descending)
        key = (
            collection.name,
            collection.version,
            wanted.kinds,
            order,
            wanted.spans,
            wanted.tests_key,
            wanted.ids,
        )
        chosen = self._kept.get(key)
        if chosen is None:
            chosen = self._kept[key] = sort(collection, wanted, choose(collection, wanted))
            if len(self._kept) > self._keep:
                self._kept.popitem(last=False)
        return list(chosen[skip : skip + limit]), len(chosen)


def is_moment(name: str) -> bool:
    return name.startswith(("date", "due_date")) or name.endswith("_at")


def from_index(collection: Collection, wanted: Wanted, skip: int, limit: int) -> tuple[list[int], int]:
    """A page straight from the index: the cost does not depend on the number of rows."""
    index = collection.index(wanted.order, wanted.kinds)
    first, end = 0, len(index.keys)
    for _, (low, high) in wanted.spans:
        low_at, high_at = index.span(low, high)
        first, end = max(first, low_at), min(end, high_at)
    total = max(0, end - first)
    if wanted.descending:
        stop = max(first, end - skip)
        return list(reversed(index.slots[max(first, stop - limit) : stop])), total
    return list(index.slots[min(end, first + skip) : min(end, first + skip + limit)]), total


def choose(collection: Collection, wanted: Wanted) -> list[int]:
    """The slots that pass every filter, in any order."""
    if wanted.ids is not None:
        found = (collection.slot_of(id_) for id_ in dict.fromkeys(wanted.ids))
        candidates: Sequence[int] = [slot for slot in found if slot is not None]
        if wanted.kinds is not None:
            candidates = [slot for slot in candidates if collection.kind_of(slot) in wanted.kinds]
        spans = wanted.spans
    else:
        name, span = wanted.spans[0] if wanted.spans else ("date_updated", (NULL, END))
        index = collection.index(name, wanted.kinds)
        first, end = index.span(*span)
        candidates = index.slots[first:end]
        spans = wanted.spans[1:]
    for name, (low, high) in spans:
        candidates = [slot for slot in candidates if low <= collection.moment(slot, name) < high]
    for test in wanted.tests:
        candidates = [slot for slot in candidates if test(slot)]
    return list(candidates)


def sort(collection: Collection, wanted: Wanted, slots: list[int]) -> list[int]:
    def place(slot: int) -> tuple[Any, ...]:
        if is_moment(wanted.order):
            return (collection.moment(slot, wanted.order), collection.id_of(slot))
        value = collection.value(slot, wanted.order)
        return (value is not None, "" if value is None else value, collection.id_of(slot))

    return sorted(slots, key=place, reverse=wanted.descending)
