"""What `discover` prints becomes what `read` wants, by nothing but Python."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from airbyte_cdk.models import ConfiguredAirbyteCatalogSerializer, DestinationSyncMode, SyncMode

CHANGING = {
    "name": "changing",
    "json_schema": {"type": "object"},
    "supported_sync_modes": ["full_refresh", "incremental"],
    "source_defined_cursor": True,
    "default_cursor_field": ["updated"],
    "source_defined_primary_key": [["id"]],
}
WHOLE = {"name": "whole", "json_schema": {"type": "object"}, "supported_sync_modes": ["full_refresh"]}
LOG = {"type": "LOG", "log": {"level": "INFO", "message": "..."}}
SAID: list[Any] = [LOG, {"type": "CATALOG", "catalog": {"streams": [CHANGING, WHOLE]}}]


def make(said: list[Any] | str, *names: str) -> subprocess.CompletedProcess[str]:
    lines = said if isinstance(said, str) else "\n".join(map(json.dumps, said))
    command = [sys.executable, "-m", "source_closeio.kit.configured_catalog", *names]
    return subprocess.run(command, input=lines, capture_output=True, text=True, check=False)


def test_all_streams_each_in_the_mode_that_suits_it() -> None:
    changing, whole = ConfiguredAirbyteCatalogSerializer.load(json.loads(make(SAID).stdout)).streams
    assert (changing.sync_mode, changing.destination_sync_mode) == (
        SyncMode.incremental,
        DestinationSyncMode.append_dedup,
    )
    assert (changing.cursor_field, changing.primary_key) == (["updated"], [["id"]])
    assert (whole.sync_mode, whole.destination_sync_mode) == (SyncMode.full_refresh, DestinationSyncMode.overwrite)


def test_streams_by_name() -> None:
    made = json.loads(make(SAID, "whole").stdout)
    assert [each["stream"]["name"] for each in made["streams"]] == ["whole"]


def test_a_name_that_there_is_not() -> None:
    done = make(SAID, "whole", "nothing")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "No stream nothing. There are: changing, whole\n"


def test_what_discover_said_instead_of_a_catalog() -> None:
    error = {"message": "The key is wrong.", "failure_type": "config_error"}
    done = make([LOG, {"type": "TRACE", "trace": {"type": "ERROR", "error": error}}])
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "The key is wrong.\n")
    assert "what `discover` prints" in make("nonsense\n[]\n").stderr


def test_it_says_how_it_is_used() -> None:
    done = make("", "--help")
    assert (done.returncode, done.stdout) == (1, "")
    assert "discover --config" in done.stderr
