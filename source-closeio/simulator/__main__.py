"""`python -m simulator --port 8080 --activities 100000`: run until interrupted."""

from __future__ import annotations

import argparse
import signal
import threading
import time
from dataclasses import fields
from datetime import datetime

from .settings import Settings
from .simulator import CloseSimulator


def parser() -> argparse.ArgumentParser:
    """One option per setting that is a plain value."""
    made = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=8080, help="0 takes a free one")
    defaults = Settings()
    for each in fields(Settings):
        default = getattr(defaults, each.name)
        option = "--" + each.name.replace("_", "-")
        if isinstance(default, bool):
            made.add_argument(option, action=argparse.BooleanOptionalAction, default=default)
        elif each.name == "now":
            made.add_argument(option, type=datetime.fromisoformat, default=None, help="a clock that stands still")
        elif each.name == "search_rate":
            made.add_argument(option, type=float, default=None, help="default: four fifths of --rate")
        elif isinstance(default, int | float | str):
            made.add_argument(option, type=type(default), default=default, help=f"default: {default}")
    return made


def main() -> None:
    options = vars(parser().parse_args())
    host, port = options.pop("host"), options.pop("port")
    began = time.monotonic()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    with CloseSimulator(Settings(**options), host=host, port=port) as sim:
        seconds = time.monotonic() - began
        print(f"Close simulator ready in {seconds:.1f} s: {sim.url} key {sim.api_key}", flush=True)
        stop.wait()


if __name__ == "__main__":
    main()
