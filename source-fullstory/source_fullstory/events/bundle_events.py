"""Events: one bundle after the other, oldest first, some downloaded ahead; state after each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import epochs
from source_fullstory.events.bundle_downloads import Downloads, Vanished, fetch
from source_fullstory.events.bundles import Bundle, list_bundles
from source_fullstory.events.coverage import HOLE_SECONDS, Coverage
from source_fullstory.events.event_rows import ADDED, EventRows, Tally
from source_fullstory.files.spool import Spool, parsed
from source_fullstory.http import errors
from source_fullstory.http.api import Client
from source_fullstory.kit.contract import Estimate, NotOffered, Page
from source_fullstory.rows.decode import BadBundle
from source_fullstory.rows.variables import OBJECTS
from source_fullstory.stream import FullStoryStream

_LONGEST_PERIOD = 24 * 3600
"""Of a bundle: longer ones are not known."""
_LATE_SECONDS = _LONGEST_PERIOD + HOLE_SECONDS
"""FullStory lists a bundle a day after its end; so long before now one may still be late."""

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class _Part:
    """A slice: a bundle to read, number `number` of this sync; or (None) the end, where old holes are given up."""

    number: int
    bundle: Bundle | None
    last_of_span: bool = True
    tally: Tally = field(default_factory=Tally)
    wire_bytes: int = 0
    vanished: bool = False


class EventStream(FullStoryStream):
    """State: see coverage.py, and the newest bundle that was read: `bundle_id`, `period_seconds`."""

    objects = OBJECTS
    kept = (*ADDED, *OBJECTS)
    can_exclude = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._coverage: Coverage | None = None
        self._newest: dict[str, Any] = {}
        self._floor = 0
        self._parts: list[_Part] = []
        self._next = 0
        self._busy = False
        self._downloads: Downloads | None = None
        self._rows = EventRows(self.name, self.declared(), self.exclusion)
        self._keys_of_span: set[str] = set()
        """Of the rows that came from earlier bundles of the very same span (see `_worth_reading`)."""

    # planning

    def open(self, state: Mapping[str, Any]) -> None:
        self._coverage = self.saved_coverage(state)
        self._newest = {name: state[name] for name in ("bundle_id", "period_seconds") if state.get(name) is not None}
        first = self._coverage is None
        start = self.config.first_start(self.api.sync_start) if first else self.config.start_date
        self._floor = start if start is not None else 0
        if self._coverage is not None:
            self._coverage.begin_at(min(self._floor, self.api.sync_start))
        listed = self._offered_list(state)
        if self._coverage is None and listed:
            self._coverage = self._first_coverage(min(bundle.start for bundle in listed))
        todo = self._worth_reading(listed)
        self._tell_of_plan(listed, todo)
        self._parts = [
            _Part(number, bundle, last_of_span=not _same_span(bundle, after))
            for number, (bundle, after) in enumerate(zip(todo, [*todo[1:], None], strict=False))
        ]
        if self._coverage is not None:
            self._parts.append(_Part(len(todo), None))
        self._downloads = Downloads(self.client, todo, self.config.num_workers)

    def _offered_list(self, state: Mapping[str, Any]) -> list[Bundle]:
        """An account that has never had bundles goes on without them; one that had them is told."""
        try:
            return self._list()
        except (errors.Denied, errors.Missing) as error:
            needed = errors.no_data_export(str(error))
            raise needed if state else NotOffered(needed.message) from error

    def _list(self) -> list[Bundle]:
        """What is new, and what may fill the holes. A bundle that fills one may end up to a period after it."""
        if self._coverage is None:
            return list_bundles(self.client, self._floor)
        found = set(list_bundles(self.client, self._coverage.read_to))
        for hole in self._coverage.holes:
            found.update(list_bundles(self.client, hole.start, until=hole.stop + _LONGEST_PERIOD))
        return sorted(found)

    def _first_coverage(self, oldest: int) -> Coverage:
        """Nothing before the oldest bundle's start is missing, unless it was asked for by a start date, or is so young
        that an older bundle may be late."""
        if self.config.start_date is not None:
            return Coverage(self._floor)
        return Coverage(max(self._floor, min(oldest, self.api.sync_start - _LATE_SECONDS)))

    def _worth_reading(self, listed: Sequence[Bundle]) -> list[Bundle]:
        """Those that bring something which neither an earlier sync nor an earlier one of them has.

        Bundles of the very same span are all read: nothing says that they hold the same events. They follow each
        other, count as read when the last of them is, and rows with the same event_key come once.
        """
        if self._coverage is None:
            return []
        planned = self._coverage.copy()
        todo: list[Bundle] = []
        for bundle in listed:
            if planned.missing(bundle.start, bundle.stop) or (todo and _same_span(todo[-1], bundle)):
                todo.append(bundle)
                planned.add(bundle.start, bundle.stop, self.api.sync_start)
        return todo

    def _tell_of_plan(self, listed: Sequence[Bundle], todo: Sequence[Bundle]) -> None:
        span = f", {epochs.to_text(todo[0].start)} to {epochs.to_text(todo[-1].stop)}" if todo else ""
        logger.info(f"{self.name}: {len(listed):,} bundles listed, {len(todo):,} to read{span}")
        period = self._newest.get("period_seconds")
        for bundle in todo:
            if period is not None and bundle.period != period:
                logger.info(f"{self.name}: the bundle period changes from {period} s to {bundle.period} s at {bundle}")
            period = bundle.period

    # reader.Stream

    def take_slice(self) -> _Part | None:
        """One at a time: the next one only after the one before has been finished."""
        if not self.has_slices():
            return None
        self._busy = True
        self._next += 1
        return self._parts[self._next - 1]

    def has_slices(self) -> bool:
        return not self._busy and self._next < len(self._parts)

    def probe(self, client: Client) -> None:
        client.exports(self.api.sync_start)

    def read_slice(self, stream_slice: _Part) -> Iterator[Page | Estimate]:
        part, bundle = stream_slice, stream_slice.bundle
        if bundle is None or self._downloads is None:
            return
        try:
            spool = self._downloads.take(part.number)
        except Vanished:
            part.vanished = True
            return
        read = partial(self._pages, part, bundle)
        try:
            yield from parsed(self.client, str(bundle), spool, read, partial(fetch, self.client, bundle))
        except BadBundle as error:
            raise _unreadable(bundle, error) from error

    def finish_slice(self, stream_slice: _Part) -> Mapping[str, Any]:
        self._busy = False
        part, bundle = stream_slice, stream_slice.bundle
        if bundle is None:
            self._give_up_holes()
        elif part.vanished:
            logger.warning(
                f"{self.name}: {bundle} was listed, and is gone. Its time will be looked for again for "
                f"{HOLE_SECONDS // 3600} hours."
            )
        else:
            self._finish_bundle(part, bundle)
        return {**self._newest, **self.coverage.to_state()}

    def stop(self) -> None:
        super().stop()
        if self._downloads:
            self._downloads.close()

    @property
    def coverage(self) -> Coverage:
        if self._coverage is None:
            raise RuntimeError("open() comes first")
        return self._coverage

    # one bundle

    def _pages(self, part: _Part, bundle: Bundle, spool: Spool) -> Iterator[Page]:
        part.tally, part.wire_bytes = Tally(), spool.wire_bytes
        spans = self.coverage.missing(bundle.start, bundle.stop)
        for page in self._rows.pages(spool, bundle, spans, self._floor, part.tally):
            yield self._once_in_span(part, page)

    def _once_in_span(self, part: _Part, page: Page) -> Page:
        """The rows that no earlier bundle of the same span had."""
        if part.last_of_span and not self._keys_of_span:
            return page
        fresh = [row for row in page if row["event_key"] not in self._keys_of_span]
        part.tally.dropped += len(page) - len(fresh)
        part.tally.rows -= len(page) - len(fresh)
        if not part.last_of_span:
            self._keys_of_span.update(row["event_key"] for row in fresh)
        return fresh

    def _finish_bundle(self, part: _Part, bundle: Bundle) -> None:
        if not part.last_of_span:
            logger.info(f"{self.name}: {bundle} read, {part.tally.rows:,} rows; another bundle has the same span")
            return
        self._keys_of_span.clear()
        if bundle.stop >= self.coverage.read_to:
            self._newest = {"bundle_id": bundle.id, "period_seconds": bundle.period}
        self.coverage.add(bundle.start, bundle.stop, self.api.sync_start)
        tally = part.tally
        notes = [f"{tally.rows:,} rows, {part.wire_bytes / 1e6:,.1f} MB"]
        if tally.dropped:
            notes.append(f"{tally.dropped:,} left out that were read before, or lie before the start date")
        if tally.outside:
            notes.append(f"{tally.outside:,} dated outside the bundle's time")
        logger.info(
            f"{self.name}: complete through {epochs.to_text(self.coverage.complete_through)} after {bundle}: "
            f"{', '.join(notes)}"
        )

    def _give_up_holes(self) -> None:
        for hole in self.coverage.give_up(self.api.sync_start):
            logger.warning(
                f"{self.name}: FullStory has not listed a bundle for {epochs.to_text(hole.start)} to "
                f"{epochs.to_text(hole.stop)} within {HOLE_SECONDS // 3600} hours since "
                f"{epochs.to_text(hole.first_seen)}; giving it up. If there were events then, they are missing."
            )
        for hole in self.coverage.holes:
            logger.info(
                f"{self.name}: no bundle is listed yet for {epochs.to_text(hole.start)} to "
                f"{epochs.to_text(hole.stop)}; the next sync looks again"
            )


def _same_span(bundle: Bundle, other: Bundle | None) -> bool:
    return other is not None and (bundle.start, bundle.stop) == (other.start, other.stop)


def _unreadable(bundle: Bundle, error: BadBundle) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"FullStory's {bundle} {error}. The bundles before it are kept, and the next sync reads this one "
        "again. If it stays so, ask FullStory's support about this bundle.",
        internal_message=f"{bundle} {error}",
        failure_type=FailureType.transient_error,
    )
