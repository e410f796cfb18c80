from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration_tests.airbyte import airbyte, engine, image, pytest_terminal_summary
from simulator import TRICKS, FullStorySimulator, Settings

__all__ = ["airbyte", "engine", "image", "pytest_terminal_summary"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def fullstory() -> Iterator[FullStorySimulator]:
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


@pytest.fixture(scope="session", autouse=True)
def configs(fullstory: FullStorySimulator) -> Path:
    """The configs with the address of the running FullStory, where acceptance-test-config.yml looks for them."""
    folder = HERE / ".run"
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        address = {"api_url": fullstory.url, "export_url": fullstory.url}
        (folder / name).write_text(json.dumps(_load(name) | address))
    return folder


@pytest.fixture
def slow_answers(fullstory: FullStorySimulator) -> Iterator[None]:
    """FullStory takes a second for each."""
    fullstory.settings.latency_ms = 1000
    yield
    fullstory.settings.latency_ms = 0


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((HERE / name).read_text())
    return config
