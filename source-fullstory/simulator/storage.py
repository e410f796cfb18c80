"""The storage host: signed URLs that expire, and no place for an API key.

Segment Export's `location` is such a URL, "typically a 5 minute expiration window" (developer.fullstory.com, "Get
export results"). That `/export/get` redirects to one is not documented.
"""

from __future__ import annotations

import hashlib
import hmac
from urllib.parse import unquote, urlencode

from simkit.faults import Fault
from simkit.reply import Reply
from simkit.request import Request

from .bundles import Bundle
from .exports import Export
from .fullstory import FullStory

SECRET = b"the storage host's signing key"
BUNDLES = "/fullstoryapp-data-export"
EXPORTS = "/fullstoryapp-search-export"


def signed_url(base: str, path: str, expires: int) -> str:
    """Whoever has it can download the file until then; its query string is a secret."""
    query = {
        "GoogleAccessId": "export@example.com",
        "Expires": expires,
        "Signature": _signature(path, str(expires)),
    }
    return f"{base}{path}?{urlencode(query)}"


def answer(fullstory: FullStory, request: Request, fault: Fault) -> Reply:
    """The object, or what a storage host says in XML."""
    if "authorization" in request.headers:
        return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
    expires = request.params.get("Expires", "")
    if not hmac.compare_digest(request.params.get("Signature", ""), _signature(request.path, expires)):
        return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
    if fullstory.now() >= int(expires):
        return _refusal(fullstory.settings.expired_url_status, "ExpiredToken", "The provided token has expired.")
    try:
        return fullstory.delivery.reply(_file(fullstory, request.path), fullstory.settings, fault)
    except KeyError:
        return _refusal(404, "NoSuchKey", "The specified key does not exist.")


def _file(fullstory: FullStory, path: str) -> Bundle | Export:
    _, folder, key, _ = path.split("/", 3)
    if f"/{folder}" == BUNDLES:
        return fullstory.shelf.get(int(key))
    export = fullstory.orders.get(unquote(key))
    if export.is_expired(fullstory.now()):
        raise KeyError(key)
    return export


def _signature(path: str, expires: str) -> str:
    return hmac.new(SECRET, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(status: int, code: str, message: str) -> Reply:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, {"Content-Type": "application/xml; charset=UTF-8"}, body.encode())
