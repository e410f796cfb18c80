"""WHAT is measured: one function per case, each yielding rows of the table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from source_closeio.streams import STREAMS, EmailActivities

from bench.programs import Programs, simulator
from simkit.processes import run
from simkit.syncs import count_records
from simkit.table import Row, times

ALL = [stream.name for stream in STREAMS]
RATE = 20
WORKERS = 8
LATENCY_MS = 100
MAIL_BYTES = 20_000
NOTHING: dict[str, int] = {}


@dataclass(frozen=True, slots=True)
class Size:
    """How much is read, and how often each program runs."""

    activities: int = 100_000
    leads: int = 20_000
    most_activities: int = 1_000_000
    limited_activities: int = 80_000
    organization: int = 40_000
    mails: int = 20_000
    """With activities of other types between them."""
    repeats: int = 3
    starts: int = 9


QUICK = Size(
    activities=50_000,
    most_activities=200_000,
    limited_activities=20_000,
    organization=10_000,
    mails=5_000,
    repeats=2,
    starts=3,
)


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one run."""

    cpu: float
    records: int


def cpu(size: Size) -> Iterator[Row]:
    """User and system time per record, without what the same program takes for an account without rows."""
    for stream, rows in {"activities": size.activities, "leads": size.leads}.items():
        full, idle = (_cheapest(stream, data, size.repeats) for data in ({stream: rows}, NOTHING))
        connector, floor = ((a.cpu - b.cpu) / a.records for a, b in zip(full, idle, strict=True))
        what = f"CPU per record, {rows:,} {stream}"
        yield Row(what, f"{connector * 1e6:.1f} µs", f"{floor * 1e6:.1f} µs", times(connector, floor), "≤ 1.5x")


def _cheapest(stream: str, data: dict[str, int], repeats: int) -> list[Cost]:
    """Of the connector and of the floor program, in turns: the cheapest run, for whatever else runs only adds."""
    runs = [_costs(stream, data) for _ in range(repeats)]
    return [min(column, key=lambda cost: cost.cpu) for column in zip(*runs, strict=True)]


def _costs(stream: str, data: dict[str, int]) -> list[Cost]:
    with TemporaryDirectory() as folder, simulator(**data) as close:
        programs, outputs = Programs(close, Path(folder)), [Path(folder) / name for name in ("connector", "floor")]
        spent = [programs.connector([stream], outputs[0]), programs.floor(outputs[1])]
        return [Cost(each.cpu, count_records(output)) for each, output in zip(spent, outputs, strict=True)]


def rate(size: Size) -> Iterator[Row]:
    """Wall time where the server's limits rule."""
    data = {
        "activities": size.limited_activities,
        "leads": size.leads,
        "tasks": size.leads,
        "events": size.limited_activities // 4,
    }
    limits = {"latency-ms": LATENCY_MS, "rate": RATE, "search-rate": RATE}
    with TemporaryDirectory() as folder, simulator(**data, **limits) as close:
        spent = Programs(close, Path(folder)).connector(["leads", "activities", "tasks", "event_log"])
        asked = close.ask("requests")
    answered = [each for each in asked if each["status"] != 429]
    busiest, count = Counter(map(_group, answered)).most_common(1)[0]
    moments = [each["when"] for each in answered if _group(each) == busiest]
    bound, reached = count / RATE, (count - 1) / (max(moments) - min(moments))
    refused = len(asked) - len(answered)
    what = f"wall time at {LATENCY_MS} ms, {RATE} requests/s"
    yield Row(what, f"{spent.wall:.1f} s", f"{bound:.1f} s", times(spent.wall, bound), "≤ 1.2x")
    yield Row(f"  its rate on {busiest}/", f"{reached:.1f}/s", f"{RATE}/s", f"{reached / RATE:.1%}", "≥ 90 %")
    yield Row("  its 429 responses", f"{refused}", f"of {len(asked):,}", f"{refused / len(asked):.2%}", "< 1 %")


def organization(size: Size) -> Iterator[Row]:
    """A full sync of every stream, where the limits of the groups and of the whole organization rule."""
    rows = size.organization
    data = {"activities": rows, "leads": rows // 4, "tasks": rows, "events": rows, "custom-fields": 14}
    limits = {"latency-ms": LATENCY_MS, "rate": RATE, "search-rate": RATE, "organization-factor": 3}
    with TemporaryDirectory() as folder, simulator(**data, **limits) as close:
        close.tell("settings", gzip=False)  # or else two processors are too few for so many requests
        Programs(close, Path(folder)).connector(ALL)
        asked = close.ask("requests")
    answered = [each for each in asked if each["status"] != 429]
    moments = [each["when"] for each in answered]
    groups = Counter(map(_group, answered))
    bound = max(len(answered) / (3 * RATE), max(groups.values()) / RATE)
    span = max(moments) - min(moments)
    refused = len(asked) - len(answered)
    what = f"full sync of all streams, {rows:,} activities"
    yield Row(what, f"{span:.1f} s", f"{bound:.1f} s", f"{bound / span:.1%}", "≥ 90 %")
    yield Row("  its 429 responses", f"{refused}", f"of {len(asked):,}", f"{refused / len(asked):.2%}", "< 1 %")


def incremental(size: Size) -> Iterator[Row]:
    """A sync of every stream that is up to date already."""
    data = {"activities": size.limited_activities // 4, "leads": 1000, "tasks": 1000, "custom-fields": 14}
    with TemporaryDirectory() as folder, simulator(**data) as close:
        programs, output = Programs(close, Path(folder)), Path(folder) / "first"
        programs.connector(ALL, output)
        close.tell("settings", latency_ms=LATENCY_MS)
        close.forget_requests()
        spent = programs.connector(ALL, state_of=output)
        asked = close.ask("requests")
    start = median(run("-m", "source_closeio", "spec").wall for _ in range(size.repeats))
    bound = len(asked) * LATENCY_MS / 1000 / WORKERS
    wall, least = spent.wall - start, len(set(map(_list, asked)))
    what = f"up-to-date sync of all streams, {LATENCY_MS} ms"
    yield Row(what, f"{wall:.1f} s", f"{bound:.1f} s", times(wall, bound), "≤ 10 s")
    yield Row("  its requests", f"{len(asked)}", f"{least}", times(len(asked), least), "1.0x")


def _list(asked: dict[str, Any]) -> str:
    """What is listed, whatever the page and the time."""
    params = {name: value for name, value in asked["params"].items() if not name.startswith(("_skip", "date_"))}
    return f"{asked['path']} {params} {list((asked['body'] or {}).get('_fields', ()))}"


def _group(asked: dict[str, Any]) -> str:
    """The endpoint group, as the simulator has them."""
    return f"{asked['method']} {asked['path'].partition('/')[0]}"


def columns(size: Size) -> Iterator[Row]:
    """Mails with their bodies against mails whose bodies the user has deselected, before compression."""
    schema = EmailActivities.json_schema()
    slim = {"properties": {name: each for name, each in schema["properties"].items() if not name.startswith("body_")}}
    data = {"activities": size.mails, "mail-bytes": MAIL_BYTES, "latency-ms": LATENCY_MS}
    with TemporaryDirectory() as folder, simulator(**data) as close:
        close.tell("settings", gzip=False)
        programs, sent = Programs(close, Path(folder)), []
        for chosen in (slim, schema):
            close.forget_requests()
            spent = programs.connector([EmailActivities.name], schema=chosen)
            sent.append((sum(each["sent"] for each in close.ask("requests")) / 1e6, spent.wall))
    (few, quick), (many, slow) = sent
    what = f"email_activities without bodies of {MAIL_BYTES // 1000} kB"
    yield Row(what, f"{few:.1f} MB", f"{many:.1f} MB", times(few, many), "≤ 0.20x")
    yield Row("  its wall time", f"{quick:.1f} s", f"{slow:.1f} s", times(quick, slow), "< 1x")


def memory(size: Size) -> Iterator[Row]:
    """The largest resident size."""
    few, many = size.most_activities // 10, size.most_activities
    peaks = {rows: _peaks(rows) for rows in (few, many)}
    for rows, (connector, floor) in peaks.items():
        what = f"peak memory, {rows:,} activities"
        yield Row(what, f"{connector:.0f} MB", f"{floor:.0f} MB", times(connector, floor), "≤ 150 MB")
    small, large = peaks[few][0], peaks[many][0]
    yield Row("  the second against the first", f"{large:.0f} MB", f"{small:.0f} MB", times(large, small), "equal")


def _peaks(activities: int) -> tuple[float, float]:
    with TemporaryDirectory() as folder, simulator(activities=activities) as close:
        programs = Programs(close, Path(folder))
        return programs.connector(["activities"]).peak_mb, programs.floor().peak_mb


def startup(size: Size) -> Iterator[Row]:
    """Wall time of `spec` against that of importing the CDK's entry point, in turns."""
    spec, cdk = ("-m", "source_closeio", "spec"), ("-c", "import airbyte_cdk.entrypoint")
    run(*spec)  # compiles what was not compiled yet
    measured = [(run(*spec).wall, run(*cdk).wall) for _ in range(size.starts)]
    connector, floor = (median(column) for column in zip(*measured, strict=True))
    what = "start-up: spec, against importing the CDK"
    yield Row(what, f"{connector * 1e3:.0f} ms", f"{floor * 1e3:.0f} ms", times(connector, floor), "≤ 1.1x")


CASES = {case.__name__: case for case in (cpu, rate, organization, incremental, columns, memory, startup)}
