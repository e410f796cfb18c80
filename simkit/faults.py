"""Failures on demand: what goes wrong on the wire, and which requests it hits.

Each simulator adds the failures of its API in a subclass of `Fault`, and says them in its `reply`.
"""

from __future__ import annotations

import random
import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from .request import Request

HANGUPS = frozenset({"reset", "close"})  # instead of an answer
STOPPING = frozenset({"stall_body", "cut", "reset_body"})  # in the middle of the body
WIRES = HANGUPS | STOPPING | {"none", "stall_headers", "drip", "huge_length"}
FRAMINGS = frozenset({"", "length", "chunked", "close", "terminated"})


@dataclass(eq=False)
class Fault:
    """One way to fail, for the requests whose `path?query` matches the regular expression `path`.

    `kind` is a status ("408", "503", …), one that the simulator's own subclass has, or one of `WIRES`:

    reset, close         the connection is reset, or closed, before the answer
    reset_body           the connection is reset after `at` bytes of the body
    stall_headers, stall_body   silence for `seconds`: before the answer, or after `at` bytes of the body
    cut                  the body ends after `at` bytes (negative: that many before its end) and the
                         connection is closed; `framing` says what the client was promised: "length", "chunked",
                         "close" (nothing), or "terminated" (chunked, with a proper last chunk: a silent cut)
    drip                 `at` bytes every `seconds`
    huge_length          a Content-Length of `at` bytes (at least 1 TB), then only the true body

    `at` is half the body unless it is given; a body shorter than that is stopped before its last byte. A fault happens
    `times` times (None: for ever), or with `probability` each time, after `after` matching requests were let through.
    Faults are tried in the order in which they were added; the first that applies wins.
    """

    KINDS: ClassVar[frozenset[str]] = frozenset()

    path: str = ""
    kind: str = "500"
    times: int | None = 1
    probability: float | None = None
    seed: int = 1  # of the probability
    after: int = 0
    method: str = ""  # any, unless it is given
    params: Mapping[str, str] = field(default_factory=dict)  # only requests with these; * is any value
    at: int | None = None
    seconds: float = 60.0
    framing: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)  # of a status
    body: str | None = None  # of a status, instead of the page that the API has for it
    hits: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse what would silently never happen."""
        if not self.kind.isdigit() and self.kind not in WIRES | self.KINDS:
            known = ", ".join(sorted(WIRES | self.KINDS))
            raise ValueError(f"a fault is a status or one of {known}, not {self.kind!r}")
        if self.framing not in FRAMINGS:
            raise ValueError(f"no such framing: {self.framing!r}")
        re.compile(self.path)
        if self.probability is not None and self.times == 1:
            self.times = None
        self._random = random.Random(self.seed)

    @property
    def status(self) -> int:
        """The status to answer with, 0 when this fault is not a status."""
        return int(self.kind) if self.kind.isdigit() else 0

    @property
    def answers(self) -> bool:
        """Whether it takes the place of the real answer."""
        return bool(self.status)

    def meets(self, request: Request) -> bool:
        """Whether the request is one that it is meant for."""
        given = request.params
        return (
            self.method in {"", request.method}
            and self.finds(request)
            and all(name in given and value in {"*", str(given[name])} for name, value in self.params.items())
        )

    def finds(self, request: Request) -> bool:
        """Whether the path is one that it is meant for."""
        return bool(re.search(self.path, request.target))

    def strikes(self) -> bool:
        """Whether it happens to this one of the requests that it is meant for; counts as it goes."""
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        if self.probability is not None and self._random.random() >= self.probability:
            return False
        self.hits += 1
        return True


NO_FAULT = Fault(kind="none")


class Faults:
    """The faults still to come."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Arm one more."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """From now on nothing fails."""
        with self._lock:
            self._faults.clear()

    def next_for(self, request: Request) -> Fault:
        """What this request meets, counted; `NO_FAULT` if nothing."""
        with self._lock:
            return next((fault for fault in self._faults if fault.meets(request) and fault.strikes()), NO_FAULT)
