"""Things that go wrong on demand.

A fault is asked for with `sim.fault(Fault(path="activity", kind="503", times=2))` and then happens to the next
requests whose path it matches.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

KINDS: Final = (
    "400",
    "401",
    "402",
    "403",
    "404",
    "408",
    "500",
    "502",
    "503",
    "504",
    "429-header",  # the hint is in the headers only
    "429-flat",  # rate_reset, a string, at the top of the body
    "429-nested",  # the same under "error"
    "429-text",  # HTML
    "429-string",  # {"error": "a sentence"}
    "reset",  # the connection is reset before the answer
    "close",  # the connection is closed before the answer
    "delay",  # nothing comes for `seconds`, then the real answer
    "stall",  # nothing comes for `seconds`, then the connection is closed
    "stall-body",  # headers and half a body, then nothing for `seconds`
    "slow",  # the body drips for `seconds`
    "cut-length",  # half a body, then closed; Content-Length promised it all
    "cut-chunked",  # half a body in chunks, without the last one
    "cut-close",  # half a body, without Content-Length: its end is the end of the connection
    "not-json",  # 200 with HTML
    "empty-body",  # 200 with nothing
    "object",  # 200 {}
    "list",  # 200 []
    "null-data",  # 200 {"data": null, "has_more": false}
    "null",  # 200 null
    "redirect",  # 302 to another host
)


@dataclass
class Fault:
    """One thing that goes wrong.

    `path` is matched from the start of the path behind /api/v1/, as a regular expression; `kind` is one of KINDS.
    It happens `times` times (None: for ever), after `after` matching requests went well, or with a `probability`.
    """

    path: str = ""
    kind: str = "500"
    times: int | None = 1
    after: int = 0
    probability: float | None = None
    seconds: float = 30.0
    method: str | None = None
    body: str | None = None  # for statuses: instead of the HTML that a proxy sends; "" is an empty body
    content_type: str | None = None  # JSON when the body looks like it, else HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, str] = field(default_factory=dict)  # only requests with these parameters; * is any
    location: str = "http://127.0.0.1:9/elsewhere/"
    seed: int = 1
    seen: int = 0
    hits: int = 0

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.kind!r} is none of {', '.join(KINDS)}")
        if self.probability is not None and self.times == 1:
            self.times = None
        self._random = random.Random(self.seed)
        self._matches: Callable[[str], Any] = re.compile(self.path).match

    def strikes(self, method: str, path: str, params: Mapping[str, Any]) -> bool:
        """Whether this request is hit; counts as it goes."""
        if self.method not in (None, method) or not self._matches(path):
            return False
        if any(name not in params or value not in ("*", str(params[name])) for name, value in self.params.items()):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True


def content_type_of(fault: Fault) -> str:
    """What the answer of a status fault claims to be."""
    return fault.content_type or ("application/json" if (fault.body or "").startswith(("{", "[")) else "text/html")


def page_of(status: int) -> bytes:
    """What a proxy in front of Close says."""
    reasons = {
        408: "Request Time-out",
        500: "Internal Server Error",
        502: "Bad Gateway",
        503: "Service Unavailable",
    }
    reason = reasons.get(status, "Gateway Time-out" if status == 504 else "Error")
    return f"<html><head><title>{status} {reason}</title></head><body>{status} {reason}</body></html>".encode()
