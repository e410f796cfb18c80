"""A simulator for Airbyte's standard tests and the image. It stands here, and not in integration_tests/, because
`airbyte-cdk connector test` runs the standard tests from a file in .tmp/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator import TRICKS, FullStorySimulator, Settings

GIVEN = Path(__file__).parent / "integration_tests"


@pytest.fixture(scope="session")
def standing() -> Iterator[FullStorySimulator]:
    """A running FullStory with five bundles and a little of everything else, which knows the key of sample_config.json,
    and no other."""
    settings = Settings(
        api_key=_load("sample_config.json")["api_key"],
        downloads_per_minute=0,
        export_polls=0,
        tricks=TRICKS - {"nulls"},  # it writes "" where the schema, and Airbyte's tests, want a number
    )
    with FullStorySimulator(settings) as simulator:
        simulator.add_period("2025-01-01", "2025-01-06", hours=24)
        simulator.fill_account()
        yield simulator


@pytest.fixture(scope="session")
def configs(standing: FullStorySimulator) -> Path:
    """The configs with the address of the running FullStory, where acceptance-test-config.yml looks for them."""
    folder = GIVEN / ".run"
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        address = {"api_url": standing.url, "export_url": standing.url}
        (folder / name).write_text(json.dumps(_load(name) | address))
    return folder


@pytest.fixture
def slow_answers(standing: FullStorySimulator) -> Iterator[None]:
    """FullStory takes a second for each."""
    standing.settings.latency_ms = 1000
    yield
    standing.settings.latency_ms = 0


@pytest.fixture(autouse=True)
def _for_standard_tests(request: pytest.FixtureRequest) -> None:
    """They do not ask for fixtures of ours."""
    if "scenario" in request.fixturenames:
        request.getfixturevalue("configs")


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((GIVEN / name).read_text())
    return config
