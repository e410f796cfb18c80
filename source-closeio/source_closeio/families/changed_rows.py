"""Streams that read, beside their windows, what the event log says has changed outside of them."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from source_closeio.event_log.changes import Deletion
from source_closeio.event_log.log_pages import LATE, is_offered, oldest_event
from source_closeio.families.columns import ColumnTypes, fields_to_name
from source_closeio.http.api import Params
from source_closeio.http.errors import Missing, NotOffered, Refused
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import Window
from source_closeio.stream import Changed, CloseStream, Slice

POSITION = "events_read_to"
_OWED = "deletions_read_to"
"""In the state of a stream that is read anew, until the deletions that the log still has are marked."""
DELETED_AT = "_ab_cdc_deleted_at"
"""Airbyte's destinations remove or mark rows that have it."""
_DELETED_AT_TYPE = {
    "type": ["null", "string"],
    "format": "date-time",
    "airbyte_type": "timestamp_with_timezone",
}
_EVENTS_PRECISION = timedelta(milliseconds=1)
_MOST_NOTED = 20_000  # some 3 MB, in each of many streams

logger = logging.getLogger("airbyte")


class FollowingStream(CloseStream):
    """Reads its windows, and then the rows outside of them that changed.

    State, beside the position of the windows: {"events_read_to": everything that was logged before this time has been
    taken in}. A first sync has it as well: rows that it read early may change before it is through, if it is killed and
    goes on.
    """

    cursor_field = "date_updated"
    late: ClassVar[timedelta] = LATE
    """How far before its position in the event log a sync starts again."""
    needed_fields: ClassVar[tuple[str, ...]] = ("lead_id",)
    """What reading needs besides key, cursor and window field, be it deselected or not."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        own = (*self.primary_key, self.cursor_field, self.window_field, *self.needed_fields)
        self.fields = fields_to_name(self.chosen, self.listed_fields() if self.chosen else (), own)
        """What requests name; empty where they give everything."""
        self._column_types = ColumnTypes(self.name, self.chosen)
        self._begins_anew = False
        self._pending = False
        self._position: datetime | None = None
        self._owed: datetime | None = None
        self.noted: set[Any] = set()
        """Ids of rows that the windows gave, while changes are pending: they need not be fetched again."""

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        if not state:
            return None
        oldest = oldest_event(self.api.sync_start)
        position = times.parse_or_none(state.get(_OWED, state.get(POSITION)))
        if position is None or position < oldest + self.late:
            return oldest
        return min(position, self.api.sync_start) - self.late

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        schema = super().json_schema()
        schema["properties"][DELETED_AT] = _DELETED_AT_TYPE
        return schema

    @classmethod
    def listed_fields(cls) -> list[str]:
        """The fields that Close has in its lists, as far as they are declared."""
        return [name for name in cls.json_schema()["properties"] if name != DELETED_AT]

    @property
    def named(self) -> Params:
        """The parameter that names the fields, for lists and single objects, which document it."""
        return {"_fields": ",".join(self.fields)} if self.fields else {}

    def open(self, state: Mapping[str, Any]) -> None:
        position = times.parse_or_none(state.get(POSITION))
        if state and self._is_behind(position):
            self._begins_anew = self._must_begin_anew(position)
        super().open({} if self._begins_anew else state)
        self._pending = self.since is not None
        self._owed = self.since if self._begins_anew or _OWED in state else None
        # Without a position of its own an old state goes on without one until the whole log is taken in.
        if self._begins_anew or not state:
            self._position = self.api.sync_start
        elif position:
            self._position = min(position, self.api.sync_start)

    def _is_behind(self, position: datetime | None) -> bool:
        """Did something happen that the event log no longer has?"""
        return position is None or position < oldest_event(self.api.sync_start) + LATE

    def _must_begin_anew(self, position: datetime | None) -> bool:
        """What changed before the oldest event that Close still has is not known any more: only reading everything
        again tells. A state without a position in the event log is of version 0.1, or was made by hand."""
        if not self.api.once("event_log", lambda: is_offered(self.client)):
            return False
        last = f"was last read up to {position:%Y-%m-%d %H:%M}" if position else "was not read before"
        remedy = (
            "All rows are read again; to be rid of those that were deleted, clear the stream."
            if position
            else "To have them right, clear the stream."
        )
        logger.warning(
            f"{self.name}: the event log {last}, and Close keeps it for 30 days: which older rows were "
            f"changed or deleted in between can no longer be known. {remedy}"
        )
        return position is not None

    # The changes are one more slice, behind all windows and the end of the event log.

    def take_slice(self) -> Slice | None:
        stream_slice = super().take_slice()
        if stream_slice is None and self._changes_are_next():
            self._pending = False
            return Changed()
        return stream_slice

    def has_slices(self) -> bool:
        return super().has_slices() or self._changes_are_next()

    def is_waiting(self) -> bool:
        return self._pending

    def _changes_are_next(self) -> bool:
        return self._pending and self.changes.is_over and self.frontier.low_water() is None

    def read_slice(self, stream_slice: Slice) -> Iterator[Page | Estimate]:
        for page in super().read_slice(stream_slice):
            if isinstance(page, list):
                self._column_types.look_at(page)
            yield page

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        for page in self.rows_of(window):
            if self._pending and isinstance(page, list) and len(self.noted) < _MOST_NOTED:
                self.noted.update(row.get("id") for row in page)
            yield page

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        state = super().finish_slice(stream_slice)
        positions = {POSITION: self._position, _OWED: self._owed}
        return {**state, **{name: times.to_text(times.floor_second(at)) for name, at in positions.items() if at}}

    def read_changes(self) -> Iterator[Page]:
        if self.since is None or not self.changes.are_known():
            return
        if not self._begins_anew:
            yield from self._changed_rows(self.since)
        if self.config.mark_deleted_rows:
            yield from self._deleted_rows(self.since)
        self._position, self._owed = self.api.sync_start, None

    def _changed_rows(self, since: datetime) -> Iterator[Page]:
        for page in self.changed_pages(since):
            fresh = [row for row in page if row.get("id") not in self.noted and self._is_wanted(row)]
            self.noted.update(row.get("id") for row in fresh)
            yield fresh

    def _deleted_rows(self, since: datetime) -> Iterator[Page]:
        told: set[str] = set()
        for deletions in self.changes.gone(self.kinds, since):
            fresh = {each.id: each for each in deletions if each.id not in told}
            told.update(fresh)
            rows = [self._deleted_row(each) for each in fresh.values() if self._is_gone(each)]
            yield [row for row in rows if self._is_wanted(row)]

    def _deleted_row(self, deletion: Deletion) -> dict[str, Any]:
        """The last version. Its cursor is not below any that was put out, so it wins wherever rows are compared: a lead
        is touched by the deletion of its contacts in the millisecond that its own event is cut to."""
        known = times.parse_or_none(deletion.last_version.get(self.cursor_field))
        changed = known or deletion.moment + _EVENTS_PRECISION
        moments = {self.cursor_field: max(changed, deletion.moment), DELETED_AT: deletion.moment}
        return {**deletion.last_version, "id": deletion.id, **{name: times.to_text(at) for name, at in moments.items()}}

    def _is_gone(self, deletion: Deletion) -> bool:
        """What this sync has seen itself, and what the log is not certain of, is asked for: it may be there."""
        was_seen = deletion.id in self.noted or len(self.noted) >= _MOST_NOTED
        return (deletion.is_certain and not was_seen) or not self.exists(deletion)

    def _is_wanted(self, row: Mapping[str, Any]) -> bool:
        """Rows before the start date are not read, changed or not."""
        start, moment = self.config.start_date, times.parse_or_none(row.get(self.window_field))
        return start is None or moment is None or moment >= start

    # for subclasses

    def exists(self, deletion: Deletion) -> bool:
        """Does Close still have it?"""
        try:
            self.client.get(f"{self.path_of(deletion.kind)}{deletion.id}/")
        except Missing:
            return False
        except (NotOffered, Refused):
            return True  # or not: it is not removed, as long as nothing tells
        return True

    @abstractmethod
    def rows_of(self, window: Window) -> Iterator[Page | Estimate]:
        """The rows of the window, page by page."""

    def changed_pages(self, since: datetime) -> Iterator[Page]:
        """Rows that changed since then, in a way that the windows may not show: those that moved to another lead."""
        for lead_id in self.changes.merged_into(since):
            try:
                yield from self.pages_of_lead(lead_id)
            except (Missing, NotOffered, Refused) as error:
                self.client.leave_out(error)  # the lead is gone since, or not for this key to see

    @abstractmethod
    def path_of(self, kind: str) -> str:
        """Where a single object of this kind is found by its id."""

    @abstractmethod
    def pages_of_lead(self, lead_id: str) -> Iterator[Page]:
        """The rows that belong to a lead."""
