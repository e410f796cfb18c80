"""The simulator as a whole: the account behind two addresses, that of the API and that of the storage host."""

from __future__ import annotations

from dataclasses import replace

from simkit import faults
from simkit.control import Commands
from simkit.reply import Reply
from simkit.request import Request
from simkit.simulator import Simulator

from . import api, control, storage
from .faults import Fault, damaged, failure
from .fullstory import FullStory
from .settings import Settings


class FullStorySimulator(FullStory, Simulator[Request]):
    """FullStory's server API on localhost; `url` serves as both API and export host."""

    name = "FullStory"
    fault_type = Fault
    settings: Settings

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        FullStory.__init__(self, settings or Settings())
        Simulator.__init__(self, port)

    def start(self) -> FullStorySimulator:
        super().start()
        self.storage_url = self.listen(0, lambda request: replace(request, server="storage"))
        return self

    def stop(self) -> None:
        try:
            super().stop()
        finally:
            self.forget()

    def clock(self) -> float:
        return self.now()

    def commands(self) -> Commands:
        return {
            **super().commands(),
            **control.commands(self),
            "GET requests": lambda _: {"early": self.early_requests, "requests": list(map(vars, self.requests))},
        }

    @property
    def leaks(self) -> list[Request]:
        """Requests to the storage host that carried credentials."""
        return [each for each in self.requests if each.server == "storage" and "authorization" in each.headers]

    @property
    def early_requests(self) -> int:
        """Requests that came before the `Retry-After` of an earlier answer allowed them."""
        return self.promises.broken

    def clear_requests(self) -> None:
        super().clear_requests()
        self.promises.broken = 0

    def read(self, request: Request) -> Request:
        return request

    def arrive(self, request: Request) -> None:
        request.early = self.promises.arrive(request.path)

    def reply(self, request: Request, fault: faults.Fault) -> Reply:
        if fault.answers:
            reply = failure(fault)
            self.promises.ask(request.path, float(reply.headers.get("Retry-After", 0)))
            return reply
        endpoint = storage.answer if request.server == "storage" else api.answer
        return damaged(endpoint(self, request, fault), fault)
