"""A machine without a folder for temporary files: what needs none works."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from simulator import CloseSimulator
from unit_tests.syncs import config

ROOT = Path(__file__).parents[1]


WITHOUT = """
import sys, tempfile
def nowhere():
    raise FileNotFoundError(2, "No usable temporary directory found")
tempfile._get_default_tempdir = nowhere
from source_closeio.run import run
run()
"""
"""Root may write anywhere, so a folder without rights would not do."""


def run(*arguments: str, code: str = WITHOUT) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *arguments]
    env = {"TMPDIR": "/nowhere", "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    "code", [WITHOUT, "from source_closeio.run import run; run()"], ids=["none", "TMPDIR is missing"]
)
def test_spec_needs_no_temporary_folder(code: str) -> None:
    done = run("spec", code=code)
    assert done.returncode == 0
    assert json.loads(done.stdout.splitlines()[-1])["type"] == "SPEC"


@pytest.mark.parametrize("command", ["check", "discover"])
def test_check_and_discover_need_no_temporary_folder(
    close: Callable[..., CloseSimulator], tmp_path: Path, command: str
) -> None:
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config(close())))
    done = run(command, "--config", str(path))
    assert done.returncode == 0
    messages = [json.loads(line) for line in done.stdout.splitlines()]
    assert messages[-1].get("connectionStatus", {"status": "SUCCEEDED"}) == {"status": "SUCCEEDED"}
    assert {"CONNECTION_STATUS", "CATALOG"} & {message["type"] for message in messages}
