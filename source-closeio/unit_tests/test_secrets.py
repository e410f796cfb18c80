"""Neither the key nor its base64 form leaves the process, at any log level, whatever Close answers."""

from __future__ import annotations

import json
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path

import pytest
from simulator import CloseSimulator, Fault, Settings
from source_closeio import SourceCloseio
from unit_tests.syncs import config

Close = Callable[..., CloseSimulator]


@pytest.mark.parametrize("command", ["check", "discover", "read"])
@pytest.mark.parametrize("fault", ["none", "echo"])
def test_no_secret_in_any_output(close: Close, tmp_path: Path, command: str, fault: str) -> None:
    sim = close(Settings())
    token = b64encode(f"{sim.api_key}:".encode()).decode()
    if fault == "echo":  # a proxy that quotes what it was sent
        body = json.dumps({"error": f"Bad request from {sim.api_key}, Authorization: Basic {token}"})
        sim.fault(Fault(kind="400", times=None, body=body))
    (tmp_path / "config.json").write_text(json.dumps(config(sim)))
    stream = {"name": "users", "json_schema": {}, "supported_sync_modes": ["full_refresh"]}
    configured = {"stream": stream, "sync_mode": "full_refresh", "destination_sync_mode": "overwrite"}
    (tmp_path / "catalog.json").write_text(json.dumps({"streams": [configured]}))
    arguments = [command, "--debug", "--config", str(tmp_path / "config.json")]
    arguments += ["--catalog", str(tmp_path / "catalog.json")] if command == "read" else []

    done = subprocess.run(
        [sys.executable, "-m", "source_closeio", *arguments],
        capture_output=True,
        cwd=Path(__file__).parents[1],
        check=False,
        text=True,
    )

    assert sim.requests
    for secret in (sim.api_key, token):
        assert secret not in done.stdout + done.stderr
    assert (done.returncode == 0) == (fault == "none" or command == "check")


def test_the_config_with_the_key_is_never_written_to_a_file(tmp_path: Path) -> None:
    """The CDK would, and a killed process would leave it."""
    SourceCloseio().configure({"api_key": "api_secret.key"}, str(tmp_path))

    assert not list(tmp_path.iterdir())
