"""The fields of an event: custom variables into three objects, and unknown fields into the log, once.

FullStory flattens custom variables into top-level fields, `evt_order.items_real` and the like, as many as the
account has ever sent. Destinations make columns of declared fields only, and would drop them.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass

from source_fullstory.rows.decode import Row

PREFIXES = ("evt_", "user_", "page_")
OBJECTS = tuple(f"{prefix}vars" for prefix in PREFIXES)
_MOST_LAYOUTS = 20_000

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class _Moves:
    """From a row with these fields, these `names` go into `target`."""

    target: str
    names: tuple[str, ...]


class Variables:
    """Moves custom variables, in place. `declared` are the fields that the schema of `stream` knows."""

    def __init__(self, stream: str, declared: Collection[str]) -> None:
        self._stream = stream
        self._declared = frozenset(declared)
        self._told: set[str] = set()
        self._layouts: dict[tuple[str, ...], tuple[_Moves, ...]] = {}

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

    def _learn(self, fields: tuple[str, ...]) -> tuple[_Moves, ...]:
        """Rows come in few layouts, so what to do about one is worked out once."""
        found = {prefix: tuple(name for name in fields if name.startswith(prefix)) for prefix in PREFIXES}
        moves = tuple(_Moves(f"{prefix}vars", names) for prefix, names in found.items() if names)
        self._tell_of_unknown(fields)
        if len(self._layouts) >= _MOST_LAYOUTS:
            self._layouts.clear()
        self._layouts[fields] = moves
        return moves

    def _tell_of_unknown(self, fields: tuple[str, ...]) -> None:
        for name in fields:
            if name not in self._declared and not name.startswith(PREFIXES) and name not in self._told:
                self._told.add(name)
                logger.warning(
                    f"{self._stream}: FullStory sends a field that this connector does not know yet: {name!r}. "
                    "It stays in the records as it is."
                )
