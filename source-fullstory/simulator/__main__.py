"""`python -m simulator`: some days of events and a little of everything else, until it is interrupted."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
import time

from .bundles import epoch
from .core import FullStorySimulator
from .settings import Settings

HOUR = 3600


def arguments(given: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m simulator", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--days", type=float, default=7, help="how far back the bundles reach")
    parser.add_argument("--bundle-hours", type=float, default=24)
    parser.add_argument("--events-per-bundle", type=int, default=1000)
    parser.add_argument("--until", help="stop of the newest bundle, ISO 8601; default: the newest one that is complete")
    parser.add_argument("--account", type=int, default=45, help="about how many users, segments …; 0 for none")
    parser.add_argument("--downloads-per-minute", type=int, default=2, help="0 for no limit")
    parser.add_argument("--latency-ms", type=float, default=0)
    parser.add_argument("--prepare", action="store_true", help="make big bundles before the first request")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="any other setting, the value as JSON or text: encoding=double, role=USER, regenerate='[\"order\"]'",
    )
    return parser.parse_args(given)


def settings_from(options: argparse.Namespace) -> Settings:
    """The settings that the command line asks for."""
    per_day = int(options.events_per_bundle * 24 / options.bundle_hours)
    settings = Settings(
        seed=options.seed,
        events_per_day=per_day,
        downloads_per_minute=options.downloads_per_minute,
        latency_ms=options.latency_ms,
    )
    settings.change(**dict(_setting(text) for text in options.set))
    return settings


def fill(sim: FullStorySimulator, options: argparse.Namespace) -> None:
    """Bundles back from `--until`; large ones are streamed, the others are shares of one world."""
    step = int(options.bundle_hours * HOUR)
    newest = sim.now() - sim.settings.listing_lag
    stop = epoch(options.until) if options.until else int(newest // step * step)
    start = stop - int(options.days * 24 * HOUR) // step * step
    large = options.events_per_bundle > sim.settings.stream_above
    sim.add_period(start, stop, options.bundle_hours, options.events_per_bundle if large else None)
    if options.account:
        sim.fill_account(options.account)


def main(given: list[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    options = arguments(given)
    done = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: done.set())
    sim = FullStorySimulator(settings_from(options), options.port)
    fill(sim, options)
    if options.prepare:
        sim.prepare()
    with sim:
        sys.stdout.write(f"FullStory simulator at {sim.url} with key {sim.api_key}\n")
        sys.stdout.flush()
        while not done.is_set():
            time.sleep(0.1)


def _setting(text: str) -> tuple[str, object]:
    name, _, value = text.partition("=")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


if __name__ == "__main__":
    main()
