"""Whatever the config, the state and the server say: a sentence, the right exit status, no secret, an end."""

from __future__ import annotations

import json
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import init_logger
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as some
from source_closeio import SourceCloseio
from source_closeio.http.api import TIMING
from source_closeio.kit.entrypoint import Entrypoint, _run
from source_closeio.kit.output import Stdout
from source_closeio.kit.retry import Patience
from unit_tests.hostile import KEY, Hostile, command, config, hostile

HURRY = Patience(tries=2, seconds=1.0, throttled_seconds=0.05, longest_wait=0.05, first_pause=0.001, longest_pause=0.01)
TIMES: dict[str, Any] = {"patience": HURRY, "check_patience": HURRY, "silence": 1.0, "answer": 2.0}
TIMES |= {name: 0.01 for name in ("first_poll", "longest_poll", "stuck") if hasattr(TIMING, name)}
LONGEST_SECONDS = 30.0
STREAMS = sorted(SourceCloseio().stream_names())

words = some.text(max_size=12)
monsters = some.sampled_from(
    [
        "",
        "0",
        "-1",
        "9" * 400,
        "nan",
        "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z",
        "2024-01-01T00:00:00Z",
        "2099-01-01T00:00:00+14:00",
        "Thu, 01 Jan 1970 00:00:00 +99999999999999",
        "Thu, 01 Jan 1970 00:00:00 GMT",
        "\ud800",
        "\0",
        "null",
        "[]",
        "limit=99999999999999999999, remaining=0, reset=1",
        "gzip",
        "http://127.0.0.1:9\\@localhost/x",
        "99999999999999999999",
    ]
)
numbers = some.integers() | some.floats() | some.sampled_from([0, -1, 2**63, 2**64, 10**30, 1e308])
scalars = some.none() | some.booleans() | numbers | words | monsters
names = words | some.sampled_from(
    ["id", "type", "date_created", "date_updated", "data", "events", "bundle_stop", "name"]
)
values = some.recursive(
    scalars, lambda inner: some.lists(inner, max_size=4) | some.dictionaries(names, inner, max_size=4), max_leaves=12
)
rows = some.lists(some.dictionaries(names, values, max_size=5), max_size=4)
lists = some.fixed_dictionaries(
    {}, optional=dict.fromkeys(("data", "results", "exports", "cursor", "has_more", "id", "role"), rows | values)
)
STATES = ("events_read_to", "date_created", "date_updated", "bundle_stop", "exports", "holes", "windows", "stop")
saved = some.dictionaries(some.sampled_from(STATES) | names, values, max_size=4)
echoes = some.sampled_from(
    [f"Bad key {KEY}", json.dumps({"error": f"{'x' * 285}{KEY}", "message": {"a": KEY}}), f"<title>{KEY}</title>"]
)
answers = some.tuples(
    some.sampled_from([200, 200, 200, 200, 204, 302, 400, 401, 402, 403, 404, 408, 410, 429, 500, 503, 599]),
    some.dictionaries(
        some.sampled_from(["Retry-After", "Date", "RateLimit", "Location", "Content-Encoding", "X-RateLimit-Reset"]),
        monsters,
        max_size=2,
    ),
    some.one_of(lists.map(json.dumps), values.map(json.dumps), words, echoes),
)
changes: Any = some.just({}) | some.dictionaries(
    some.sampled_from(
        ["start_date", "num_workers", "events_source", "lookback_window_hours", "exclude_fields", "more"]
    ),
    values,
    max_size=2,
)
keys = some.sampled_from([KEY, f" Basic {KEY}\n"]) | some.just(KEY) | values


def serve(given: list[tuple[int, dict[str, str], str]]) -> Any:
    """The given answers in turn, then empty lists."""
    left = list(given)

    def answer(_: bytes) -> Iterator[bytes]:
        status, headers, body = left.pop() if left else (200, {}, '{"data": [], "results": [], "exports": []}')
        if KEY in body and status < 400:
            status = 400  # a record may hold what it likes
        content = body.encode(errors="replace")
        lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}", "Connection: close"]
        lines += [f"{name}: {text}" for name, text in headers.items() if text.isprintable()]
        yield "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + content

    return answer


def in_process(arguments: list[str], folder: Path) -> tuple[int, bytes]:
    """What `launch` does, but for the end of the process; and everything that it printed."""
    path = folder / "stdout"
    descriptor = os.open(path, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
    before, sys.stdout = sys.stdout, Stdout(descriptor)
    init_logger("airbyte")
    console = logging.StreamHandler(sys.stdout)
    console.setFormatter(logging.root.handlers[0].formatter)
    logging.root.addHandler(console)
    try:
        source = SourceCloseio(replace(TIMING, **TIMES))
        status = _run(Entrypoint(source), AirbyteEntrypoint.parse_args(arguments), sys.stdout)
        sys.stdout.flush()
    finally:
        logging.root.removeHandler(console)
        sys.stdout = before
        os.close(descriptor)
    return status, path.read_bytes()


def run(arguments: list[str], folder: Path) -> tuple[int, bytes]:
    ended: list[tuple[int, bytes]] = []
    thread = Thread(target=lambda: ended.append(in_process(arguments, folder)), daemon=True)
    thread.start()
    thread.join(LONGEST_SECONDS)
    assert not thread.is_alive(), "no end"
    assert ended, "an exception left the entry point"
    return ended[0]


def assert_decent(name: str, status: int, output: bytes) -> None:
    text = output.decode()
    assert "Traceback" not in text
    assert "defect" not in text, text[-3000:]
    for at in range(len(KEY) - 7):
        assert KEY[at : at + 8] not in text
    messages = [json.loads(line) for line in text.splitlines()]
    errors = [message["trace"]["error"] for message in messages if message.get("trace", {}).get("type") == "ERROR"]
    for error in errors:
        assert error["message"].endswith((".", "?")), error["message"]
    assert status == bool(errors)
    if name == "check":
        (verdict,) = [each["connectionStatus"] for each in messages if each["type"] == "CONNECTION_STATUS"]
        assert verdict["status"] == "SUCCEEDED" or verdict["message"].endswith((".", "?")), verdict


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with hostile(b"") as running:
        yield running


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
@settings(
    max_examples=int(os.environ.get("PROPERTY_EXAMPLES", "60")),
    deadline=None,
    derandomize=os.environ.get("CI") == "true" or "PROPERTY_EXAMPLES" not in os.environ,
    database=None,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(
    name=some.sampled_from(["check", "discover", "read", "read", "read"]),
    key=keys,
    changed=changes,
    answered=some.lists(answers, max_size=6),
    streams=some.lists(some.sampled_from(STREAMS), min_size=1, max_size=3, unique=True),
    state=some.lists(saved, min_size=3, max_size=3),
)
def test_anything(
    server: Hostile, name: str, key: Any, changed: Any, answered: Any, streams: list[str], state: list[Any]
) -> None:
    server.answer = serve(answered)
    states = [
        {"type": "STREAM", "stream": {"stream_descriptor": {"name": stream}, "stream_state": each}}
        for stream, each in zip(streams, state, strict=False)
    ]
    with tempfile.TemporaryDirectory() as folder:
        form = {**config(server), "api_key": key, **changed}
        arguments = command(Path(folder), name, form, streams, states)
        began = time.monotonic()
        status, output = run(arguments, Path(folder))
        assert time.monotonic() - began < LONGEST_SECONDS
    assert_decent(name, status, output)
