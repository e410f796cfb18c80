"""Airbyte's classic acceptance tests by our own reading (cat.py), as ../cat/acceptance-test-config.yml sets them out:
through the command line, and through the image where there is Docker."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteStateMessageSerializer,
    ConfiguredAirbyteCatalogSerializer,
)
from airbyte_cdk.test import entrypoint_wrapper
from integration_tests import cat
from integration_tests.airbyte import ROOT
from integration_tests.cat_files import CATALOGS, catalog_text, names_in
from source_closeio import SourceCloseio

CONFIG = yaml.safe_load((ROOT / "cat" / "acceptance-test-config.yml").read_text("utf-8"))
SECTIONS = CONFIG["acceptance_tests"]
Messages = list[dict[str, Any]]
Run = Callable[..., Messages]


@pytest.fixture(scope="module", params=["command line", "image"])
def run(request: pytest.FixtureRequest, configs: Path) -> Run:
    """Runs one command with files of `configs`: run("read", config="sample_config.json", catalog=...)."""
    if request.param == "image":
        airbyte = request.getfixturevalue("airbyte")
        return lambda command, **files: airbyte.run(command, *options(files, "/configs"))[1]
    return lambda command, **files: command_line(command, *options(files, str(configs)))


def options(files: Mapping[str, str], folder: str) -> list[str]:
    return [word for name, file in files.items() for word in (f"--{name}", f"{folder}/{Path(file).name}")]


def command_line(*words: str) -> Messages:
    command = [sys.executable, "-m", "source_closeio", *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=300)
    return [json.loads(line) for line in done.stdout.split("\n") if line]


@pytest.fixture(scope="module")
def discovered(run: Run) -> dict[str, Any]:
    (test,) = SECTIONS["basic_read"]["tests"]
    messages = run("discover", config=test["config_path"])
    (catalog,) = [message["catalog"] for message in messages if message["type"] == "CATALOG"]
    return {stream["name"]: stream for stream in catalog["streams"]}


@pytest.fixture(scope="module")
def expected_to_be_filled(discovered: dict[str, Any]) -> dict[str, Any]:
    """The streams of the basic read: all that are discovered, but for those that are declared empty."""
    empty = {each["name"] for each in SECTIONS["basic_read"]["tests"][0].get("empty_streams", [])}
    return {name: stream for name, stream in discovered.items() if name not in empty}


@pytest.fixture(scope="module")
def whole_read(run: Run, configs: Path, expected_to_be_filled: dict[str, Any]) -> Messages:
    catalog = configured(expected_to_be_filled, "full_refresh")
    (configs / "cat_catalog.json").write_text(json.dumps(catalog))
    return run("read", config=SECTIONS["basic_read"]["tests"][0]["config_path"], catalog="cat_catalog.json")


def configured(streams: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """The streams that have this mode, in it. CAT reads the others as they can be read."""

    def entry(stream: dict[str, Any]) -> dict[str, Any]:
        possible = mode if mode in stream["supported_sync_modes"] else "full_refresh"
        return {"stream": stream, "sync_mode": possible, "destination_sync_mode": "append"}

    return {"streams": [entry(stream) for stream in streams.values()]}


def records(messages: Messages) -> Messages:
    return [message["record"] for message in messages if message["type"] == "RECORD"]


def load(path: str) -> Any:
    return json.loads((ROOT / path).read_text("utf-8"))


# -- the rules


def test_configuration() -> None:
    assert list(cat.faults_of_config(CONFIG)) == []


@pytest.mark.parametrize("path", CATALOGS, ids=lambda path: path.name)
def test_catalogs_are_up_to_date(path: Path) -> None:
    text = path.read_text("utf-8")
    assert text == catalog_text(names_in(text)), "make them anew: python -m integration_tests.cat_files"


def test_spec(run: Run) -> None:
    for test in SECTIONS["spec"]["tests"]:
        (spec,) = [message["spec"] for message in run("spec") if message["type"] == "SPEC"]
        file = yaml.safe_load((ROOT / test["spec_path"]).read_text("utf-8"))
        assert list(cat.faults_of_spec(spec, file, load(test["config_path"]))) == []


def test_connection(run: Run) -> None:
    for test in SECTIONS["connection"]["tests"]:
        messages = run("check", config=test["config_path"])
        assert list(cat.faults_of_check(messages, test["status"])) == []


def test_discovery(discovered: dict[str, Any]) -> None:
    assert list(cat.faults_of_catalog(list(discovered.values()))) == []


def test_records(whole_read: Messages, expected_to_be_filled: dict[str, Any]) -> None:
    found = records(whole_read)
    more_columns = not SECTIONS["basic_read"]["tests"][0].get("fail_on_extra_columns", True)
    assert list(cat.faults_of_records(found, expected_to_be_filled, more_columns)) == []
    assert list(cat.faults_of_emptiness(found, expected_to_be_filled)) == []


def test_expected_records(whole_read: Messages, expected_to_be_filled: dict[str, Any]) -> None:
    (test,) = SECTIONS["basic_read"]["tests"]
    lines = (ROOT / test["expect_records"]["path"]).read_text("utf-8").splitlines()
    expected = [json.loads(line) for line in lines]
    assert list(cat.faults_of_expectation(records(whole_read), expected, expected_to_be_filled)) == []


def test_statuses(whole_read: Messages, expected_to_be_filled: dict[str, Any]) -> None:
    assert list(cat.faults_of_statuses(whole_read, expected_to_be_filled)) == []


def test_states(whole_read: Messages, expected_to_be_filled: dict[str, Any]) -> None:
    assert list(cat.faults_of_states(whole_read, expected_to_be_filled)) == []


def test_a_catalog_that_makes_no_sense_is_answered_by_an_error_trace(run: Run, configs: Path) -> None:
    """A stream that does not exist, in modes that do not exist; and one in good modes, which starts before it fails."""
    (test,) = SECTIONS["basic_read"]["tests"]
    stream = {"name": "no_such_stream", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    for mode, statuses in (("INVALID", []), ("full_refresh", ["STARTED", "INCOMPLETE"])):
        entry = {"stream": stream, "sync_mode": mode, "destination_sync_mode": "overwrite"}
        (configs / "cat_bad_catalog.json").write_text(json.dumps({"streams": [entry]}))
        messages = run("read", config=test["config_path"], catalog="cat_bad_catalog.json")
        traces = [message["trace"] for message in messages if message["type"] == "TRACE"]
        assert [trace["stream_status"]["status"] for trace in traces if trace["type"] == "STREAM_STATUS"] == statuses
        assert [trace["error"]["failure_type"] for trace in traces if trace["type"] == "ERROR"]


def test_full_refresh(run: Run, whole_read: Messages) -> None:
    (test,) = SECTIONS["full_refresh"]["tests"]
    ignored = {name: [field["name"] for field in fields] for name, fields in (test.get("ignored_fields") or {}).items()}
    again = run("read", config=test["config_path"], catalog="cat_catalog.json")
    assert cat.faults_of_repetition(records(whole_read), records(again), ignored) == []


# -- incremental: in one process, for there are many reads


@pytest.fixture(scope="module")
def offered(configs: Path) -> dict[str, Any]:
    output = entrypoint_wrapper.discover(SourceCloseio(), json.loads((configs / "sample_config.json").read_text()))
    catalog = AirbyteMessageSerializer.dump(output.catalog)["catalog"]
    return {stream["name"]: stream for stream in catalog["streams"]}


def streams_of(test: Mapping[str, Any], offered: Mapping[str, Any]) -> dict[str, Any]:
    """What CAT does with the catalog of the test: by name, as discovered."""
    names = [each["stream"]["name"] for each in load(test["configured_catalog_path"])["streams"]]
    return {name: offered[name] for name in names}


@pytest.fixture
def config(test: dict[str, Any], configs: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((configs / Path(test["config_path"]).name).read_text("utf-8"))
    return found


def read(config: dict[str, Any], streams: Mapping[str, Any], state: Messages) -> tuple[Messages, Messages]:
    """The records and the states."""
    catalog = ConfiguredAirbyteCatalogSerializer.load(configured(streams, "incremental"))
    states = [AirbyteStateMessageSerializer.load(each) for each in state]
    output = entrypoint_wrapper.read(SourceCloseio(), config, catalog, states)
    assert output.errors == []
    return dumped(output.records, "record"), dumped(output.state_messages, "state")


def dumped(messages: list[AirbyteMessage], kind: str) -> Messages:
    return [AirbyteMessageSerializer.dump(message)[kind] for message in messages]


def last_states(states: Messages) -> Messages:
    return list({state["stream"]["stream_descriptor"]["name"]: state for state in states}.values())


def test_every_incremental_stream_is_in_one_of_the_catalogs(offered: dict[str, Any]) -> None:
    catalogs = [streams_of(test, offered) for test in SECTIONS["incremental"]["tests"]]
    incremental = [name for name, stream in offered.items() if "incremental" in stream["supported_sync_modes"]]
    assert sorted(name for streams in catalogs for name in streams) == sorted(incremental)


@pytest.mark.parametrize("test", SECTIONS["incremental"]["tests"])
def test_a_second_read_differs(test: dict[str, Any], config: dict[str, Any], offered: dict[str, Any]) -> None:
    streams = streams_of(test, offered)
    first, states = read(config, streams, [])
    second, _ = read(config, streams, last_states(states))
    assert first
    assert states
    assert cat.faults_of_repetition(first, second, {})


@pytest.mark.parametrize("test", SECTIONS["incremental"]["tests"])
def test_each_state_goes_on_where_it_was_saved(
    test: dict[str, Any], config: dict[str, Any], offered: dict[str, Any]
) -> None:
    for name, stream in streams_of(test, offered).items():
        first, states = read(config, {name: stream}, [])
        for state, least in cat.checkpoints(states):
            again, _ = read(config, {name: stream}, [dict(state)])
            assert len(again) >= least, (name, state)
            assert cat.faults_of_repetition(first, again, {}), (name, state)


@pytest.mark.parametrize("test", SECTIONS["incremental"]["tests"])
def test_a_future_state_brings_nothing(test: dict[str, Any], config: dict[str, Any], offered: dict[str, Any]) -> None:
    future = test["future_state"]
    if "bypass_reason" in future:
        pytest.skip(future["bypass_reason"])
    streams, given = streams_of(test, offered), load(future["future_state_path"])
    assert {each["stream"]["stream_descriptor"]["name"] for each in given} >= set(streams)
    found, states = read(config, streams, given)
    assert found == []
    assert states
