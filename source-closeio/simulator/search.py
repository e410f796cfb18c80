"""`POST /data/search/`: sorted walks over leads, contacts, opportunities, activities and custom objects.

https://developer.close.com/api/resources/advanced-filtering/search.  A cursor says where the last page ended in the
order of the sort keys, so the next page continues behind it in the data as it is then; it expires after 30 seconds and
a walk ends after 10,000 rows.  Writes are found only when the index has caught up with them (`search_lag`).
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from .conditions import SEARCHABLE, Question, Reader
from .errors import bad_field, bad_request
from .lists import is_moment
from .moments import NULL, parse_loosely
from .settings import Settings
from .store import Change, Collection, Kinds, Row

MAX_CURSORS: Final = 5000
MAX_LIMIT: Final = 200  # rows on a page
MAX_FIELDS: Final = 100  # names in _fields
UNSORTABLE: Final = frozenset({("opportunity", "id")})


@dataclass(frozen=True, slots=True)
class Key:
    """One sort key."""

    name: str
    descending: bool


class Backwards:
    """Turns an order around, for one descending key among ascending ones."""

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __lt__(self, other: Backwards) -> bool:
        return bool(other.value < self.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Backwards) and bool(self.value == other.value)

    def __hash__(self) -> int:
        return hash(self.value)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a walk stands."""

    issued: float
    place: tuple[Any, ...]
    walked: int
    query: bytes


@dataclass(frozen=True, slots=True)
class Hit:
    """A row as the search index knows it: the present one, or an earlier state while the index lags."""

    place: tuple[Any, ...]
    slot: int
    row: Row | None


class Search:
    """Answers searches; observes the collections to know what the index has not seen yet."""

    def __init__(
        self,
        settings: Settings,
        data: Mapping[str, Collection],
        now: Callable[[], int],
        clock: Callable[[], float],
    ) -> None:
        self._settings, self._data, self._now, self._clock = settings, data, now, clock
        self._cursors: dict[str, Cursor] = {}
        self._numbers = itertools.count(1)
        self._fresh: list[tuple[float, Change]] = []

    def observe(self, change: Change) -> None:
        if self._settings.search_lag > 0:
            self._fresh.append((self._clock(), change))

    def page(self, body: Row) -> bytes:
        """The body of one answer; raises Refusal."""
        if not isinstance(body.get("query"), dict):
            raise bad_field("query", "This field is required.")
        question = Reader(self._settings, self._data, self._now()).read(body["query"])
        keys = self._sort(body, question)
        limit = self._limit(body)
        query = orjson.dumps([body["query"], body.get("sort")])
        cursor = self._resume(body.get("cursor"), query)
        walked = cursor.walked if cursor else 0
        most = min(self._settings.search_cap, whole_or(body.get("results_limit"), self._settings.search_cap))
        room = max(0, min(limit, most - walked))
        hits = self._hits(question, keys, cursor.place if cursor else None)
        page = list(itertools.islice(hits, room + 1))
        more = len(page) > room and walked + room < most and room > 0
        page = page[:room]
        rows = b",".join(self._show(page, question, body.get("_fields")))
        answer: Row = {"cursor": None}
        if more:
            answer["cursor"] = self._issue(page[-1].place, walked + len(page), query)
        if body.get("include_counts"):
            total = self._count(question)
            answer |= self._counted(total, min(total, most) if body.get("results_limit") else total)
        return b'{"data":[' + rows + b"]," + orjson.dumps(answer)[1:]

    def _counted(self, total: int, limited: int) -> Row:
        shapes: dict[str, Row] = {
            "object": {"count": {"limited": limited, "total": total}},
            "total": {"count": {"total": total}},
            "count": {"count": {"count": total}},
            "number": {"count": total},
            "none": {},
        }
        return shapes[self._settings.search_count]

    # -- the request --------------------------------------------------------------------------------------

    def _sort(self, body: Row, question: Question) -> list[Key]:
        keys = []
        for each in body.get("sort") or []:
            at = each.get("field") or {}
            name = str(at.get("field_name") or at.get("custom_field_id") or "")
            if not name or at.get("object_type", question.object_type) != question.object_type:
                raise bad_field("sort", "Invalid sort field.")
            if (question.object_type, name) in UNSORTABLE:
                raise bad_field("sort", f"Cannot sort {question.object_type} by {name!r}.")
            keys.append(Key(name, each.get("direction") == "desc"))
        return keys or [Key("date_updated", True)]

    def _limit(self, body: Row) -> int:
        limit = whole_or(body.get("_limit"), 100)
        if limit > MAX_LIMIT:
            raise bad_field("_limit", f"Input should be less than or equal to {MAX_LIMIT}")
        return limit

    def _resume(self, name: Any, query: bytes) -> Cursor | None:
        if not name:
            return None
        cursor = self._cursors.get(str(name))
        if cursor is None or self._clock() - cursor.issued > self._settings.cursor_seconds or cursor.query != query:
            raise bad_field("cursor", "Expired cursor")
        return cursor

    def _issue(self, place: tuple[Any, ...], walked: int, query: bytes) -> str:
        name = f"{next(self._numbers):x}.{hash(place) & 0xFFFFFFFF:08x}"
        self._cursors[name] = Cursor(self._clock(), place, walked, query)
        while len(self._cursors) > MAX_CURSORS:
            del self._cursors[next(iter(self._cursors))]
        return name

    # -- the rows -----------------------------------------------------------------------------------------

    def _hits(self, question: Question, keys: list[Key], behind: tuple[Any, ...] | None) -> Iterator[Hit]:
        """Rows in order, from behind a place on."""
        name, kinds = SEARCHABLE[question.object_type]
        collection = self._data[name]
        stale = self._stale(collection)
        sources: list[Iterable[Hit]] = [self._walk(collection, kinds, question, keys, behind, stale)]
        if stale:
            old = ((slot, row) for slot, row in stale.items() if row is not None)
            sources.append(sorted(self._stale_hits(kinds, question, keys, old), key=lambda hit: hit.place))
        for hit in heapq.merge(*sources, key=lambda hit: hit.place):
            if behind is None or behind < hit.place:
                yield hit

    def _walk(
        self,
        collection: Collection,
        kinds: Kinds,
        question: Question,
        keys: list[Key],
        behind: tuple[Any, ...] | None,
        stale: Mapping[int, Row | None],
    ) -> Iterator[Hit]:
        for group in groups(collection, kinds, question, keys[0], behind):
            passing = (slot for slot in group if slot not in stale and self._passes(collection, slot, question, keys))
            hits = [Hit(place_of(keys, reader(collection, slot), slot), slot, None) for slot in passing]
            yield from sorted(hits, key=lambda hit: hit.place) if len(hits) > 1 else hits

    def _stale_hits(
        self,
        kinds: Kinds,
        question: Question,
        keys: list[Key],
        old: Iterable[tuple[int, Row]],
    ) -> Iterator[Hit]:
        for slot, row in old:
            kind = str(row.get("_type", ""))
            inside = all(low <= parse_loosely(row.get(name)) < high for name, (low, high) in question.spans.items())
            if (kinds is None or kind in kinds) and inside and all(test(row.get) for test in question.tests):
                yield Hit(place_of(keys, row.get, slot), slot, row)

    def _passes(self, collection: Collection, slot: int, question: Question, keys: list[Key]) -> bool:
        first = keys[0].name
        for name, (low, high) in question.spans.items():
            if name != first and not low <= collection.moment(slot, name) < high:
                return False
        return not question.tests or all(test(reader(collection, slot)) for test in question.tests)

    def _stale(self, collection: Collection) -> dict[int, Row | None]:
        """Slots whose last writes are not indexed yet, with the row that still is (None: none)."""
        horizon = self._clock() - self._settings.search_lag
        self._fresh = [each for each in self._fresh if each[0] > horizon]
        stale: dict[int, Row | None] = {}
        for _, change in self._fresh:
            if change.collection is collection:
                stale.setdefault(change.slot, change.before)
        return stale

    def _count(self, question: Question) -> int:
        name, kinds = SEARCHABLE[question.object_type]
        collection = self._data[name]
        if not question.tests and len(question.spans) <= 1 and not self._stale(collection):
            for field, span in question.spans.items():
                first, end = collection.index(field, kinds).span(*span)
                return end - first
            return len(collection.index("date_updated", kinds).keys)
        return sum(1 for _ in self._hits(question, [Key("date_updated", descending=False)], None))

    # -- the answer ---------------------------------------------------------------------------------------

    def _show(self, hits: list[Hit], question: Question, asked: Any) -> list[bytes]:
        names = self._names(asked, question.object_type)
        collection = self._data[SEARCHABLE[question.object_type][0]]
        kind = question.object_type

        def pick(row: Row) -> Row:
            return {"__object_type": kind, "id": row["id"]} | self._pick(row, names)

        name = f"{kind}/{self._settings.search_custom}/{','.join(names)}"
        return [
            collection.part(hit.slot, name, pick) if hit.row is None else orjson.dumps(pick(hit.row)) for hit in hits
        ]

    def _names(self, asked: Any, object_type: str) -> list[str]:
        if asked is None:
            return []
        if not isinstance(asked, dict):
            raise bad_field("_fields", "Invalid.")
        names = asked.get(object_type) or asked.get(object_type.split(".", maxsplit=1)[0]) or []
        if len(names) > MAX_FIELDS:
            raise bad_request("List is too long.")
        return [str(name) for name in names]

    def _pick(self, row: Row, names: list[str]) -> Row:
        """Unknown names are ignored; `custom` is every custom field, flat or nested."""
        picked = {name: row[name] for name in names if name in row}
        if "custom" in names:
            picked.pop("custom", None)
            custom = {name: value for name, value in row.items() if name.startswith("custom.")}
            if self._settings.search_custom == "nested":
                picked["custom"] = {name.removeprefix("custom."): value for name, value in custom.items()}
            else:
                picked |= custom
        return picked


def reader(collection: Collection, slot: int) -> Callable[[str], Any]:
    return lambda name: collection.value(slot, name)


def place_of(keys: list[Key], get: Callable[[str], Any], slot: int) -> tuple[Any, ...]:
    """Where a row stands in the order: its sort keys, then something that never changes."""
    place: list[Any] = []
    for key in keys:
        value = get(key.name)
        part: Any = parse_loosely(value) if is_moment(key.name) else comparable(value)
        place.append(Backwards(part) if key.descending else part)
    return (*place, slot)


def comparable(value: Any) -> tuple[int, Any]:
    if value is None:
        return (0, 0)
    return (1, value) if isinstance(value, int | float) else (2, str(value))


def groups(
    collection: Collection, kinds: Kinds, question: Question, key: Key, behind: tuple[Any, ...] | None
) -> Iterator[list[int]]:
    """Slots in the order of the first sort key, those with an equal key together."""
    if not is_moment(key.name):
        chosen = collection.index("date_updated", kinds).slots
        if key.name in question.spans:
            raise bad_field("sort", "Invalid sort field.")
        yield list(chosen)
        return
    index = collection.index(key.name, kinds)
    first, end = index.span(*question.spans.get(key.name, (NULL, 2**62)))
    if behind is not None:
        at = behind[0].value if key.descending else behind[0]
        if key.descending:
            end = min(end, index.span(NULL, at + 1)[1])
        else:
            first = max(first, index.span(at, at)[0])
    while first < end:
        moment = index.keys[end - 1 if key.descending else first]
        low, high = index.span(moment, moment + 1)
        low, high = max(low, first), min(high, end)
        yield list(index.slots[low:high])
        first, end = (first, low) if key.descending else (high, end)


def whole_or(value: Any, default: int) -> int:
    if value is None:
        return default
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise bad_field("_limit", "Input should be a valid integer")
    return value
