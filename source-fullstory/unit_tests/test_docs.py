"""The SQL of docs/ does on DuckDB what it says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

DOCS = Path(__file__).parents[1] / "docs"
OF_STITCH = "eventstart, eventtype, indvid, userid, sessionid, pageid, pageurl, eventtargetselectortok, eventtargettext"


def statements(page: str, heading: str) -> list[str]:
    """The blocks of SQL below a heading of the page; in a list, they are indented."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in re.findall(r"^ *```sql\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def test_the_move_from_stitch(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Stitch has loaded a bundle twice; ours begins at the midnight that divides them."""
    warehouse.execute(f"""
        CREATE SCHEMA stitch_fullstory; CREATE SCHEMA fullstory;
        CREATE TABLE fullstory.events AS
            SELECT TIMESTAMP '2026-10-30' + INTERVAL (i) HOUR AS eventstart, 'click' AS eventtype, i AS indvid,
                i AS userid, i AS sessionid, i AS pageid, 'https://shop.example' AS pageurl,
                NULL AS eventtargetselectortok,
                'Buy' AS eventtargettext
            FROM range(96) AS made(i);
        CREATE TABLE stitch_fullstory.events AS SELECT {OF_STITCH} FROM fullstory.events;
        INSERT INTO stitch_fullstory.events SELECT * FROM fullstory.events WHERE eventstart >= '2026-11-01';
        DELETE FROM fullstory.events WHERE eventstart < '2026-11-01';
    """)
    compare, view = statements("from-stitch", "Move without a gap or a doubled row")
    assert [row[1:] for row in warehouse.execute(compare).fetchall()] == [(24, 24), (24, 24)]
    warehouse.execute(view)
    assert warehouse.execute("SELECT count(*), count(DISTINCT eventstart) FROM all_events").fetchone() == (96, 96)


def test_custom_variables(warehouse: duckdb.DuckDBPyConnection) -> None:
    warehouse.execute("""
        CREATE TABLE events (evt_vars JSON);
        INSERT INTO events VALUES
            ('{"evt_order.total_real": 12.5, "evt_plan_str": "pro"}'), ('{"evt_plan_str": "free"}'), (NULL);
    """)
    (names,) = statements("columns", "Custom variables")
    assert warehouse.execute(names).fetchall() == [("evt_plan_str", 2), ("evt_order.total_real", 1)]
    text = (DOCS / "columns.md").read_text("utf-8")
    (total,) = re.findall(r"^\| DuckDB \| `(.*)` \|$", text, re.MULTILINE)
    assert warehouse.execute(f"SELECT {total} FROM events").fetchall() == [(12.5,), (None,), (None,)]
