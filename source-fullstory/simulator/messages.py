"""Requests as they arrive, replies as they are meant."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from .faults import NO_FAULT, Fault

TEXTS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    408: "Request Timeout",
    429: "Too Many Requests",
    500: "Internal Server Error",
    502: "Bad Gateway",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}


@dataclass
class Request:
    """One request as it arrived; `status` is 0 until it is answered (and stays 0 after a reset)."""

    method: str
    path: str
    params: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    server: str = "api"
    when: float = field(default_factory=time.time)
    status: int = 0
    sent: int = 0
    finished: float | None = None
    early: bool = False
    matched: dict[str, str] = field(default_factory=dict)  # the variable parts of the path

    @property
    def target(self) -> str:
        """Path and query, what faults are matched with."""
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.path}?{query}" if query else self.path


@dataclass
class Reply:
    """An answer: known bytes, or chunks that are made while they are sent."""

    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes | Iterable[bytes] = b""
    framing: str = "length"
    length: int | None = None  # of chunks, where it is known
    bytes_per_second: int = 0
    fault: Fault = field(default_factory=lambda: NO_FAULT)

    @classmethod
    def json(cls, value: object, status: int = 200, **extra: str) -> Reply:
        """JSON, also of lone surrogates."""
        return cls(status, {"Content-Type": "application/json", **extra}, json.dumps(value).encode())


class BadRequest(Exception):
    """The request makes no sense: status 400, and why."""


class Hangup(Exception):
    """End the connection now: `reset` as an abort, otherwise properly, but before the body is complete."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self.reset = reset


def problem(status: int, message: str, **headers: str) -> Reply:
    """An error in the API's words. (The texts are not documented; only `code` and `message` are.)"""
    return Reply.json(
        {"code": TEXTS.get(status, "error").lower().replace(" ", "_"), "message": message}, status, **headers
    )
