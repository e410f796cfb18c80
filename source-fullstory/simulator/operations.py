"""Operations: what takes longer than a request. Exports are; so is deleting people and their sessions."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .moments import stamp

if TYPE_CHECKING:
    from .settings import Settings

KINDS = ("SEARCH_EXPORT", "DELETE_USER", "DELETE_SESSION", "DELETE_SEGMENT_SESSIONS", "DELETE_SEGMENT_USERS")
KEPT_DAYS = 7  # a finished export
STATES = ("PENDING", "COMPLETED", "FAILED")
STEPS = ("queued", "searching", "writing")  # only that there is a `step` is documented


@dataclass
class Operation:
    """One of them. `polls` counts how often it was asked for while it was running."""

    id: str
    type: str
    created: float
    details: Any = None
    results: Any = None
    state: str = "COMPLETED"
    error: str = ""
    finished: float | None = None
    polls: int = 0
    will_fail: str = ""  # the reason why it will not be completed
    lost: bool = False
    by_itself: bool = False  # it does not go on because someone looks
    percent: int = 0

    @property
    def running(self) -> bool:
        """Whether it may still become something."""
        return self.state == "PENDING"

    def look(self, settings: Settings, now: float, *, polled: bool) -> None:
        """Go on as far as it has come by now."""
        if not self.running or self.by_itself or settings.export_never_completes:
            return
        done = self._share(settings, now)
        self.percent = min(99, int(done * 100))
        self.polls += polled
        if done >= 1:
            self.finish("FAILED" if self.will_fail else "COMPLETED", now)

    def finish(self, state: str, now: float, error: str = "") -> None:
        """It is over."""
        self.state, self.finished, self.error = state, now, error or self.will_fail
        self.percent = 100 if state == "COMPLETED" else self.percent
        if state == "COMPLETED" and self.type == "SEARCH_EXPORT":
            self.results = {"searchExportId": f"export-{self.id}", "expires": stamp(now + KEPT_DAYS * 86_400)}

    def shown(self, settings: Settings) -> dict[str, Any]:
        """As the API shows it."""
        state = settings.pending_state if self.running else self.state
        row = {
            "id": self.id,
            "type": self.type,
            "details": self.details,
            "results": self.results,
            "state": state,
            "errorDetails": self.error,
            "createdAt": stamp(self.created),
            "estimatePctComplete": self.percent,
            "step": STEPS[min(2, self.percent // 34)] if self.running else "done",
        }
        if state == "omitted":
            del row["state"]
        return row if self.finished is None else {**row, "finishedAt": stamp(self.finished)}

    def _share(self, settings: Settings, now: float) -> float:
        if settings.export_seconds is not None:
            return (now - self.created) / max(settings.export_seconds, 1e-9)
        return self.polls / settings.export_polls if settings.export_polls else 1.0


class Operations:
    """All of them, newest first, safe to change while requests are being answered."""

    def __init__(self) -> None:
        self._all: dict[str, Operation] = {}
        self.lock = threading.RLock()

    def __len__(self) -> int:
        return len(self._all)

    def add(self, operation: Operation) -> Operation:
        """One more; an id that is taken raises."""
        with self.lock:
            if operation.id in self._all:
                raise ValueError(f"there is an operation {operation.id} already")
            self._all[operation.id] = operation
        return operation

    def get(self, key: str) -> Operation:
        """The operation of that id, or KeyError (also when it is lost)."""
        with self.lock:
            if self._all[key].lost:
                raise KeyError(key)
            return self._all[key]

    def lose(self, key: str) -> None:
        """From now on the API knows nothing of it."""
        with self.lock:
            self._all[key].lost = True

    def all(self) -> list[Operation]:
        """Newest first, without lost ones."""
        with self.lock:
            known = [operation for operation in self._all.values() if not operation.lost]
        return sorted(known, key=lambda operation: (operation.created, operation.id), reverse=True)
