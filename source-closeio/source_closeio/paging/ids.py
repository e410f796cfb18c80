"""Rows are told apart by their ids: what has none cannot be read without losing some."""

from __future__ import annotations

from typing import Any

from source_closeio.http.errors import unusable_list
from source_closeio.kit.contract import Page

_KINDS = {type(None): "null", list: "a list", dict: "an object"}


def prove_ids(rows: Page, path: str, key: str = "id") -> list[Any]:
    """The rows' ids. Raises AirbyteTracedException if one is missing, or of a kind that is no id."""
    ids = [row.get(key) for row in rows]
    for each in ids:
        if not isinstance(each, (str, int)) or isinstance(each, bool):
            raise unusable_list(path, f"a row whose {key} is {_KINDS.get(type(each), 'no id')}")
    return ids


def objects(value: Any, path: str, name: str) -> Page:
    """The objects, with ids, that stand under a name in an answer; none if it is empty or missing."""
    rows = value or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise unusable_list(path, f"{name} that are no objects")
    prove_ids(rows, path)
    return rows
