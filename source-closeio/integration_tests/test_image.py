"""The image as Airbyte runs it: read-only, as a user without rights, with the files of the sync mounted."""

from __future__ import annotations

import base64
import json
import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import docker
import pytest
import yaml
from docker.models.containers import Container
from docker.models.images import Image
from simulator import CloseSimulator

HERE = Path(__file__).parent
ROOT = HERE.parent
METADATA = yaml.safe_load((ROOT / "metadata.yaml").read_text())["data"]
KEYS = [json.loads((HERE / name).read_text())["api_key"] for name in ("sample_config.json", "invalid_config.json")]
SECRETS = [*KEYS, *(base64.b64encode(f"{key}:".encode()).decode() for key in KEYS)]
CATALOG = json.loads((HERE / "configured_catalog.json").read_text())
CURSORS = {each["stream"]["name"]: each["cursor_field"][0] for each in CATALOG["streams"]}
STREAMS = set(CURSORS)


@pytest.fixture(scope="module")
def engine() -> Iterator[docker.DockerClient]:
    try:
        client = docker.from_env()
    except docker.errors.DockerException as error:
        if os.environ.get("CI") == "true":
            raise
        pytest.skip(f"Docker does not answer: {error}")
    yield client
    client.close()


@pytest.fixture(scope="module")
def image(engine: docker.DockerClient) -> Image:
    built, _ = engine.images.build(
        path=str(ROOT),
        tag=f"{METADATA['dockerRepository']}:dev",
        rm=True,
    )
    return built


class Airbyte:
    """Runs the image's commands."""

    def __init__(self, engine: docker.DockerClient, image: Image, configs: Path) -> None:
        self.engine = engine
        self.image = image
        self.configs = configs

    def start(self, *command: str) -> Container:
        container: Container = self.engine.containers.run(
            self.image,
            list(command),
            detach=True,
            network_mode="host",  # the simulator listens on loopback only, as the connector wants for plain http
            read_only=True,
            tmpfs={"/tmp": ""},
            working_dir="/source",
            cap_drop=["ALL"],
            volumes={
                str(self.configs): {"bind": "/configs", "mode": "ro"},
                str(HERE): {"bind": "/given", "mode": "ro"},
            },
        )
        return container

    def run(self, *command: str) -> tuple[int, list[dict[str, Any]]]:
        """The exit status and the messages."""
        container = self.start(*command)
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


@pytest.fixture(scope="module")
def airbyte(engine: docker.DockerClient, image: Image, configs: Path) -> Airbyte:
    return Airbyte(engine, image, configs)


READ = ("read", "--config", "/configs/sample_config.json", "--catalog", "/given/configured_catalog.json")


def of_type(messages: list[dict[str, Any]], type_: str) -> list[dict[str, Any]]:
    field = "connectionStatus" if type_ == "CONNECTION_STATUS" else type_.lower()
    return [message[field] for message in messages if message["type"] == type_]


def test_the_image_says_what_it_is(image: Image) -> None:
    config = image.attrs["Config"]
    assert config["Labels"]["io.airbyte.name"] == METADATA["dockerRepository"]
    assert config["Labels"]["io.airbyte.version"] == METADATA["dockerImageTag"]
    environment = dict(entry.split("=", 1) for entry in config["Env"])
    assert environment["AIRBYTE_ENTRYPOINT"] == " ".join(config["Entrypoint"])
    assert config["Entrypoint"][0].startswith("/"), "Airbyte changes the working directory"
    assert config["User"] == "airbyte"


def test_the_package_has_the_version_of_the_image() -> None:
    assert f'version = "{METADATA["dockerImageTag"]}"' in (ROOT / "pyproject.toml").read_text()


def test_the_image_is_small(engine: docker.DockerClient, image: Image, capsys: pytest.CaptureFixture[str]) -> None:
    base = engine.images.get("python:3.13-slim-trixie").attrs["Size"]
    added = image.attrs["Size"] - base
    with capsys.disabled():
        print(f"\nThe image is {image.attrs['Size'] / 1e6:.0f} MB, {added / 1e6:.0f} MB more than its base")
    assert added < 75e6


def test_files_of_the_image(engine: docker.DockerClient, image: Image) -> None:
    """Compiled, since nobody can write bytecode later; owned by root, but for /airbyte; nothing that only builds."""
    script = """
        cd /airbyte
        id -u; stat -c %U .
        find . -name '*.py' -size +0 -not -path '*/tests/*' | wc -l
        find . -name '*.pyc' | wc -l
        find . -mindepth 1 -writable | wc -l
        find . -name pip -o -name setuptools -o -name wheel -o -name pandas | wc -l
    """
    output = engine.containers.run(image, ["-c", script], entrypoint=["/bin/sh"], remove=True).decode().split()
    user, owner, sources, compiled, writable, leftovers = output
    assert (user, owner) == ("1000", "airbyte")
    assert int(compiled) >= int(sources) > 0
    assert (writable, leftovers) == ("0", "0")


def test_spec(airbyte: Airbyte) -> None:
    status, messages = airbyte.run("spec")
    assert status == 0
    (spec,) = of_type(messages, "SPEC")
    assert spec["connectionSpecification"]["required"] == ["api_key"]


def test_check_with_a_good_key(airbyte: Airbyte) -> None:
    status, messages = airbyte.run("check", "--config", "/configs/sample_config.json")
    assert status == 0
    assert [each["status"] for each in of_type(messages, "CONNECTION_STATUS")] == ["SUCCEEDED"]


def test_check_with_a_wrong_key_says_what_to_do(airbyte: Airbyte) -> None:
    status, messages = airbyte.run("check", "--config", "/configs/invalid_config.json")
    assert status == 0
    (answer,) = of_type(messages, "CONNECTION_STATUS")
    assert answer["status"] == "FAILED"
    assert "API Keys" in answer["message"]


def test_discover(airbyte: Airbyte) -> None:
    status, messages = airbyte.run("discover", "--config", "/configs/sample_config.json")
    assert status == 0
    (catalog,) = of_type(messages, "CATALOG")
    assert {stream["name"] for stream in catalog["streams"]} == STREAMS


@pytest.mark.parametrize("more", [(), ("--debug",)], ids=["plain", "debug"])
def test_read(airbyte: Airbyte, more: tuple[str, ...]) -> None:
    status, messages = airbyte.run(*READ, *more)
    assert status == 0
    assert {record["stream"] for record in of_type(messages, "RECORD")} == STREAMS
    assert {state["stream"]["stream_descriptor"]["name"] for state in of_type(messages, "STATE")} == STREAMS


def test_read_with_a_wrong_key_fails(airbyte: Airbyte) -> None:
    status, messages = airbyte.run(*("/configs/invalid_config.json" if "sample" in word else word for word in READ))
    assert status != 0
    assert not of_type(messages, "RECORD")
    errors = [trace["error"] for trace in of_type(messages, "TRACE") if trace["type"] == "ERROR"]
    assert {error["failure_type"] for error in errors} == {"config_error"}


def test_read_goes_on_from_a_state(airbyte: Airbyte) -> None:
    """A saved state is taken up: nothing older than it comes, but for the lookback of activities."""
    status, messages = airbyte.run(*READ, "--state", "/given/sample_state.json")
    assert status == 0
    leads = [each["data"] for each in of_type(messages, "RECORD") if each["stream"] == "leads"]
    assert all(lead["date_updated"] >= "2025-12-31T23" for lead in leads)


def test_a_state_in_the_future_counts_as_now(airbyte: Airbyte) -> None:
    """What a sync reads again before its state comes, and meetings dated ahead. The state is mended."""
    status, messages = airbyte.run(*READ, "--state", "/given/abnormal_state.json")
    assert status == 0
    yesterday = (datetime.now(UTC) - timedelta(hours=25)).isoformat()
    for record in of_type(messages, "RECORD"):
        assert record["data"][CURSORS[record["stream"]]] > yesterday
    states = of_type(messages, "STATE")
    assert {state["stream"]["stream_descriptor"]["name"] for state in states} == STREAMS
    assert "2999" not in str(states)


def test_stopping_a_read_takes_no_ten_seconds(airbyte: Airbyte, close: CloseSimulator) -> None:
    """`docker stop` kills after ten seconds; the connector is process 1 and has to listen to SIGTERM."""
    before = close.settings.latency_ms
    close.settings.change(latency_ms=1000)
    container = airbyte.start(*READ)
    try:
        deadline = time.monotonic() + 60
        while b"STARTED" not in container.logs():
            assert time.monotonic() < deadline, container.logs().decode()
            time.sleep(0.1)
        began = time.monotonic()
        container.kill("SIGTERM")
        status = container.wait(timeout=30)["StatusCode"]
        assert time.monotonic() - began < 5
        assert status != 0
        airbyte.messages(container)
    finally:
        container.remove(force=True)
        close.settings.change(latency_ms=before)
