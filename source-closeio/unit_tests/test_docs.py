"""The SQL of docs/ does on DuckDB what it says. The statements for other warehouses differ in a few words each."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import duckdb
import pytest

DOCS = Path(__file__).parents[1] / "docs"


def statements(page: str, heading: str) -> list[str]:
    """The blocks of SQL below a heading of the page; in a list, they are indented."""
    text = (DOCS / f"{page}.md").read_text("utf-8")
    (section,) = re.findall(rf"^#+ {re.escape(heading)}\n(.*?)(?=^#|\Z)", text, re.MULTILINE | re.DOTALL)
    return [dedent(block) for block in re.findall(r"^ *```sql\n(.*?)^ *```", section, re.MULTILINE | re.DOTALL)]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        made.execute("""
            CREATE TABLE custom_fields (id VARCHAR, name VARCHAR, object_type VARCHAR);
            INSERT INTO custom_fields VALUES ('cf_Aa1', 'Industry', 'lead'), ('cf_Bb2', 'Say "when"', 'lead'),
                ('cf_Cc3', 'Twice', 'lead'), ('cf_Dd4', 'twice', 'shared'), ('cf_Ee5', 'name', 'lead'),
                ('cf_Ff6', NULL, 'lead'), ('cf_Gg7', 'Of contacts', 'contact');
        """)
        yield made


def columns_of(warehouse: duckdb.DuckDBPyConnection, table: str) -> list[str]:
    return [row[0] for row in warehouse.execute(f"DESCRIBE {table}").fetchall()]


@pytest.mark.parametrize("spelling", ["custom_{}", "custom.{}"], ids=["underscore", "dot"])
@pytest.mark.parametrize("change", [str, str.lower, str.upper], ids=["as it is", "small", "capital"])
def test_a_view_of_custom_fields_by_name(
    warehouse: duckdb.DuckDBPyConnection, spelling: str, change: type[str]
) -> None:
    """However the destination writes names."""
    ids = ("cf_Aa1", "cf_Bb2", "cf_Cc3", "cf_Dd4", "cf_Ee5", "cf_Ff6")
    own = ", ".join(f'"{change(spelling.format(id_))}" INTEGER' for id_ in ids)
    warehouse.execute(f"CREATE TABLE leads (id VARCHAR, name VARCHAR, {own})")
    warehouse.execute("INSERT INTO leads VALUES ('lead_1', 'Acme', 1, 2, 3, 4, 5, 6)")
    (query,) = statements("columns", "DuckDB")
    for _ in range(2):  # again, when fields were renamed
        (statement,) = warehouse.execute(query).fetchone() or ("",)
        warehouse.execute(statement)
    named = ["Industry", 'Say "when"', "Twice cf_Cc3", "twice cf_Dd4", "name cf_Ee5", "cf_Ff6"]
    assert columns_of(warehouse, "leads_named") == ["id", "name", *named]
    assert warehouse.execute("SELECT * FROM leads_named").fetchone() == ("lead_1", "Acme", 1, 2, 3, 4, 5, 6)


def test_deleted_rows(warehouse: duckdb.DuckDBPyConnection) -> None:
    today, delete = statements("columns", "Rows that were deleted in Close")
    warehouse.execute("CREATE TABLE leads (id VARCHAR, _ab_cdc_deleted_at TIMESTAMP)")
    warehouse.execute("INSERT INTO leads VALUES ('lead_1', NULL), ('lead_2', '2026-01-01')")
    warehouse.execute("CREATE TABLE contacts AS SELECT 'cont_' || i AS id FROM range(3) AS made(i)")
    warehouse.execute("CREATE TABLE deletions AS SELECT 'cont_1' AS object_id")
    for statement in (today, delete):
        warehouse.execute(statement)
    assert warehouse.execute("SELECT id FROM leads_today").fetchall() == [("lead_1",)]
    assert warehouse.execute("SELECT id FROM contacts ORDER BY id").fetchall() == [("cont_0",), ("cont_2",)]


def test_the_move_from_stitch(warehouse: duckdb.DuckDBPyConnection) -> None:
    """Stitch repeats activities, has lost nothing, and knows an old event; a lead was deleted since, one changed."""
    columns = "id, action, object_type, object_id, lead_id, user_id, date_created, date_updated"
    warehouse.execute(f"""
        CREATE SCHEMA stitch_close; CREATE SCHEMA close;
        CREATE TABLE stitch_close.leads (id VARCHAR, display_name VARCHAR, date_updated TIMESTAMP);
        CREATE TABLE close.leads AS SELECT * FROM stitch_close.leads;
        INSERT INTO stitch_close.leads VALUES ('a', 'A', '2026-01-03'), ('b', 'B', '2026-01-01'),
            ('c', 'C', '2026-01-01');
        INSERT INTO close.leads VALUES ('a', 'A', '2026-01-02'), ('b', 'B', '2026-01-01');
        CREATE TABLE stitch_close.activities AS SELECT 'x' AS id, TIMESTAMP '2026-01-01' AS date_created FROM range(3);
        CREATE TABLE close.activities AS SELECT DISTINCT * FROM stitch_close.activities;
        CREATE TABLE stitch_close.tasks AS SELECT 't' AS id, TIMESTAMP '2026-01-01' AS date_updated;
        CREATE TABLE close.tasks AS
            SELECT id, date_updated, unnest(['lead', 'voicemail']) AS _type FROM stitch_close.tasks;
        CREATE TABLE stitch_close.event_log AS
            SELECT {", ".join(f"'{name}' AS {name}" for name in columns.split(", ")[:-2])},
                TIMESTAMP '2026-01-01' + INTERVAL (i) DAY AS date_created, date_created AS date_updated
            FROM range(5) AS made(i);
        CREATE TABLE close.event_log AS SELECT * FROM stitch_close.event_log WHERE date_updated >= '2026-01-03';
    """)
    counts, missing, older, keep, view = statements("from-stitch", "Move without a gap or a doubled row")
    found = warehouse.execute(counts).fetchall()
    assert [row[:3] for row in found if row[0] != "leads"] == [
        ("activities", "airbyte", 1),
        ("activities", "stitch", 1),
        ("tasks", "airbyte", 1),
        ("tasks", "stitch", 1),
    ]
    assert [row[0] for row in warehouse.execute(missing).fetchall()] == ["c"]
    assert [row[0] for row in warehouse.execute(older).fetchall()] == ["a"]
    warehouse.execute(keep)
    warehouse.execute(view)
    assert warehouse.execute("SELECT count(*), count(DISTINCT date_updated) FROM close.event_log_all").fetchone() == (
        5,
        5,
    )


# ../docs/airbyte.md, of both connectors

AIRBYTE = DOCS.parents[1] / "docs" / "airbyte.md"
CURL = """#!/usr/bin/env python3
import json, os, sys
body = json.loads(sys.argv[sys.argv.index("--json") + 1])
address = next(word for word in sys.argv if word.startswith("http"))
with open(os.environ["ASKED"], "a") as file:
    print(json.dumps([address, body]), file=file)
print(json.dumps({"access_token": "t", "id": "d", "sourceId": "s", "connectionId": "c"}))
"""
SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
alone = pytest.mark.skipif(not AIRBYTE.exists(), reason="The folder stands alone")


def known(*names: str) -> dict[str, bool]:
    """Which streams are incremental; all have to exist."""
    catalog = json.loads((DOCS.parent / "integration_tests" / "configured_catalog.json").read_text("utf-8"))
    streams = {each["stream"]["name"]: each["sync_mode"] == "incremental" for each in catalog["streams"]}
    return {name: streams[name] for name in names}


@alone
def test_the_api_calls(tmp_path: Path) -> None:
    """What they send is JSON, and names streams that there are in modes that they have."""
    (block,) = [block for block in SHELL.findall(AIRBYTE.read_text("utf-8")) if "curl" in block]
    (tmp_path / "curl").write_text(CURL)
    (tmp_path / "curl").chmod(0o755)
    names = {"CLIENT_ID", "CLIENT_SECRET", "WORKSPACE_ID", "CLOSE_API_KEY", "DESTINATION_ID"}
    environment = {**os.environ, **{name: name.lower() for name in names}, "ASKED": str(tmp_path / "asked")}
    environment["PATH"] = f"{tmp_path}:{environment['PATH']}"

    command = ["bash", "-euo", "pipefail", "-c", block]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stdout.strip()) == (0, "c"), done.stderr
    asked = [json.loads(line) for line in (tmp_path / "asked").read_text().splitlines()]
    base = "http://localhost:8000/api/public/v1/"
    paths = ["applications/token", "workspaces/workspace_id/definitions/sources", "sources", "connections"]
    assert [address for address, _ in asked] == [base + path for path in paths]
    streams = asked[-1][1]["configurations"]["streams"]
    assert {each["name"]: each["syncMode"].startswith("incremental") for each in streams} == known(
        *(each["name"] for each in streams)
    )


@alone
def test_the_streams_of_terraform_and_to_begin_with() -> None:
    text = AIRBYTE.read_text("utf-8")
    lists = re.findall(r"^  (changing|whole) += (\[.*\])$", text, re.MULTILINE)
    assert {kind: set(known(*json.loads(names)).values()) for kind, names in lists} == {
        "changing": {True},
        "whole": {False},
    }
    begin = re.findall(r"^\| Close \| (`leads`.*?) \| Incremental", text, re.MULTILINE)
    assert set(known(*re.findall(r"`(\w+)`", begin[0])).values()) == {True}
