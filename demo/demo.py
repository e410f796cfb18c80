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

from report import Chapter, page
from scenes import SCENES

from simkit.command_line import running

if TYPE_CHECKING:
    import airbyte
    from airbyte.caches import DuckDBCache

REPO = Path(__file__).parent.parent
WORK = REPO / ".demo"
DEMO = WORK / "demo.duckdb"
PAGE = WORK / "report.html"


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
    chapters = [show_scene(connector) for connector in connectors]
    names = " and a ".join(f"made-up {chapter.title}" for chapter in chapters)
    PAGE.write_text(
        page(DEMO, f"Simulated: a {names} answered on this computer; no account was read.", chapters), "utf-8"
    )
    say(f"All tables are in {DEMO.relative_to(REPO)}: open them with DuckDB, DBeaver, pandas ...")
    say(f"What the syncs have brought, as a page to look at: {PAGE.as_uri()}")


def show_scene(connector: str) -> Chapter:
    with running(REPO / connector, **SCENES[connector].options) as simulator:
        scene = SCENES[connector](simulator)
        scene.prepare()
        say(f"== {connector}: a simulated {scene.api} answers at {simulator.root}")
        with cache_at(DEMO, scene.schema) as cache:
            source = source_of(connector, {"api_key": simulator.key, **scene.config()})
            say("First sync: everything")
            source.read(cache)
            before = row_counts(cache)
            earlier = {heading: cache.run_sql_query(query) for heading, query in scene.before.items()}
            say(scene.news)
            scene.happen()
            say("Second sync: what changed")
            began = datetime.now(UTC)
            source.read(cache)
            show_tables(cache, since=began)
            queries = {heading: query.format(now=written_since(began)) for heading, query in scene.queries.items()}
            findings = earlier | {heading: cache.run_sql_query(query) for heading, query in queries.items()}
            for heading, rows in findings.items():
                say(heading)
                show(rows)
            return Chapter(scene.api, scene.schema, scene.news, began, before, read_whole(connector), findings)


def sync_account(connector: str, config: dict[str, Any]) -> None:
    database, path = WORK / f"{connector}.duckdb", WORK / f"{connector}.html"
    with cache_at(database) as cache:
        source = source_of(connector, config)
        before = row_counts(cache) if database.exists() else {}
        began = datetime.now(UTC)
        source.read(cache)
        show_tables(cache, since=began)
    chapter = Chapter(connector, "main", "", began, before, read_whole(connector))
    path.write_text(page(database, f"Nothing is simulated: your account, read by {connector}.", [chapter]), "utf-8")
    say(f"All tables are in {database.relative_to(REPO)}. Run this again to read what changes from now on.")
    say(f"What this sync has brought, as a page to look at: {path.as_uri()}")


def read_whole(connector: str) -> frozenset[str]:
    """Streams of which each sync reads everything."""
    catalog = json.loads((REPO / connector / "integration_tests" / "configured_catalog.json").read_text("utf-8"))
    whole = [each["stream"]["name"] for each in catalog["streams"] if each["sync_mode"] == "full_refresh"]
    return frozenset(whole)


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


def row_counts(cache: DuckDBCache) -> dict[str, int]:
    counts = [
        (name, cache.run_sql_query(f"SELECT count(*) AS n FROM {cache.schema_name}.{name}")) for name in cache.streams
    ]
    return {name: rows[0]["n"] for name, rows in counts}


def written_since(moment: datetime) -> str:
    return f"_airbyte_extracted_at >= '{moment:%Y-%m-%d %H:%M:%S}'"


def show(rows: list[dict[str, Any]]) -> None:
    """A table in plain text."""
    if not rows:
        print("  none")
        return
    cells = [[str(value)[:40] for value in row.values()] for row in rows]
    names = list(rows[0])
    widths = [max(map(len, column)) for column in zip(names, *cells, strict=True)]
    for line in (names, ["-" * width for width in widths], *cells):
        print("  " + "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


if __name__ == "__main__":
    main()
