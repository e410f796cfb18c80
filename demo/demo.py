"""Read a source into a local DuckDB file through PyAirbyte, and show what came.

`make demo` reads a simulated Close and a simulated FullStory: everything, then what changed. `make sync CONFIG=...`
reads a real account; run again, it reads what changed since.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import warnings
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from scenes import SCENES

from simkit.command_line import running

if TYPE_CHECKING:
    import airbyte
    from airbyte.caches import DuckDBCache

REPO = Path(__file__).parent.parent
WORK = REPO / ".demo"
DEMO = WORK / "demo.duckdb"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--connector", choices=SCENES, help="default: all; with a config, the first")
    parser.add_argument("--config", type=Path, help="the config of a real account; without one, simulators are read")
    options = parser.parse_args()
    WORK.mkdir(exist_ok=True)
    # Both are read when PyAirbyte is imported: it shall neither fetch a list of connectors nor report that it is used.
    os.environ.update(AIRBYTE_OFFLINE_MODE="1", DO_NOT_TRACK="1")
    if options.config:
        sync_account(options.connector or next(iter(SCENES)), json.loads(options.config.read_text()))
    else:
        demo([options.connector] if options.connector else SCENES)


def demo(connectors: Iterable[str]) -> None:
    DEMO.unlink(missing_ok=True)
    for connector in connectors:
        show_scene(connector)
    say(f"All tables are in {DEMO.relative_to(REPO)}: open them with DuckDB, DBeaver, pandas ...")


def show_scene(connector: str) -> None:
    with running(REPO / connector, **SCENES[connector].options) as simulator:
        scene = SCENES[connector](simulator)
        scene.prepare()
        say(f"== {connector}: a simulated {scene.api} answers at {simulator.root}")
        with cache_at(DEMO, scene.schema) as cache:
            source = source_of(connector, {"api_key": simulator.key, **scene.config()})
            say("First sync: everything")
            source.read(cache)
            say(scene.news)
            scene.happen()
            say("Second sync: what changed")
            began = datetime.now(UTC)
            source.read(cache)
            show_tables(cache, since=began)
            for heading, query in scene.queries.items():
                say(heading)
                show(cache.run_sql_query(query.format(now=written_since(began))))


def sync_account(connector: str, config: dict[str, Any]) -> None:
    database = WORK / f"{connector}.duckdb"
    with cache_at(database) as cache:
        source = source_of(connector, config)
        began = datetime.now(UTC)
        source.read(cache)
        show_tables(cache, since=began)
    say(f"All tables are in {database.relative_to(REPO)}. Run this again to read what changes from now on.")


# -- PyAirbyte


def cache_at(database: Path, schema: str = "main") -> DuckDBCache:
    if "airbyte" not in sys.modules:
        say("Loading PyAirbyte ...")
    warnings.simplefilter("ignore", FutureWarning)  # of the cloud libraries that it imports, about old Pythons
    import airbyte.types
    from airbyte.caches import DuckDBCache

    # For each table it would name every column that has two types in its API, many times over.
    airbyte.types.print = lambda *_: None
    return DuckDBCache(db_path=database, schema_name=schema, cache_dir=WORK / "cache")


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
    for name in cache.streams:
        (count,) = cache.run_sql_query(
            f"SELECT count(*) AS n, count(*) FILTER ({written_since(since)}) AS new FROM {cache.schema_name}.{name}"
        )
        rows.append({"table": name, "rows": f"{count['n']:,}", "of them written now": f"{count['new']:,}"})
    show(rows)


def written_since(moment: datetime) -> str:
    return f"_airbyte_extracted_at >= '{moment:%Y-%m-%d %H:%M:%S}'"


def show(rows: list[dict[str, Any]]) -> None:
    """A table in plain text."""
    cells = [[str(value)[:40] for value in row.values()] for row in rows]
    names = list(rows[0])
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in (names, ["-" * width for width in widths], *cells):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
