"""What an Airbyte destination makes of syncs: the tables that the user ends with."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from source_closeio.streams import STREAMS

Message = Mapping[str, Any]
Row = dict[str, Any]
Table = dict[Any, Row]

DELETED_AT = "_ab_cdc_deleted_at"
CURSORS = {stream.name: stream.cursor_field for stream in STREAMS}
KEYS = {stream.name: stream.primary_key for stream in STREAMS}


class Destination:
    """One table a stream. Those with a cursor are deduplicated; the others overwrite, when they are COMPLETE."""

    def __init__(self) -> None:
        self.tables: dict[str, Table] = defaultdict(dict)
        self.states: dict[str, Any] = {}

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
            if CURSORS[name] or name in complete:
                before = self.tables[name] if CURSORS[name] else {}
                self.tables[name] = merged(name, before, rows[name])


def merged(stream: str, table: Table, rows: Iterable[Row]) -> Table:
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


def _key(stream: str, row: Row) -> Any:
    values = tuple(row[field] for field in KEYS[stream])
    return values[0] if len(values) == 1 else values


def _rank(stream: str, row: Row) -> datetime:
    value = row.get(CURSORS[stream])
    moment = datetime.fromisoformat(value) if value else datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
