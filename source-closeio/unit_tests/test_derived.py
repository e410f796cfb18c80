"""Files that say once more what stands elsewhere: catalog, states, READMEs, changelog, licenses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStream, SyncMode
from source_closeio.streams import STREAMS
from unit_tests import forgotten

ROOT = Path(__file__).parents[1]


def given(name: str) -> Any:
    return json.loads((ROOT / "integration_tests" / f"{name}.json").read_text("utf-8"))


def words(cell: str) -> list[str]:
    return re.findall(r"`(\w+)`", cell)


def is_incremental(stream: AirbyteStream) -> bool:
    return SyncMode.incremental in (stream.supported_sync_modes or [])


def configured(stream: AirbyteStream) -> dict[str, Any]:
    """What a catalog says of the stream whose user wants what is new, and takes the keys that the source proposes."""
    cursor = {"default_cursor_field": stream.default_cursor_field, "cursor_field": stream.default_cursor_field}
    return {
        "name": stream.name,
        "json_schema": {},
        "supported_sync_modes": [mode.value for mode in stream.supported_sync_modes or []],
        "source_defined_primary_key": stream.source_defined_primary_key,
        "primary_key": stream.source_defined_primary_key,
        "source_defined_cursor": is_incremental(stream),
        "sync_mode": "incremental" if is_incremental(stream) else "full_refresh",
        "destination_sync_mode": "append_dedup" if is_incremental(stream) else "overwrite",
        **(cursor if is_incremental(stream) else {}),
    }


@pytest.mark.parametrize("stream", STREAMS, ids=lambda stream: stream.name)
def test_nothing_of_a_stream_is_forgotten(stream: type[Any]) -> None:
    missing = list(forgotten.rows(stream))
    assert not missing, "\n".join(missing)


def test_every_schema_is_of_a_stream() -> None:
    leftover = forgotten.leftover_schemas()
    assert not leftover, "\n".join(leftover)


def test_discover_offers_the_registry(discovered: list[AirbyteStream]) -> None:
    found, registered = [stream.name for stream in discovered], [stream.name for stream in STREAMS]
    missing = [name for name in registered if name not in found]
    assert not missing, f"discover leaves out {missing}: does the simulator answer their paths?"
    assert found == registered


def test_the_catalog_configures_every_stream(discovered: list[AirbyteStream]) -> None:
    entries = given("configured_catalog")["streams"]
    flat = [{"source_defined_cursor": False} | entry.pop("stream") | entry for entry in entries]
    assert flat == [configured(stream) for stream in discovered]


@pytest.mark.parametrize("name", ["sample_state", "abnormal_state"])
def test_the_states_are_of_the_incremental_streams_and_hold_a_position(
    name: str, discovered: list[AirbyteStream]
) -> None:
    states = {each["stream"]["stream_descriptor"]["name"]: each["stream"]["stream_state"] for each in given(name)}
    assert list(states) == [stream.name for stream in discovered if is_incremental(stream)]
    assert all(states.values())


def test_the_page_of_streams_tells_key_and_cursor_of_every_stream(discovered: list[AirbyteStream]) -> None:
    rows = [line.strip("| ").split(" | ") for line in (ROOT / "docs" / "streams.md").read_text("utf-8").splitlines()]
    names_keys_cursors = [[words(cell) for cell in (row[0], row[2], row[3])] for row in rows if len(row) == 5]
    told = {name: (key, cursor) for names, key, cursor in names_keys_cursors for name in names}
    assert told == {
        stream.name: ([path[0] for path in stream.source_defined_primary_key or []], stream.default_cursor_field or [])
        for stream in discovered
    }


@pytest.mark.parametrize("readme", [ROOT / "README.md", ROOT.parent / "README.md"], ids=["own", "root"])
def test_the_readmes_count_the_streams(readme: Path) -> None:
    text = readme.read_text("utf-8")
    said = re.findall(r"\b(\d+) streams", text if readme.parent == ROOT else text.partition(f"| [{ROOT.name}]")[2])
    assert said[:1] == [str(len(STREAMS))], f"{readme} has to say {len(STREAMS)} streams"


def test_the_list_of_licenses_has_the_packages_of_the_image() -> None:
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    listed = (ROOT / "THIRD_PARTY_LICENSES.md").read_text("utf-8")
    locked = re.findall(r"^([\w.-]+)==([^\s;]+)", lock, re.MULTILINE)
    assert re.findall(r"^\| (\S+) \| (\d\S*) \| \w.* \|$", listed, re.MULTILINE) == locked


def test_the_changelog_has_a_date_for_each_version_and_begins_with_that_of_the_image() -> None:
    headings = [line for line in (ROOT / "CHANGELOG.md").read_text("utf-8").splitlines() if line.startswith("## ")]
    dated = [re.fullmatch(r"## (\d+\.\d+\.\d+) - 2\d{3}-\d\d-\d\d", heading) for heading in headings]
    versions = [match[1] for match in dated if match]
    assert len(versions) == len(headings)
    assert f"dockerImageTag: {versions[0]}\n" in (ROOT / "metadata.yaml").read_text("utf-8")
