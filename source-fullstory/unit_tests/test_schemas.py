"""Schemas that are made of others."""

from __future__ import annotations

from typing import Any

import pytest
from source_fullstory.streams import STREAMS

SCHEMAS = {stream.name: stream.json_schema() for stream in STREAMS}
HISTORIES = [name for name in SCHEMAS if name.endswith("_history")]


def columns_but(name: str, *left_out: str) -> dict[str, Any]:
    properties = SCHEMAS[name]["properties"]
    return {column: each for column, each in properties.items() if column not in left_out}


@pytest.mark.parametrize("history", HISTORIES)
def test_a_history_has_the_columns_of_its_setting_and_when_it_was_made(history: str) -> None:
    """A setting that an account has once has a constant for an id, by which its row is replaced."""
    setting = history.removesuffix("_history")
    assert columns_but(history, "last_updated") == columns_but(setting, "id")
    assert SCHEMAS[history]["properties"]["last_updated"] == SCHEMAS[HISTORIES[0]]["properties"]["last_updated"]
    assert ("id" in SCHEMAS[setting]["properties"]) != ("platform" in SCHEMAS[setting]["properties"])


def test_there_are_six_histories() -> None:
    assert len(HISTORIES) == 6
