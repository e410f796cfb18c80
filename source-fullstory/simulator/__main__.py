"""`python -m simulator --days 7`: some days of events and a little of everything else, until it is interrupted.

Every setting is an option too.
"""

from __future__ import annotations

import argparse

from simkit.command_line import chosen, options, serve

from .bundles import epoch
from .settings import Settings
from .simulator import FullStorySimulator

HOUR = 3600


def parser() -> argparse.ArgumentParser:
    made = options(__doc__, Settings)
    made.add_argument("--days", type=float, default=7, help="how far back the bundles reach")
    made.add_argument("--bundle-hours", type=float, default=24)
    made.add_argument("--events-per-bundle", type=int, default=1000)
    made.add_argument("--until", help="stop of the newest bundle, ISO 8601; default: the newest one that is complete")
    made.add_argument("--account", type=int, default=45, help="about how many users, segments …; 0 for none")
    made.add_argument("--prepare", action="store_true", help="make big bundles before the first request")
    return made


def fill(sim: FullStorySimulator, given: argparse.Namespace) -> None:
    """Bundles back from `--until`; large ones are streamed, the others are shares of one world."""
    sim.settings.events_per_day = int(given.events_per_bundle * 24 / given.bundle_hours)
    step = int(given.bundle_hours * HOUR)
    newest = sim.now() - sim.settings.listing_lag
    stop = epoch(given.until) if given.until else int(newest // step * step)
    start = stop - int(given.days * 24 * HOUR) // step * step
    large = given.events_per_bundle > sim.settings.stream_above
    sim.add_period(start, stop, given.bundle_hours, given.events_per_bundle if large else None)
    if given.account:
        sim.fill_account(given.account)
    if given.prepare:
        sim.prepare()


def main() -> None:
    given = parser().parse_args()
    sim = FullStorySimulator(Settings(**chosen(vars(given), Settings)), given.port)
    fill(sim, given)
    serve(sim)


if __name__ == "__main__":
    main()
