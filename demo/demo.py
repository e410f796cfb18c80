"""Read a source into a local DuckDB file through PyAirbyte, and show what came.

`make demo` reads a simulated Close: everything, then what changed. `make sync CONFIG=...` reads a real account; run
again, it reads what changed since.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import airbyte
    from airbyte.caches import DuckDBCache

REPO = Path(__file__).parent.parent
WORK = REPO / ".demo"
SIZE = {"leads": 400, "activities": 5000, "tasks": 800, "events": 2000, "latency-ms": 50}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connector", default="source-closeio")
    parser.add_argument("--config", type=Path, help="the config of a real account; without one, the simulator is read")
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    # Both are read when PyAirbyte is imported: it shall neither fetch a list of connectors nor report that it is used.
    os.environ.update(AIRBYTE_OFFLINE_MODE="1", DO_NOT_TRACK="1")
    if options.config:
        sync_account(options.connector, json.loads(options.config.read_text()))
    else:
        demo(options.connector)


def demo(connector: str) -> None:
    database = WORK / "demo.duckdb"
    database.unlink(missing_ok=True)
    with running_simulator(connector) as (url, key):
        say(f"A simulated Close answers at {url}")
        with cache_at(database) as cache:
            config = {"api_key": key, "api_url": f"{url}api/v1/", "start_date": "2020-01-01T00:00:00Z"}
            source = source_of(connector, config)
            say("First sync: everything")
            source.read(cache)
            say("Someone works in Close: a lead is added, another one renamed, a note taken, a task ticked off")
            work_in_close(f"{url}_simulator/")
            say("Second sync: what changed")
            began = datetime.now(UTC)
            source.read(cache)
            show_tables(cache, since=began)
            show_rows(cache)
    say(f"All tables are in {database.relative_to(REPO)}: open them with DuckDB, DBeaver, pandas ...")


def sync_account(connector: str, config: dict[str, Any]) -> None:
    database = WORK / f"{connector}.duckdb"
    with cache_at(database) as cache:
        source = source_of(connector, config)
        began = datetime.now(UTC)
        source.read(cache)
        show_tables(cache, since=began)
    say(f"All tables are in {database.relative_to(REPO)}. Run this again to read what changes from now on.")


# -- the simulated Close


@contextmanager
def running_simulator(connector: str) -> Iterator[tuple[str, str]]:
    """Its address and the API key that it takes."""
    options = [word for name, value in SIZE.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "simulator", "--port", "0", *options]
    with subprocess.Popen(command, cwd=REPO / connector, stdout=subprocess.PIPE, text=True) as process:
        try:
            # its first line ends with: http://127.0.0.1:12345/api/v1/ key api_...
            words = (process.stdout or sys.exit("no output")).readline().split()
            yield words[-3].removesuffix("api/v1/"), words[-1]
        finally:
            process.terminate()


def work_in_close(control: str) -> None:
    def call(address: str, **body: Any) -> Any:
        request = urllib.request.Request(control + address, json.dumps(body).encode() if body else None)
        with urllib.request.urlopen(request) as response:
            return json.load(response)

    lead, task = call("truth/lead")[0], call("truth/task")[0]
    call("change", collection="lead", id=lead["id"], row=named("Renamed GmbH"))
    new = call("change", collection="lead", action="make", row=named("Brand New Ltd"))
    note = {"type": "Note", "lead_id": new["id"], "note": "They called back. Send the contract!"}
    call("change", collection="activity", action="make", row=note)
    call("change", collection="task", id=task["id"], row={"is_complete": True})


def named(name: str) -> dict[str, str]:
    return {"name": name, "display_name": name}


# -- PyAirbyte


def cache_at(database: Path) -> DuckDBCache:
    say("Loading PyAirbyte ...")
    warnings.simplefilter("ignore", FutureWarning)  # of the cloud libraries that it imports, about old Pythons
    import airbyte.types
    from airbyte.caches import DuckDBCache

    # For each table it would name every column that has two types in its API, many times over.
    airbyte.types.print = lambda *_: None
    return DuckDBCache(db_path=database, cache_dir=WORK / "cache")


def source_of(connector: str, config: dict[str, Any]) -> airbyte.Source:
    import airbyte

    source = airbyte.get_source(connector, config=config, local_executable=Path(sys.executable).with_name(connector))
    try:
        source.check()
    except airbyte.exceptions.AirbyteConnectorCheckFailedError as error:
        sys.exit(f"\n{(error.context or {}).get('failure_reason', error)}")
    source.select_all_streams()
    return source


# -- what a person sees


def say(text: str) -> None:
    print(f"\n\033[1m{text}\033[0m\n" if sys.stdout.isatty() else f"\n{text}\n", flush=True)


def show_tables(cache: DuckDBCache, since: datetime) -> None:
    rows = []
    written = f"_airbyte_extracted_at >= '{since:%Y-%m-%d %H:%M:%S}'"
    for name in cache.streams:
        (count,) = cache.run_sql_query(
            f"SELECT count(*) AS n, count(*) FILTER ({written}) AS new FROM {cache.schema_name}.{name}"
        )
        rows.append({"table": name, "rows": f"{count['n']:,}", "of them written now": f"{count['new']:,}"})
    show(rows)


def show_rows(cache: DuckDBCache) -> None:
    for name, columns in {
        "leads": "display_name, status_label, date_updated",
        "activities": "_type, lead_id, user_name, date_created",
        "tasks": "_type, text, is_complete, date_updated",
        "event_log": "object_type, action, object_id, date_updated",
    }.items():
        cursor = columns.rsplit(", ", 1)[-1]
        say(f"{name}, the newest")
        show(
            cache.run_sql_query(
                f"SELECT {columns} FROM {name} ORDER BY _airbyte_extracted_at DESC, {cursor} DESC LIMIT 4"
            )
        )


def show(rows: list[dict[str, Any]]) -> None:
    """A table in plain text."""
    cells = [[str(value)[:40] for value in row.values()] for row in rows]
    names = list(rows[0])
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in (names, ["-" * width for width in widths], *cells):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
