"""From a download to records of `events`: variables gathered, keys made, what was read before left out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from source_fullstory import epochs
from source_fullstory.events.bundles import Bundle
from source_fullstory.events.coverage import Span
from source_fullstory.events.ledger import Tally
from source_fullstory.files.spool import Spool
from source_fullstory.kit.contract import Page
from source_fullstory.rows.event_key import Keyed, keyed
from source_fullstory.rows.exclusion import Exclusion
from source_fullstory.rows.lenient import Row
from source_fullstory.rows.variables import Variables

ADDED = ("event_key", "bundle_id", "bundle_start", "bundle_stop")
"""The columns that are ours."""
_ZERO_TIME = "0001-"
"""How Go, which FullStory is written in, writes an unknown time."""


class EventRows:
    """Makes records. `declared` are the columns of the schema of `stream`."""

    def __init__(self, stream: str, declared: Collection[str], exclusion: Exclusion) -> None:
        self._variables = Variables(stream, declared)
        self._exclusion = exclusion

    def close(self) -> None:
        """All rows of the sync have been made."""
        self._variables.tell_of_the_rest()

    def pages(self, spool: Spool, bundle: Bundle, spans: Sequence[Span], floor: int, tally: Tally) -> Iterator[Page]:
        """The records of a bundle (or of an export's window, given as one) that lie in `spans`, or outside of the
        bundle but not before `floor` (Unix seconds). Raises BadBundle."""

        def read() -> Iterator[list[Row]]:
            return map(self._variables.gather, spool.batches())

        keep = _Keeper(bundle, spans, floor, tally)
        # The keys are made of what FullStory sent, so that excluding a field changes none.
        for rows in keyed(read, spool.content.json_bytes, epochs.to_text(bundle.start)):
            page = self._exclusion.strip(keep.page(rows))
            tally.rows += len(page)
            yield page


class _Keeper:
    """Keeps the rows of a bundle that no earlier bundle had, and puts the bundle's name on them.

    Rows dated outside the bundle are kept: nothing says that another bundle has them, and event_key tells if so.
    """

    def __init__(self, bundle: Bundle, spans: Sequence[Span], floor: int, tally: Tally) -> None:
        self._tally = tally
        self._start, self._stop = _comparable(bundle.start), _comparable(bundle.stop)
        self._spans = [(_comparable(start), _comparable(stop)) for start, stop in spans]
        self._whole = self._spans == [(self._start, self._stop)]
        self._floor = _comparable(floor)
        self._id = bundle.id
        self._texts = epochs.to_text(bundle.start), epochs.to_text(bundle.stop)

    def page(self, rows: list[Keyed]) -> Page:
        """The records. Times are compared as text (see event_key.instant)."""
        page = []
        bundle_id, (start, stop) = self._id, self._texts
        for row, at, key in rows:
            if not (self._whole and self._start <= at < self._stop) and not self._keeps(at):
                self._tally.dropped += 1
                continue
            row["event_key"] = key
            row["bundle_id"] = bundle_id
            row["bundle_start"] = start
            row["bundle_stop"] = stop
            page.append(row)
        return page

    def _keeps(self, at: str) -> bool:
        if self._start <= at < self._stop:
            return any(start <= at < stop for start, stop in self._spans)
        if at < self._floor and at and not at.startswith(_ZERO_TIME):
            return False
        self._tally.outside += 1
        return True


def _comparable(seconds: int) -> str:
    return epochs.to_text(seconds)[:19] + ".000000"
