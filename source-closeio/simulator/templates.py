"""Rows as templates: serialised once, with holes for what differs from row to row.

Filling a template costs a microsecond or two, so that a page of a hundred rows out of a million is made when it is
asked for.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final

import orjson

from .ids import Ids
from .store import Row

MARK: Final = re.compile(rb'"\{\{\*(\w+)\}\}"|\{\{(\w+)\}\}')
WHOLE: Final = re.compile(r"\{\{(\w+)\}\}")
Fill = Callable[[int], str]
Form = tuple[bytes, list[Callable[[int], bytes]], Callable[[list[bytes]], tuple[bytes, ...]]]


class Template:
    """One row with {{marks}}; `"{{*mark}}"` stands for a list instead of a text."""

    def __init__(self, row: Row, hidden: Row | None = None) -> None:
        self.row = row
        self.kind = str(row.get("_type", ""))
        self.hidden = hidden or {}
        self.marks: list[str] = []
        self.body = MARK.sub(self._hole, orjson.dumps(row).replace(b"%", b"%%"))
        self.direct: dict[str, str] = {}
        self.fixed: Row = {}
        for name, value in row.items():
            whole = WHOLE.fullmatch(value) if isinstance(value, str) else None
            if whole:
                self.direct[name] = whole[1]
            elif b"{{" not in orjson.dumps(value):
                self.fixed[name] = value
        self.names = frozenset(row)

    def _hole(self, match: re.Match[bytes]) -> bytes:
        self.marks.append("*" + match[1].decode() if match[1] else match[2].decode())
        return b"%b"


def filled(row: Row, marks: Mapping[str, Any]) -> Row:
    """A row with its {{marks}} replaced, for rows made one at a time."""

    def fill(match: re.Match[bytes]) -> bytes:
        if match[1]:
            return orjson.dumps(marks.get("*" + match[1].decode(), []))
        return orjson.dumps(marks[match[2].decode()])[1:-1]

    made: Row = orjson.loads(MARK.sub(fill, orjson.dumps(row)))
    return made


class Generated:
    """Rows number 0 to count - 1 of one collection, each a filled template."""

    def __init__(
        self,
        ids: Ids,
        templates: Sequence[Template],
        moments: Mapping[str, array[int]],
        fills: Mapping[str, Fill],
        lists: Mapping[str, Callable[[int], bytes]] | None = None,
    ) -> None:
        self.count = len(moments["date_created"])
        self.templates = templates
        self._ids, self._moments, self._fills = ids, moments, fills
        self._bytes_of: dict[str, Callable[[int], bytes]] = {name: encoded(fill) for name, fill in fills.items()}
        self._bytes_of |= {f"*{name}": fill for name, fill in (lists or {}).items()}
        self._whole = [self._form(template) for template in templates]
        self._parts: dict[Any, list[Form]] = {}

    def _form(self, template: Template) -> Form:
        """A body, what fills it (each mark once), and the order in which the holes want it."""
        marks = list(dict.fromkeys(template.marks))
        places = [marks.index(mark) for mark in template.marks]
        order = itemgetter(*places) if len(places) > 1 else tuple
        return template.body, [self._bytes_of[mark] for mark in marks], order

    def raw(self, slot: int) -> bytes:
        body, fills, order = self._whole[slot % len(self._whole)]
        return body % order([fill(slot) for fill in fills])

    def part(self, slot: int, name: Any, pick: Callable[[Row], Row]) -> bytes:
        """What `pick` leaves of a row; `name` stands for `pick`, whose results are kept."""
        forms = self._parts.get(name)
        if forms is None:
            picked = (Template(pick(template.row | template.hidden)) for template in self.templates)
            forms = self._parts[name] = [self._form(template) for template in picked]
        body, fills, order = forms[slot % len(forms)]
        return body % order([fill(slot) for fill in fills])

    def hidden(self, slot: int) -> Row:
        return self.templates[slot % len(self.templates)].hidden

    def id_of(self, slot: int) -> str:
        return self._ids.of(slot)

    def slot_of(self, id_: str) -> int | None:
        number = self._ids.number_of(id_)
        return number if number is not None and number < self.count else None

    def kind_of(self, slot: int) -> str:
        return self.templates[slot % len(self.templates)].kind

    def moments(self, name: str) -> array[int] | None:
        return self._moments.get(name)

    def value(self, slot: int, name: str) -> Any:
        template = self.templates[slot % len(self.templates)]
        if name in template.direct:
            return self._fills[template.direct[name]](slot)
        if name in template.fixed:
            return template.fixed[name]
        if name in template.names:
            raise KeyError(name)
        return None


def encoded(fill: Fill) -> Callable[[int], bytes]:
    """The text of a fill as it stands inside JSON quotes: ids, moments and names need no escapes."""
    return lambda slot: fill(slot).encode()
