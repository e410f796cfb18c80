"""What Close, or a proxy in front of it, does wrong on demand; simkit/faults.py has what any server can do.

`sim.fault(Fault(path="activity", kind="503", times=2))` happens to the next requests whose path it matches.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from simkit import faults
from simkit.reply import Reply
from simkit.request import Request

from .limits import Verdict, headers, throttled
from .settings import Settings

THROTTLED = frozenset(f"429-{shape}" for shape in ("header", "flat", "nested", "text", "string"))


@dataclass(eq=False)
class Fault(faults.Fault):
    """`path` is matched from the start of the path behind /api/v1/.

    429-header … are a 429 in each of the shapes that Close has had; it lets requests through again after `seconds`.
    """

    KINDS: ClassVar = THROTTLED

    seconds: float = 30.0

    @property
    def answers(self) -> bool:
        return super().answers or self.kind in THROTTLED

    def finds(self, request: Request) -> bool:
        return bool(re.match(self.path, request.path))


def failure(fault: faults.Fault, settings: Settings) -> Reply:
    """What a fault says in place of the answer."""
    if fault.kind not in THROTTLED:
        return Reply.said(fault, page(fault.status))
    over = Verdict(allowed=False, limit=100, remaining=0, reset=min(fault.seconds, 1.0), group="fault")
    reply = throttled(settings, over, fault.kind.removeprefix("429-"))
    reply.headers |= headers(settings, over)
    return reply


def page(status: int) -> str:
    """What a proxy in front of Close says."""
    reason = HTTPStatus(status).phrase
    return f"<html><head><title>{status} {reason}</title></head><body>{status} {reason}</body></html>"
