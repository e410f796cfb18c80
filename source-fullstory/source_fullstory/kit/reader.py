"""Reads several streams side by side: workers fetch pages, the main thread emits messages.

    workers (num_workers threads)                 main thread
    take a slice -> fetch its pages  -- outbox --> records ... state, once the slice is through

Each page is handed over whole, so a thread switch is paid per page, not per record. The outbox is short: memory
holds the pages in flight and no more, and a slow destination slows the fetching. A slice's end stands in the
outbox behind its pages, so a state message always leaves after the records that it covers.
"""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from queue import Empty, Full, Queue
from threading import Condition, Thread
from typing import Any

from airbyte_cdk.models import (
    AirbyteEstimateTraceMessage,
    AirbyteMessage,
    AirbyteRecordMessage,
    AirbyteStateBlob,
    AirbyteStateMessage,
    AirbyteStateStats,
    AirbyteStateType,
    AirbyteStreamState,
    AirbyteStreamStatus,
    AirbyteTraceMessage,
    EstimateType,
    FailureType,
    StreamDescriptor,
    TraceType,
    Type,
)
from airbyte_cdk.utils.stream_status_utils import as_airbyte_message as status_message
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from .contract import Estimate, Page, Stream
from .errors import defect, names, trace_message

_OUTBOX_PAGES = 4
_LOG_SECONDS = 10.0
_WORST_FIRST = (FailureType.system_error, FailureType.transient_error, FailureType.config_error)

logger = logging.getLogger("airbyte")


class _Opened:
    """Outbox item: work on the stream has begun."""


@dataclass(frozen=True, slots=True)
class _Finished:
    """Outbox item: this slice was read to its end (None: the stream is planned)."""

    stream_slice: Any


@dataclass(frozen=True, slots=True)
class _Failed:
    """Outbox item, and a job that could not even be taken."""

    error: BaseException


class _Lane:
    """One stream on its way through the reader."""

    def __init__(self, stream: Stream[Any], state: Mapping[str, Any], *, emits: bool) -> None:
        self.stream = stream
        self.state = state
        self.emits = emits
        self.descriptor = StreamDescriptor(name=stream.name)
        self.opening = self.opened = False
        self.under_way = 0  # jobs handed to workers whose end the main thread has not seen
        self.reading = 0  # of these, jobs that a worker is busy with now
        self.over = False
        self.records = 0
        self.covered = 0  # of these, those that came before the last state
        self.logged_at = time.monotonic()


class Reader:
    """Reads `streams` (with their states, by name) to the end; see the module's docstring. Use once.

    `unlisted` streams are read for what other streams learn from them: nothing of theirs is emitted.
    """

    def __init__(
        self,
        streams: Sequence[Stream[Any]],
        states: Mapping[str, Mapping[str, Any]],
        num_workers: int,
        unlisted: Sequence[Stream[Any]] = (),
    ) -> None:
        self._lanes = [_Lane(stream, states.get(stream.name, {}), emits=True) for stream in streams]
        self._lanes += [_Lane(stream, {}, emits=False) for stream in unlisted]
        self._num_workers = num_workers
        self._outbox: Queue[tuple[_Lane, Any]] = Queue(_OUTBOX_PAGES)
        self._changed = Condition()
        self._closed = False
        self.failures: dict[str, AirbyteTracedException] = {}

    def read(self) -> Iterator[AirbyteMessage]:
        """Messages of all streams. Those that failed are in `failures` afterwards."""
        # Live messages make young-generation collections dear; nothing here builds cycles.
        gc.freeze()
        gc.set_threshold(50_000, 50, 50)
        try:
            self._start_workers()
            while not all(lane.over for lane in self._lanes):
                lane, item = self._next_item()
                if not lane.over:
                    yield from self._messages(lane, item)
        finally:
            self._close()

    def _start_workers(self) -> None:
        for number in range(self._num_workers):
            try:
                Thread(target=self._work, name=f"reader-{number}", daemon=True).start()
            except RuntimeError as error:  # the machine allows no more threads
                if not number:
                    raise defect("The sync", error) from error
                logger.warning(f"This machine allows {number} threads of the {self._num_workers} that were wanted.")
                return

    def _next_item(self) -> tuple[_Lane, Any]:
        try:
            return self._outbox.get_nowait()
        except Empty:
            # Nothing to do: let what was written leave the process, states above all.
            sys.stdout.flush()
            return self._outbox.get()

    def _close(self) -> None:
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        for lane in self._lanes:
            lane.stream.stop()

    # workers

    def _work(self) -> None:
        while job := self._take_job():
            lane, stream_slice = job
            try:
                self._run_job(lane, stream_slice)
            except BaseException as error:  # noqa: BLE001 - the main thread tells the user, whatever it is
                self._put(lane, _Failed(error))
            with self._changed:
                lane.reading -= 1
                self._changed.notify_all()

    def _run_job(self, lane: _Lane, stream_slice: Any) -> None:
        if isinstance(stream_slice, _Failed):
            raise stream_slice.error
        if stream_slice is None:
            self._put(lane, _Opened())
            lane.stream.open(lane.state)
            with self._changed:
                lane.opened = True
                self._changed.notify_all()
        else:
            for item in lane.stream.read_slice(stream_slice):
                if item:
                    self._put(lane, item)
                if lane.stream.has_slices():  # the walk may have split its window
                    with self._changed:
                        self._changed.notify()  # one worker a page: each that wakes takes time from all
        self._put(lane, _Finished(stream_slice))

    def _take_job(self) -> tuple[_Lane, Any] | None:
        """The next job (a slice, or None to open the stream), from the stream with the fewest workers on it."""
        with self._changed:
            while not self._closed:
                for lane in sorted(self._lanes, key=lambda lane: lane.reading):
                    job = self._job_of(lane)
                    if job:
                        lane.under_way += 1
                        lane.reading += 1
                        return job
                self._changed.wait()
            return None

    def _job_of(self, lane: _Lane) -> tuple[_Lane, Any] | None:
        if lane.over:
            return None
        if not lane.opening:
            lane.opening = True
            return lane, None
        try:
            stream_slice = lane.stream.take_slice() if lane.opened else None
        except Exception as error:  # noqa: BLE001 - taking may start threads, and fail as these do
            return lane, _Failed(error)
        return None if stream_slice is None else (lane, stream_slice)

    def _put(self, lane: _Lane, item: Any) -> None:
        while not self._closed:
            try:
                self._outbox.put((lane, item), timeout=1.0)
            except Full:
                continue
            return

    # main thread

    def _messages(self, lane: _Lane, item: Any) -> Iterator[AirbyteMessage]:
        if isinstance(item, list):
            yield from self._records(lane, item)
        elif isinstance(item, _Finished):
            yield from self._after_slice(lane, item.stream_slice)
        elif isinstance(item, Estimate):
            if lane.emits:
                yield _estimate_message(lane, item.rows)
        elif isinstance(item, _Opened):
            if lane.emits:
                logger.info(f"{lane.stream.name}: started")
                yield status_message(lane.descriptor, AirbyteStreamStatus.STARTED)
        else:
            yield from self._fail(lane, item.error)

    def _records(self, lane: _Lane, page: Page) -> Iterator[AirbyteMessage]:
        if not lane.emits:
            return
        if page and not lane.records:
            yield status_message(lane.descriptor, AirbyteStreamStatus.RUNNING)
        lane.records += len(page)
        name = lane.stream.name
        emitted_at = time.time_ns() // 1_000_000
        for data in page:
            record = AirbyteRecordMessage(stream=name, data=data, emitted_at=emitted_at)
            yield AirbyteMessage(type=Type.RECORD, record=record)
        self._log_progress(lane)

    def _after_slice(self, lane: _Lane, stream_slice: Any) -> Iterator[AirbyteMessage]:
        try:
            state = lane.stream.finish_slice(stream_slice) if stream_slice is not None else None
        except Exception as error:  # noqa: BLE001 - one stream's defect must not end the others
            yield from self._fail(lane, error)
            return
        if state is not None and lane.emits:
            yield _state_message(lane, state)
        with self._changed:
            lane.under_way -= 1
            lane.over = not lane.under_way and not lane.stream.has_slices() and not lane.stream.is_waiting()
            self._changed.notify_all()
        if lane.over and lane.emits:
            logger.info(f"{lane.stream.name}: complete, {lane.records:,} rows, {lane.stream.usage()}")
            yield status_message(lane.descriptor, AirbyteStreamStatus.COMPLETE)

    def _fail(self, lane: _Lane, error: BaseException) -> Iterator[AirbyteMessage]:
        self._end(lane)
        if not lane.emits:
            return  # the streams that learn from it say so
        try:
            traced = lane.stream.explain(error)
        except Exception as second:  # noqa: BLE001 - whatever it is, the stream has to end with a sentence
            traced = defect(f"Stream {lane.stream.name}", second)
        self.failures[lane.stream.name] = traced
        logger.error(f"{lane.stream.name}: failed after {lane.records:,} rows. {traced.message}")
        yield status_message(lane.descriptor, AirbyteStreamStatus.INCOMPLETE)
        yield trace_message(traced, lane.descriptor)

    def _end(self, lane: _Lane) -> None:
        """No more of this stream: what its workers still bring is dropped, and no state will cover it."""
        lane.stream.stop()  # first, for streams that wait for this one look again when they are notified
        with self._changed:
            lane.over = True
            self._changed.notify_all()

    def _log_progress(self, lane: _Lane) -> None:
        now = time.monotonic()
        if now - lane.logged_at >= _LOG_SECONDS:
            lane.logged_at = now
            logger.info(f"{lane.stream.name}: {lane.records:,} rows so far, {lane.stream.usage()}")

    def raise_failures(self) -> None:
        """Raise AirbyteTracedException if a stream failed."""
        if not self.failures:
            return
        types = {failure.failure_type for failure in self.failures.values()}
        worst = next(kind for kind in _WORST_FIRST if kind in types)
        first = next(failure for failure in self.failures.values() if failure.failure_type is worst)
        others = names(list(self.failures))
        raise AirbyteTracedException(
            message=f"Not all streams could be read; failed: {others}. {first.message}",
            internal_message=f"failed streams: {others}",
            failure_type=worst,
        )


def _state_message(lane: _Lane, state: Mapping[str, Any]) -> AirbyteMessage:
    stream = AirbyteStreamState(stream_descriptor=lane.descriptor, stream_state=AirbyteStateBlob(dict(state)))
    stats = AirbyteStateStats(recordCount=float(lane.records - lane.covered))
    lane.covered = lane.records
    message = AirbyteStateMessage(type=AirbyteStateType.STREAM, stream=stream, sourceStats=stats)
    return AirbyteMessage(type=Type.STATE, state=message)


def _estimate_message(lane: _Lane, rows: int) -> AirbyteMessage:
    estimate = AirbyteEstimateTraceMessage(name=lane.stream.name, type=EstimateType.STREAM, row_estimate=rows)
    trace = AirbyteTraceMessage(type=TraceType.ESTIMATE, emitted_at=time.time() * 1000, estimate=estimate)
    return AirbyteMessage(type=Type.TRACE, trace=trace)
