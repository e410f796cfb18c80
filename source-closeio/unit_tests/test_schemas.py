"""Schemas that are made of others."""

from __future__ import annotations

from typing import Any

from source_closeio.streams import STREAMS, Activities

TYPES = {
    stream.name: stream.json_schema()
    for stream in STREAMS
    if stream.name.endswith("_activities") or stream.name == "custom_activity_instances"
}


def test_the_table_of_all_activities_has_the_columns_of_every_type() -> None:
    union: dict[str, Any] = {}
    for schema in TYPES.values():
        union |= schema["properties"]
    assert len(TYPES) == 15
    assert Activities.json_schema()["properties"] == union


def test_a_column_is_the_same_whatever_the_type_of_activity() -> None:
    union = Activities.json_schema()
    for name, schema in TYPES.items():
        columns = {column: union["properties"][column] for column in schema["properties"]}
        assert schema == union | {"properties": columns}, name
