"""Close's own examples (its OpenAPI document of 2026, https://developer.close.com), and what can be asked of rows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent
_DAY = r"\d{4}-\d\d-\d\d"
_FORMS = {
    "date": re.compile(_DAY),
    "date-time without zone": re.compile(rf"{_DAY}T[\d:.]+"),
    "date-time with zone": re.compile(rf"{_DAY}T[\d:.]+(Z|[+-]\d\d:\d\d)"),
}

Row = dict[str, Any]


def _load(name: str) -> dict[str, list[Row]]:
    rows: dict[str, list[Row]] = json.loads((FOLDER / f"official_{name}.json").read_text("utf-8"))
    return rows


EXAMPLES = _load("examples")
"""Rows by stream."""
ENUMS = _load("enums")
"""By stream the fields (`a[].b`) that have one of some values."""


def form(value: Any) -> str | None:
    """What a value looks like; None for null and for empty lists."""
    if isinstance(value, list):
        return f"list of {form(value[0])}" if value else None
    if isinstance(value, str):
        return next((name for name, pattern in _FORMS.items() if pattern.fullmatch(value)), "text")
    if isinstance(value, bool) or value is None:
        return None if value is None else "boolean"
    return "object" if isinstance(value, dict) else "number"


def declared_form(declared: Mapping[str, Any]) -> str | None:
    """Of the values of a property that is a date."""
    zones = {"timestamp_with_timezone": " with zone", "timestamp_without_timezone": " without zone"}
    return f"{declared['format']}{zones.get(declared.get('airbyte_type', ''), '')}" if "format" in declared else None


def values(row: Any, path: str) -> Iterator[Any]:
    """What a row has at `a[].b`."""
    name, _, rest = path.partition(".")
    found = row.get(name.removesuffix("[]")) if isinstance(row, dict) else None
    for each in found if name.endswith("[]") and isinstance(found, list) else [found]:
        yield from values(each, rest) if rest else [each]
