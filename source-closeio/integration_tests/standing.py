"""The simulated Close that Airbyte's tests and the image are tried with. `python -m integration_tests.standing` starts
one, and writes the configs that lead to it, for whoever runs such tests by hand; it stands until it is interrupted."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

from simulator import CloseSimulator, Settings

GIVEN = Path(__file__).parent
CONFIGS = GIVEN / ".run"


def start() -> CloseSimulator:
    """It knows the key of sample_config.json, and no other."""
    return CloseSimulator(Settings(api_key=_load("sample_config.json")["api_key"]))


def write_configs(simulator: CloseSimulator, folder: Path = CONFIGS) -> Path:
    """The configs with the address of the running Close; those of acceptance-test-config.yml, unless told."""
    folder.mkdir(exist_ok=True)
    for name in ("sample_config.json", "invalid_config.json"):
        (folder / name).write_text(json.dumps(_load(name) | {"api_url": simulator.url}))
    return folder


def _load(name: str) -> dict[str, Any]:
    config: dict[str, Any] = json.loads((GIVEN / name).read_text("utf-8"))
    return config


if __name__ == "__main__":
    with start() as running:
        print(f"Close stands at {running.url}; the configs are in {write_configs(running)}", flush=True)
        signal.sigwait({signal.SIGINT, signal.SIGTERM})
