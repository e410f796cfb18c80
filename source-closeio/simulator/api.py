"""The Close API: from a request to an answer, in the order in which the real one seems to do it."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

import orjson

from simkit.reply import Reply

from .close import Close
from .endpoints import BY_PATH
from .errors import Refusal, bad_request, not_found, unauthorized
from .organization import with_members
from .pages import pick, schema_of
from .request import Request

SMALL = 200  # bytes that are not worth to be compressed


def answer(close: Close, request: Request) -> Reply:
    """The answer to a request within the limits; refusals are answers too."""
    try:
        if not is_authorized(request, close.settings.api_key):
            raise unauthorized()
        if not urlsplit(request.line).path.endswith("/"):
            path, _, query = request.line.partition("?")
            return Reply(301, {"location": f"{path}/" + (f"?{query}" if query else "")})
        if 0 < close.settings.max_url < len(request.line):
            return Reply(414, {"content-type": "text/html"}, b"<html><body>414 Request-URI Too Large</body></html>")
        refuse_forbidden(close, request)
        return json(200, route(close, request))
    except Refusal as refusal:
        body = refusal.body
        return json(refusal.status, body.encode() if isinstance(body, str) else orjson.dumps(body))


def json(status: int, body: bytes) -> Reply:
    return Reply(status, {"content-type": "application/json"}, body)


def compressed(reply: Reply, request: Request) -> Reply:
    """What is sent to a client that takes gzip."""
    if (
        isinstance(reply.body, bytes)
        and len(reply.body) > SMALL
        and "gzip" in request.headers.get("accept-encoding", "")
    ):
        reply.body = gzip.compress(reply.body, compresslevel=1, mtime=0)
        reply.headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return reply


def is_authorized(request: Request, api_key: str) -> bool:
    """HTTP Basic, the key as user name and an empty password."""
    scheme, _, encoded = request.authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        return base64.b64decode(encoded, validate=True).decode() == f"{api_key}:"
    except ValueError:
        return False


def refuse_forbidden(close: Close, request: Request) -> None:
    """Refuse what the plan or the role lacks."""
    forbidden = close.settings.longest(close.settings.forbidden, request.path)
    if forbidden is not None:
        raise Refusal(*forbidden)


def route(close: Close, request: Request) -> bytes:
    """The body of a good answer."""
    path, params = request.path, request.params
    if path == "data/search":
        if request.method != "POST":
            raise Refusal(405, {"error": "Method Not Allowed"})
        if not isinstance(request.body, dict):
            raise bad_request("The request body is not a valid JSON object.")
        return close.search.page(request.body)
    if request.method != "GET":
        raise Refusal(405, {"error": "Method Not Allowed"})
    if path in BY_PATH:
        return close.pages.page(BY_PATH[path], params)
    return route_one(close, path, params)


def route_one(close: Close, path: str, params: Mapping[str, Any]) -> bytes:
    """What is no plain list: the event log, `/me/`, single objects, field schemas."""
    first, _, rest = path.partition("/")
    if path == "event":
        return close.events.page(params)
    if first == "event":
        return close.events.one(rest)
    if path == "me":
        return orjson.dumps(shown(close.me(), params))
    if first == "organization":
        row = close.organization()
        if rest != row["id"]:
            raise not_found("Empty query: Organization matching query does not exist.")
        return orjson.dumps(shown(with_members(close.settings, close.users(), row), params))
    if first == "custom_field_schema":
        kind, _, id_ = rest.partition("/")
        return schema_of(close.data, kind, id_)
    parent, _, id_ = path.rpartition("/")
    if parent in BY_PATH:
        return close.pages.one(close.data[BY_PATH[parent].source], id_, params)
    raise not_found()


def shown(row: dict[str, Any], params: Mapping[str, Any]) -> dict[str, Any]:
    fields = [name for name in str(params.get("_fields") or "").split(",") if name]
    return pick(row, fields) if fields else row
