"""The Close API: from a request to an answer, in the order in which the real one seems to do it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, urlsplit

import orjson

from .endpoints import BY_PATH
from .errors import Refusal, bad_request, not_found, unauthorized
from .http_server import Incoming, Outgoing
from .organization import with_members
from .pages import pick, schema_of

if TYPE_CHECKING:
    from .simulator import CloseSimulator, Request

ROOT: Final = "/api/v1/"
OVERRIDE: Final = "x-http-method-override"


def parameters(incoming: Incoming) -> dict[str, Any]:
    """The query, and for a POST that stands for a GET the `_params` of its body."""
    params: dict[str, Any] = dict(parse_qsl(urlsplit(incoming.target).query, keep_blank_values=True))
    if incoming.headers.get(OVERRIDE, "").upper() == "GET" and incoming.body:
        body = load_or_none(incoming.body)
        if isinstance(body, dict) and isinstance(body.get("_params"), dict):
            params |= body["_params"]
    return params


def method_of(incoming: Incoming) -> str:
    return incoming.headers.get(OVERRIDE, incoming.method).upper()


def load_or_none(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None


def is_authorized(incoming: Incoming, api_key: str) -> bool:
    """HTTP Basic, the key as user name and an empty password."""
    scheme, _, encoded = incoming.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        return base64.b64decode(encoded, validate=True).decode() == f"{api_key}:"
    except ValueError:
        return False


def answer(sim: CloseSimulator, incoming: Incoming, request: Request) -> Outgoing:
    """The answer to an authentic request within the limits; refusals are answers too."""
    try:
        if not is_authorized(incoming, sim.settings.api_key):
            raise unauthorized()
        if not urlsplit(incoming.target).path.endswith("/"):
            path, _, query = incoming.target.partition("?")
            return Outgoing(301, headers=[("location", f"{path}/" + (f"?{query}" if query else ""))])
        if 0 < sim.settings.max_url < len(incoming.target):
            return Outgoing(414, b"<html><body>414 Request-URI Too Large</body></html>", "text/html")
        refuse_forbidden(sim, request)
        return Outgoing(200, route(sim, request))
    except Refusal as refusal:
        body = refusal.body
        return Outgoing(refusal.status, body.encode() if isinstance(body, str) else orjson.dumps(body))


def refuse_forbidden(sim: CloseSimulator, request: Request) -> None:
    """Refuse what the plan or the role lacks."""
    forbidden = sim.settings.longest(sim.settings.forbidden, request.path)
    if forbidden is not None:
        raise Refusal(*forbidden)


def route(sim: CloseSimulator, request: Request) -> bytes:
    """The body of a good answer."""
    path, params = request.path, request.params
    if path == "data/search":
        if request.method != "POST":
            raise Refusal(405, {"error": "Method Not Allowed"})
        if not isinstance(request.body, dict):
            raise bad_request("The request body is not a valid JSON object.")
        return sim.search.page(request.body)
    if request.method != "GET":
        raise Refusal(405, {"error": "Method Not Allowed"})
    if path in BY_PATH:
        return sim.pages.page(BY_PATH[path], params)
    return route_one(sim, path, params)


def route_one(sim: CloseSimulator, path: str, params: Mapping[str, Any]) -> bytes:
    """What is no plain list: the event log, `/me/`, single objects, field schemas."""
    first, _, rest = path.partition("/")
    if path == "event":
        return sim.events.page(params)
    if first == "event":
        return sim.events.one(rest)
    if path == "me":
        return orjson.dumps(shown(sim.me(), params))
    if first == "organization":
        row = sim.organization()
        if rest != row["id"]:
            raise not_found("Empty query: Organization matching query does not exist.")
        return orjson.dumps(shown(with_members(sim.settings, sim.users(), row), params))
    if first == "custom_field_schema":
        kind, _, id_ = rest.partition("/")
        return schema_of(sim.data, kind, id_)
    parent, _, id_ = path.rpartition("/")
    if parent in BY_PATH:
        return sim.pages.one(sim.data[BY_PATH[parent].source], id_, params)
    raise not_found()


def shown(row: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    fields = [name for name in str(params.get("_fields") or "").split(",") if name]
    return pick(row, fields) if fields else row
