"""The event log: written with every change, read newest first by cursor.

https://developer.close.com/api/resources/events: 30 days, at most 50 a page, moments without a zone, only certain
combinations of filters, and consolidation: a recent event of the same object may be changed instead of a new one
being written, which moves its `date_updated`.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import orjson

from .endpoints import UNLOGGED, object_type
from .errors import bad_field, bad_request, not_found
from .lists import Params, bounds
from .moments import DAY, END, NULL, SECOND, naive, to_milliseconds
from .pages import fields_of, pick, whole
from .settings import Settings
from .store import Change, Collection, Row

MOST: Final = 50
HOUR: Final = 3600 * SECOND
FILTERS: Final = ("object_type", "object_id", "action", "lead_id", "user_id", "request_id")
ALLOWED: Final = {
    frozenset(names.split())
    for names in (
        "",
        "object_type object_id",
        "object_type action",
        "object_id action",
        "lead_id object_type",
        "lead_id object_type action",
        "lead_id user_id",
        "lead_id user_id object_type",
        "lead_id user_id object_type action",
        "user_id object_id",
        "user_id object_id action",
        "user_id object_type",
        "user_id object_type action",
        "lead_id",
        "user_id",
        "request_id",
    )
}


class EventLog:
    """Observes the collections and answers `/event/`."""

    def __init__(
        self,
        settings: Settings,
        data: Mapping[str, Collection],
        now: Callable[[], int],
        shape: Callable[..., Row],
    ) -> None:
        self._settings, self._data, self._now, self._shape = settings, data, now, shape
        self._meta: Row = {}
        self._latest: dict[tuple[str, str], tuple[str, int]] = {}  # (object, user) -> (event id, moment)

    @contextmanager
    def meanwhile(self, meta: Row) -> Iterator[None]:
        """Every event that is written meanwhile has this `meta`."""
        self._meta = meta
        try:
            yield
        finally:
            self._meta = {}

    # -- writing ------------------------------------------------------------------------------------------

    def observe(self, change: Change) -> None:
        """Write the event of one change."""
        if not change.log or change.collection.name in UNLOGGED:
            return
        row = change.after or change.before or {}
        user = change.user_id or row.get("updated_by") or row.get("user_id")
        old, names = self._difference(change)
        if change.action == "updated" and not names:
            return
        if change.action == "updated" and self._consolidate(str(row.get("id")), str(user), row, old, names):
            return
        kind = object_type(change.collection.name, str(row.get("_type", "")))
        event = self.write(kind, change.action, row, previous=old, changed_fields=names, user_id=user)
        self._latest[str(row.get("id")), str(user)] = (event["id"], self._now())

    def _difference(self, change: Change) -> tuple[Row | None, list[str]]:
        before, after = change.before, change.after
        if before is None or after is None:
            return before, []
        names = sorted(
            name
            for name in before.keys() | after.keys()
            if before.get(name) != after.get(name) and name not in ("date_updated", "updated_at", "updated_by_name")
        )
        return {name: before.get(name) for name in names}, names

    def _consolidate(self, object_id: str, user: str, row: Row, old: Row | None, names: list[str]) -> bool:
        """Change the last event of this object instead of writing one more."""
        event_id, at = self._latest.get((object_id, user), ("", NULL))
        events = self._data["event"]
        window = self._settings.consolidate_seconds * SECOND
        if not window or self._now() - at > window or event_id not in events:
            return False
        event = events.get(event_id) or {}
        changes: Row = {"data": row, "date_updated": naive(to_milliseconds(self._now()))}
        if event["action"] == "updated":
            changes["changed_fields"] = sorted({*event["changed_fields"], *names})
            changes["previous_data"] = (old or {}) | (event["previous_data"] or {})
        events.update(event_id, changes, log=False)
        self._latest[object_id, user] = (event_id, self._now())
        return True

    def write(
        self,
        kind: str,
        action: str,
        row: Row,
        *,
        previous: Row | None = None,
        changed_fields: list[str] | None = None,
        user_id: str | None = None,
        meta: Row | None = None,
    ) -> Row:
        """Add one event about an object and return it."""
        lead_id = row.get("id") if kind == "lead" else row.get("lead_id")
        gone = action == "deleted"
        meta = meta or self._meta
        event = self._shape(
            object_type=kind,
            action=action,
            object_id=row.get("id"),
            lead_id=lead_id,
            user_id=user_id,
            data=None if gone else row,
            previous_data=(previous or row) if gone else (previous if action == "updated" else {}),
            changed_fields=changed_fields or [],
            **({"meta": meta} if meta else {}),
        )
        return self._data["event"].add(event, log=False)

    # -- reading ------------------------------------------------------------------------------------------

    def page(self, params: Params) -> bytes:
        """The body of `GET /event/`."""
        if not self._settings.event_log:
            raise bad_request("The event log is not available on your plan.")
        given = frozenset(name for name in FILTERS if params.get(name))
        if given not in ALLOWED:
            raise bad_request(f"Unsupported combination of filters: {', '.join(sorted(given))}.")
        limit = min(MOST, whole(params, "_limit", MOST))
        horizon = self._now() - self._settings.event_days * DAY
        low, high = bounds(params, "date_updated", by_second=False) or (NULL, END)
        cursor = str(params.get("_cursor") or "")
        if cursor and not self._settings.event_dates_with_cursor:
            low, high = NULL, END
        walk = Walk(self._data["event"], {name: str(params[name]) for name in given}, max(low, horizon), high)
        rows = walk.rows(cursor, limit)
        return self._body(walk, rows, params)

    def one(self, id_: str) -> bytes:
        """The body of `GET /event/{id}/`."""
        events = self._data["event"]
        slot = events.slot_of(id_)
        if slot is None or events.moment(slot, "date_updated") < self._now() - self._settings.event_days * DAY:
            raise not_found("Empty query: Event matching query does not exist.")
        return self._show(slot, [])

    def _body(self, walk: Walk, slots: list[int], params: Params) -> bytes:
        rows = b",".join(self._show(slot, fields_of(params)) for slot in slots)
        older = walk.cursor("next", slots[-1]) if slots and walk.any_older(slots[-1]) else None
        newer = walk.cursor("previous", slots[0]) if slots and walk.any_newer(slots[0]) else None
        cursors = orjson.dumps({"cursor_next": older, "cursor_previous": newer})
        return b'{"data":[' + rows + b"]," + cursors[1:]

    def _show(self, slot: int, fields: list[str]) -> bytes:
        """Keys without admin rights see `data` and `previous_data` for one hour only."""
        events = self._data["event"]
        raw = events.raw(slot)
        secret = self._settings.role != "admin" and events.moment(slot, "date_updated") < self._now() - HOUR
        if not secret and not fields:
            return raw
        row = orjson.loads(raw)
        if secret:
            row.pop("data", None)
            row.pop("previous_data", None)
        return orjson.dumps(pick(row, fields) if fields else row)


class Walk:
    """The events that pass the filters, newest first, from a cursor on."""

    def __init__(self, events: Collection, filters: Mapping[str, str], low: int, high: int) -> None:
        kinds = None
        if "object_type" in filters and "action" in filters:
            kinds = frozenset({f"{filters['object_type']}/{filters['action']}"})
            filters = {name: value for name, value in filters.items() if name not in ("object_type", "action")}
        self._events, self._filters = events, filters
        self._index = events.index("date_updated", kinds)
        self._low, self._high = self._index.span(low, high)

    def rows(self, cursor: str, limit: int) -> list[int]:
        """At most `limit` slots, newest first."""
        if not cursor:
            return self._older(self._high, limit)
        direction, place = self._place(cursor)
        if direction == "previous":
            return list(reversed(self._newer(place, limit)))
        return self._older(min(self._high, place), limit)

    def any_older(self, slot: int) -> bool:
        return bool(self._older(self._at(slot), 1))

    def any_newer(self, slot: int) -> bool:
        return bool(self._newer(self._at(slot) + 1, 1))

    def cursor(self, direction: str, slot: int) -> str:
        content = [direction, self._events.moment(slot, "date_updated"), slot]
        return base64.urlsafe_b64encode(orjson.dumps(content)).decode().rstrip("=")

    def _place(self, cursor: str) -> tuple[str, int]:
        """Where a cursor points to, also when its event has moved or gone."""
        try:
            direction, moment, slot = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
            at = self._index.place(int(moment), int(slot))
        except (ValueError, TypeError):
            raise bad_field("_cursor", "Invalid cursor.") from None
        slots = self._index.slots
        is_there = at < len(slots) and slots[at] == slot
        return direction, at + 1 if direction == "previous" and is_there else at

    def _at(self, slot: int) -> int:
        return self._index.place(self._events.moment(slot, "date_updated"), slot)

    def _older(self, end: int, limit: int) -> list[int]:
        return self._take(range(end - 1, self._low - 1, -1), limit)

    def _newer(self, start: int, limit: int) -> list[int]:
        return self._take(range(start, self._high), limit)

    def _take(self, places: range, limit: int) -> list[int]:
        slots = self._index.slots
        if not self._filters:
            return [slots[at] for at in places[:limit]]
        found: list[int] = []
        for at in places:
            if self._passes(slots[at]):
                found.append(slots[at])
                if len(found) == limit:
                    break
        return found

    def _passes(self, slot: int) -> bool:
        return all(str(self._events.value(slot, name)) == value for name, value in self._filters.items())
