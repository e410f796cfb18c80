"""A page about what the syncs have brought: one file of HTML, made from the DuckDB file; no scripts, no network."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import duckdb

FRESHNESS = ("date_updated", "deleted_at", "eventstart", "stop", "lasteventstart", "last_updated", "createdat")
"""Columns that tell how new a row is; the first that a table has counts."""


@dataclass(frozen=True)
class Chapter:
    """One connector's."""

    title: str
    schema: str
    news: str
    """What happened between the syncs."""
    second_sync: datetime
    """When it began, UTC."""
    before: Mapping[str, int]
    """How many rows the tables had then."""
    whole: frozenset[str] = frozenset()
    """Tables that each sync reads whole, so that nothing tells which rows have changed."""
    findings: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    """Rows that are worth seeing, by a heading."""


@dataclass(frozen=True)
class Table:
    name: str
    rows: int
    newest: str
    written: int
    """By the second sync: new rows, changed ones, and such as it read again."""
    new: int
    is_read_whole: bool


def tables_of(database: duckdb.DuckDBPyConnection, chapter: Chapter) -> list[Table]:
    found = database.execute(
        "SELECT table_name, list(column_name) FROM information_schema.columns"
        " WHERE table_schema = ? AND table_name NOT LIKE '\\_airbyte%' ESCAPE '\\' GROUP BY ALL ORDER BY ALL",
        [chapter.schema],
    ).fetchall()
    return [_table(database, chapter, name, columns) for name, columns in found if "_airbyte_extracted_at" in columns]


def _table(database: duckdb.DuckDBPyConnection, chapter: Chapter, name: str, columns: list[str]) -> Table:
    column = next((each for each in FRESHNESS if each in columns), None)
    newest = f"left(CAST(max({column}) AS VARCHAR), 16)" if column else "''"
    query = (
        f"SELECT count(*), coalesce({newest}, ''), count(*) FILTER (_airbyte_extracted_at >= ?)"
        f' FROM "{chapter.schema}"."{name}"'
    )
    moment = chapter.second_sync.replace(tzinfo=None)
    rows, fresh, written = database.execute(query, [moment]).fetchone() or (0, "", 0)
    return Table(name, rows, fresh, written, max(0, rows - chapter.before.get(name, 0)), name in chapter.whole)


# -- the page

STYLE = """
:root { color-scheme: light dark; --line: #8883; --soft: #888; --bar: #4a90d955; --news: #2e9e5b; }
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 62rem; padding: 0 1rem; }
header p { background: #ffd54a; color: #222; font-weight: 600; padding: .6rem 1rem; border-radius: .4rem; margin: 0; }
h1 { margin: 1.2rem 0 0; } h2 { margin-top: 2.5rem; border-bottom: 2px solid var(--line); }
.sums { display: flex; gap: 2rem; flex-wrap: wrap; margin: 1rem 0; }
.sums b { display: block; font-size: 1.7rem; line-height: 1.2; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; font-size: .9rem; }
th, td { text-align: left; padding: .25rem .6rem; border-bottom: 1px solid var(--line); vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
td.bar { background: linear-gradient(to left, var(--bar) var(--share), transparent var(--share)); }
.news { color: var(--news); font-weight: 600; } .none { color: var(--soft); }
td.cell { max-width: 22rem; overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
"""


def page(database: Path, first_line: str, chapters: Iterable[Chapter]) -> str:
    """The first line says what is simulated."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        body = "\n".join(line for chapter in chapters for line in _chapter(chapter, tables_of(connection, chapter)))
    return f"""<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><title>What the syncs have brought</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><style>{STYLE}</style></head>
<body>
<header><p>{escape(first_line)}</p></header>
<h1>What the syncs have brought</h1>
<p>Made from <code>{escape(database.name)}</code>. Times are UTC.</p>
{body}
</body>
</html>
"""


def _chapter(chapter: Chapter, tables: Sequence[Table]) -> Iterator[str]:
    rows, new = sum(table.rows for table in tables), sum(table.new for table in tables)
    changed = sum(max(0, table.written - table.new) for table in tables if not table.is_read_whole)
    yield f'<section id="{escape(chapter.schema)}"><h2>{escape(chapter.title)}</h2>'
    yield f"<p>Between the syncs: {escape(chapter.news)}.</p>" if chapter.news else ""
    sums = {"tables": len(tables), "rows": rows, "new by the last sync": new, "changed, or read again": changed}
    yield '<div class="sums">' + "".join(f"<div><b>{n:,}</b>{name}</div>" for name, n in sums.items()) + "</div>"
    for heading, found in chapter.findings.items():
        yield f"<h3>{escape(heading[:1].upper() + heading[1:])}</h3>"
        yield from _rows(found)
    yield "<h3>All tables</h3>"
    yield from _grid(tables)
    yield "</section>"


def _grid(tables: Sequence[Table]) -> Iterator[str]:
    most = max((table.rows for table in tables), default=0) or 1
    yield '<div class="scroll"><table class="streams"><thead><tr><th>table</th><th class="number">rows</th>'
    yield '<th>newest row</th><th class="number">new</th><th class="number">changed, or read again</th></tr></thead>'
    yield "<tbody>"
    for table in sorted(tables, key=lambda each: -each.rows):
        share = f"{100 * table.rows / most:.1f}%"
        changed = "read whole" if table.is_read_whole else _count(table.written - table.new)
        yield (
            f"<tr><td>{escape(table.name)}</td>"
            f'<td class="number bar" style="--share: {share}">{table.rows:,}</td><td>{escape(table.newest)}</td>'
            f'<td class="number">{_count(table.new)}</td><td class="number">{changed}</td></tr>'
        )
    yield "</tbody></table></div>"


def _count(number: int) -> str:
    return f'<span class="news">{number:,}</span>' if number > 0 else '<span class="none">0</span>'


def _rows(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    if not rows:
        yield '<p class="none">none</p>'
        return
    heads = "".join(f"<th>{escape(name)}</th>" for name in rows[0])
    yield f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>'
    for row in rows:
        cells = (("" if value is None else str(value)) for value in row.values())
        yield "<tr>" + "".join(f'<td class="cell">{escape(text[:200])}</td>' for text in cells) + "</tr>"
    yield "</tbody></table></div>"
