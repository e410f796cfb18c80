"""The connector as a process of its own in a hostile world: a sentence, the right exit status, an end, whole lines."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from source_closeio.kit.secrets import SHORTEST
from unit_tests.hostile import (
    KEY,
    PROGRAM,
    ROOT,
    Ended,
    byte_by_byte,
    command,
    config,
    endless_rows,
    environment,
    hostile,
    response,
    run,
)

NOWHERE = "http://127.0.0.1:9"


def assert_decent(ended: Ended) -> None:
    """No trace of Python, and nothing of the key."""
    assert "Traceback" not in ended.text, ended.text[-2000:]
    for at in range(len(KEY) - SHORTEST + 1):
        assert KEY[at : at + SHORTEST] not in ended.text
    assert [message for message in ended.messages if message["type"] != "DEBUG"]
    assert "defect" not in ended.text


# What the server says


def test_an_error_that_quotes_the_key_in_the_middle_of_a_long_text(tmp_path: Path) -> None:
    def answer(request: bytes) -> Iterator[bytes]:
        token = request.partition(b"Authorization: ")[2].partition(b"\r\n")[0].decode()
        body = json.dumps({"message": f"{'x' * 280} {token} {KEY}", "error": [KEY, f"{KEY[3:20]}..."]})
        yield response(body.encode(), "400 Bad Request")

    with hostile(answer) as server:
        for name in ("check", "read"):
            ended = run([*command(tmp_path, name, config(server, api_key=f" Basic {KEY}\n")), "--debug"])
            assert_decent(ended)
            assert server.requests
            assert (ended.status, "x" * 200 in ended.text) == (0 if name == "check" else 1, True)


LOCATIONS = {
    "another host": "http://localhost:{port}/x",
    "the same host": "http://127.0.0.1:{port}/x",
    "a tricky host": "http://127.0.0.1:{port}\\@localhost/x",
    "a secret": "https://user:hunter22@example.com/?Signature=hunter22",
    "no host": "http://[",
}


@pytest.mark.parametrize("name", ["check", "read"])
def test_redirects_are_not_followed(tmp_path: Path, name: str) -> None:
    """Followed, this one would pass for an empty list: 0 rows, and a state that moves to now."""
    places = iter(LOCATIONS.values())

    def answer(request: bytes) -> Iterator[bytes]:
        if request.startswith(b"GET /x"):
            yield response(b'{"data": [], "has_more": false, "exports": [], "id": "1"}')
        else:
            yield response(b"", "302 Found", Location=next(places, NOWHERE).format(port=server.port))

    with hostile(answer) as server:
        ended = run(command(tmp_path, name, config(server)))
        assert_decent(ended)
        assert not [request for request in server.requests if b" /x" in request.partition(b"\r\n")[0]]
    assert "redirect" in ended.verdict
    assert "hunter22" not in ended.text
    assert ended.status == (0 if name == "check" else 1)
    assert not [message for message in ended.messages if message["type"] == "STATE"]


@pytest.mark.parametrize("name", ["check", "discover"])
def test_a_person_does_not_wait_for_a_server_that_sends_byte_by_byte(tmp_path: Path, name: str) -> None:
    with hostile(lambda _: byte_by_byte(b"HTTP/1.1 200 OK\r\n" + b"X-Long: yes\r\n" * 9999)) as server:
        hurry = "import source_closeio.kit.source as kit; kit._PERSON_SECONDS = 2.0"
        ended = run(command(tmp_path, name, config(server)), before=hurry)
    assert_decent(ended)
    assert ended.seconds < 40
    if server.requests:
        assert "did not answer within 2 s" in ended.verdict
        assert ended.status == (0 if name == "check" else 1)


def test_an_unreachable_host(tmp_path: Path) -> None:
    for name in ("check", "discover"):
        ended = run(command(tmp_path, name, config(NOWHERE)))
        assert_decent(ended)
        assert ended.seconds < 60
        if ended.messages[-1]["type"] != "CATALOG":
            assert "127.0.0.1:9" in ended.verdict
            assert "Connection refused" in ended.verdict
            assert "What was read before" not in ended.verdict


def page(rows: list[Any]) -> bytes:
    """Of a list, in either API's words."""
    return json.dumps({"data": rows, "results": rows, "has_more": False, "id": "1"}).encode()


def read_rows(folder: Path, rows: list[Any]) -> tuple[Ended, list[Any]]:
    with hostile(response(page(rows))) as server:
        ended = run(command(folder, "read", config(server)))
    assert_decent(ended)
    return ended, [message["record"]["data"] for message in ended.messages if message["type"] == "RECORD"]


def test_rows_of_any_depth_are_rows(tmp_path: Path) -> None:
    deep: Any = 10**30
    for _ in range(900):
        deep = [deep]
    rows = [{"id": "1", "deep": deep}, {"id": "2"}]
    ended, records = read_rows(tmp_path, rows)
    assert (ended.status, records) == (0, rows)


def test_rows_with_odd_ids_are_never_silently_fewer(tmp_path: Path) -> None:
    rows = [{"id": each} for each in (["a"], {"b": 1}, None, 10**30, True, "good")]
    ended, records = read_rows(tmp_path, rows)
    assert records == rows or (ended.status == 1 and "a row whose id is a list" in ended.verdict)


@pytest.mark.parametrize("name", ["check", "read"])
def test_an_answer_that_is_far_too_large(tmp_path: Path, name: str) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b" " * (1 << 20)) for _ in range(1024)) + packer.flush()
    limit = "import resource; resource.setrlimit(resource.RLIMIT_DATA, (700_000_000, 700_000_000))"
    with hostile(response(bomb, Content_Encoding="gzip")) as server:
        ended = run(command(tmp_path, name, config(server)), before=limit)
    assert_decent(ended)
    assert "more than 67 MB" in ended.verdict
    assert ended.status == (0 if name == "check" else 1)


# Files of the command line

FILES: dict[str, bytes] = {
    "empty": b"",
    "binary": b"\x7fELF\x02\x01\x01\0\xff\xfe",
    "number": b"7",
    "text": b'"text"',
    "list of numbers": b"[1, 2]",
    "list of lists": b"[[[]]]",
    "deep": b"[" * 100_000 + b"]" * 100_000,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "cut": b'{"api_key": "',
    "UTF-16": '{"api_key": "x"}'.encode("utf-16"),
    "types": b'{"type": 5, "stream": [], "streams": 5, "api_key": {"a": []}}',
}


@pytest.mark.parametrize("what", ["config", "catalog", "state"])
def test_files_of_any_shape(tmp_path: Path, what: str) -> None:
    from airbyte_cdk.entrypoint import AirbyteEntrypoint
    from airbyte_cdk.utils.traced_exception import AirbyteTracedException
    from source_closeio import SourceCloseio
    from source_closeio.kit.entrypoint import Entrypoint

    for name, content in FILES.items():
        arguments = command(tmp_path, "read", config(NOWHERE), streams=(), state=[])
        path = tmp_path / f"{what}.json"
        path.write_bytes(content)
        entrypoint = Entrypoint(SourceCloseio())
        messages = entrypoint.messages(AirbyteEntrypoint.parse_args(arguments))
        if (what, name) == ("state", "deep object"):
            list(messages)
            continue
        with pytest.raises(AirbyteTracedException) as caught:
            list(messages)
        told = str(caught.value.message)
        assert str(path) in told or what == "config", (name, told)
        assert caught.value.failure_type
        assert caught.value.failure_type.value == "config_error", (name, told)


@pytest.mark.parametrize(
    ("name", "what", "content"),
    [("check", "config", b"[]"), ("discover", "config", b"\xff"), ("read", "catalog", b"{}"), ("read", "state", b"7")],
)
def test_a_file_that_is_no_such_thing(tmp_path: Path, name: str, what: str, content: bytes) -> None:
    arguments = command(tmp_path, name, config(NOWHERE), state=[])
    (tmp_path / f"{what}.json").write_bytes(content)
    ended = run(arguments)
    assert_decent(ended)
    assert f"{what}.json" in ended.verdict
    assert (ended.status, len(ended.messages)) == (0 if name == "check" else 1, 1)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    for path in ("/no/such/file", str(tmp_path), "/dev/zero"):
        ended = run(["check", "--config", path])
        assert_decent(ended)
        assert ended.verdict.startswith(f"FAILED: The config file {path} ")


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    content = b"\xef\xbb\xbf" + json.dumps(config(NOWHERE, start_date="soon")).encode()
    assert "'soon' is not a date" in run(command(tmp_path, "check", content)).verdict


def test_usage() -> None:
    for arguments in ([], ["check", "--help"], ["check"]):
        done = subprocess.run([*PROGRAM, *arguments], cwd=ROOT, capture_output=True, check=False, text=True)
        assert (done.stdout + done.stderr).startswith("usage: source-closeio")
        assert done.returncode == (2 if arguments == ["check"] else 0)
        assert "Traceback" not in done.stderr


def test_no_temporary_folder_is_needed(tmp_path: Path) -> None:
    ended = run(["spec"], TMPDIR="/no/such/folder")
    assert ended.status == 0
    assert [message["type"] for message in ended.messages] == ["SPEC"]


# What stands around the process


def shell(line: str, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        ["/bin/sh", "-c", line, "sh", *PROGRAM, *arguments],
        cwd=ROOT,
        env=environment(),
        capture_output=True,
        check=False,
        timeout=60,
    )


@pytest.mark.parametrize(
    ("line", "status", "errors"),
    [
        ('"$@" >/dev/full', 1, b"source-closeio: the output cannot be written: No space left on device\n"),
        ('"$@" >&-', 1, b"source-closeio: the output cannot be written: it is closed\n"),
        ('"$@" >&- 2>&-', 1, b""),
        ('"$@" <&- 2>&- >/dev/null', 0, b""),
        ('{ "$@"; echo $? >&2; } | true', 0, b"1\n"),
    ],
)
def test_an_output_that_takes_nothing(line: str, status: int, errors: bytes) -> None:
    done = shell(line, "spec")
    assert (done.returncode, done.stderr) == (status, errors)


def test_a_disk_that_is_full_while_a_log_is_written(tmp_path: Path) -> None:
    done = shell('"$@" >/dev/full', *command(tmp_path, "check", config(NOWHERE)))
    assert (done.returncode, done.stderr.count(b"\n")) == (1, 1)


def test_a_machine_that_allows_no_threads(tmp_path: Path) -> None:
    """A limit on processes counts nothing of root's, so the thread is refused another way."""
    refused = 'def refuse(self): raise RuntimeError("can\'t start new thread")'
    refused += "\nimport threading; threading.Thread.start = refuse"
    for name in ("check", "discover", "read"):
        ended = run(command(tmp_path, name, config(NOWHERE)), before=refused)
        if ended.messages[-1]["type"] == "CATALOG":
            continue  # of fixed streams
        assert_decent(ended)
        assert ended.status == 1
        assert "ulimit -u" in ended.verdict


# Signals


def start(arguments: list[str], **options: Any) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [*PROGRAM, *arguments], cwd=ROOT, env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options
    )


def stop(process: subprocess.Popen[bytes], number: int) -> tuple[int, float]:
    """The exit status, and how long the end took. The pipe is read only then."""
    process.send_signal(number)
    began = time.monotonic()
    try:
        return process.wait(30), time.monotonic() - began
    finally:
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_at_any_moment(tmp_path: Path, number: int) -> None:
    """From the first instruction of ours on: before that, Python itself dies of it."""
    chance = random.Random(number)
    with hostile(endless_rows) as server:
        arguments = command(tmp_path, "read", config(server))
        # Python's own handler of SIGINT raises where it may be swallowed, until ours is installed.
        first = (0.05, 0.3, chance.uniform(0, 1)) if number == signal.SIGTERM else ()
        for moment in (*first, 1.0, *(chance.uniform(1, 3) for _ in range(3))):
            process = start(arguments)
            time.sleep(moment)
            status, seconds = stop(process, number)
            assert status in (128 + number, -number), (moment, status)
            if moment >= 1:
                assert status == 128 + number
            assert seconds < 10
            output, errors = process.communicate()
            assert output == b"" or output.endswith(b"\n")
            assert b"Traceback" not in errors or moment < 0.5


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "SIGINT"])
def test_a_signal_while_nobody_reads(tmp_path: Path, number: int) -> None:
    with hostile(endless_rows) as server:
        process = start(command(tmp_path, "read", config(server)))
        time.sleep(1)
        assert process.stdout
        os.read(process.stdout.fileno(), 100)  # it is under way
        asked = -1
        while len(server.requests) != asked or not asked:  # until everything waits
            asked = len(server.requests)
            time.sleep(1)
        status, seconds = stop(process, number)
        assert (status, seconds < 10) == (128 + number, True)
        output, errors = process.communicate()
    assert len(output) > 100_000
    assert output.endswith(b"\n"), "a torn line"
    assert errors == b""
    for line in output.splitlines()[1:]:
        json.loads(line)
