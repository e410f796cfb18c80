"""The image under the hands of who runs it: started, stopped, and given too little."""

from __future__ import annotations

import json
import os
import random
import time
import tomllib
from pathlib import Path

import docker
import pytest
from docker.models.containers import Container
from docker.models.images import Image
from integration_tests.airbyte import CATALOG, METADATA, READ, ROOT, Airbyte, of_type
from unit_tests.hostile import config, endless_rows, hostile

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SLACK_SECONDS = 8.0
"""The promise is two seconds; ten would be docker's patience, after which it kills."""


def test_labels(image: Image) -> None:
    labels = image.attrs["Config"]["Labels"]
    found = {name.rpartition(".")[2]: text for name, text in labels.items() if name.startswith("org.opencontainers")}
    assert found == {
        "title": METADATA["dockerRepository"],
        "version": METADATA["dockerImageTag"],
        "licenses": METADATA["license"],
        "description": PROJECT["description"],
    }


def test_folders_and_programs_of_airbytes_own_images(engine: docker.DockerClient, image: Image) -> None:
    script = "cd /config && cd /secrets && cd / && exec $AIRBYTE_ENTRYPOINT --help"
    said = engine.containers.run(image, ["-c", script], entrypoint=["/bin/sh"], remove=True).decode()
    assert said.startswith("usage: source-closeio [-h]")


def test_nothing_can_be_written(airbyte: Airbyte) -> None:
    """No stream needs a temporary file for little; what needs one says which folder it could be."""
    for command in (("spec",), ("check", *READ[1:3]), ("discover", *READ[1:3]), READ):
        status, messages = airbyte.run(*command, tmpfs={})
        errors = [trace["error"] for trace in of_type(messages, "TRACE") if trace["type"] == "ERROR"]
        assert status == bool(errors)
        for error in errors:
            assert error["failure_type"] == "config_error"
            assert "--tmpfs /tmp" in error["message"]
    assert of_type(messages, "RECORD")


def test_a_config_that_the_containers_user_may_not_read(airbyte: Airbyte, tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_text("{}")
    path.chmod(0)
    volumes = {str(path): {"bind": "/secrets/config.json", "mode": "ro"}}
    for command in ("check", "discover"):
        status, messages = airbyte.run(command, "--config", "/secrets/config.json", volumes=volumes)
        (told,) = messages
        assert "/secrets/config.json cannot be read: Permission denied" in json.dumps(told)
        assert "uid 1000" in json.dumps(told)
        assert status == (0 if command == "check" else 1)


@pytest.mark.parametrize("most", [1, 2, 6])
def test_few_processes_are_allowed(airbyte: Airbyte, most: int) -> None:
    """A thread counts as one, for the limits of containers. It ends, by a sentence or well, but never by a defect."""
    status, messages = airbyte.run(*READ, pids_limit=most)
    errors = [trace["error"] for trace in of_type(messages, "TRACE") if trace["type"] == "ERROR"]
    assert status == bool(errors)
    assert not [error for error in errors if "defect" in error["message"]]
    if most == 1:
        assert "ulimit -u" in errors[-1]["message"]


def stop(container: Container, signal: str) -> tuple[int, float]:
    container.kill(signal)
    began = time.monotonic()
    status = container.wait(timeout=60)["StatusCode"]
    return status, time.monotonic() - began


@pytest.mark.parametrize(("signal", "expected"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_stopped_at_any_moment(airbyte: Airbyte, tmp_path: Path, signal: str, expected: int) -> None:
    """As process 1, for which the kernel drops what is not handled; from the moment on that docker calls a start."""
    chance = random.Random(signal)
    with hostile(endless_rows) as server:
        volumes = prepare(tmp_path, config(server))
        for moment in (0.0, 0.0, 0.0, *(chance.uniform(0, 3) for _ in range(4))):
            container = airbyte.start(*ENDLESS, volumes=volumes)
            try:
                time.sleep(moment)
                status, seconds = stop(container, signal)
                assert (status, seconds < SLACK_SECONDS) == (expected, True), (moment, seconds)
                airbyte.messages(container)
            finally:
                container.remove(force=True)


ENDLESS = ("read", "--config", "/run/here/config.json", "--catalog", "/run/here/catalog.json")


def prepare(folder: Path, settings: object) -> dict[str, dict[str, str]]:
    """The files of a sync of users, and where to mount them."""
    users = [each for each in CATALOG["streams"] if each["stream"]["name"] == "users"]
    folder.chmod(0o755)
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "catalog.json").write_text(json.dumps({"streams": users}))
    return {str(folder): {"bind": "/run/here", "mode": "rw"}}


def test_stopped_while_nobody_reads(airbyte: Airbyte, tmp_path: Path) -> None:
    """A destination that stalls: the pipe is full, and process 1 waits for room in it."""
    path = tmp_path / "stdout"
    os.mkfifo(path)
    path.chmod(0o666)
    reading = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with hostile(endless_rows) as server:
        volumes = prepare(tmp_path, config(server))
        script = 'exec $AIRBYTE_ENTRYPOINT "$@" >/run/here/stdout'
        container = airbyte.start("-c", script, "sh", *ENDLESS, entrypoint=["/bin/sh"], volumes=volumes)
        try:
            asked = -1
            while len(server.requests) != asked or not asked:  # until everything waits
                asked = len(server.requests)
                time.sleep(1)
            status, seconds = stop(container, "SIGTERM")
            assert (status, seconds < SLACK_SECONDS) == (143, True)
            assert container.logs() == b""
        finally:
            container.remove(force=True)
    output = b""
    while piece := os.read(reading, 1 << 20):
        output += piece
    os.close(reading)
    assert len(output) > 100_000
    assert output.endswith(b"\n"), "a torn line"
    for line in output.splitlines():
        json.loads(line)
