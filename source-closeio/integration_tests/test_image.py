"""The image, through every command: what it is, what it says, and that it tells no secret."""

from __future__ import annotations

import docker
import pytest
from docker.models.images import Image
from integration_tests.airbyte import METADATA, READ, ROOT, STREAMS, Airbyte, of_type


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


def test_the_image_holds_the_list_of_licenses(engine: docker.DockerClient, image: Image) -> None:
    output = engine.containers.run(image, ["/airbyte/THIRD_PARTY_LICENSES.md"], entrypoint=["cat"], remove=True)
    assert output == (ROOT / "THIRD_PARTY_LICENSES.md").read_bytes()


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
