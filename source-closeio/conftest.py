"""A simulator for Airbyte's standard tests and the image. It stands here, and not in integration_tests/, because
`airbyte-cdk connector test` runs the standard tests from a file in .tmp/."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from simulator import CloseSimulator, Settings

GIVEN = Path(__file__).parent / "integration_tests"


@pytest.fixture(scope="session")
def standing() -> Iterator[CloseSimulator]:
    """A running Close that knows the key of sample_config.json, and no other."""
    with CloseSimulator(Settings(api_key=_load("sample_config.json")["api_key"])) as simulator:
        yield simulator


@pytest.fixture(scope="session")
def configs(standing: CloseSimulator) -> Path:
    """The configs with the address of the running Close, where acceptance-test-config.yml looks for them."""
    folder = GIVEN / ".run"
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        (folder / name).write_text(json.dumps(_load(name) | {"api_url": standing.url}))
    return folder


@pytest.fixture
def slow_answers(standing: CloseSimulator) -> Iterator[None]:
    """Close takes a second for each."""
    before = standing.settings.latency_ms
    standing.settings.change(latency_ms=1000)
    yield
    standing.settings.change(latency_ms=before)


@pytest.fixture(autouse=True)
def _for_standard_tests(request: pytest.FixtureRequest) -> None:
    """They do not ask for fixtures of ours."""
    if "scenario" in request.fixturenames:
        request.getfixturevalue("configs")


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((GIVEN / name).read_text())
    return config
