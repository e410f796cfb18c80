"""The page, made from a small DuckDB file, and seen by a browser where there is one."""

from __future__ import annotations

import re
import shutil
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import pytest
from report import Chapter, page

FIRST = datetime(2026, 1, 1, 12, tzinfo=UTC)
SECOND = FIRST + timedelta(hours=1)
BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture
def made(tmp_path: Path) -> Path:
    """Three leads, of which the second sync has changed one and added one; two statuses, which are read whole."""
    database = tmp_path / "demo.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute("CREATE SCHEMA close; CREATE TABLE close._airbyte_state (x INTEGER)")
        connection.execute(
            "CREATE TABLE close.leads (id VARCHAR, date_updated TIMESTAMP, _airbyte_extracted_at TIMESTAMP);"
            "CREATE TABLE close.lead_statuses (id VARCHAR, _airbyte_extracted_at TIMESTAMP)"
        )
        at = [moment.replace(tzinfo=None) for moment in (FIRST, SECOND)]
        for number, moment in enumerate((at[0], at[1], at[1])):
            connection.execute("INSERT INTO close.leads VALUES (?, ?, ?)", [f"lead_{number}", at[0], moment])
        for name in ("a", "b"):
            connection.execute("INSERT INTO close.lead_statuses VALUES (?, ?)", [name, at[1]])
    findings = {"Renamed": [{"name": "<b>Tom & Co</b>", "when": None}], "Nothing": []}
    before = {"leads": 2, "lead_statuses": 2}
    chapter = Chapter("Close", "close", "a lead is renamed", SECOND, before, frozenset({"lead_statuses"}), findings)
    path = tmp_path / "report.html"
    path.write_text(page(database, "Simulated: nothing here is real", [chapter]), "utf-8")
    return path


def text(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html.partition("<body")[2])).strip()


def test_the_first_line_says_what_is_simulated(made: Path) -> None:
    assert text("<body" + made.read_text("utf-8").partition("<body")[2]).startswith("> Simulated: nothing here is real")


def test_rows_freshness_and_what_the_second_sync_changed(made: Path) -> None:
    said = text(made.read_text("utf-8"))
    assert "leads 3 2026-01-01 12:00 1 1" in said
    assert "lead_statuses 2 0 read whole" in said
    assert "2 tables 5 rows 1 new by the last sync 1 changed, or read again" in said
    assert "_airbyte_state" not in said


def test_it_needs_no_network_and_no_script(made: Path) -> None:
    html = made.read_text("utf-8")
    assert not re.search(r"https?:|<script|\bsrc=|url\(|@import", html)
    assert "&lt;b&gt;Tom &amp; Co&lt;/b&gt;" in html


@pytest.mark.skipif(BROWSER is None, reason="There is no browser here: apt-get install chromium")
def test_a_browser_shows_it(made: Path, tmp_path: Path) -> None:
    seen = browse(made, "--dump-dom", profile=tmp_path)
    assert text(seen) == text(made.read_text("utf-8"))
    picture = tmp_path / "page.png"
    browse(made, f"--screenshot={picture}", "--window-size=1000,900", profile=tmp_path)
    assert picture.stat().st_size > 20_000  # an empty page is a few kilobytes


def browse(path: Path, *options: str, profile: Path) -> str:
    """Without any network, and without a profile of the person's."""
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", "--host-resolver-rules=MAP * ~NOTFOUND"]
    command += [f"--user-data-dir={profile / 'profile'}", *options, path.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120)
    return done.stdout
