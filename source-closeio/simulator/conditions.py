"""The query language of `POST /data/search/`: a tree of conditions becomes a test of a row.

https://developer.close.com/api/resources/advanced-filtering
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from .endpoints import ACTIVITY_TYPES
from .errors import Refusal, bad_field
from .lists import is_moment, moment_of
from .moments import DAY, END, NULL, SECOND, parse_loosely
from .settings import Settings
from .store import Collection, Kinds

Get = Callable[[str], Any]
Test = Callable[[Get], bool]
Node = dict[str, Any]

SEARCHABLE: Final[dict[str, tuple[str, Kinds]]] = {
    "lead": ("lead", None),
    "contact": ("contact", None),
    "opportunity": ("opportunity", None),
    "activity": ("activity", None),
    "custom_object": ("custom_object", None),
    **{f"activity.{each.object_type}": ("activity", frozenset({each.literal})) for each in ACTIVITY_TYPES},
}


@dataclass
class Question:
    """What a query asks for: the object type, moments that bound it, and everything else as tests."""

    object_type: str = ""
    spans: dict[str, tuple[int, int]] = field(default_factory=dict)
    tests: list[Test] = field(default_factory=list)


def refuse(text: str) -> Refusal:
    return bad_field("query", text)


class Reader:
    """Reads a query for one state of the data."""

    def __init__(self, settings: Settings, data: Mapping[str, Collection], now: int) -> None:
        self._settings, self._data, self._now = settings, data, now

    def read(self, node: Node) -> Question:
        """The whole query; raises Refusal for what Close would refuse."""
        question = Question(object_type=self._object_type(node))
        if question.object_type not in SEARCHABLE:
            raise refuse(f"Unknown object type: {question.object_type!r}")
        self._gather(node, question)
        return question

    def _object_type(self, node: Node) -> str:
        if node.get("type") == "object_type":
            return str(node.get("object_type"))
        if node.get("type") == "and":
            for child in node.get("queries") or []:
                found = self._object_type(child)
                if found:
                    return found
        if node.get("type") == "saved_search":
            return self._object_type(self._saved(node))
        return ""

    def _gather(self, node: Node, question: Question) -> None:
        """Conditions joined by `and` are kept apart, so that date ranges can use an index."""
        if node.get("type") == "and" and not node.get("negate"):
            for child in node.get("queries") or []:
                self._gather(child, question)
        elif is_range(node):
            name = self._field(node, question.object_type)
            low, high = self._range(node["condition"])
            known = question.spans.get(name, (NULL + 1, END))
            question.spans[name] = (max(low, known[0]), min(high, known[1]))
        elif node.get("type") != "object_type" or node.get("negate"):
            question.tests.append(self._test(node, question.object_type))

    def _test(self, node: Node, object_type: str) -> Test:
        makers: dict[str, Callable[[Node, str], Test]] = {
            "and": self._all,
            "or": self._any,
            "negate": lambda node, object_type: negated(self._test(node.get("query") or {}, object_type)),
            "not": lambda node, object_type: negated(self._test(node.get("query") or {}, object_type)),
            "match_all": lambda *_: constant(value=True),
            "id": lambda node, _: term("id", [str(node.get("value"))]),
            "object_type": self._is_type,
            "field_condition": self._condition,
            "has_related": self._related,
            "saved_search": lambda node, object_type: self._test(self._saved(node), object_type),
            "text": lambda node, _: self._text(node),
        }
        maker = makers.get(str(node.get("type")))
        if maker is None:
            raise refuse(f"Unknown query type: {node.get('type')!r}")
        test = maker(node, object_type)
        return negated(test) if node.get("negate") else test

    def _all(self, node: Node, object_type: str) -> Test:
        tests = [self._test(child, object_type) for child in node.get("queries") or []]
        return lambda get: all(test(get) for test in tests)

    def _any(self, node: Node, object_type: str) -> Test:
        tests = [self._test(child, object_type) for child in node.get("queries") or []]
        return lambda get: any(test(get) for test in tests)

    def _is_type(self, node: Node, object_type: str) -> Test:
        return constant(value=node.get("object_type") == object_type)

    def _text(self, node: Node) -> Test:
        wanted = str(node.get("value", "")).casefold()
        names = ("name", "display_name", "description", "note", "text", "subject", "title")
        return lambda get: any(wanted in str(get(name) or "").casefold() for name in names)

    def _saved(self, node: Node) -> Node:
        found = self._data["saved_search"].get(str(node.get("saved_search_id")))
        if found is None:
            raise refuse("Saved search does not exist.")
        saved = found.get("s_query") or {}
        query: Node = saved.get("query") or saved
        return query

    # -- one field ----------------------------------------------------------------------------------------

    def _field(self, node: Node, object_type: str) -> str:
        at = node.get("field") or {}
        if at.get("type") == "custom_field":
            return f"custom.{at.get('custom_field_id')}"
        if at.get("type") != "regular_field" or not at.get("field_name"):
            raise refuse("A field must be a regular_field or a custom_field.")
        if at.get("object_type") != object_type:
            raise refuse(f"Field object type {at.get('object_type')!r} is not the searched type {object_type!r}.")
        return str(at["field_name"])

    def _condition(self, node: Node, object_type: str) -> Test:
        name, condition = self._field(node, object_type), node.get("condition") or {}
        kind = str(condition.get("type"))
        makers: dict[str, Callable[[], Test]] = {
            "moment_range": lambda: moment_range(name, *self._range(condition)),
            "term": lambda: term(name, strings(condition)),
            "reference": lambda: term(name, [str(each) for each in condition.get("object_ids") or []]),
            "text": lambda: text(name, str(condition.get("value", "")), str(condition.get("mode", "full_words"))),
            "number_range": lambda: number_range(name, condition),
            "boolean": lambda: lambda get: get(name) is condition.get("value"),
            "exists": lambda: lambda get: get(name) not in (None, "", []),
        }
        if kind in makers:
            return makers[kind]()
        raise refuse(f"Unknown condition type: {kind!r}")

    def _range(self, condition: Node) -> tuple[int, int]:
        """`on_or_after` is inclusive, `before` is not; `after` and `on_or_before` the other way round."""
        low, high = NULL + 1, END
        for name in ("on_or_after", "after"):
            if condition.get(name):
                low = max(low, self._moment(condition[name]) + (name == "after"))
        for name in ("before", "on_or_before"):
            if condition.get(name):
                high = min(high, self._moment(condition[name]) + (name == "on_or_before"))
        return low, high

    def _moment(self, value: Node) -> int:
        kind = value.get("type")
        if kind == "now":
            return self._now
        if kind == "fixed_utc":
            at = moment_of("query", value.get("value"))
            return at // SECOND * SECOND if self._settings.search_precision == "second" else at
        if kind == "fixed_local_date":
            return moment_of("query", value.get("value")) + (DAY if value.get("which") == "end" else 0)
        if kind == "offset":
            steps = {"years": 365, "months": 30, "weeks": 7, "days": 1, "hours": 1 / 24, "minutes": 1 / 1440}
            span = sum(float((value.get("offset") or {}).get(name) or 0) * days for name, days in steps.items())
            base = self._moment(value.get("moment") or {"type": "now"})
            return base + int(span * DAY) * (-1 if value.get("direction") == "past" else 1)
        raise refuse(f"Unknown moment type: {kind!r}")

    # -- related objects ----------------------------------------------------------------------------------

    def _related(self, node: Node, object_type: str) -> Test:
        """Objects that belong to the same lead as one that passes the inner query."""
        other = str(node.get("related_object_type"))
        if other not in SEARCHABLE:
            raise refuse(f"Unknown object type: {other!r}")
        name, kinds = SEARCHABLE[other]
        inner = self._test(node.get("related_query") or {"type": "match_all"}, other)
        leads = set()
        collection = self._data[name]
        for slot in collection.slots():
            if (kinds is None or collection.kind_of(slot) in kinds) and inner(getter(collection, slot)):
                leads.add(collection.value(slot, "id" if other == "lead" else "lead_id"))
        key = "id" if object_type == "lead" else "lead_id"
        return lambda get: get(key) in leads


def is_range(node: Node) -> bool:
    condition = node.get("condition") or {}
    at = node.get("field") or {}
    return (
        node.get("type") == "field_condition"
        and not node.get("negate")
        and condition.get("type") == "moment_range"
        and at.get("type") == "regular_field"
        and is_moment(str(at.get("field_name")))
    )


def getter(collection: Collection, slot: int) -> Get:
    return lambda name: collection.value(slot, name)


def constant(*, value: bool) -> Test:
    return lambda _: value


def negated(test: Test) -> Test:
    return lambda get: not test(get)


def strings(condition: Node) -> list[str]:
    given = condition.get("values")
    return [str(each) for each in (given if isinstance(given, list) else [condition.get("value")])]


def moment_range(name: str, low: int, high: int) -> Test:
    return lambda get: low <= parse_loosely(get(name)) < high


def term(name: str, wanted: list[str]) -> Test:
    def test(get: Get) -> bool:
        value = get(name)
        return any(str(each) in wanted for each in (value if isinstance(value, list) else [value]))

    return test


def text(name: str, wanted: str, mode: str) -> Test:
    words = wanted.casefold().split()

    def test(get: Get) -> bool:
        value = str(get(name) or "").casefold()
        if mode == "phrase":
            return wanted.casefold() in value
        if mode == "beginning_of_words":
            return all(any(part.startswith(word) for part in value.split()) for word in words)
        return all(word in value.split() for word in words)

    return test


def number_range(name: str, condition: Node) -> Test:
    def test(get: Get) -> bool:
        value = get(name)
        if not isinstance(value, int | float):
            return False
        bounds = {key: condition[key] for key in ("gt", "gte", "lt", "lte") if condition.get(key) is not None}
        return bool(
            value > bounds.get("gt", value - 1)
            and value >= bounds.get("gte", value)
            and value < bounds.get("lt", value + 1)
            and value <= bounds.get("lte", value)
        )

    return test
