"""The reader with streams that misbehave: each ends with a sentence, the others complete, and nothing hangs."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from airbyte_cdk.models import AirbyteMessage
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fullstory.kit.contract import Estimate, Page
from source_fullstory.kit.errors import config_error, defect
from source_fullstory.kit.reader import Reader


class Plain:
    """Three slices of two pages; the state counts the slices."""

    def __init__(self, name: str, **misbehaviour: Any) -> None:
        self.name = name
        self.misbehaviour = misbehaviour
        self.left = [0, 1, 2]
        self.is_stopped = False

    def misbehave(self, where: str) -> None:
        error = self.misbehaviour.get(where)
        if error:
            raise error

    def open(self, state: Mapping[str, Any]) -> None:
        self.misbehave("open")

    def take_slice(self) -> int | None:
        self.misbehave("take_slice")
        return self.left.pop(0) if self.left else None

    def has_slices(self) -> bool:
        return bool(self.left)

    def is_waiting(self) -> bool:
        return False

    def read_slice(self, stream_slice: int) -> Iterator[Page | Estimate]:
        yield Estimate(6)
        yield [{"id": f"{stream_slice}a"}]
        self.misbehave("read_slice")
        yield []
        yield [{"id": f"{stream_slice}b"}]

    def finish_slice(self, stream_slice: int) -> Mapping[str, Any]:
        self.misbehave("finish_slice")
        return {"read": stream_slice}

    def stop(self) -> None:
        self.is_stopped = True

    def explain(self, error: BaseException) -> AirbyteTracedException:
        self.misbehave("explain")
        return defect(f"Stream {self.name}", error)

    def usage(self) -> str:
        return "no requests"


def read(*streams: Plain, num_workers: int = 2) -> tuple[list[AirbyteMessage], Reader]:
    reader = Reader(streams, {}, num_workers)
    return list(reader.read()), reader


def rows(messages: list[AirbyteMessage], name: str) -> list[str]:
    return [message.record.data["id"] for message in messages if message.record and message.record.stream == name]


def statuses(messages: list[AirbyteMessage], name: str) -> list[str]:
    found = [message.trace.stream_status for message in messages if message.trace and message.trace.stream_status]
    return [status.status.value for status in found if status.stream_descriptor.name == name]


ALL = ["0a", "0b", "1a", "1b", "2a", "2b"]


def assert_complete(messages: list[AirbyteMessage], name: str) -> None:
    assert sorted(rows(messages, name)) == ALL
    assert statuses(messages, name) == ["STARTED", "RUNNING", "COMPLETE"]


@pytest.mark.parametrize("num_workers", [1, 2, 9])
def test_what_behaves(num_workers: int) -> None:
    messages, reader = read(Plain("a"), Plain("b"), num_workers=num_workers)
    for name in ("a", "b"):
        assert_complete(messages, name)
    assert reader.failures == {}
    reader.raise_failures()


def test_a_state_leaves_after_all_records_that_it_covers_and_counts_those_since_the_last() -> None:
    messages, _ = read(Plain("a"), num_workers=3)
    since, seen = 0, set()
    for message in messages:
        if message.record:
            since += 1
            seen.add(message.record.data["id"])
        if message.state:
            assert message.state.sourceStats
            assert message.state.sourceStats.recordCount == since
            since = 0
            number = vars(message.state.stream.stream_state)["read"]  # type: ignore[union-attr]
            assert {f"{number}a", f"{number}b"} <= seen


ERRORS = [KeyError("a record"), MemoryError(), RecursionError(), RuntimeError("can't start new thread")]


@pytest.mark.parametrize("num_workers", [1, 3])
@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("where", ["open", "take_slice", "read_slice", "finish_slice"])
def test_whatever_a_stream_raises_ends_that_stream_only(where: str, error: BaseException, num_workers: int) -> None:
    broken = Plain("broken", **{where: error})
    messages, reader = read(Plain("a"), broken, Plain("b"), num_workers=num_workers)
    for name in ("a", "b"):
        assert_complete(messages, name)
    assert statuses(messages, "broken")[-1] == "INCOMPLETE"
    assert broken.is_stopped
    traces = [message.trace.error for message in messages if message.trace and message.trace.error]
    assert len(traces) == 1
    assert traces[0].message.startswith("Stream broken failed")
    assert "a record" not in traces[0].message
    with pytest.raises(AirbyteTracedException, match="failed: broken"):
        reader.raise_failures()


def test_a_stream_whose_explanation_fails_has_a_sentence_as_well() -> None:
    messages, reader = read(Plain("a"), Plain("broken", open=KeyError(), explain=ValueError()))
    assert_complete(messages, "a")
    assert "ValueError" in str(reader.failures["broken"].message)


def test_the_worst_failure_is_told() -> None:
    _, reader = read(Plain("a", open=KeyError()), Plain("b", explain=config_error("Do this."), open=KeyError()))
    with pytest.raises(AirbyteTracedException) as caught:
        reader.raise_failures()
    assert caught.value.failure_type
    assert caught.value.failure_type.value == "system_error"


@pytest.mark.parametrize("allowed", [0, 1])
def test_a_machine_that_allows_few_threads(
    allowed: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    started: list[str] = []
    start = threading.Thread.start

    def start_few(self: threading.Thread) -> None:
        if len(started) >= allowed:
            raise RuntimeError("can't start new thread")
        started.append(self.name)
        start(self)

    monkeypatch.setattr(threading.Thread, "start", start_few)
    if not allowed:
        with pytest.raises(AirbyteTracedException, match="ulimit -u"):
            read(Plain("a"))
        return
    messages, _ = read(Plain("a"), Plain("b"), num_workers=5)
    for name in ("a", "b"):
        assert_complete(messages, name)
    assert "allows 1 threads of the 5" in caplog.text


def test_who_stops_reading_stops_the_streams() -> None:
    stream = Plain("a")
    messages = Reader([stream], {}, 1).read()
    next(messages)
    messages.close()  # type: ignore[attr-defined]
    assert stream.is_stopped
