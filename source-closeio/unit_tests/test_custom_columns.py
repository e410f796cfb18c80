"""The organization's own fields as columns: where they belong, and with which types."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jsonschema
import pytest
from simulator import CloseSimulator
from unit_tests.syncs import catalog

Close = Callable[..., CloseSimulator]
ACTIVITY = {"object_type": "custom_activity_type", "custom_activity_type_id": "actitype_1"}
OBJECT = {"object_type": "custom_object_type", "custom_object_type_id": "cotype_1"}


def define(sim: CloseSimulator, owner: str, **fields: Any) -> str:
    """The column of a new custom field."""
    row = sim.make_custom_field(owner, **fields)
    return f"custom.{sim.data[f'custom_field/{owner}'].add(row, log=False)['id']}"


def streams_with(sim: CloseSimulator, column: str) -> set[str]:
    return {name for name, stream in catalog(sim).items() if column in stream.json_schema["properties"]}


@pytest.mark.parametrize(
    ("associations", "streams"),
    [
        ([{"object_type": "lead"}], {"leads"}),
        ([{"object_type": "contact"}, {"object_type": "opportunity"}], {"contacts", "opportunities"}),
        ([ACTIVITY], {"custom_activity_instances", "activities"}),
        ([{"object_type": "lead"}, OBJECT], {"leads", "custom_objects"}),
        ([{"object_type": "custom_object_type/cotype_1"}], {"custom_objects"}),
        ([{"object_type": "something new"}, {}, None], set()),
        ([], set()),
    ],
)
def test_shared_fields_are_columns_of_what_they_are_associated_with(
    close: Close, associations: list[dict[str, str]], streams: set[str]
) -> None:
    sim = close()
    column = define(sim, "shared", associations=associations)

    assert streams_with(sim, column) == streams


def test_a_shared_field_without_associations_is_a_column_everywhere(close: Close) -> None:
    sim = close()
    column = define(sim, "shared", associations=None)

    assert streams_with(sim, column) == {
        *("leads", "contacts", "opportunities", "custom_objects"),
        *("activities", "custom_activity_instances", "call_activities"),
    }


@pytest.mark.parametrize(
    ("type_id", "streams"),
    [
        ("actitype_1", {"activities", "custom_activity_instances"}),
        (None, {"activities", "custom_activity_instances", "call_activities"}),
    ],
)
def test_fields_of_activities_are_columns_of_their_types_instances(
    close: Close, type_id: str | None, streams: set[str]
) -> None:
    sim = close()
    column = define(sim, "activity", custom_activity_type_id=type_id)

    assert streams_with(sim, column) == streams


def test_the_types_of_fields_are_those_of_their_columns(close: Close) -> None:
    sim = close()
    number, date, moment, user = (define(sim, "lead", type=kind) for kind in ("number", "date", "datetime", "user"))
    choices = define(sim, "lead", type="choices", multiple=True)

    streams = {name: stream.json_schema["properties"] for name, stream in catalog(sim).items()}

    columns = streams["leads"]
    assert columns[number]["type"] == ["null", "number"]
    assert columns[date]["format"] == "date"
    assert columns[moment]["format"] == "date-time"
    assert columns[choices]["type"] == ["null", "array"]
    assert columns[user]["type"] == ["null", "string"]
    assert not any(name.startswith("custom.") for name in streams["tasks"])


@pytest.mark.parametrize("odd", [{"name": None}, {"name": 7}, {"type": None}, {"type": ["text"]}])
def test_an_odd_definition_makes_a_valid_schema(close: Close, odd: dict[str, Any]) -> None:
    sim = close()
    row = sim.make_custom_field("lead") | odd
    sim.data["custom_field/lead"].add(row, log=False)

    schema = catalog(sim)["leads"].json_schema

    jsonschema.Draft7Validator.check_schema(schema)
    column = schema["properties"][f"custom.{row['id']}"]
    assert column["type"] == ["null", "string"]
    assert isinstance(column.get("title", ""), str)
