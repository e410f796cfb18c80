"""The option `exclude_fields`: fields that never leave the connector."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from source_fullstory.kit.contract import Page

_RENAMED = {
    "PageAgent": "PageUserAgent",
    "PageUserAgent": "PageAgent",
    "EventTargetSelectorTok": "EventTargetSelector",
    "EventTargetSelector": "EventTargetSelectorTok",
}
"""What older bundles name differently is one field: whoever excludes one name means both."""


class Exclusion:
    """Takes the fields that match any of `patterns` (names, or globs with `*`, `?` and `[...]`, case and all) out of
    records, and their columns out of schemas. What is in `kept` stays, for without its key no row has a place.

    `objects` are fields that hold the account's own variables; these go by their own names, at any depth, and an object
    that is empty then is left out.
    """

    def __init__(self, patterns: Sequence[str], kept: Collection[str], objects: Collection[str] = ()) -> None:
        self._patterns = tuple(patterns)
        self._kept = frozenset(kept)
        self._objects = tuple(objects)
        self._verdicts: dict[str, bool] = {}

    def strip(self, page: Page) -> Page:
        """The page, of which each row has lost its excluded fields, in place."""
        if self._patterns:
            for row in page:
                self._strip(row)
                for name in self._objects:
                    if held := row.get(name):
                        self._strip_all(held)
                        if not held:
                            del row[name]
        return page

    def columns(self, properties: Mapping[str, Any]) -> dict[str, Any]:
        """The columns that are left."""
        return {name: column for name, column in properties.items() if not self._is_excluded(name)}

    def _strip(self, row: dict[str, Any]) -> None:
        for name in [name for name in row if self._is_excluded(name)]:
            del row[name]

    def _strip_all(self, value: Any) -> None:
        if isinstance(value, dict):
            self._strip(value)
            value = value.values()
        elif not isinstance(value, list):
            return
        for each in value:
            self._strip_all(each)

    def _is_excluded(self, name: str) -> bool:
        verdict = self._verdicts.get(name)
        if verdict is None:
            names = (name, _RENAMED.get(name, name))
            matches = any(fnmatchcase(each, pattern) for each in names for pattern in self._patterns)
            verdict = self._verdicts[name] = matches and name not in self._kept
        return verdict
