"""The simulator as tests use it: an account with bundles, an API in front of it, and a log of what was asked."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Self

from . import api, control, storage
from .account import Account, filled
from .bulk import BulkEvents
from .bundles import Bundle, Moment, Shelf, bundle_id, epoch
from .delivery import Delivery, rows_of
from .exports import Export, Exports
from .faults import DAMAGES, NO_FAULT, Fault, FaultBook
from .individuals import individuals
from .limits import Promises, RateLimit
from .messages import Reply, Request
from .moments import SECOND
from .operations import Operation, Operations
from .recording_settings import KINDS, RecordingSettings
from .rows import EventSource, ListedEvents, Row, decode, instant, united
from .segments import Segment, built_in, made_up
from .selection import Selection
from .server import Listener
from .settings import Encoding, Settings, Style
from .world import GeneratedEvents, World, WorldEvents

OTHER_OPERATIONS = ("DELETE_USER", "DELETE_SESSION", "DELETE_SEGMENT_USERS", "DELETE_SEGMENT_SESSIONS")
OPENED = 1_577_836_800.0  # when the account was
Events = int | Iterable[Row | bytes] | EventSource | None


class FullStorySimulator:
    """FullStory's server API on localhost; `url` serves as both API and export host.

    `settings` may be changed at any time. `on_request` is called with every API and storage request before it is
    answered, on the request's own thread: the place to change data in the middle of a sync.
    """

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        self.settings = settings or Settings()
        self.shelf = Shelf()
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], None] | None = None
        self.operations = Operations()
        self.orders = Exports(self.operations)
        self.segments = {segment.id: segment for segment in built_in()}
        self.account = Account()
        self.recording = RecordingSettings(self.settings.seed, OPENED)
        self.limits = {name: RateLimit() for name in ("downloads", "lists", "exports", "requests")}
        self.promises = Promises()
        self._faults = FaultBook(self.settings.seed)
        self._lock = threading.Lock()
        self._folder = tempfile.TemporaryDirectory(prefix="fullstory-simulator-", ignore_cleanup_errors=True)
        folder = Path(self._folder.name)
        self.delivery = Delivery(folder)
        self._api = Listener(port, self._answer_api, self.now, folder)
        self._storage = Listener(0, self._answer_storage, self.now, folder)

    # Running it.

    def start(self) -> Self:
        """Answer requests from now on."""
        self._api.start()
        self._storage.start()
        return self

    def stop(self) -> None:
        """End all connections and remove all files; raises what went wrong inside the simulator, if anything did."""
        self._api.stop()
        self._storage.stop()
        self.delivery.forget()
        self._folder.cleanup()
        for crash in self._api.crashes + self._storage.crashes:
            raise RuntimeError("the simulator itself failed") from crash

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """For `api_url` and `export_url`."""
        return self._api.url

    @property
    def storage_url(self) -> str:
        """The other host, where redirected downloads end up."""
        return self._storage.url

    @property
    def api_key(self) -> str:
        """The only key that is let in."""
        return self.settings.api_key

    def now(self) -> float:
        """The server's clock, in Unix seconds."""
        return time.time() if self.settings.now is None else self.settings.now

    # The data.

    @property
    def bundles(self) -> list[Bundle]:
        """All of them, oldest stop first, whether listed yet or not."""
        return self.shelf.all()

    def add_bundle(
        self,
        start: Moment,
        stop: Moment,
        events: Events = None,
        id: int | None = None,  # noqa: A002 - it is the bundle's id
        available_at: float | None = None,
        encoding: Encoding | None = None,
        style: Style | None = None,
    ) -> Bundle:
        """A bundle of [start, stop) with the given rows, that many made-up ones, or (None) its share of the world.

        Bundles that share in the world have the same events wherever they overlap, so `None` is the choice for
        changing periods. Large numbers (`settings.stream_above`) are poured from templates and never held.
        """
        first, last = epoch(start), epoch(stop)
        key = bundle_id(first, last) if id is None else id
        bundle = Bundle(key, first, last, self._source(first, last, events), available_at, encoding, style)
        self.shelf.add(bundle)
        return bundle

    def add_period(self, start: Moment, stop: Moment, hours: float = 24, events: int | None = None) -> list[Bundle]:
        """Bundles of that many hours one after the other, each with its share of the world or `events` events."""
        step, first, last = int(hours * 3600), epoch(start), epoch(stop)
        return [self.add_bundle(at, at + step, events) for at in range(first, last, step)]

    def remove_bundle(self, id: int) -> None:  # noqa: A002 - it is the bundle's id
        """As after a deletion: neither listed nor delivered."""
        self.shelf.remove(id)

    def late(self, id: int, seconds: float) -> None:  # noqa: A002 - it is the bundle's id
        """The bundle is listed that much later than it should be."""
        bundle = self.shelf.get(id)
        bundle.available_at = bundle.stop + self.settings.listing_lag + seconds

    def events(self, bundle_id: int) -> list[Row]:
        """The rows as the bundle's last download delivered them (or its first one will)."""
        return [decode(row) for row in rows_of(self.shelf.get(bundle_id), self.settings)]

    def truth(self, *, listed: bool = False) -> list[Row]:
        """Every event of all bundles (or of those `listed` by now), once although bundles overlap."""
        bundles = [b for b in self.bundles if not listed or b.is_listed(self.settings, self.now())]
        if any(isinstance(bundle.events, BulkEvents) for bundle in bundles):
            raise ValueError("too many events to hold; use count()")
        return united([self.events(bundle.id) for bundle in bundles])

    def count(self, bundle_id: int | None = None) -> int:
        """Rows of one bundle, or of all (rows in two overlapping bundles count twice)."""
        if bundle_id is not None:
            return len(self.shelf.get(bundle_id).events)
        return sum(len(bundle.events) for bundle in self.bundles)

    def prepare(self) -> None:
        """Make the bytes of big bundles and exports now instead of during their first download."""
        sources: list[Bundle | Export] = [*self.bundles, *self.exports]
        for source in sources:
            self.delivery.prepare(source, self.settings)

    # Segment exports.

    @property
    def exports(self) -> list[Export]:
        """All that were ordered, in that order; `order.window`, `order.kind`, `operation.state`, `downloads`."""
        return self.orders.all()

    @property
    def leaks(self) -> list[Request]:
        """Requests to the storage host that carried credentials."""
        return [request for request in self.requests if request.server == "storage" and _has_key(request)]

    def export_rows(self, export: Export | str) -> list[Row]:
        """What the file of an export holds (or of the export with that id, or with that operation's id)."""
        if isinstance(export, str):
            export = next(e for e in self.exports if export in {e.id, e.operation.id})
        return [decode(row) for row in export.rows()]

    def expire_export(self, export: Export | str) -> None:
        """Its content is gone, as after `export_days`."""
        key = export if isinstance(export, str) else export.id
        self.orders.get(key).expired = True

    def lose_operation(self, id: str) -> None:  # noqa: A002 - it is the operation's id
        """From now on nobody knows it; what it made stays where it is."""
        self.operations.lose(id)

    def event_truth(self, start: Moment, stop: Moment) -> list[Row]:
        """Every event of [start, stop) once, final, as a segment export of everyone has it (`truth`: as bundles do)."""
        return [decode(raw) for _, raw in Selection.of(self.bundles).events(*_span(start, stop))]

    def individual_truth(self, start: Moment, stop: Moment) -> list[Row]:
        """Everyone with events in [start, stop), as a segment export has them now."""
        until = int(self.now() * SECOND) if self.settings.individual_totals == "all" else None
        everyone = built_in()[0]
        return list(individuals(Selection.of(self.bundles), *_span(start, stop), everyone, until))

    def add_segment(self, segment: Segment) -> Segment:
        """One more, or another one under the same id."""
        self.segments[segment.id] = segment
        return segment

    # The rest of the account.

    def fill_account(self, count: int = 45) -> Account:
        """About `count` of everything: users, segments, versions … Replaces `account` and `recording`."""
        now = self.now()
        self.account = filled(self.settings.seed, now, count, self.settings.org_id)
        for segment in made_up(self.settings.seed, count):
            self.add_segment(segment)
        for number in range(count):
            kind = OTHER_OPERATIONS[number % len(OTHER_OPERATIONS)]
            self.add_operation(kind, when=now - (count - number) * 86_400, details={"uid": f"cust-{number}"})
        self.recording = RecordingSettings(self.settings.seed, OPENED)
        for kind, (_, platforms) in KINDS.items():
            for platform in platforms:
                for number in range(count):
                    self.change_setting(kind, platform, when=now - (count - number) * 86_400)
        return self.account

    def add_operation(
        self,
        type: str = "DELETE_USER",  # noqa: A002 - it is the operation's type
        state: str = "COMPLETED",
        when: float | None = None,
        details: object = None,
    ) -> Operation:
        """One that was not ordered over this API, such as the deletion of a person."""
        created = self.now() if when is None else when
        number = len(self.operations) + 1
        finished = None if state == "PENDING" else created + 60
        key = f"{type.lower()}-{number}-{int(created)}"
        operation = Operation(key, type, created, details, None, state, finished=finished, percent=100)
        operation.by_itself = True
        return self.operations.add(operation)

    def change_setting(
        self, kind: str, platform: str = "", when: float | None = None, values: Row | None = None
    ) -> Row:
        """A new version of a recording setting (blocking, domain, features, geo, privacy, targeting) at that time.

        It has the given values, or made-up ones.
        """
        return self.recording.change(kind, self.now() if when is None else when, platform, values)

    def _source(self, start: int, stop: int, events: Events) -> EventSource:
        if events is None:
            return WorldEvents(World.of(self.settings), start, stop, self.settings.edge)
        if isinstance(events, EventSource):
            return events
        if not isinstance(events, int):
            return ListedEvents(events)
        if events > self.settings.stream_above:
            return BulkEvents(World.of(self.settings), start, stop, events)
        return GeneratedEvents(World.of(self.settings), start, stop, events)

    # What was asked, and what goes wrong.

    @property
    def early_requests(self) -> int:
        """Requests that came before the `Retry-After` of an earlier answer allowed them."""
        return self.promises.broken

    def clear_requests(self) -> None:
        """Forget the requests so far, and how many were early."""
        with self._lock:
            self.requests.clear()
        self.promises.broken = 0

    def fault(self, fault: Fault) -> Fault:
        """From now on, until it has happened often enough."""
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Nothing more goes wrong."""
        self._faults.clear()

    def _answer_api(self, request: Request) -> Reply:
        if request.path.startswith(control.PREFIX):
            return control.answer(self, request)
        return self._answer(request, api.answer)

    def _answer_storage(self, request: Request) -> Reply:
        request.server = "storage"
        return self._answer(request, storage.answer)

    def _answer(self, request: Request, endpoint: api.Endpoint) -> Reply:
        """Log it, tell the test, wait, fail if that is due, or answer."""
        request.early = self.promises.arrive(request.path)
        with self._lock:
            self.requests.append(request)
        if self.on_request:
            self.on_request(request)
        self._api.stopping.wait(self.settings.latency_ms / 1000)
        fault = self._faults.next_for(request.target) or NO_FAULT
        reply = api.failure(fault) if fault.answers else endpoint(self, request, fault)
        reply.fault = fault
        if fault.kind in DAMAGES and isinstance(reply.body, bytes):
            reply.body = reply.body[:-1] if fault.kind == "missing_bracket" else reply.body + b"}"
        if fault.retry_after.isdigit():
            self.promises.ask(request.path, float(fault.retry_after))
        return reply


def _has_key(request: Request) -> bool:
    return "authorization" in request.headers


def _span(start: Moment, stop: Moment) -> tuple[int, int]:
    first, last = (instant(at) for at in (start, stop))
    return epoch(start) * SECOND if first is None else first, epoch(stop) * SECOND if last is None else last
