"""A reply as it is meant; the fault says what happens to it on its way."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from .faults import NO_FAULT, Fault


@dataclass
class Reply:
    """An answer: known bytes, or chunks that are made while they are sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    framing: str = "length"  # or "chunked", or "close": the end of the connection is the end of the body
    length: int | None = None  # of chunks, where it is known
    bytes_per_second: int = 0
    fault: Fault = NO_FAULT

    @classmethod
    def json(cls, value: object, status: int = 200, **extra: str) -> Reply:
        """JSON, also of lone surrogates."""
        body = json.dumps(value, default=_plain).encode()
        return cls(status, {"Content-Type": "application/json", **extra}, body)

    @classmethod
    def said(cls, fault: Fault, page: str) -> Reply:
        """What a fault that is a status says: its own body, or this page."""
        text = page if fault.body is None else fault.body
        kind = "application/json" if text.startswith(("{", "[")) else "text/html"
        return cls(fault.status, {"content-type": kind, **fault.headers}, text.encode())


class Hangup(Exception):
    """End the connection now: `reset` as an abort, otherwise properly, but before the body is complete."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


def _plain(value: object) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
