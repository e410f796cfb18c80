"""The endpoints of Segment Export: order, look, fetch."""

from __future__ import annotations

import json
from urllib.parse import quote

from simkit.faults import Fault
from simkit.reply import Reply
from simkit.request import Request

from .endpoints_account import v1
from .errors import problem
from .exports import Export
from .fullstory import FullStory
from .limits import retry_after
from .moments import stamp
from .operations import Operation
from .orders import Refused, order
from .segments import Segment
from .selection import Selection
from .storage import EXPORTS, signed_url


def create(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Order an export (developer.fullstory.com, "Create segment export")."""
    settings, now = fullstory.settings, fullstory.now()

    def segment(key: str) -> Segment:
        if key not in fullstory.segments:
            raise Refused("segment not found", settings.unknown_segment_status)
        return fullstory.segments[key]

    try:
        wanted = order(json.loads(request.body or b"null"), segment, now)
    except Refused as no:
        return problem(no.status, str(no))
    except ValueError:
        return problem(400, "the body is not JSON")
    with fullstory.operations.lock:
        if settings.max_running_exports and fullstory.orders.running(settings, now) >= settings.max_running_exports:
            header, seconds = retry_after(settings.retry_after, settings.busy_seconds, now)
            fullstory.promises.ask(request.path, seconds)
            extra = {"Retry-After": header} if header else {}
            return problem(429, "too many exports are running", **extra)
        export = fullstory.orders.create(wanted, Selection.of(fullstory.bundles), settings, now)
    return v1(fullstory, {"operationId": export.operation.id})


def operation(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """How far it is (developer.fullstory.com, "Get operation")."""
    found = _operation(fullstory, request)
    if found is None:
        return problem(404, "operation not found")
    with fullstory.operations.lock:
        found.look(fullstory.settings, fullstory.now(), polled=True)
        return v1(fullstory, found.shown(fullstory.settings))


def cancel(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Stop it; what becomes of its state is not documented (there are only three)."""
    found = _operation(fullstory, request)
    if found is None:
        return problem(404, "operation not found")
    with fullstory.operations.lock:
        if found.running:
            found.finish("FAILED", fullstory.now(), "the operation was cancelled")
    return Reply.json({})


def results(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """Where the file is, for some minutes (developer.fullstory.com, "Get export results")."""
    settings, now = fullstory.settings, fullstory.now()
    export = _finished(fullstory, request.matched["id"])
    if export is None:
        return problem(404, "export not found")
    if export.is_expired(now):
        return problem(settings.expired_export_status, "the export has expired")
    suffix = "ndjson" if export.order.format == "FORMAT_NDJSON" else "json"
    expires = int(now + settings.signed_url_seconds)
    key = quote(export.id, safe="")
    location = signed_url(fullstory.storage_url, f"{EXPORTS}/{key}/{key}.{suffix}.gz", expires)
    return Reply.json({"location": location, "expires": stamp(expires)})


def _operation(fullstory: FullStory, request: Request) -> Operation | None:
    try:
        return fullstory.operations.get(request.matched["id"])
    except KeyError:
        return None


def _finished(fullstory: FullStory, key: str) -> Export | None:
    try:
        export = fullstory.orders.get(key)
    except KeyError:
        return None
    return export if export.operation.state == "COMPLETED" else None
