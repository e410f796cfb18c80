from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration_tests.airbyte import airbyte, engine, image, pytest_terminal_summary
from simulator import CloseSimulator, Settings

__all__ = ["airbyte", "engine", "image", "pytest_terminal_summary"]

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def close() -> Iterator[CloseSimulator]:
    """A running Close that knows the key of sample_config.json, and no other."""
    with CloseSimulator(Settings(api_key=_load("sample_config.json")["api_key"])) as simulator:
        yield simulator


@pytest.fixture(scope="session", autouse=True)
def configs(close: CloseSimulator) -> Path:
    """The configs with the address of the running Close, where acceptance-test-config.yml looks for them."""
    folder = HERE / ".run"
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        (folder / name).write_text(json.dumps(_load(name) | {"api_url": close.url}))
    return folder


@pytest.fixture
def slow_answers(close: CloseSimulator) -> Iterator[None]:
    """Close takes a second for each."""
    before = close.settings.latency_ms
    close.settings.change(latency_ms=1000)
    yield
    close.settings.change(latency_ms=before)


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((HERE / name).read_text())
    return config
