"""What a person sees of the form: few fields at first, and nothing that is saved unseen."""

from __future__ import annotations

import logging
import re
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_closeio import SourceCloseio
from source_closeio.config import Config

KEY = "api_0key.secret"


def form() -> dict[str, Any]:
    spec: dict[str, Any] = SourceCloseio().spec(logging.getLogger("airbyte")).connectionSpecification
    return spec


def numbers() -> dict[str, Any]:
    return {name: field for name, field in form()["properties"].items() if field["type"] == "integer"}


def is_taken(raw: dict[str, Any]) -> bool:
    try:
        Config.parse(raw)
    except AirbyteTracedException:
        return False
    return True


def test_few_fields_are_visible_at_first_and_the_start_date_is_one() -> None:
    fields = form()["properties"]
    visible = [name for name, field in fields.items() if name in form()["required"] or field.get("always_show")]
    assert visible[:2] == ["api_key", "start_date"]
    assert len(visible) <= 5
    assert [field["order"] for field in fields.values()] == list(range(len(fields)))


def test_what_is_hidden_has_no_default_that_would_be_saved_with_each_source() -> None:
    hidden = {name: field for name, field in form()["properties"].items() if field.get("airbyte_hidden")}
    assert set(hidden) == {"api_url"}
    assert not any("default" in field for field in hidden.values())


def test_numbers_say_that_they_are_whole_and_within_which_bounds() -> None:
    assert {"lookback_window_hours", "num_workers"} <= set(numbers())
    for field in numbers().values():
        assert f"A whole number from {field['minimum']} to {field['maximum']}" in field["description"]


@pytest.mark.parametrize("text", ["", "2025-01-31", "2025-01-31T00:00:00Z", "2025-01-31T00:00:00.5+01:00"])
def test_the_pattern_of_the_start_date_lets_through_what_the_code_takes(text: str) -> None:
    assert re.search(form()["properties"]["start_date"]["pattern"], text)
    assert is_taken({"api_key": KEY, "start_date": text})
