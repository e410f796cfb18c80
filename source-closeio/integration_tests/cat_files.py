"""Make the files of ../cat/ anew: `python -m integration_tests.cat_files`, when streams or sample data have changed."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from airbyte_cdk.models import AirbyteMessageSerializer, ConfiguredAirbyteCatalogSerializer
from airbyte_cdk.test import entrypoint_wrapper
from integration_tests.standing import CONFIGS, GIVEN, start, write_configs
from source_closeio import SourceCloseio

CAT = GIVEN.parent / "cat"
CATALOGS = (CAT / "catalog.json", CAT / "catalog_of_overlaps.json")
ALL = json.loads((GIVEN / "configured_catalog.json").read_text("utf-8"))["streams"]

Key = tuple[str, str]


def catalog_text(names: set[str]) -> str:
    """The streams of these names, as configured_catalog.json has them, one a line."""
    lines = [json.dumps(each, ensure_ascii=False) for each in ALL if each["stream"]["name"] in names]
    return '{\n  "streams": [\n    ' + ",\n    ".join(lines) + "\n  ]\n}\n"


def names_in(text: str) -> set[str]:
    return {each["stream"]["name"] for each in json.loads(text)["streams"]}


def keys_of_a_read() -> list[Key]:
    """The stream and the key of every record, as JSON, in the order in which they came."""
    keys = {each["stream"]["name"]: each["stream"]["source_defined_primary_key"] for each in ALL}
    with start() as simulator:
        config = json.loads((write_configs(simulator) / "sample_config.json").read_text("utf-8"))
        catalog = ConfiguredAirbyteCatalogSerializer.load({"streams": ALL})
        output = entrypoint_wrapper.read(SourceCloseio(), config, catalog)
    records = [AirbyteMessageSerializer.dump(message)["record"] for message in output.records]
    return [(each["stream"], _key(each["data"], keys[each["stream"]])) for each in records]


def _key(data: dict[str, Any], paths: list[list[str]]) -> str:
    return json.dumps({path[0]: data[path[0]] for path in paths})


def expected_lines() -> Iterator[str]:
    """A record of each stream, by its key, which is all that CAT compares; one that is the same whenever it is read."""
    first = keys_of_a_read()
    time.sleep(2)
    lasting = set(keys_of_a_read()).intersection(first)
    for name in (each["stream"]["name"] for each in ALL):
        _, key = max(each for each in lasting if each[0] == name)
        yield f'{{"stream": "{name}", "data": {key}, "emitted_at": 0}}\n'


if __name__ == "__main__":
    for path in CATALOGS:
        path.write_text(catalog_text(names_in(path.read_text("utf-8"))), "utf-8")
    (CAT / "expected_records.jsonl").write_text("".join(expected_lines()), "utf-8")
    print(f"Made {CAT}, with {CONFIGS}")
