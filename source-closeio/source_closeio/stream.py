"""The base of every stream: its place in the catalog, its windows, its state."""

from __future__ import annotations

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from typing import Any, ClassVar

from airbyte_cdk.models import AirbyteStream, FailureType, SyncMode
from airbyte_cdk.sources.streams import NO_CURSOR_STATE_KEY
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_closeio.config import Config
from source_closeio.http import errors
from source_closeio.http.api import Client, CloseApi
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.windows import MOST_PARTS, Frontier, Progress, Window

_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)

logger = logging.getLogger("airbyte")


class CloseStream(ABC):
    """One stream, read in windows of time. State: {cursor_field: everything before this time was read}.

    Subclasses in streams.py say what Close has; those in lists.py, search.py and events.py how to page it.
    """

    name: ClassVar[str]
    primary_key: ClassVar[str] = "id"
    cursor_field: ClassVar[str] = "date_updated"
    is_incremental: ClassVar[bool] = True
    """False: put out whole on each sync, without a state."""
    custom_fields_of: ClassVar[tuple[str, ...]] = ()
    """Object types whose custom fields occur as `custom.cf_...` columns of this stream."""
    lookback: timedelta = timedelta(0)
    """How far before the saved cursor a sync starts again."""
    rows_per_window: ClassVar[int] = 2000
    """A window that seems to hold more than twice as many is split."""

    def __init__(self, api: CloseApi, config: Config) -> None:
        self.api = api
        self.config = config
        self.client: Client = api.client(self.name)
        self.saved: datetime | None = None
        """Up to where earlier syncs have read; None on the first sync."""
        self.undated: set[Any] = set()
        """Ids of rows without a timestamp, which no window holds."""
        self._frontier: Frontier | None = None
        self._estimated = False

    # catalog

    def as_airbyte_stream(self, custom_columns: Mapping[str, Any]) -> AirbyteStream:
        """The catalog's entry, with the organization's own custom fields as columns."""
        schema = self.json_schema()
        schema["properties"].update(custom_columns)
        modes = [SyncMode.full_refresh, SyncMode.incremental]
        return AirbyteStream(
            name=self.name,
            json_schema=schema,
            supported_sync_modes=modes if self.is_incremental else modes[:1],
            source_defined_cursor=self.is_incremental,
            default_cursor_field=[self.cursor_field] if self.is_incremental else None,
            source_defined_primary_key=[[self.primary_key]],
            is_resumable=self.is_incremental,
        )

    @classmethod
    def json_schema(cls) -> dict[str, Any]:
        text = files("source_closeio").joinpath("schemas", f"{cls.name}.json").read_text("utf-8")
        schema: dict[str, Any] = json.loads(text)
        return schema

    # reader.Stream

    def open(self, state: Mapping[str, Any]) -> None:
        self.saved = self._read_state(state)
        self._frontier = Frontier(Window(self.first_second(self.saved), None))

    def take_slice(self) -> Window | None:
        return self._frontier.take() if self._frontier else None

    def has_slices(self) -> bool:
        return bool(self._frontier and self._frontier.waiting())

    @abstractmethod
    def read_slice(self, window: Window) -> Iterator[Page | Estimate]:
        """The rows of the window, page by page."""

    def finish_slice(self, window: Window) -> Mapping[str, Any]:
        self.frontier.close(window)
        done = self.frontier.low_water() or self.api.sync_start
        if not self.is_incremental:
            return {NO_CURSOR_STATE_KEY: True}
        # Rows dated in the future are read, but only time can say that none is added before them; and a
        # lookback starts below what the last sync had saved.
        done = max(min(done, self.api.sync_start), self.saved or done)
        return {self.cursor_field: times.to_text(times.floor_second(done))}

    def stop(self) -> None:
        self.client.stopped.set()

    def explain(self, error: BaseException) -> AirbyteTracedException:
        return errors.as_traced(error, self.name)

    def is_waiting(self) -> bool:
        return False

    def usage(self) -> str:
        usage = self.client.usage
        done = self._frontier and self._frontier.low_water()
        upto = f"complete up to {done:%Y-%m-%d %H:%M}, " if done else ""
        return f"{upto}{usage.requests:,} requests, workers waited {usage.waited_seconds:.0f} s for the rate limit"

    # for subclasses

    @property
    def frontier(self) -> Frontier:
        if self._frontier is None:
            raise RuntimeError("open() comes first")
        return self._frontier

    def first_second(self, saved: datetime | None) -> datetime:
        """Where this sync starts reading, inclusive."""
        if saved is None:
            return self.config.first_start(self.api.sync_start)
        start = times.floor_second(max(saved, _EARLIEST) - self.lookback)
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
        value = state.get(self.cursor_field) if self.is_incremental else None
        if value is None or value == "":
            return None
        saved = times.parse_or_none(value)
        if saved is None:
            raise AirbyteTracedException(
                message=f"The saved state of stream {self.name} cannot be read: {self.cursor_field} is {value!r}, "
                "not a date. Reset (clear) the stream, and it will be read from the start date.",
                internal_message="unreadable state",
                failure_type=FailureType.config_error,
            )
        if saved > self.api.sync_start:
            logger.warning(f"{self.name}: the saved state lies in the future ({value}); going on from now.")
            return self.api.sync_start
        return saved
