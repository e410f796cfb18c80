"""The simulator as a whole: data, behaviour, faults and the request log behind one object."""

from __future__ import annotations

import itertools
import random
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from threading import RLock
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from . import activities, api, control, objects
from .endpoints import ACTIVITY_TYPES, COLLECTIONS, HIDDEN, NAIVE
from .events import EventLog
from .faults import Fault, content_type_of, page_of
from .http_server import Incoming, Outgoing, Server
from .limits import Limits, Verdict, headers, throttled
from .moments import naive, parse, to_micros, to_milliseconds, zoned
from .organization import me, organization
from .pages import Pages
from .search import Search
from .settings import Settings
from .store import Change, Collection, Row
from .templates import filled
from .world import World

CHILDREN = {"contact": "contacts", "opportunity": "opportunities", "task": "tasks", "activity": ""}
MOVING = (*CHILDREN, "custom_object", "sequence_subscription")
FIRST_MADE = 2**41


@dataclass
class Request:
    """One request as the simulator saw it; `status` is 0 until it is answered."""

    method: str
    path: str  # behind /api/v1/, without slashes at the ends
    params: dict[str, Any]
    body: Any
    status: int = 0
    when: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)  # without the key
    has_key: bool = False  # whether there was an Authorization header


class CloseSimulator:
    """A Close API on localhost.

        with CloseSimulator(Settings(activities=1000)) as sim:
            requests.get(sim.url + "activity/", auth=(sim.api_key, ""))

    `data` holds the rows by collection, `requests` what was asked; `fault` makes things go wrong; `on_request` is
    called before each answer and may change the data.
    """

    def __init__(self, settings: Settings | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        self.settings = settings or Settings()
        self.requests: list[Request] = []
        self.on_request: Callable[[Request], object] | None = None
        self.data: dict[str, Collection] = {}
        self._lock = RLock()
        self._address = (host, port)
        self._server: Server | None = None
        self._faults: list[Fault] = []
        self._numbers = itertools.count(FIRST_MADE)
        self._world = World(self.settings, self.micros(), self.data)
        self._rng = random.Random(self.settings.seed)
        for name in COLLECTIONS:
            self.data[name] = self._collection(name)
        self._organization = organization(self._world.organization, self._world.users[0]["id"], {})
        self.pages = Pages(self.settings, self.data, self.micros)
        self.search = Search(self.settings, self.data, self.micros, time.monotonic)
        self.events = EventLog(self.settings, self.data, self.micros, self.make_event)
        self.limits = Limits(self.settings, time.monotonic)
        self._fill()
        for collection in self.data.values():
            collection.observers += [
                self.events.observe,
                self.search.observe,
                self._touch_lead,
                self._follow_lead,
            ]

    # -- the server ---------------------------------------------------------------------------------------

    @property
    def api_key(self) -> str:
        return self.settings.api_key

    @property
    def root(self) -> str:
        """`http://127.0.0.1:PORT/`"""
        if self._server is None:
            raise RuntimeError("The simulator is not running.")
        host, port = self._server.server_address[:2]
        return f"http://{host if isinstance(host, str) else host.decode()}:{port}/"

    @property
    def url(self) -> str:
        """What a client takes for https://api.close.com/api/v1/."""
        return self.root + api.ROOT.lstrip("/")

    def start(self) -> Self:
        self._server = Server(self._address, self._answer)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True, name="close").start()
        return self

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def now(self) -> datetime:
        """The server's clock, in UTC."""
        return (self.settings.now or datetime.now(UTC)).astimezone(UTC)

    def micros(self) -> int:
        return to_micros(self.now())

    # -- control ------------------------------------------------------------------------------------------

    def fault(self, fault: Fault) -> Fault:
        """Let something go wrong from now on."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear_faults(self) -> int:
        with self._lock:
            count = len(self._faults)
            self._faults.clear()
        return count

    def clear_requests(self) -> None:
        self.requests.clear()

    # -- one request --------------------------------------------------------------------------------------

    def _answer(self, incoming: Incoming) -> Outgoing:
        if incoming.target.startswith(control.ROOT):
            with self._lock:
                return control.answer(self, incoming)
        request = self._note(incoming)
        with self._lock:
            verdict = self._count(incoming, request)
            fault = next((each for each in self._faults if self._strikes(each, request)), None)
        if self.settings.latency_ms:
            time.sleep(self.settings.latency_ms / 1000)
        if self.on_request is not None:
            self.on_request(request)
        with self._lock:
            outgoing = self._decide(incoming, request, verdict, fault)
        outgoing.compress = outgoing.compress and self.settings.gzip
        outgoing.headers.append(("date", format_datetime(self.now(), usegmt=True)))
        if verdict:
            outgoing.headers += headers(self.settings, verdict)
        request.status = outgoing.status
        if self.settings.verbose:
            sys.stderr.write(f"{request.status} {request.method} {incoming.target}" + "\n")
        return outgoing

    def _note(self, incoming: Incoming) -> Request:
        path = urlsplit(incoming.target).path.removeprefix(api.ROOT).strip("/")
        body = api.load_or_none(incoming.body)
        kept = {name: value for name, value in incoming.headers.items() if name != "authorization"}
        has_key = "authorization" in incoming.headers
        params = api.parameters(incoming)
        request = Request(api.method_of(incoming), path, params, body, 0, time.monotonic(), kept, has_key)
        self.requests.append(request)
        return request

    def _count(self, incoming: Incoming, request: Request) -> Verdict | None:
        return self.limits.count(incoming.headers.get("authorization", ""), request.method, request.path)

    def _strikes(self, fault: Fault, request: Request) -> bool:
        return fault.strikes(request.method, request.path, request.params)

    def _decide(self, incoming: Incoming, request: Request, verdict: Verdict | None, fault: Fault | None) -> Outgoing:
        if verdict and not verdict.allowed:
            body, kind, extra = throttled(self.settings, verdict)
            return Outgoing(429, body, kind, extra)
        if fault is not None:
            broken = self._broken(fault, verdict)
            if broken is not None:
                return broken
        outgoing = api.answer(self, incoming, request)
        if fault is not None:
            outgoing.spoil, outgoing.seconds = fault.kind, fault.seconds
        return outgoing

    def _broken(self, fault: Fault, verdict: Verdict | None) -> Outgoing | None:
        """The answer of a fault that takes the place of the real one; None when it only spoils that."""
        kind, extra = fault.kind, list(fault.headers.items())
        if kind.startswith("429"):
            at = Verdict(allowed=False, limit=100, remaining=0, reset=min(fault.seconds, 1.0), group="fault")
            body, content_type, hints = throttled(self.settings, at, kind.removeprefix("429-"))
            return Outgoing(
                429, body, content_type, (headers(self.settings, at) if not verdict else []) + hints + extra
            )
        if kind.isdigit():
            text = page_of(int(kind)) if fault.body is None else fault.body.encode()
            return Outgoing(int(kind), text, content_type_of(fault), extra, compress=False)
        bodies = {
            "not-json": b"<!DOCTYPE html><html><body>Down for maintenance</body></html>",
            "empty-body": b"",
            "object": b"{}",
            "list": b"[]",
            "null": b"null",
            "null-data": b'{"data":null,"has_more":false}',
        }
        if kind in bodies:
            return Outgoing(200, bodies[kind], "text/html" if kind == "not-json" else "application/json", extra)
        if kind == "redirect":
            return Outgoing(302, headers=[("location", fault.location), *extra])
        return None

    # -- what belongs to the key --------------------------------------------------------------------------

    def users(self) -> list[Row]:
        """The users, the owner of the key first."""
        owner = self._world.users[0]["id"]
        return sorted(self.data["user"].rows(), key=lambda row: (row["id"] != owner, str(row["date_created"])))

    def organization(self) -> Row:
        """The organization with the definitions that it carries."""
        parts = {
            "lead_statuses": self.data["status/lead"].rows(),
            "opportunity_statuses": self.data["status/opportunity"].rows(),
            "pipelines": self.data["pipeline"].rows(),
            "lead_custom_fields": self.data["custom_field/lead"].rows(),
            "contact_custom_fields": self.data["custom_field/contact"].rows(),
            "opportunity_custom_fields": self.data["custom_field/opportunity"].rows(),
            "shared_custom_fields": self.data["custom_field/shared"].rows(),
        }
        return self._organization | parts

    def me(self) -> Row:
        return me(self.settings, self.users() or [self._world.users[0]], self.organization())

    # -- rows made by hand --------------------------------------------------------------------------------

    def make_activity(self, type: str = "Note", **fields: Any) -> Row:  # noqa: A002 - the API's word
        """A complete activity of a type (`Note`, `note` or `activity.note`), not yet stored."""
        names = {each.path: each.literal for each in ACTIVITY_TYPES}
        names |= {f"activity.{each.object_type}": each.literal for each in ACTIVITY_TYPES}
        return self._made("activity", activities.activity(names.get(type, type), self._rng), fields)

    def make_lead(self, **fields: Any) -> Row:
        """A complete lead without contacts, opportunities and tasks."""
        return self._made("lead", objects.lead(self._rng), fields)

    def make_contact(self, **fields: Any) -> Row:
        return self._made("contact", objects.contact(self._rng), fields)

    def make_opportunity(self, **fields: Any) -> Row:
        return self._made("opportunity", objects.opportunity(self._rng), fields)

    def make_task(self, type: str = "lead", **fields: Any) -> Row:  # noqa: A002 - the API's word
        """A complete task of a type, e.g. `lead` or `missed_call`."""
        return self._made("task", objects.task(type, self._rng), fields)

    def make_user(self, **fields: Any) -> Row:
        return self._made("user", objects.user(self._rng), fields)

    def make_event(self, **fields: Any) -> Row:
        """A complete event; its moments are in the style without a zone."""
        return self._made("event", objects.event(self._rng), fields)

    def make_custom_field(
        self,
        owner: str = "lead",
        *,
        type: str = "text",  # noqa: A002 - the API's word
        multiple: bool = False,
        **fields: Any,
    ) -> Row:
        """A complete definition for `custom_field/{owner}`."""
        number = next(self._numbers)
        row = objects.custom_field(type, multiple, number % 1000)
        return self._made(f"custom_field/{owner}", row, self._world.owner_of_field(owner, 0) | fields, number)

    def make(self, collection: str, **fields: Any) -> Row:
        """A complete row for a collection."""
        first, _, owner = collection.partition("/")
        makers: dict[str, Callable[..., Row]] = {
            "activity": self.make_activity,
            "lead": self.make_lead,
            "contact": self.make_contact,
            "opportunity": self.make_opportunity,
            "task": self.make_task,
            "user": self.make_user,
            "event": self.make_event,
        }
        if first == "custom_field":
            return self.make_custom_field(owner, **fields)
        if first in makers:
            return makers[first](**fields)
        return fields

    def _made(self, collection: str, row: Row, fields: Row, number: int | None = None) -> Row:
        now = to_milliseconds(self.micros())
        stamp = naive if collection in NAIVE else zoned
        fields = {name: stamp(to_micros(v)) if isinstance(v, datetime) else v for name, v in fields.items()}
        created = parse(fields["date_created"]) if fields.get("date_created") else now
        updated = parse(fields["date_updated"]) if fields.get("date_updated") else min(created, now)
        number = next(self._numbers) if number is None else number
        return filled(row, self._world.marks(collection, number, created, updated)) | fields

    def merge_leads(self, source_id: str, destination_id: str, *, quiet: bool = False) -> Row:
        """Merge one lead into another: its children move, it is deleted, and a `merged` event tells.

        All events of a merge have both ids in `meta`; the `merged` one is about the lead that stays (list of event
        types). Whether a child that moves is touched, and has an event of its own, is not certain: not if `quiet`.
        """
        meta = {"merge_source_lead_id": source_id, "merge_destination_lead_id": destination_id}
        with self._lock, self.events.meanwhile(meta):
            for name in MOVING:
                collection = self.data[name]
                for slot in [each for each in collection.slots() if collection.value(each, "lead_id") == source_id]:
                    id_ = collection.id_of(slot)
                    kept = {"date_updated": collection.value(slot, "date_updated")} if quiet else {}
                    collection.update(id_, {"lead_id": destination_id, **kept}, log=not quiet)
            merge = self.make_activity("LeadMerge", lead_id=destination_id, source_lead_id=source_id)
            self.data["activity"].add(merge)
            self.data["lead"].delete(source_id)
            stays = self.data["lead"].get(destination_id) or {}
            return self.events.write("lead", "merged", stays)

    # -- inner --------------------------------------------------------------------------------------------

    def _collection(self, name: str) -> Collection:
        ids = self._world.ids(name)
        return Collection(
            name,
            now=lambda: to_milliseconds(self.micros()),
            stamp=naive if name in NAIVE else zoned,
            new_id=lambda: ids.of(next(self._numbers)),
            lock=self._lock,
            kind_of=(lambda row: f"{row['object_type']}/{row['action']}") if name == "event" else None,
            hidden=HIDDEN.get(name, frozenset()),
            key="email" if name == "unsubscribe/email" else "id",
            tie_by_slot=name == "event",
        )

    def _fill(self) -> None:
        for name in ("contact", "opportunity", "task", "lead", "activity", "event"):
            self.data[name].use(self._world.bulk(name))
        for user in self._world.users:
            self.data["user"].add(user, log=False)
        for name, row in self._world.small_rows():
            self.data[name].add(row, log=False)
        for owner, rows in self._world.fields.items():
            for row in rows:
                self.data[f"custom_field/{owner}"].add(row, log=False)

    def _touch_lead(self, change: Change) -> None:
        """A changed child moves its lead's `date_updated`, without an event of the lead; nested rows follow."""
        name = change.collection.name
        if name not in CHILDREN or not self.settings.touch_leads:
            return
        leads = self.data["lead"]
        for lead_id in {(change.before or {}).get("lead_id"), (change.after or {}).get("lead_id")}:
            if lead_id not in leads:
                continue
            lead, nested = leads.get(str(lead_id)) or {}, CHILDREN[name]
            changes: Row = {}
            if nested and (name != "task" or (change.after or change.before or {}).get("_type") == "lead"):
                gone = (change.before or change.after or {})["id"]
                kept = [each for each in lead.get(nested) or [] if each["id"] != gone]
                now_here = change.after if (change.after or {}).get("lead_id") == lead_id else None
                changes[nested] = [*kept, now_here] if now_here else kept
            leads.update(str(lead_id), changes, log=False)

    def _follow_lead(self, change: Change) -> None:
        """Deleting a lead deletes what belongs to it."""
        if change.collection.name != "lead" or change.action != "deleted" or not change.log:
            return
        lead_id = (change.before or {})["id"]
        for name in CHILDREN:
            collection = self.data[name]
            for slot in [each for each in collection.slots() if collection.value(each, "lead_id") == lead_id]:
                collection.delete(collection.id_of(slot))
