"""Names and types are Close's own: its examples fit the schemas."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from source_closeio.families.activities import ActivityStream
from source_closeio.families.changed_rows import DELETED_AT
from source_closeio.families.lists import ListStream
from source_closeio.stream import CloseStream
from source_closeio.streams import STREAMS, Activities
from unit_tests.official import EXAMPLES, Row, declared_form, form

OFFICIAL = [stream for stream in STREAMS if stream.name != "deletions"]


def faults(stream: type[CloseStream], row: Row) -> list[str]:
    """Why a row does not fit its stream's schema."""
    schema = stream.json_schema()
    declared: dict[str, Any] = schema["properties"]
    found = [error.message for error in jsonschema.Draft7Validator(schema).iter_errors(row)]
    found += [f"{name} is not declared" for name in row if name not in declared and not name.startswith("custom.")]
    for name, value in row.items():
        date, shown = declared_form(declared.get(name, {})), form(value)
        if date and shown not in (None, date):
            found.append(f"{name} is a {shown}, not a {date}")
    return found


@pytest.mark.parametrize("stream", OFFICIAL, ids=[stream.name for stream in OFFICIAL])
def test_every_example_fits_its_schema(stream: type[CloseStream]) -> None:
    secrets = stream.secrets if issubclass(stream, ListStream) else ()

    assert stream.name in EXAMPLES, f"add Close's example of {stream.name} to unit_tests/official_examples.json"
    for example in EXAMPLES[stream.name]:
        row = {name: value for name, value in example.items() if name not in secrets}
        assert not faults(stream, row), row


def test_the_table_of_all_activities_has_the_columns_of_every_type() -> None:
    columns: dict[str, Any] = {}
    for stream in STREAMS:
        if issubclass(stream, ActivityStream) and stream is not Activities:
            for name, column in stream.json_schema()["properties"].items():
                assert columns.setdefault(name, column) == column, name
    assert Activities.json_schema()["properties"] == columns


@pytest.mark.parametrize("stream", STREAMS, ids=[stream.name for stream in STREAMS])
def test_dates_have_a_declared_form(stream: type[CloseStream]) -> None:
    """Names that end as dates do are dates, unless Close has both forms in one field, or does not say."""
    both = {"date", "due_date", "start_date", "next_billing_on", DELETED_AT}
    for name, column in stream.json_schema()["properties"].items():
        if name.startswith("date_") and name not in {"date_format"} | both and column:
            assert declared_form(column), name
