"""The option `exclude_fields`: fields that never leave the connector."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from source_fullstory.kit.contract import Page
from source_fullstory.kit.errors import names

_ONE_FIELD = (
    # What older bundles name differently.
    ("PageAgent", "PageUserAgent"),
    ("EventTargetSelectorTok", "EventTargetSelector"),
    # The same of events, individuals and users.
    ("UserAppKey", "Uid", "uid"),
    ("UserDisplayName", "DisplayName", "display_name"),
    ("UserEmail", "Email", "email"),
    ("UserCreated", "Created"),
    # The same of events and, for the last one, of individuals.
    ("PageIp", "LastIp"),
    ("PageLatLong", "LastLatLong"),
    ("PageBrowser", "LastBrowser"),
    ("PageDevice", "LastDevice"),
    ("PagePlatform", "LastPlatform"),
    ("PageOperatingSystem", "LastOperatingSystem"),
)
"""Whoever excludes one of these names means all of them."""
_ALIASES = {name.lower(): {each.lower() for each in group} for group in _ONE_FIELD for name in group}
_MOST_REMEMBERED = 50_000

logger = logging.getLogger("airbyte")


class Exclusion:
    """Takes the fields that match any of `patterns` (names, or globs with `*`, `?` and `[...]`, in any case) out of
    records, and their columns out of schemas. What is in `kept` stays, for without its key no row has a place.

    `objects` are fields that hold the account's own variables; these go by their own names, at any depth, and an object
    that is empty then is left out.
    """

    def __init__(self, patterns: Sequence[str], kept: Collection[str], objects: Collection[str] = ()) -> None:
        self.patterns = tuple(patterns)
        self.matched: set[str] = set()
        """Those of the patterns that have found something."""
        self.has_rows = False
        self._kept = frozenset(kept)
        self._objects = tuple(objects)
        self._known: set[str] = set()
        self._excluded: set[str] = set()

    def strip(self, page: Page) -> Page:
        """The page, of which each row has lost its excluded fields, in place."""
        if self.patterns:
            self.has_rows = self.has_rows or bool(page)
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
        self._learn(properties)
        return {name: column for name, column in properties.items() if name not in self._excluded}

    def _strip(self, row: dict[str, Any]) -> None:
        if not self._known.issuperset(row):
            self._learn(row)
        for name in self._excluded.intersection(row):
            del row[name]

    def _strip_all(self, value: Any) -> None:
        """Without recursion: FullStory nests properties as deep as it likes."""
        waiting = [value]
        while waiting:
            each = waiting.pop()
            if isinstance(each, dict):
                self._strip(each)
                waiting.extend(each.values())
            elif isinstance(each, list):
                waiting.extend(each)

    def _learn(self, found: Iterable[str]) -> None:
        if len(self._known) > _MOST_REMEMBERED:
            self._known.clear()
            self._excluded.clear()
        for name in found:
            if name not in self._known:
                self._known.add(name)
                matching = [pattern for pattern in self.patterns if _matches(name, pattern)]
                self.matched.update(matching)
                if matching and name not in self._kept:
                    self._excluded.add(name)


def warn_of_unmatched(exclusions: Mapping[str, Exclusion]) -> None:
    """Name the patterns that found nothing in a sync of these streams: most are mistyped. One that has read no rows
    cannot tell."""
    if not exclusions or not all(each.has_rows for each in exclusions.values()):
        return
    patterns = next(iter(exclusions.values())).patterns
    matched = set().union(*(each.matched for each in exclusions.values()))
    if idle := [pattern for pattern in patterns if pattern not in matched]:
        logger.warning(
            f"exclude_fields: no field of {', '.join(exclusions)} in this sync is named {names(idle)}. Check the "
            "spelling: what no field is named keeps nothing out."
        )


def _matches(name: str, pattern: str) -> bool:
    lower = name.lower()
    return any(fnmatchcase(each, pattern.lower()) for each in _ALIASES.get(lower, (lower,)))
