"""The fields of an event: custom variables into three objects, and unknown fields into the log, once.

FullStory flattens custom variables into top-level fields, `evt_order.items_real` and the like, as many as the
account has ever sent. Destinations make columns of declared fields only, and would drop them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from source_fullstory.rows.lenient import Row

PREFIXES = ("evt_", "user_", "page_")
OBJECTS = tuple(f"{prefix}vars" for prefix in PREFIXES)
_MOST_BYTES = 8 * 1024 * 1024
"""Of layouts that are remembered, about: a name of an account's own may have 512 characters."""
_NAME_BYTES = 80
"""What a name takes beside its characters."""
_MOST_NAMED = 50
_MOST_COUNTED = 200_000

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class _Moves:
    """From a row with these fields, these `names` go into `target`."""

    target: str
    names: tuple[str, ...]


class Variables:
    """Moves custom variables, in place. `declared` are the fields that the schema of `stream` knows."""

    def __init__(self, stream: str, declared: Collection[str]) -> None:
        self._declared = frozenset(declared)
        self._unknown = _UnknownFields(stream)
        self._layouts: dict[tuple[str, ...], tuple[_Moves, ...]] = {}
        self._bytes = 0

    def gather(self, rows: list[Row]) -> list[Row]:
        """Move each row's custom variables, unchanged, into `evt_vars`, `user_vars` and `page_vars`.

        An object without variables is left out. Other fields stay as they are.
        """
        layouts = self._layouts
        for row in rows:
            fields = tuple(row)
            moves = layouts.get(fields)
            if moves is None:
                moves = self._learn(fields)
            for move in moves:
                row[move.target] = {name: row.pop(name) for name in move.names}
        return rows

    def tell_of_the_rest(self) -> None:
        self._unknown.tell_of_the_rest()

    def _learn(self, fields: tuple[str, ...]) -> tuple[_Moves, ...]:
        """Rows come in few layouts, so what to do about one is worked out once."""
        found = {prefix: tuple(name for name in fields if name.startswith(prefix)) for prefix in PREFIXES}
        moves = tuple(_Moves(f"{prefix}vars", names) for prefix, names in found.items() if names)
        for name in fields:
            if name not in self._declared and not name.startswith(PREFIXES):
                self._unknown.note(name)
        self._remember(fields, moves)
        return moves

    def _remember(self, fields: tuple[str, ...], moves: tuple[_Moves, ...]) -> None:
        size = sum(map(len, fields)) + _NAME_BYTES * len(fields)
        if self._bytes + size > _MOST_BYTES:
            self._layouts.clear()
            self._bytes = 0
        if size < _MOST_BYTES:
            self._layouts[fields] = moves
            self._bytes += size


class _UnknownFields:
    """Names the first of them, and counts the others."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._seen: set[int] = set()

    def note(self, name: str) -> None:
        key = hash(name)
        if key in self._seen or len(self._seen) >= _MOST_COUNTED:
            return
        self._seen.add(key)
        if len(self._seen) <= _MOST_NAMED:
            logger.warning(
                f"{self._stream}: FullStory sends a field that this connector does not know yet: {name[:100]!r}. "
                "It stays in the records as it is."
            )

    def tell_of_the_rest(self) -> None:
        more = len(self._seen) - _MOST_NAMED
        if more > 0:
            count = f"{more:,}" + (" or more" if len(self._seen) == _MOST_COUNTED else "")
            logger.warning(f"{self._stream}: FullStory sends {count} other fields that this connector does not know.")
