"""A simulator for Airbyte's standard tests and the image. It stands here, and not in integration_tests/, because
`airbyte-cdk connector test` runs the standard tests from a file in .tmp/."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from integration_tests.standing import start, write_configs
from simulator import FullStorySimulator


@pytest.fixture(scope="session")
def standing() -> Iterator[FullStorySimulator]:
    with start() as simulator:
        yield simulator


@pytest.fixture(scope="session")
def configs(standing: FullStorySimulator) -> Path:
    """The folder of the configs."""
    return write_configs(standing)


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
