"""Runs the image as Airbyte does: read-only, as a user without rights, with the files of the sync mounted."""

from __future__ import annotations

import base64
import fcntl
import gc
import json
import os
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.containers import Container
from docker.models.images import Image

HERE = Path(__file__).parent
ROOT = HERE.parent
METADATA = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]
KEYS = [json.loads((HERE / name).read_text())["api_key"] for name in ("sample_config.json", "invalid_config.json")]
SECRETS = [*KEYS, *(base64.b64encode(f"{key}:".encode()).decode() for key in KEYS)]
CATALOG = json.loads((HERE / "configured_catalog.json").read_text())
STREAMS = {each["stream"]["name"] for each in CATALOG["streams"]}
CURSORS = {each["stream"]["name"]: each["cursor_field"][0] for each in CATALOG["streams"] if "cursor_field" in each}
NO_DOCKER = "Docker does not answer"
READ = ("read", "--config", "/configs/sample_config.json", "--catalog", "/given/configured_catalog.json")


class Airbyte:
    """Runs the image's commands."""

    def __init__(self, engine: docker.DockerClient, image: Image, configs: Path) -> None:
        self.engine = engine
        self.image = image
        self.configs = configs

    def start(self, *command: str, **options: Any) -> Container:
        """The command in a container; `options` are docker's, in place of Airbyte's."""
        volumes = {
            str(self.configs): {"bind": "/configs", "mode": "ro"},
            str(HERE): {"bind": "/given", "mode": "ro"},
            **options.pop("volumes", {}),
        }
        usual: dict[str, Any] = {
            "read_only": True,
            "tmpfs": {"/tmp": ""},
            "working_dir": "/source",
            "cap_drop": ["ALL"],
            # The simulator listens on loopback only, as the connector wants for plain http.
            "network_mode": "host",
            "detach": True,
            "volumes": volumes,
        }
        container: Container = self.engine.containers.run(self.image, list(command), **usual | options)
        return container

    def run(self, *command: str, **options: Any) -> tuple[int, list[dict[str, Any]]]:
        """The exit status and the messages."""
        container = self.start(*command, **options)
        try:
            status = container.wait(timeout=120)["StatusCode"]
            return status, self.messages(container)
        finally:
            container.remove(force=True)

    def messages(self, container: Container) -> list[dict[str, Any]]:
        """Every line of both outputs: all must be messages, and none may tell a secret."""
        output = container.logs()
        for secret in SECRETS:
            assert secret.encode() not in output
        return [json.loads(line) for line in output.split(b"\n") if line]


def of_type(messages: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    field = "connectionStatus" if type_ == "CONNECTION_STATUS" else type_.lower()
    return [message[field] for message in messages if message["type"] == type_]


@pytest.fixture(scope="session")
def engine() -> Iterator[docker.DockerClient]:
    client = connect()
    if client is None:
        pytest.skip(NO_DOCKER)
    yield client
    client.close()


def connect() -> docker.DockerClient | None:
    """None where no Docker answers; in CI that is a failure."""
    try:
        return docker.from_env()
    except docker.errors.DockerException:
        if os.environ.get("CI") == "true":
            raise
    # docker-py leaves the socket open, which pytest would report as an error at its end
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        gc.collect()
    return None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """In place of a reason for each test."""
    skipped = [each for each in terminalreporter.stats.get("skipped", []) if NO_DOCKER in str(each.longrepr)]
    if skipped:
        terminalreporter.write_line(f"{NO_DOCKER}: {len(skipped)} tests of the image are skipped.")


@pytest.fixture(scope="session")
def image(engine: docker.DockerClient, tmp_path_factory: pytest.TempPathFactory) -> Image:
    """One process builds it; what the others build is in Docker's cache then."""
    with (tmp_path_factory.getbasetemp().parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        built, _ = engine.images.build(path=str(ROOT), tag=f"{METADATA['dockerRepository']}:dev", rm=True)
    return built


@pytest.fixture(scope="session")
def airbyte(engine: docker.DockerClient, image: Image, configs: Path) -> Airbyte:
    return Airbyte(engine, image, configs)
