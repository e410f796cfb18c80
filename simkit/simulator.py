"""What every simulated API is: a server, faults, and a log of what was asked."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Any, ClassVar, Generic, Self, cast

from . import control
from .faults import HANGUPS, Fault, Faults
from .reply import Hangup, Reply
from .request import Request
from .server import Listener, R
from .settings import BaseSettings


class Simulator(ABC, Generic[R]):
    """An API on localhost, while it is started; `requests` holds what was asked.

    `on_request` is called with every request before it is answered, on the request's own thread: the place to change
    data in the middle of a sync, or to kill it.
    """

    name: ClassVar[str]
    fault_type: ClassVar[type[Fault]] = Fault
    settings: BaseSettings

    def __init__(self, port: int = 0) -> None:
        self.requests: list[R] = []
        self.on_request: Callable[[R], object] | None = None
        self._faults = Faults()
        self._log_lock = threading.Lock()
        self._stopping = threading.Event()
        self._port = port
        self._listeners: list[Listener[R]] = []

    # -- what an API adds

    @abstractmethod
    def clock(self) -> float:
        """The server's time, in Unix seconds."""

    @abstractmethod
    def read(self, request: Request) -> R:
        """The request as this API sees it."""

    @abstractmethod
    def reply(self, request: R, fault: Fault) -> Reply:
        """The answer, or what the fault says instead of it, or does to its content."""

    def arrive(self, request: R) -> None:
        """Take note of a request, before it waits for its answer."""

    def commands(self) -> control.Commands:
        """What other processes can have it do."""
        return {
            "POST fault": self._fault_asked_for,
            "DELETE fault": lambda _: self.clear_faults(),
            "GET settings": lambda _: self.settings.plain(),
            "POST settings": self._changed,
            "GET requests": lambda _: [vars(request) for request in list(self.requests)],
            "DELETE requests": lambda _: self.clear_requests(),
        }

    # -- running it

    @property
    def root(self) -> str:
        """`http://127.0.0.1:PORT`, without a slash at the end."""
        if not self._listeners:
            raise RuntimeError("The simulator is not running.")
        return self._listeners[0].url

    @property
    def url(self) -> str:
        """What a client takes for the address of the API."""
        return self.root

    @property
    def api_key(self) -> str:
        """The only key that is let in."""
        return self.settings.api_key

    def start(self) -> Self:
        """Answer requests from now on."""
        self._stopping.clear()
        self.listen(self._port, self.read)
        return self

    def listen(self, port: int, read: Callable[[Request], R]) -> str:
        """Serve on one more port; the address."""

        def seen(request: Request) -> R:
            return cast("R", request) if request.path.startswith(control.ROOT) else read(request)

        self._listeners.append(Listener(port, seen, self.answer, self.clock))
        return self._listeners[-1].url

    def stop(self) -> None:
        """End all connections; raises what went wrong inside the simulator, if anything did."""
        self._stopping.set()
        listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener.stop()
        for listener in listeners:
            for crash in listener.crashes:
                raise RuntimeError("the simulator itself failed") from crash

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    # -- what was asked, and what goes wrong

    def clear_requests(self) -> None:
        """Forget the requests so far."""
        with self._log_lock:
            self.requests.clear()

    def fault(self, fault: Fault) -> Fault:
        """Let it happen from now on, until it has happened often enough."""
        self._faults.add(fault)
        return fault

    def clear_faults(self) -> None:
        """Nothing more goes wrong."""
        self._faults.clear()

    # -- one request

    def answer(self, request: R) -> Reply:
        """Log it, tell the test, wait, fail if that is due, or answer."""
        if request.path.startswith(control.ROOT):
            return control.answer(self.commands(), request)
        self.arrive(request)
        with self._log_lock:
            self.requests.append(request)
        if self.on_request is not None:
            self.on_request(request)
        self._stopping.wait(self.settings.latency_ms / 1000)
        fault = self._faults.next_for(request)
        if fault.kind in HANGUPS:
            raise Hangup(reset=fault.kind == "reset")
        reply = self.reply(request, fault)
        reply.fault = fault
        return reply

    def _fault_asked_for(self, given: dict[str, Any]) -> object:
        self.fault(self.fault_type(**given))
        return {"armed": given}

    def _changed(self, given: dict[str, Any]) -> object:
        self.settings.change(**given)
        return self.settings.plain()
