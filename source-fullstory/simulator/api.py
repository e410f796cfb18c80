"""What the API has: one row per endpoint, in `ROUTES`; what they share (key, permission, limit) is in `answer`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import unquote

from simkit.faults import Fault
from simkit.reply import Reply
from simkit.request import Request

from . import endpoints_account as account
from . import endpoints_exports as exports
from .bundles import Bundle
from .errors import BadRequest, problem
from .fullstory import FullStory
from .limits import retry_after
from .recording_settings import KINDS
from .storage import BUNDLES, signed_url

RECORDING = "/settings/recording/v1"
Endpoint = Callable[[FullStory, Request, Fault], Reply]


@dataclass(frozen=True)
class Route:
    """An endpoint: who may call it, and which limit it counts for ("" for none).

    A `{name}` in the path stands for one segment, which the endpoint finds in `request.matched`.
    """

    methods: tuple[str, ...]
    path: str
    endpoint: Endpoint
    architect: bool = False
    data_export: bool = False
    anywhere: bool = False
    limit: str = ""

    def match(self, path: str) -> dict[str, str] | None:
        """The variable parts of a path that is this endpoint's."""
        found = re.fullmatch(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path), path)
        return {name: unquote(text) for name, text in found.groupdict().items()} if found else None


def me(fullstory: FullStory, _request: Request, _fault: Fault) -> Reply:
    """Whose key it is; documented as a way to test authentication (developer.fullstory.com)."""
    return Reply.json(
        {"orgId": fullstory.settings.org_id, "email": fullstory.settings.email, "role": fullstory.settings.role}
    )


def list_bundles(fullstory: FullStory, request: Request, _fault: Fault) -> Reply:
    """`start` in the query, or in the JSON body of a POST (help.fullstory.com, "Data Export")."""
    try:
        given = _parameters(request).get("start")
        start = None if given in {None, ""} else int(str(given))
    except (TypeError, ValueError):
        return problem(400, "start is not a Unix time in seconds")
    page = fullstory.shelf.page(start, fullstory.settings, fullstory.now())
    return Reply.json({"exports": [_listed(bundle, fullstory.settings.shape) for bundle in page]})


def get_bundle(fullstory: FullStory, request: Request, fault: Fault) -> Reply:
    """The bundle, or the way to it (developer.fullstory.com, "Get data export")."""
    try:
        bundle = fullstory.shelf.get(int(str(_parameters(request).get("id"))))
    except (KeyError, ValueError):
        return problem(404, "export not found")
    if not bundle.is_listed(fullstory.settings, fullstory.now()):
        return problem(404, "export not found")
    if fullstory.settings.redirect:
        return Reply(302, {"Location": _location(fullstory, bundle, request)})
    return fullstory.delivery.reply(bundle, fullstory.settings, fault)


ROUTES = (
    Route(("GET",), "/me", me),
    Route(("GET", "POST"), "/api/v1/export/list", list_bundles, architect=True, data_export=True, limit="lists"),
    Route(("GET",), "/api/v1/export/get", get_bundle, architect=True, data_export=True, limit="downloads"),
    Route(("POST",), "/segments/v1/exports", exports.create, architect=True, limit="exports"),
    Route(("GET",), "/operations/v1/{id}", exports.operation),
    Route(("POST",), "/operations/v1/{id}/cancel", exports.cancel),
    Route(("GET",), "/search/v1/exports/{id}/results", exports.results, architect=True),
    Route(("GET",), "/operations/v1", account.operations),
    Route(("GET",), "/segments/v1", account.segments),
    Route(("GET",), "/v2/users", account.users, architect=True),
    Route(("GET",), "/v2/sessions", account.sessions),
    Route(("GET",), "/v2/organization/quotas", account.quotas),
    Route(("GET",), "/v2/visit_profile", account.session_profiles),
    Route(("GET",), "/v2beta/privacy/elements", account.element_block_rules, architect=True),
    Route(("GET",), "/v2beta/extraction/rules", account.extraction_rules),
    Route(("GET",), "/v2beta/datasets", account.datasets),
    Route(("GET",), "/webhooks/v1/endpoints", account.webhook_endpoints, anywhere=True),
    Route(("GET",), "/webhooks/v1/event-types", account.webhook_event_types, anywhere=True),
    *(Route(("GET",), f"{RECORDING}/{kind}", account.recording, architect=kind == "privacy") for kind in KINDS),
    *(Route(("GET",), f"{RECORDING}/{kind}/history", account.history, architect=kind == "privacy") for kind in KINDS),
)


def answer(fullstory: FullStory, request: Request, fault: Fault) -> Reply:
    """Key first, then permission, then limit, then the endpoint itself."""
    here = [route for route in ROUTES if route.match(request.path) is not None]
    if not here:
        return problem(404, "not found")
    route = next((route for route in here if request.method in route.methods), None)
    if route is None:
        return problem(405, "method not allowed")
    request.matched = route.match(request.path) or {}
    try:
        return (
            _refused(fullstory, request, route)
            or _limited(fullstory, request, route)
            or route.endpoint(fullstory, request, fault)
        )
    except BadRequest as wrong:
        return problem(400, str(wrong))


def _refused(fullstory: FullStory, request: Request, route: Route) -> Reply | None:
    """`Authorization: Basic {key}`, the key verbatim; levels Standard < Architect < Admin (both documented)."""
    settings = fullstory.settings
    if request.headers.get("authorization") != f"Basic {settings.api_key}":
        return problem(401, "the API key is missing or not valid")
    if any(request.path.startswith(prefix) for prefix in settings.not_offered):
        return problem(settings.not_offered_status, "the plan of this account does not include this")
    if route.architect and settings.role == "USER":
        return problem(403, "the API key does not have the required permission: Architect")
    if route.data_export and not settings.data_export:
        return problem(settings.no_data_export_status, "Data Export is not enabled for this account")
    if route.anywhere and not settings.anywhere:
        return problem(settings.no_anywhere_status, "webhooks are not part of this account's plan")
    return None


def _limited(fullstory: FullStory, request: Request, route: Route) -> Reply | None:
    """429 with `Retry-After` (developer.fullstory.com, "Limits")."""
    settings = fullstory.settings
    limits = [("requests", settings.requests_per_second, 1.0)] if not route.data_export else []
    if route.limit:
        limits.append((route.limit, int(getattr(settings, f"{route.limit}_per_minute")), settings.window_seconds))
    for name, allowed, window in limits:
        if wait := fullstory.limits[name].wait(allowed, window):
            header, seconds = retry_after(settings.retry_after, wait, fullstory.now())
            fullstory.promises.ask(request.path, seconds)
            return problem(429, "rate limit exceeded", **({"Retry-After": header} if header else {}))
    return None


def _parameters(request: Request) -> dict[str, object]:
    body = json.loads(request.body) if request.method == "POST" and request.body else {}
    return {**request.params, **body}


def _listed(bundle: Bundle, shape: str) -> dict[str, object]:
    """The documentation's example has PascalCase integers, its schema lower-case int64 strings."""
    if shape == "lower":
        return {"id": str(bundle.id), "start": str(bundle.start), "stop": str(bundle.stop)}
    return {"Start": bundle.start, "Stop": bundle.stop, "Id": bundle.id}


def _location(fullstory: FullStory, bundle: Bundle, request: Request) -> str:
    if fullstory.settings.redirect == "loop":
        return f"http://{request.headers['host']}{request.target}"
    base = fullstory.storage_url if fullstory.settings.redirect == "storage" else fullstory.settings.redirect
    path = f"{BUNDLES}/{bundle.id}/DataExport.json.gz"
    return signed_url(base, path, int(fullstory.now() + fullstory.settings.signed_url_seconds))
