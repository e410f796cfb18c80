"""FullStory documents its older endpoints with camelCase in the examples and snake_case in the schemas."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from source_fullstory.kit.contract import Page


def respelled(page: Page, schema: Mapping[str, Any]) -> Page:
    """The rows with their fields named as in the schema, whichever way FullStory wrote them, at every depth that the
    schema describes. Other fields stay as they are."""
    return [_respelled(row, schema) for row in page]


def _respelled(value: Any, schema: Mapping[str, Any]) -> Any:
    if isinstance(value, dict) and (columns := schema.get("properties")):
        names = _names(tuple(columns))
        named = {name if name in columns else names.get(bare(name), name): each for name, each in value.items()}
        return {name: _respelled(each, columns.get(name, {})) for name, each in named.items()}
    if isinstance(value, list) and isinstance(items := schema.get("items"), dict):
        return [_respelled(each, items) for each in value]
    return value


@cache
def _names(columns: tuple[str, ...]) -> dict[str, str]:
    return {bare(name): name for name in columns}


def bare(name: str) -> str:
    """The name in neither spelling, to compare."""
    return name.replace("_", "").lower()
