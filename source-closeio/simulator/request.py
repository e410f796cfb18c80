"""A request as the Close API sees it, whichever way it came."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from simkit import request

from .limits import Verdict

ROOT: Final = "/api/v1/"
OVERRIDE: Final = "x-http-method-override"


@dataclass
class Request(request.Request):
    """`path` is what stands behind /api/v1/, without slashes at the ends; `body` is its JSON; the key is no header."""

    body: Any = None
    authorization: str = field(default="", repr=False)
    verdict: Verdict | None = None  # of the rate limits


def read(came: request.Request) -> Request:
    """A POST may stand for a GET, with the parameters in its body."""
    body = load_or_none(came.body)
    method = came.headers.get(OVERRIDE, came.method).upper()
    more = body.get("_params") if OVERRIDE in came.headers and method == "GET" and isinstance(body, dict) else None
    return Request(
        method=method,
        path=came.path.removeprefix(ROOT).strip("/"),
        params=came.params | (more if isinstance(more, dict) else {}),
        headers={name: value for name, value in came.headers.items() if name != "authorization"},
        body=body,
        line=came.line,
        authorization=came.headers.get("authorization", ""),
    )


def load_or_none(body: bytes) -> Any:
    try:
        return orjson.loads(body) if body else None
    except orjson.JSONDecodeError:
        return None
