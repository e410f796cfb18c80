"""The list of bundles as a stream: what there is to read, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from source_fullstory import epochs
from source_fullstory.bundles import list_bundles
from source_fullstory.reader import Estimate, Page
from source_fullstory.stream import FullStoryStream

_PAGE = 1000
_LOOKBACK_SECONDS = 72 * 3600
"""Each sync lists again what ended so long before the last one that was listed: bundles may come late."""


class BundleListStream(FullStoryStream):
    """State: {"stop": end of the newest bundle that was listed}."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._saved: int | None = None
        self._start = 0
        self._newest: int | None = None
        self._taken = False

    def open(self, state: Mapping[str, Any]) -> None:
        start = self.config.first_start(self.api.sync_start)
        if text := state.get("stop"):
            self._saved = epochs.parse_or_none(text)
            if self._saved is None:
                raise self.unreadable_state(state)
            start = self._saved - _LOOKBACK_SECONDS
            if self.config.start_date is not None:
                start = max(start, self.config.start_date)
        self._start = start
        self._newest = self._saved

    def take_slice(self) -> int | None:
        if self._taken:
            return None
        self._taken = True
        return self._start

    def has_slices(self) -> bool:
        return not self._taken

    def read_slice(self, stream_slice: int) -> Iterator[Page | Estimate]:
        bundles = list_bundles(self.client, stream_slice)
        yield Estimate(len(bundles))
        for at in range(0, len(bundles), _PAGE):
            yield [
                {"id": bundle.id, "start": epochs.to_text(bundle.start), "stop": epochs.to_text(bundle.stop)}
                for bundle in bundles[at : at + _PAGE]
            ]
        if bundles:
            self._newest = max(bundles[-1].stop, self._newest or 0)

    def finish_slice(self, stream_slice: int) -> Mapping[str, Any]:
        return {} if self._newest is None else {"stop": epochs.to_text(self._newest)}
