"""A simulated Close for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteStream
from simulator import CloseSimulator, Settings
from unit_tests import forgotten
from unit_tests.syncs import catalog


def pytest_sessionstart() -> None:
    """One sentence, instead of the failures of all tests that discover."""
    if missing := forgotten.schemas():
        pytest.exit("\n".join(missing), returncode=1)


@pytest.fixture
def close() -> Iterator[Callable[..., CloseSimulator]]:
    """Start a simulated Close with these settings: by default an empty organization."""
    with ExitStack() as running:

        def start(settings: Settings | None = None, **changes: Any) -> CloseSimulator:
            return running.enter_context(CloseSimulator(settings or Settings.empty(**changes)))

        yield start


@pytest.fixture(scope="session")
def discovered() -> list[AirbyteStream]:
    """What `discover` answers to a key that may see everything."""
    with CloseSimulator(Settings.empty()) as sim:
        return list(catalog(sim).values())
