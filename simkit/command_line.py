"""`python -m simulator`: its options, and the line that says where it listens; and how another process reads it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import threading
from argparse import SUPPRESS, ArgumentParser
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import requests

from .control import ROOT
from .settings import BaseSettings
from .simulator import Simulator

READY = "{} simulator at {} with key {}"
_READY = re.compile(r" at (\S+) with key (\S+)$")


def options(description: str | None, settings: type[BaseSettings]) -> ArgumentParser:
    """An option for the port, and one for each setting; what is not JSON is text."""
    parser = ArgumentParser(prog="python -m simulator", description=description)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    for name, default in settings().plain().items():
        parser.add_argument(_option(name), type=_value, default=SUPPRESS, metavar="VALUE", help=f"default: {default}")
    return parser


def chosen(given: Mapping[str, Any], settings: type[BaseSettings]) -> dict[str, Any]:
    """What the command line says of settings."""
    names = {each.name for each in fields(settings)}
    return {name: value for name, value in given.items() if name in names}


def serve(simulator: Simulator[Any]) -> None:
    """Answer until SIGINT or SIGTERM."""
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    with simulator:
        sys.stdout.write(READY.format(simulator.name, simulator.url, simulator.api_key) + "\n")
        sys.stdout.flush()
        done.wait()


@dataclass(frozen=True, slots=True)
class Running:
    """A simulator in a process of its own."""

    url: str
    key: str

    @property
    def root(self) -> str:
        """`http://127.0.0.1:PORT`"""
        return "/".join(self.url.split("/")[:3])

    def ask(self, command: str) -> Any:
        """`GET /_simulator/COMMAND`"""
        return self._call(requests.get, command)

    def tell(self, command: str, **given: Any) -> Any:
        """`POST /_simulator/COMMAND`"""
        return self._call(requests.post, command, json=given)

    def forget_requests(self) -> None:
        """Begin its log anew."""
        self._call(requests.delete, "requests")

    def _call(self, method: Callable[..., requests.Response], command: str, **given: Any) -> Any:
        response = method(self.root + ROOT + command, timeout=60, **given)
        response.raise_for_status()
        return response.json()


@contextmanager
def running(folder: Path, **given: Any) -> Iterator[Running]:
    """The simulator of the connector in that folder, with these options; one that is None has no value."""
    words = [word for name, value in given.items() for word in (_option(name), *_words(value))]
    command = [sys.executable, "-m", "simulator", *words]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = process.stdout.readline() if process.stdout else ""
            ready = _READY.search(line)
            if not ready:
                sys.exit("The simulator does not start")
            yield Running(ready[1], ready[2])
        finally:
            process.terminate()


def _option(name: str) -> str:
    return "--" + name.replace("_", "-")


def _words(value: object) -> list[str]:
    return [] if value is None else [value if isinstance(value, str) else json.dumps(value)]


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
