"""A request as it arrived."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Request:
    """`status` is 0 until it is answered, and stays 0 after a reset."""

    method: str
    path: str
    params: dict[str, Any]
    headers: dict[str, str]  # lower-case names
    body: bytes = b""
    line: str = ""  # path and query, letter for letter
    server: str = "api"
    when: float = field(default_factory=time.time)
    status: int = 0
    sent: int = 0  # bytes of the body
    finished: float | None = None
    early: bool = False  # came before an earlier answer allowed it
    matched: dict[str, str] = field(default_factory=dict)  # the variable parts of the path

    @property
    def target(self) -> str:
        """Path and query."""
        query = "&".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.path}?{query}" if query else self.path
