"""What people run in this folder, or in a copy of it: pytest where there is no Docker, and Airbyte's own command."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from integration_tests.airbyte import NO_DOCKER, ROOT

MADE = shutil.ignore_patterns("__pycache__", ".*_cache", ".hypothesis", ".run", ".tmp", "build", "dist", ".coverage*")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The folder alone, with nothing that earlier runs have left in it."""
    return Path(shutil.copytree(ROOT, tmp_path / ROOT.name, ignore=MADE))


def run(folder: Path, *command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    everything = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")} | environment
    return subprocess.run(command, cwd=folder, env=everything, capture_output=True, text=True, check=False, timeout=300)


def test_without_docker_the_tests_of_the_image_are_skipped_in_one_sentence(copy: Path) -> None:
    pytest_ = (sys.executable, "-m", "pytest", "integration_tests/test_image.py")

    done = run(copy, *pytest_, DOCKER_HOST="unix:///nonexistent.sock", CI="")

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count(NO_DOCKER) == 1
    assert "tests of the image are skipped." in done.stdout


def test_in_ci_no_docker_is_a_failure(copy: Path) -> None:
    pytest_ = (sys.executable, "-m", "pytest", "integration_tests/test_image.py")

    done = run(copy, *pytest_, "-k", "test_spec", DOCKER_HOST="unix:///nonexistent.sock", CI="true")

    assert done.returncode == 1


def test_airbytes_own_command_runs_the_standard_tests(copy: Path) -> None:
    """But for the long one, which reads every stream; test_airbyte_standards.py has that as well."""
    airbyte_cdk = str(Path(sys.executable).with_name("airbyte-cdk"))

    done = run(copy, airbyte_cdk, "connector", "test", "--pytest-arg=-k", "--pytest-arg=not basic_read")

    assert done.returncode == 0, done.stdout
    assert " passed" in done.stdout
