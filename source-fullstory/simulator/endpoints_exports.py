"""The endpoints of Segment Export: order, look, fetch."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from .endpoints_account import v1
from .limits import retry_after
from .messages import Reply, Request, problem
from .moments import stamp
from .operations import Operation
from .orders import Refused, order
from .selection import Selection
from .storage import EXPORTS, signed_url

if TYPE_CHECKING:
    from .core import FullStorySimulator
    from .exports import Export
    from .faults import Fault
    from .segments import Segment


def create(sim: FullStorySimulator, request: Request, _fault: Fault) -> Reply:
    """Order an export (developer.fullstory.com, "Create segment export")."""
    settings, now = sim.settings, sim.now()

    def segment(key: str) -> Segment:
        if key not in sim.segments:
            raise Refused("segment not found", settings.unknown_segment_status)
        return sim.segments[key]

    try:
        wanted = order(json.loads(request.body or b"null"), segment, now)
    except Refused as no:
        return problem(no.status, str(no))
    except ValueError:
        return problem(400, "the body is not JSON")
    with sim.operations.lock:
        if settings.max_running_exports and sim.orders.running(settings, now) >= settings.max_running_exports:
            header, seconds = retry_after(settings.retry_after, settings.busy_seconds, now)
            sim.promises.ask(request.path, seconds)
            extra = {"Retry-After": header} if header else {}
            return problem(429, "too many exports are running", **extra)
        export = sim.orders.create(wanted, Selection.of(sim.bundles), settings, now)
    return v1(sim, {"operationId": export.operation.id})


def operation(sim: FullStorySimulator, request: Request, _fault: Fault) -> Reply:
    """How far it is (developer.fullstory.com, "Get operation")."""
    found = _operation(sim, request)
    if found is None:
        return problem(404, "operation not found")
    with sim.operations.lock:
        found.look(sim.settings, sim.now(), polled=True)
        return v1(sim, found.shown(sim.settings))


def cancel(sim: FullStorySimulator, request: Request, _fault: Fault) -> Reply:
    """Stop it; what becomes of its state is not documented (there are only three)."""
    found = _operation(sim, request)
    if found is None:
        return problem(404, "operation not found")
    with sim.operations.lock:
        if found.running:
            found.finish("FAILED", sim.now(), "the operation was cancelled")
    return Reply.json({})


def results(sim: FullStorySimulator, request: Request, _fault: Fault) -> Reply:
    """Where the file is, for some minutes (developer.fullstory.com, "Get export results")."""
    settings, now = sim.settings, sim.now()
    export = _finished(sim, request.matched["id"])
    if export is None:
        return problem(404, "export not found")
    if export.is_expired(now):
        return problem(settings.expired_export_status, "the export has expired")
    suffix = "ndjson" if export.order.format == "FORMAT_NDJSON" else "json"
    expires = int(now + settings.signed_url_seconds)
    key = quote(export.id, safe="")
    location = signed_url(sim.storage_url, f"{EXPORTS}/{key}/{key}.{suffix}.gz", expires)
    return Reply.json({"location": location, "expires": stamp(expires)})


def _operation(sim: FullStorySimulator, request: Request) -> Operation | None:
    try:
        return sim.operations.get(request.matched["id"])
    except KeyError:
        return None


def _finished(sim: FullStorySimulator, key: str) -> Export | None:
    try:
        export = sim.orders.get(key)
    except KeyError:
        return None
    return export if export.operation.state == "COMPLETED" else None
