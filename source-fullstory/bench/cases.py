"""WHAT is measured: one function per case, each yielding rows of the table."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.programs import Programs, simulator
from simkit.processes import Spent
from simkit.syncs import count_records
from simkit.table import Row, times


@dataclass(frozen=True, slots=True)
class Size:
    """Events in one bundle (a thousand are about 1 MB of JSON), and how often each program reads it."""

    events: int = 155_000
    repeats: int = 3
    growing: Sequence[tuple[int, int]] = ((15_500, 3), (155_000, 2), (1_050_000, 1))


QUICK = Size(repeats=2, growing=((15_500, 2), (155_000, 1)))


@dataclass(frozen=True, slots=True)
class Measured:
    """Both programs on one bundle."""

    events: int
    json_mb: float
    connector: Spent
    floor: Spent

    def micros(self, idle: Measured) -> tuple[float, float]:
        """CPU time per event of the two, without what they take for a bundle without events."""
        pairs = ((self.connector, idle.connector), (self.floor, idle.floor))
        connector, floor = ((full.cpu - empty.cpu) / self.events * 1e6 for full, empty in pairs)
        return connector, floor

    def rates(self, idle: Measured) -> tuple[float, float]:
        """Events per second of wall time, likewise."""
        pairs = ((self.connector, idle.connector), (self.floor, idle.floor))
        connector, floor = (self.events / (full.wall - empty.wall) for full, empty in pairs)
        return connector, floor


def cpu(size: Size) -> Iterator[Row]:
    """User and system time per event, and events per second."""
    yield from _cpu(size, "bundles")


def exports(size: Size) -> Iterator[Row]:
    """The same events by segment export; the floor program reads them from the bundle all the same."""
    yield from _cpu(size, "segment_export")


def _cpu(size: Size, method: str) -> Iterator[Row]:
    _check(size.events, method)
    idle, full = (_measured(events, size.repeats, method) for events in (0, size.events))
    connector, floor = full.micros(idle)
    what = f"CPU per event, {full.json_mb:,.0f} MB of JSON, {size.events:,} events, {method}"
    yield Row(what, f"{connector:.1f} µs", f"{floor:.1f} µs", times(connector, floor), "≤ 3x")
    connector, floor = full.rates(idle)
    yield Row("  events per second", f"{connector:,.0f}", f"{floor:,.0f}", times(floor, connector), "≤ 3x")


def memory(size: Size) -> Iterator[Row]:
    """The largest resident size, and whether a large bundle costs more per event than a small one."""
    idle = _measured(0, size.repeats)
    measured = [_measured(events, repeats) for events, repeats in size.growing]
    for each in measured:
        connector, floor = each.connector.peak_mb, each.floor.peak_mb
        what = f"peak memory, {each.json_mb:,.0f} MB of JSON"
        yield Row(what, f"{connector:.0f} MB", f"{floor:.0f} MB", times(connector, floor), "≤ 150 MB")
        connector, floor = each.micros(idle)
        yield Row("  CPU per event", f"{connector:.1f} µs", f"{floor:.1f} µs", times(connector, floor), "≤ 3x")
    yield from _growth(measured[0], measured[-1], idle)


def _growth(small: Measured, large: Measured, idle: Measured) -> Iterator[Row]:
    """The connector against itself."""
    sizes = f"{large.json_mb:,.0f} MB against {small.json_mb:,.0f} MB"
    after, before = large.connector.peak_mb, small.connector.peak_mb
    yield Row(f"{sizes}: peak memory", f"{after:.0f} MB", f"{before:.0f} MB", times(after, before), "equal")
    (after, _), (before, _) = large.micros(idle), small.micros(idle)
    yield Row(f"{sizes}: CPU per event", f"{after:.1f} µs", f"{before:.1f} µs", times(after, before), "≤ 1x")


def _measured(events: int, repeats: int, method: str = "bundles") -> Measured:
    """In turns, so that whatever else runs hits both."""
    with TemporaryDirectory() as folder, simulator(events) as fullstory:
        programs = Programs(fullstory, Path(folder), method)
        json_mb = programs.download()
        runs = [(programs.connector(), programs.floor()) for _ in range(repeats)]
    connector, floor = (_cheapest(column) for column in zip(*runs, strict=True))
    return Measured(events, json_mb, connector, floor)


def _cheapest(runs: Sequence[Spent]) -> Spent:
    """The least time, for whatever else runs only adds; the most memory."""
    wall, cpu = (min(values) for values in zip(*((each.wall, each.cpu) for each in runs), strict=True))
    return Spent(wall, cpu, max(each.peak_mb for each in runs))


def _check(events: int, method: str) -> None:
    """SystemExit unless both programs write a record for each event. The times of these runs do not count."""
    with TemporaryDirectory() as folder, simulator(events) as fullstory:
        programs = Programs(fullstory, Path(folder), method)
        programs.download()
        for program in (programs.connector, programs.floor):
            output = Path(folder) / "output"
            program(output)
            if (written := count_records(output)) != events:
                sys.exit(f"the {program.__name__} wrote {written:,} records of {events:,} events")


CASES = {case.__name__: case for case in (cpu, exports, memory)}
