"""The storage host that `/export/get` may redirect to: signed URLs that expire, and no place for an API key.

That bundles are redirected is not documented; Segment Export's `location` is such a URL, "typically a 5 minute
expiration window" (developer.fullstory.com, "Get export results").
"""

from __future__ import annotations

import hashlib
import hmac
import re
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from .messages import Reply, Request

if TYPE_CHECKING:
    from .core import FullStorySimulator
    from .faults import Fault

SECRET = b"the storage host's signing key"
FOLDER = "/fullstoryapp-data-export"


def signed_url(base: str, bundle_id: int, expires: int) -> str:
    """Whoever has it can download the bundle until then; its query string is a secret."""
    path = f"{FOLDER}/{bundle_id}/DataExport.json.gz"
    query = {
        "GoogleAccessId": "export@example.com",
        "Expires": expires,
        "Signature": _signature(path, str(expires)),
    }
    return f"{base}{path}?{urlencode(query)}"


def answer(sim: FullStorySimulator, request: Request, fault: Fault) -> Reply:
    """The object, or what a storage host says in XML."""
    if "authorization" in request.headers:
        return _refusal(400, "InvalidArgument", "Only one auth mechanism allowed")
    expires = request.params.get("Expires", "")
    if not hmac.compare_digest(request.params.get("Signature", ""), _signature(request.path, expires)):
        return _refusal(403, "SignatureDoesNotMatch", "The request signature does not match.")
    if sim.now() >= int(expires):
        return _refusal(400, "ExpiredToken", "The provided token has expired.")
    found = re.fullmatch(rf"{FOLDER}/(\d+)/.*", request.path)
    try:
        bundle = sim.shelf.get(int(found[1]) if found else 0)
    except KeyError:
        return _refusal(404, "NoSuchKey", "The specified key does not exist.")
    return sim.delivery.reply(bundle, sim.settings, fault)


def _signature(path: str, expires: str) -> str:
    return hmac.new(SECRET, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def _refusal(status: int, code: str, message: str) -> Reply:
    body = f"<?xml version='1.0' encoding='UTF-8'?><Error><Code>{code}</Code><Message>{message}</Message></Error>"
    return Reply(status, {"Content-Type": "application/xml; charset=UTF-8"}, body.encode())
