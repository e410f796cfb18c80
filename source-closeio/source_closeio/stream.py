"""The base of every stream: its place in the catalog, its slices, its state."""

from __future__ import annotations

import json
import logging
from abc import ABC
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from importlib.resources import files
from typing import Any, ClassVar

from airbyte_cdk.models import AirbyteStream, SyncMode
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.config import Config
from source_closeio.event_log.changes import Changes
from source_closeio.http import errors
from source_closeio.http.api import Client, CloseApi
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.kit.errors import config_error
from source_closeio.paging.windows import MOST_PARTS, Frontier, Progress, Window

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class Changed:
    """What changed outside the windows, as the event log tells."""


@dataclass(frozen=True, slots=True)
class Parents:
    """The rows that belong to these."""

    ids: tuple[str, ...]


Slice = Window | Changed | Parents


class CloseStream(ABC):
    """One stream, read in windows of time. State: {window_field: everything before this time was read}.

    Subclasses in streams.py say what Close has; those in families/ how it is read.
    """

    name: ClassVar[str]
    primary_key: ClassVar[tuple[str, ...]] = ("id",)
    cursor_field: ClassVar[str] = ""
    """Destinations keep the row in which it is highest, so it must grow with each version of a row. Empty: the stream
    is put out whole on each sync, without a state."""
    custom_fields_of: ClassVar[tuple[str, ...]] = ()
    """The owners of the custom fields that occur as `custom.cf_...` columns of this stream."""
    lookback: timedelta = timedelta(0)
    """How far before the saved position a sync starts again."""
    rows_per_window: ClassVar[int] = 2000
    """A window that seems to hold more than twice as many is split."""

    def __init__(
        self,
        api: CloseApi,
        config: Config,
        changes: Changes,
        state: Mapping[str, Any],
        said_in_states: Mapping[str, Any] | None = None,
        chosen: Mapping[str, Any] | None = None,
    ) -> None:
        self.api = api
        self.config = config
        self.changes = changes
        self.client: Client = api.client(self.name)
        self.said_in_states = said_in_states or {}
        self.chosen: Mapping[str, Any] = chosen or {}
        """The columns that the user has chosen, with their types; all, if none is named."""
        self.since = self.events_since(state)
        """From when on the event log is needed; None if it is not."""
        changes.want(self.since, self.kinds if config.mark_deleted_rows else ())
        self.saved: datetime | None = None
        """Up to where earlier syncs have read; None on the first sync."""
        self.undated: set[Any] = set()
        """Ids of rows without a timestamp, which no window holds."""
        self._frontier: Frontier | None = None
        self._estimated = False

    @property
    def window_field(self) -> str:
        """The field that windows and state go by."""
        return self.cursor_field

    @property
    def kinds(self) -> tuple[str, ...]:
        """What the event log calls the objects whose deleted rows are marked; `task.` stands for all kinds of tasks."""
        return ()

    # catalog

    @classmethod
    def as_airbyte_stream(cls, custom_columns: Mapping[str, Any]) -> AirbyteStream:
        """The catalog's entry, with the organization's own custom fields as columns."""
        schema = cls.json_schema()
        schema["properties"].update(custom_columns)
        modes = [SyncMode.full_refresh, SyncMode.incremental]
        is_incremental = bool(cls.cursor_field)
        return AirbyteStream(
            name=cls.name,
            json_schema=schema,
            supported_sync_modes=modes if is_incremental else modes[:1],
            source_defined_cursor=is_incremental,
            default_cursor_field=[cls.cursor_field] if is_incremental else None,
            source_defined_primary_key=[[field] for field in cls.primary_key],
            is_resumable=is_incremental,
        )

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        text = files("source_closeio").joinpath("schemas", f"{cls.name}.json").read_text("utf-8")
        schema: dict[str, Any] = json.loads(text)
        return schema

    # kit.contract.Stream

    def open(self, state: Mapping[str, Any]) -> None:
        self.saved = self._read_state(state)
        self._frontier = Frontier(Window(self.first_second(self.saved), None))

    def take_slice(self) -> Slice | None:
        return self._frontier.take() if self._frontier else None

    def has_slices(self) -> bool:
        return bool(self._frontier and self._frontier.waiting())

    def is_waiting(self) -> bool:
        return False

    def read_slice(self, stream_slice: Slice) -> Iterator[Page | Estimate]:
        match stream_slice:
            case Window():
                return self.read_window(stream_slice)
            case Changed():
                return self.read_changes()
            case Parents(ids):
                return self.read_parents(ids)

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        if isinstance(stream_slice, Window):
            self.frontier.close(stream_slice)
        if not self.cursor_field:
            return {NO_CURSOR_STATE_KEY: True}
        # Rows dated in the future are read, but only time can say that none is added before them; and a
        # lookback starts below what the last sync had saved.
        done = self.frontier.low_water() or self.api.sync_start
        done = max(min(done, self.api.sync_start), self.saved or done)
        return {self.window_field: times.to_text(times.floor_second(done)), **self.said_in_states}

    def stop(self) -> None:
        usage = self.client.usage
        if usage.left_out and not self.client.stopped.is_set():
            logger.warning(
                f"{self.name}: {usage.left_out:,} objects are left out, because Close refuses them to this key or no "
                f"longer has them. The first: {usage.left_out_because}"
            )
        self.client.stopped.set()

    def explain(self, error: BaseException) -> AirbyteTracedException:
        return errors.as_traced(error, self.name)

    def usage(self) -> str:
        usage = self.client.usage
        done = self._frontier and self._frontier.low_water()
        upto = f"complete up to {done:%Y-%m-%d %H:%M}, " if done else ""
        return f"{upto}{usage.requests:,} requests, workers waited {usage.waited_seconds:.0f} s for the rate limit"

    # asked by discover

    is_probed: ClassVar[bool] = True
    """Does one list decide about the stream?"""

    def probe(self) -> None:
        """One small request. Raises CloseError where plan or role do not give this stream."""
        if self.is_probed:
            self.client.get_list(self.probe_path, {"_limit": 1})

    @property
    def probe_path(self) -> str:
        """The list that decides about the stream."""
        raise NotImplementedError

    # for subclasses: a reader for each kind of slice that they plan

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        raise NotImplementedError

    def read_changes(self) -> Iterator[Page]:
        raise NotImplementedError

    def read_parents(self, ids: tuple[str, ...]) -> Iterator[Page]:
        raise NotImplementedError

    def events_since(self, state: Mapping[str, Any]) -> datetime | None:
        """From when on this stream needs the event log, if it starts from this state; None if it needs none."""
        return None

    @property
    def frontier(self) -> Frontier:
        if self._frontier is None:
            raise RuntimeError("open() comes first")
        return self._frontier

    def first_second(self, saved: datetime | None) -> datetime:
        """Where this sync starts reading, inclusive."""
        if saved is None:
            return self.config.first_start(self.api.sync_start)
        start = times.floor_second(saved - self.lookback)
        return max(start, self.config.start_date) if self.config.start_date else start

    def estimate(self, rows: int | None) -> Iterator[Estimate]:
        """The estimate for the whole stream: the total that the first page of the first window tells."""
        if not self._estimated and rows is not None:
            yield Estimate(rows)
        self._estimated = True

    def split_below(self, window: Window, progress: Progress) -> None:
        """For a walk that comes down from the window's end: share out what is left, if it is much."""
        edge = progress.edge
        if edge and (parts := progress.parts(edge - window.start, self.rows_per_window)) > 1:
            self.frontier.cut_below(window, edge, parts)

    def split_above(self, window: Window, progress: Progress) -> None:
        """For a walk that comes up from the window's start: share out what is left, if it is much."""
        edge = progress.edge
        if not edge:
            return
        horizon = max(window.end or self.api.sync_start, edge)
        if (parts := progress.parts(horizon - edge, self.rows_per_window)) > 1:
            self.frontier.cut_above(window, edge, horizon, parts)

    def split_by_total(self, window: Window, total: int) -> bool:
        """For a window that holds `total` rows and is not begun: share it out, if it is worth it."""
        parts = min(MOST_PARTS, total // self.rows_per_window)
        horizon = window.end or self.api.sync_start
        if parts < 2 or horizon - window.start < 2 * times.SECOND:
            return False
        self.frontier.cut_above(window, window.start, horizon, parts)
        return True

    def _read_state(self, state: Mapping[str, Any]) -> datetime | None:
        value = state.get(self.window_field) if self.cursor_field else None
        if value is None or value == "":
            return None
        saved = times.parse_or_none(value)
        if saved is None:
            raise config_error(
                f"The saved state of stream {self.name} cannot be read: {self.window_field} is {value!r}, not a date. "
                "Reset (clear) the stream, and it will be read from the start date.",
                "unreadable state",
            )
        if saved > self.api.sync_start:
            logger.warning(f"{self.name}: the saved state lies in the future ({value}); going on from now.")
            return self.api.sync_start
        return max(saved, times.EPOCH + timedelta(days=365))  # older than Close, and far from where dates end
