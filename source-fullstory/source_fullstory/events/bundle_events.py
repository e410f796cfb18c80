"""Events: one bundle after the other, oldest first, some downloaded ahead; state after each."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from source_fullstory import epochs
from source_fullstory.events.bundle_downloads import Downloads, NotThere, fetch_now, unreadable
from source_fullstory.events.bundles import Bundle, list_around
from source_fullstory.events.coverage import HOLE_SECONDS, HOUR, LISTING_SECONDS, LONGEST_PERIOD, Hole, Span
from source_fullstory.events.event_rows import ADDED, EventRows
from source_fullstory.events.ledger import Ledger, Tally
from source_fullstory.files.spool import Spool, parsed
from source_fullstory.http import errors
from source_fullstory.http.api import Client
from source_fullstory.jobs import this_job
from source_fullstory.kit.contract import Estimate, NotOffered, Page
from source_fullstory.rows.unpack import BadBundle
from source_fullstory.rows.variables import OBJECTS
from source_fullstory.stream import FullStoryStream

_HOURS = HOLE_SECONDS // HOUR
_FOR_EVER = epochs.LAST + LONGEST_PERIOD

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class _Read:
    """Slice: read bundle number `number` of this sync."""

    number: int
    bundle: Bundle
    last_of_span: bool
    coming: int
    """When the earliest of those begins that are listed behind it."""
    tally: Tally = field(default_factory=Tally)
    not_there: NotThere | None = None


class _GiveUp:
    """Slice: the end, where old holes are given up."""


class EventStream(FullStoryStream[_Read | _GiveUp]):
    """State: see Ledger."""

    objects = OBJECTS
    kept = (*ADDED, *OBJECTS)
    can_exclude = True

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._ledger = Ledger(self)
        self._floor = 0
        self._parts: list[_Read | _GiveUp] = []
        self._next = 0
        self._busy = False
        self._downloads: Downloads | None = None
        self._rows = EventRows(self.name, self.declared(), self.exclusion)
        self._keys_of_span: set[str] = set()
        """Of the rows that came from earlier bundles of the very same span (see `_worth_reading`)."""
        self._gone_of_span: Bundle | None = None
        """One of these that FullStory did not give."""

    # planning

    def open(self, state: Mapping[str, Any]) -> None:
        ledger = self._ledger
        ledger.load(state)
        start = self.config.start_date if ledger.is_begun else self.config.first_start(ledger.now)
        self._floor = start or 0
        if ledger.is_begun:
            ledger.begin(min(self._floor, ledger.now))
        listed = self._offered_list(state)
        self.client.learn_clock()  # the list's answers mostly have told it
        if listed and not ledger.is_begun:
            ledger.begin(min(self._floor, ledger.now))
        ledger.late_from = self._late_from(listed)
        coming = _starts_behind(listed)
        todo = self._worth_reading(listed, coming)
        self._tell_of_plan(listed, todo)
        following = [*todo[1:], None]
        self._parts = [
            _Read(number, bundle, last_of_span=not _same_span(bundle, after), coming=coming[bundle])
            for number, (bundle, after) in enumerate(zip(todo, following, strict=False))
        ]
        self._parts += [_GiveUp()] if ledger.is_begun else []
        self._downloads = Downloads(self.client, todo, self.config.num_workers)

    def _offered_list(self, state: Mapping[str, Any]) -> list[Bundle]:
        """An account that has never had bundles goes on without them; one that had them is told."""
        try:
            return list_around(self.client, self._wanted_spans())
        except (errors.Denied, errors.Missing) as error:
            needed = errors.no_data_export(str(error))
            raise needed if state else NotOffered(needed.message) from error

    def _wanted_spans(self) -> list[Span]:
        """What may fill the holes, and what is new. A bundle that fills a hole may end up to a period after it."""
        if not self._ledger.is_begun:
            return [(self._floor, _FOR_EVER)]
        coverage = self._ledger.coverage
        holes = [(hole.start, hole.stop + LONGEST_PERIOD) for hole in coverage.holes]
        return [*holes, (coverage.read_to, _FOR_EVER)]

    def _late_from(self, listed: Sequence[Bundle]) -> int:
        """What ended so early was due two days ago. Where the clocks disagree, only the list tells how late it is."""
        now = self._ledger.now
        if self.api.clock.disagrees:
            now = min(now, max((bundle.stop for bundle in listed), default=0))
        return now - LISTING_SECONDS - HOLE_SECONDS

    def _worth_reading(self, listed: Sequence[Bundle], coming: Mapping[Bundle, int]) -> list[Bundle]:
        """Those that bring something which neither an earlier sync nor an earlier one of them has.

        Bundles of the very same span are all read: nothing says that they hold the same events. They follow each
        other, count as read when the last of them is, and rows with the same event_key come once.
        """
        if not self._ledger.is_begun:
            return []
        planned = self._ledger.coverage.copy()
        todo: list[Bundle] = []
        for bundle in listed:
            if planned.missing(bundle.start, bundle.stop) or (todo and _same_span(todo[-1], bundle)):
                todo.append(bundle)
                planned.add(bundle.start, bundle.stop, self._ledger.now, self._ledger.late_from, coming[bundle])
        return todo

    def _tell_of_plan(self, listed: Sequence[Bundle], todo: Sequence[Bundle]) -> None:
        span = f", {epochs.to_text(todo[0].start)} to {epochs.to_text(todo[-1].stop)}" if todo else ""
        logger.info(f"{self.name}: {len(listed):,} bundles listed, {len(todo):,} to read{span}")
        period = self._ledger.newest.get("period_seconds")
        for bundle in todo:
            if period is not None and bundle.period != period:
                logger.info(f"{self.name}: the bundle period changes from {period} s to {bundle.period} s at {bundle}")
            period = bundle.period

    # reader.Stream

    def take_slice(self) -> _Read | _GiveUp | None:
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

    def read_slice(self, stream_slice: _Read | _GiveUp) -> Iterator[Page | Estimate]:
        if isinstance(stream_slice, _GiveUp) or self._downloads is None:
            return
        bundle = stream_slice.bundle
        read = partial(self._pages, stream_slice)
        try:
            spool = self._downloads.take(stream_slice.number)
            yield from parsed(self.client, str(bundle), spool, read, partial(fetch_now, self.client, bundle))
        except NotThere as error:  # even after some of its rows, where it had to be downloaded again
            stream_slice.not_there = error
        except BadBundle as error:
            raise unreadable(bundle, error) from error

    def finish_slice(self, stream_slice: _Read | _GiveUp) -> Mapping[str, Any]:
        self._busy = False
        if isinstance(stream_slice, _GiveUp):
            self._give_up_holes()
            self._rows.close()
        else:
            self._finish_bundle(stream_slice)
        return {**self._ledger.to_state(), **this_job()}

    def stop(self) -> None:
        super().stop()
        if self._downloads:
            self._downloads.close()

    # one bundle

    def _pages(self, part: _Read, spool: Spool) -> Iterator[Page]:
        part.tally, bundle = Tally(wire_bytes=spool.wire_bytes), part.bundle
        spans = self._ledger.coverage.missing(bundle.start, bundle.stop)
        for page in self._rows.pages(spool, bundle, spans, self._floor, part.tally):
            yield self._once_in_span(part, page)

    def _once_in_span(self, part: _Read, page: Page) -> Page:
        """The rows that no earlier bundle of the same span had."""
        if part.last_of_span and not self._keys_of_span:
            return page
        fresh = [row for row in page if row["event_key"] not in self._keys_of_span]
        part.tally.dropped += len(page) - len(fresh)
        part.tally.rows -= len(page) - len(fresh)
        if not part.last_of_span:
            self._keys_of_span.update(row["event_key"] for row in fresh)
        return fresh

    def _finish_bundle(self, part: _Read) -> None:
        if part.not_there:
            self._gone_of_span = part.bundle
            self._tell_of_gone(part.bundle, part.not_there)
        elif not part.last_of_span:
            logger.info(f"{self.name}: {part.bundle} read, {part.tally}; another bundle has the same span")
        if part.last_of_span:
            self._finish_span(part)

    def _finish_span(self, part: _Read) -> None:
        """Of the bundles of one span, all have been read, or one is gone: then the span is a hole."""
        gone, self._gone_of_span = self._gone_of_span, None
        self._keys_of_span.clear()
        if gone:
            ledger, bundle = self._ledger, part.bundle
            times = (ledger.now, ledger.late_from, part.coming)
            ledger.coverage.pass_over(bundle.start, bundle.stop, gone.id, *times)
        else:
            self._ledger.add(part.bundle, part.coming)
            self._ledger.tell(part.bundle, part.tally)

    # holes

    def _tell_of_gone(self, bundle: Bundle, problem: NotThere) -> None:
        logger.warning(
            f"{self.name}: {bundle} {problem}. The others are read; this one is asked for by each sync within "
            f"{_HOURS} hours, and then given up."
        )

    def _give_up_holes(self) -> None:
        if not self.api.clock.disagrees:
            for hole in self._ledger.coverage.give_up(self._ledger.now):
                self._tell_of_given_up(hole)
        for hole in self._ledger.coverage.holes:
            logger.info(
                f"{self.name}: no bundle is there yet for {epochs.to_text(hole.start)} to "
                f"{epochs.to_text(hole.stop)}; the next sync looks again"
            )

    def _tell_of_given_up(self, hole: Hole) -> None:
        span = f"{epochs.to_text(hole.start)} to {epochs.to_text(hole.stop)}"
        since = f"within {_HOURS} hours since {epochs.to_text(hole.first_seen)}; giving it up"
        if hole.bundle_id is None:
            logger.warning(
                f"{self.name}: FullStory has not listed a bundle for {span} {since}. If there were events then, they "
                "are missing."
            )
        else:
            logger.error(
                f"{self.name}: FullStory has not given bundle {hole.bundle_id} for {span} {since}. Its events are "
                "missing. If it is so old that FullStory keeps its events no more, choose a later start date; if not, "
                "read events by Segment Export instead of bundles, or ask FullStory's support about this bundle."
            )


def _same_span(bundle: Bundle, other: Bundle | None) -> bool:
    return other is not None and (bundle.start, bundle.stop) == (other.start, other.stop)


def _starts_behind(listed: Sequence[Bundle]) -> dict[Bundle, int]:
    """For each bundle, when the earliest of those begins that stand behind it."""
    found: dict[Bundle, int] = {}
    earliest = epochs.LAST
    for bundle in reversed(listed):
        found[bundle] = earliest
        earliest = min(earliest, bundle.start)
    return found
