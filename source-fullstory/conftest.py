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
def configs(standing: FullStorySimulator, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the configs, readable by the user of the image. Each process of the tests has its own."""
    folder = tmp_path_factory.mktemp("configs")
    folder.chmod(0o755)
    return write_configs(standing, folder)


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
        write_configs(request.getfixturevalue("standing"))
