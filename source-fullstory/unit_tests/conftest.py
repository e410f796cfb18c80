"""An account on localhost, and no long pauses."""

from collections.abc import Iterator

import pytest
from airbyte_cdk.models import AirbyteStream
from airbyte_cdk.test.entrypoint_wrapper import discover
from simulator import FullStorySimulator, Settings
from source_fullstory import SourceFullstory
from source_fullstory.events import individuals
from unit_tests import forgotten
from unit_tests.syncs import Account


def pytest_sessionstart() -> None:
    """One sentence, instead of the failures of all tests that discover."""
    if missing := forgotten.schemas():
        pytest.exit("\n".join(missing), returncode=1)


@pytest.fixture(autouse=True)
def _long_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of individuals: one for all the years since the accounts of tests begin."""
    monkeypatch.setattr(individuals, "_LONGEST_SECONDS", 100 * 365 * 86_400)


@pytest.fixture
def account() -> Iterator[Account]:
    """Without bundles, and without a limit of its own."""
    with FullStorySimulator(Settings(downloads_per_minute=0)) as sim:
        config = {
            "api_key": sim.api_key,
            "api_url": sim.url,
            "export_url": sim.url,
            "start_date": "2024-01-01T00:00:00Z",
            "downloads_per_minute": 600,
        }
        yield Account(sim, config)


@pytest.fixture(scope="session")
def discovered() -> list[AirbyteStream]:
    """What `discover` answers to a key that may see everything."""
    with FullStorySimulator(Settings()) as sim:
        config = {"api_key": sim.api_key, "api_url": sim.url, "export_url": sim.url}
        catalog = discover(SourceFullstory(), config).catalog.catalog
    assert catalog
    return list(catalog.streams)
