"""The simulator as a whole: the organization, its limits and faults, behind an address."""

from __future__ import annotations

import time

from simkit import faults
from simkit import request as http
from simkit.control import Commands
from simkit.reply import Reply
from simkit.simulator import Simulator

from . import api, control
from .close import Close
from .faults import Fault, failure
from .limits import Limits, headers, throttled
from .request import ROOT, Request, read
from .settings import Settings


class CloseSimulator(Close, Simulator[Request]):
    """A Close API on localhost.

        with CloseSimulator(Settings(activities=1000)) as sim:
            requests.get(sim.url + "activity/", auth=(sim.api_key, ""))

    `data` holds the rows by collection, `requests` what was asked; `fault` makes things go wrong.
    """

    name = "Close"
    fault_type = Fault
    settings: Settings

    def __init__(self, settings: Settings | None = None, port: int = 0) -> None:
        Close.__init__(self, settings or Settings())
        Simulator.__init__(self, port)
        self._limits = Limits(self.settings, time.monotonic)

    @property
    def url(self) -> str:
        """What a client takes for https://api.close.com/api/v1/."""
        return self.root + ROOT

    def clock(self) -> float:
        return self.now().timestamp()

    def commands(self) -> Commands:
        return {**super().commands(), **control.commands(self)}

    def read(self, request: http.Request) -> Request:
        return read(request)

    def arrive(self, request: Request) -> None:
        with self._lock:
            request.verdict = self._limits.count(request.authorization, request.method, request.path)

    def reply(self, request: Request, fault: faults.Fault) -> Reply:
        """The limits come first, then what goes wrong, then the answer."""
        with self._lock:
            reply = self._decided(request, fault)
        reply.headers |= headers(self.settings, request.verdict)
        return reply

    def _decided(self, request: Request, fault: faults.Fault) -> Reply:
        if request.verdict and not request.verdict.allowed:
            return throttled(self.settings, request.verdict)
        if fault.answers:
            return failure(fault, self.settings)
        reply = api.answer(self, request)
        return api.compressed(reply, request) if self.settings.gzip else reply
