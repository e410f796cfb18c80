"""The simulated FullStory that Airbyte's tests and the image are tried with. `python -m integration_tests.standing`
starts one, and writes the configs that lead to it, for whoever runs such tests by hand; it stands until it is
interrupted."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from simulator import TRICKS, FullStorySimulator, Settings

GIVEN = Path(__file__).parent
CONFIGS = GIVEN / ".run"
JUNE_2025 = 1_748_736_000.0


def start() -> FullStorySimulator:
    """With five bundles and a little of everything else. It knows the key of sample_config.json, and no other."""
    settings = Settings(
        api_key=_load("sample_config.json")["api_key"],
        downloads_per_minute=0,
        export_polls=0,
        # "" where Airbyte's tests want a number, and columns that no schema has
        tricks=TRICKS - {"nulls", "unknown_fields"},
    )
    simulator = FullStorySimulator(settings)
    simulator.add_period("2025-01-01", "2025-01-06", hours=24)
    simulator.fill_account()
    simulator.add_operation(when=JUNE_2025)  # the ids of all others tell when the simulator was started
    return simulator


def write_configs(simulator: FullStorySimulator, folder: Path = CONFIGS) -> Path:
    """The configs with the address of the running FullStory; those of acceptance-test-config.yml, unless told."""
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        address = {"api_url": simulator.url, "export_url": simulator.url}
        (folder / name).write_text(json.dumps(_load(name) | address))
    return folder


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((GIVEN / name).read_text("utf-8"))
    return config


if __name__ == "__main__":
    with start() as running:
        print(f"FullStory stands at {running.url}; the configs are in {write_configs(running)}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
