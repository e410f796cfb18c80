"""The columns that the user has chosen: what requests name, and where values differ from the catalog."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from source_closeio.kit.contract import Page

_DAY = r"\d{4}-\d\d-\d\d"
_FORMATS = {"date": re.compile(_DAY), "date-time": re.compile(rf"{_DAY}[T ].+")}
_NAMES = {str: "string", bool: "boolean", int: "number", float: "number", list: "array", dict: "object"}
_CUSTOM = "custom."

logger = logging.getLogger("airbyte")


def fields_to_name(chosen: Collection[str], declared: Collection[str], needed: Iterable[str]) -> tuple[str, ...]:
    """The fields that requests name; none where nothing was deselected, so that they give all.

    Custom fields are named one by one and, because Close documents that for leads only, by the selector of all.
    """
    if not chosen or not set(declared).difference(chosen):
        return ()
    custom = [name for name in chosen if name.startswith(_CUSTOM)]
    listed = [name for name in declared if name in chosen]
    return tuple(dict.fromkeys([*needed, *listed, *custom, *(["custom"] if custom else [])]))


class ColumnTypes:
    """Tells, once of each, which columns of custom fields hold values that differ from their declared type: Close lets
    types be changed, and converts the values without touching the rows."""

    def __init__(self, stream: str, chosen: Mapping[str, Any]) -> None:
        self._stream = stream
        self._declared = {name: column for name, column in chosen.items() if name.startswith(_CUSTOM) and column}

    def look_at(self, page: Page) -> None:
        """At one value of each column: when a type changes, all values do."""
        if not self._declared:
            return
        values: dict[str, Any] = {}
        for row in page:
            values.update(row)
        others = [
            name for name in values.keys() & self._declared.keys() if not fits(values[name], self._declared[name])
        ]
        if others:
            self._tell({name: self._declared.pop(name, {}) for name in sorted(others)})

    def _tell(self, others: Mapping[str, Mapping[str, Any]]) -> None:
        told = ", ".join(f"{name} ({_described(column)})" for name, column in others.items())
        logger.warning(
            f"{self._stream}: these columns hold values that differ from their declared type, because the custom field "
            f"was changed in Close: {told}. Refresh the source's schema in the connection, and clear the stream."
        )


def fits(value: Any, column: Mapping[str, Any]) -> bool:
    """Is the value, or the first of several, of the declared type?"""
    if value is None:
        return True
    kind = _NAMES.get(type(value))
    if kind not in column.get("type", (kind,)):
        return False
    if kind == "array":
        return not value or fits(value[0], column.get("items", {}))
    pattern = _FORMATS.get(column.get("format", ""))
    return kind != "string" or pattern is None or bool(pattern.fullmatch(value))


def _described(column: Mapping[str, Any]) -> str:
    kind = " or ".join(name for name in column.get("type", ()) if name != "null")
    return f"declared as {column.get('format', kind)}"
