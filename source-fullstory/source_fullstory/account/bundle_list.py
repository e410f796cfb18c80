"""The list of bundles as a stream: what there is to read, and when it ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from source_fullstory import epochs
from source_fullstory.account.whole_lists import WholeStream
from source_fullstory.events.bundles import list_bundles
from source_fullstory.http import errors
from source_fullstory.kit.contract import Estimate, NotOffered, Page

_PAGE = 1000
_LOOKBACK_SECONDS = 72 * 3600
"""Each sync lists again what ended so long before the last one that was listed: bundles may come late."""


class BundleListStream(WholeStream):
    """State: {"stop": end of the newest bundle that was listed}."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._start = 0
        self._newest: int | None = None

    def open(self, state: Mapping[str, Any]) -> None:
        self._start = self.config.first_start(self.api.sync_start)
        if text := state.get("stop"):
            self._newest = epochs.parse_or_none(text)
            if self._newest is None:
                raise self.unreadable_state(state)
            self._start = self._newest - _LOOKBACK_SECONDS
            if self.config.start_date is not None:
                self._start = max(self._start, self.config.start_date)

    def read_slice(self, stream_slice: Any) -> Iterator[Page | Estimate]:
        try:
            bundles = list_bundles(self.client, self._start)
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

    def finish_slice(self, stream_slice: Any) -> Mapping[str, Any]:
        return {} if self._newest is None else {"stop": epochs.to_text(self._newest)}
