"""The form (spec.yaml) and what reads it (config.py) agree on bounds and defaults."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fullstory import SourceFullstory
from source_fullstory.config import Config

FORM = SourceFullstory().spec(None).connectionSpecification  # type: ignore[arg-type]


@dataclass(frozen=True)
class Field:
    """One field of the form, or of a choice (oneOf) in it."""

    name: str
    spec: dict[str, Any]
    parent: str = ""
    chosen: tuple[tuple[str, Any], ...] = ()
    """What tells the choice from the others."""

    def __str__(self) -> str:
        return f"{self.parent}.{self.name}".strip(".")

    def parse(self, **filled_in: Any) -> Config:
        """The config of somebody who filled in this field, or nothing."""
        key = {"api_key": "na1.key"}
        return Config.parse(key | ({self.parent: dict(self.chosen) | filled_in} if self.parent else filled_in))


def fields() -> Iterator[Field]:
    for name, spec in FORM["properties"].items():
        yield Field(name, spec)
        for choice in spec.get("oneOf", []):
            inner = choice["properties"]
            chosen = tuple((each, inner[each]["const"]) for each in inner if "const" in inner[each])
            yield from (Field(each, inner[each], name, chosen) for each in inner if "const" not in inner[each])


NUMBERS = [field for field in fields() if field.spec["type"] in ("integer", "number")]
DEFAULTS = [field for field in fields() if "default" in field.spec]


@pytest.mark.parametrize("field", NUMBERS, ids=str)
def test_numbers_within_the_bounds_are_taken_and_others_are_refused(field: Field) -> None:
    low, high = field.spec["minimum"], field.spec["maximum"]
    assert field.parse(**{field.name: low}) != field.parse(**{field.name: high})
    for beyond in (low - 1, high + 1):
        with pytest.raises(AirbyteTracedException, match=f"from {low} to {high}"):
            field.parse(**{field.name: beyond})


@pytest.mark.parametrize("field", DEFAULTS, ids=str)
def test_what_is_left_out_is_the_default(field: Field) -> None:
    assert field.parse() == field.parse(**{field.name: field.spec["default"]})


@pytest.mark.parametrize("name", FORM["required"])
def test_what_is_required_may_not_be_left_out(name: str) -> None:
    with pytest.raises(AirbyteTracedException, match="is missing"):
        Config.parse({"api_key": "na1.key"} | {name: None})


def test_every_number_has_bounds_and_a_default() -> None:
    assert NUMBERS
    for field in NUMBERS:
        # A hidden default would be saved with each source, and a later default never reach it.
        wanted = {"minimum", "maximum"} if field.spec.get("airbyte_hidden") else {"minimum", "maximum", "default"}
        assert wanted <= field.spec.keys(), str(field)
