"""What an Airbyte destination makes of syncs: the tables that the user ends with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

Message = Mapping[str, Any]
Row = dict[str, Any]
Table = dict[Any, Row]

DELETED_AT = "_ab_cdc_deleted_at"


class Described(Protocol):
    """A stream, as far as a destination has to know it."""

    name: str
    primary_key: tuple[str, ...]
    cursor_field: str


class Destination:
    """One table a stream. Those with a cursor are deduplicated; the others overwrite, when they are COMPLETE."""

    def __init__(self, streams: Iterable[Any]) -> None:
        self._streams: dict[str, Described] = {stream.name: stream for stream in streams}
        self.tables: dict[str, Table] = defaultdict(dict)
        self.states: dict[str, Any] = {}

    @property
    def state(self) -> list[dict[str, Any]] | None:
        """What the next sync is given; None before the first state."""
        return list(self.states.values()) or None

    def load(self, messages: Iterable[Message]) -> None:
        """Take in what one sync put out, whole or cut off."""
        rows: dict[str, list[Row]] = defaultdict(list)
        complete: set[str] = set()
        for message in messages:
            if message["type"] == "RECORD":
                rows[message["record"]["stream"]].append(message["record"]["data"])
            elif message["type"] == "STATE":
                self.states[message["state"]["stream"]["stream_descriptor"]["name"]] = message["state"]
            else:
                complete.update(_completed(message))
        for name in rows.keys() | complete:
            stream = self._streams[name]
            if stream.cursor_field or name in complete:
                before = self.tables[name] if stream.cursor_field else {}
                self.tables[name] = merged(stream, before, rows[name])


def merged(stream: Described, table: Table, rows: Iterable[Row]) -> Table:
    """By primary key the row with the highest published cursor, nulls last, then the newest; none that is marked as
    deleted."""
    newest = dict(table)
    for row in rows:
        key = _key(stream, row)
        if key not in newest or _rank(stream, row) >= _rank(stream, newest[key]):
            newest[key] = row
    return {key: row for key, row in newest.items() if not row.get(DELETED_AT)}


def _completed(message: Message) -> list[str]:
    status = (message.get("trace") or {}).get("stream_status") or {}
    return [status["stream_descriptor"]["name"]] if status.get("status") == "COMPLETE" else []


def _key(stream: Described, row: Row) -> Any:
    values = tuple(row[field] for field in stream.primary_key)
    return values[0] if len(values) == 1 else values


def _rank(stream: Described, row: Row) -> tuple[bool, Any]:
    value = row.get(stream.cursor_field)
    if not isinstance(value, str):
        return value is not None, value or 0
    moment = datetime.fromisoformat(value)
    return True, moment.timestamp() if moment.tzinfo else moment.replace(tzinfo=UTC).timestamp()
