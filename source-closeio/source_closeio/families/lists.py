"""Short lists that cannot be filtered: read whole on each sync."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from typing import Any, ClassVar

from source_closeio.http.api import Params
from source_closeio.kit import times
from source_closeio.kit.contract import Estimate, Page
from source_closeio.paging.pages import whole_list
from source_closeio.paging.windows import Window
from source_closeio.stream import CloseStream, Slice

_IDS = "ids"


class ListStream(CloseStream):
    """Put out whole.

    No date tells of every change in a definition, and overwriting the table drops what was deleted. The start date does
    not apply: without the old definitions new rows make no sense.
    """

    path: ClassVar[str]
    filters: ClassVar[tuple[Params, ...]] = ({},)
    """A list that shows only a part unless it is asked for the rest is asked more than once."""
    secrets: ClassVar[tuple[str, ...]] = ()
    """Fields that never leave the connector."""

    @property
    def probe_path(self) -> str:
        return self.path

    def pages(self) -> Iterator[Page]:
        for page in whole_list(self.client, self.path, self.filters, *self.primary_key):
            yield [_without(row, self.secrets) for row in page] if self.secrets else page

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        yield from self.pages()


class ChangedListStream(ListStream):
    """Rows that have not changed since the last sync are left out, unless they were not listed then: a user who joins
    from another organization has an old `date_updated`.

    State, beside the position: {"ids": those that were listed}.
    """

    cursor_field = "date_updated"
    lookback = timedelta(minutes=1)  # for rows that were being written when the last sync began

    def open(self, state: Mapping[str, Any]) -> None:
        super().open(state)
        known = state.get(_IDS)
        self._known = set(map(str, known)) if isinstance(known, list) else None  # states before 0.3.0 have none
        self._listed: set[str] = set()

    def read_window(self, window: Window) -> Iterator[Page | Estimate]:
        for page in self.pages():
            yield [row for row in page if self._is_new(row)]
            self._listed.update(str(row.get("id")) for row in page)

    def finish_slice(self, stream_slice: Slice) -> Mapping[str, Any]:
        return {**super().finish_slice(stream_slice), _IDS: sorted(self._listed)}

    def _is_new(self, row: dict[str, Any]) -> bool:
        changed = times.parse_or_none(row.get(self.cursor_field))
        if not self.saved or not changed or changed >= self.saved - self.lookback:
            return True
        return self._known is not None and str(row.get("id")) not in self._known


def _without(row: dict[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}
