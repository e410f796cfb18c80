"""The list of bundles as a stream: what there is to read, and when it ends."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from source_fullstory import epochs
from source_fullstory.events.bundles import list_bundles
from source_fullstory.http import errors
from source_fullstory.http.api import Client
from source_fullstory.jobs import this_job
from source_fullstory.kit.contract import Estimate, NotOffered, Page
from source_fullstory.stream import FUTURE_SECONDS, FullStoryStream

_PAGE = 1000
_LOOKBACK_SECONDS = 72 * 3600
"""Each sync lists again what ended so long before the last one that was listed: bundles may come late."""

logger = logging.getLogger("airbyte")


@dataclass(frozen=True, slots=True)
class _Since:
    """Slice: all bundles that end after this time (Unix seconds)."""

    start: int


class BundleListStream(FullStoryStream[_Since]):
    """State: {"stop": end of the newest bundle that was listed}."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._todo: list[_Since] = []
        self._newest: int | None = None

    def open(self, state: Mapping[str, Any]) -> None:
        self.client.learn_clock()
        start = self.config.first_start(self.api.sync_start)
        if text := state.get("stop"):
            self._newest = self._saved(text, state)
            start = max(self._newest - _LOOKBACK_SECONDS, self.config.start_date or 0)
        self._todo = [_Since(start)]

    def _saved(self, text: Any, state: Mapping[str, Any]) -> int:
        """A saved time; one in the future counts as now."""
        saved = epochs.parse_or_none(text)
        if saved is None:
            raise self.unreadable_state(state)
        if saved <= self.api.sync_start + FUTURE_SECONDS:
            return saved
        logger.warning(f"{self.name}: the saved state lies in the future ({text}); going on from now.")
        return self.api.sync_start

    def take_slice(self) -> _Since | None:
        return self._todo.pop() if self._todo else None

    def has_slices(self) -> bool:
        return bool(self._todo)

    def read_slice(self, stream_slice: _Since) -> Iterator[Page | Estimate]:
        try:
            bundles = list_bundles(self.client, stream_slice.start)
        except (errors.Denied, errors.Missing) as error:
            raise NotOffered(errors.no_data_export(str(error)).message) from error
        yield Estimate(len(bundles))
        for at in range(0, len(bundles), _PAGE):
            yield [
                {"id": bundle.id, "start": epochs.to_text(bundle.start), "stop": epochs.to_text(bundle.stop)}
                for bundle in bundles[at : at + _PAGE]
            ]
        if bundles:
            self._newest = max(bundles[-1].stop, self._newest or 0)

    def finish_slice(self, stream_slice: _Since) -> Mapping[str, Any]:
        return {} if self._newest is None else {"stop": epochs.to_text(self._newest), **this_job()}

    @property
    def goes_on(self) -> bool:
        return False

    def probe(self, client: Client) -> None:
        client.exports(self.api.sync_start)
