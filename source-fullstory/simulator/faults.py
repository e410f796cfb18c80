"""Failures on demand: what can go wrong, and which request it hits."""

from __future__ import annotations

import random
import re
import threading
from dataclasses import dataclass, field

# Said instead of the answer.
ANSWERS = frozenset({"html", "error_object", "reset"})
# Done to the content of a file before it is sent; in an answer of JSON, all but the first are garbage at its end.
DAMAGES = frozenset({"missing_bracket", "json_garbage", "crc", "deflate_boundary", "garbage"})
# Done to the answer on its way.
WIRES = frozenset({"stall_headers", "stall_body", "cut", "reset_body", "drip", "huge_length"})
STOPPING = frozenset({"stall_body", "cut", "reset_body"})  # in the middle of the body
KINDS = ANSWERS | DAMAGES | WIRES | {"none"}


@dataclass
class Fault:
    """One way to fail, for the requests whose `path?query` matches the regular expression `path`.

    `kind` is a status ("408", "429", "500", "502", "503", "504", …) or one of `KINDS`:

    html, error_object   status 200 with a web page, or with `{"code": …}` where an array belongs
    reset, reset_body    the connection is reset: before the answer, or after `at` bytes of the body
    stall_headers, stall_body   silence for `seconds`: before the answer, or after `at` bytes of the body
    cut                  the body ends after `at` bytes (negative: that many before its end) and the
                         connection is closed; `framing` says what the client was promised: "length", "chunked",
                         "close" (nothing), or "terminated" (chunked, with a proper last chunk: a silent cut)
    drip                 `at` bytes every `seconds`
    huge_length          a Content-Length of `at` bytes (at least 1 TB), then only the true body
    missing_bracket, json_garbage   the array (or the last line, or the object) is not closed, or followed by something
    crc, deflate_boundary, garbage   a wrong checksum; a gzip stream that ends between two deflate blocks, in the
                         middle of the rows; bytes after the end of the gzip stream

    A body shorter than `at` is stopped before its last byte. A fault happens `times` times (default once), or with
    `probability` each time, after `after` matching requests were let through. Faults are tried in the order in
    which they were added; the first that applies wins.
    """

    path: str
    kind: str
    times: int | None = None
    probability: float | None = None
    after: int = 0
    at: int = 200
    seconds: float = 60.0
    framing: str = ""
    body: str = "html"
    retry_after: str = ""
    hits: int = field(default=0, init=False)
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        """Refuse what would silently never happen."""
        if not self.kind.isdigit() and self.kind not in KINDS:
            raise ValueError(f"a fault is a status or one of {', '.join(sorted(KINDS))}, not {self.kind!r}")
        if self.framing not in {"", "length", "chunked", "close", "terminated"}:
            raise ValueError(f"no such framing: {self.framing!r}")
        re.compile(self.path)
        if self.times is None and self.probability is None:
            self.times = 1

    @property
    def status(self) -> int:
        """The status to answer with, 0 when this fault is not a status."""
        return int(self.kind) if self.kind.isdigit() else 0

    @property
    def answers(self) -> bool:
        """Whether it takes the place of the real answer."""
        return bool(self.status) or self.kind in ANSWERS


NO_FAULT = Fault(path="", kind="none")


class FaultBook:
    """The faults still to come."""

    def __init__(self, seed: int) -> None:
        self._faults: list[Fault] = []
        self._random = random.Random(seed)
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Arm one more fault."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """From now on nothing fails."""
        with self._lock:
            self._faults.clear()

    def next_for(self, target: str) -> Fault | None:
        """The fault that this request meets, if any; counts it."""
        with self._lock:
            for fault in self._faults:
                if re.search(fault.path, target) and self._applies(fault):
                    fault.hits += 1
                    return fault
        return None

    def _applies(self, fault: Fault) -> bool:
        fault.seen += 1
        if fault.seen <= fault.after:
            return False
        if fault.times is not None and fault.hits >= fault.times:
            return False
        return fault.probability is None or self._random.random() < fault.probability
