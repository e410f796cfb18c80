"""What is done otherwise than the CDK does it: each test fails when a new CDK makes the patch needless or wrong."""

from __future__ import annotations

import json
import logging
import tempfile
from pathlib import Path
from typing import Any

import pytest
from airbyte_cdk import entrypoint as cdk
from airbyte_cdk.connector import BaseConnector, DefaultConnectorMixin
from airbyte_cdk.entrypoint import AirbyteEntrypoint
from airbyte_cdk.logger import PRINT_BUFFER, init_logger
from airbyte_cdk.models import (
    AirbyteMessage,
    AirbyteMessageSerializer,
    AirbyteRecordMessage,
    AirbyteStateMessage,
    AirbyteStateStats,
    Type,
)
from airbyte_cdk.utils.airbyte_secrets_utils import filter_secrets, update_secrets
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fullstory import SourceFullstory
from source_fullstory.kit import output
from source_fullstory.kit.entrypoint import Entrypoint
from source_fullstory.kit.errors import config_error, trace_message
from source_fullstory.kit.output import as_line, keep_nulls
from unit_tests.hostile import KEY


def record(**data: Any) -> AirbyteMessage:
    return AirbyteMessage(type=Type.RECORD, record=AirbyteRecordMessage(stream="users", data=data, emitted_at=1))


@pytest.fixture
def source() -> SourceFullstory:
    return SourceFullstory()


def spec(source: SourceFullstory) -> Any:
    return source.spec(logging.getLogger("airbyte"))


def test_nulls(monkeypatch: pytest.MonkeyPatch) -> None:
    assert AirbyteMessageSerializer.dump(record(a=None, b=1))["record"]["data"] == {"b": 1}, "the CDK keeps nulls now"
    assert json.loads(as_line(record(a=None, b=1)))["record"]["data"] == {"a": None, "b": 1}
    monkeypatch.setattr(cdk, "AirbyteMessageSerializer", AirbyteMessageSerializer)
    keep_nulls()
    line = AirbyteEntrypoint.airbyte_message_to_string(record(a=None))
    assert json.loads(line)["record"]["data"] == {"a": None}


def test_messages_other_than_records_are_the_cdks() -> None:
    message = AirbyteMessage(type=Type.STATE, state=AirbyteStateMessage(sourceStats=AirbyteStateStats(recordCount=1.0)))
    assert output._RecordsAsTheyAre.dump(message) == AirbyteMessageSerializer.dump(message)


def test_a_record_has_no_field_that_we_leave_out() -> None:
    filled = AirbyteMessageSerializer.dump(record(a=1))
    assert json.loads(as_line(record(a=1))) == json.loads(json.dumps(filled))


def test_no_temporary_folder(source: SourceFullstory, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(**_: Any) -> Any:
        raise FileNotFoundError("No usable temporary directory found")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", none)
    with pytest.raises(FileNotFoundError):
        list(AirbyteEntrypoint(source).run(AirbyteEntrypoint.parse_args(["spec"])))
    (said,) = Entrypoint(source).messages(AirbyteEntrypoint.parse_args(["spec"]))
    assert said.spec


def test_the_config_is_not_written_to_a_file(source: SourceFullstory, tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    theirs.mkdir()
    DefaultConnectorMixin.configure(source, {"api_key": KEY}, str(theirs))
    assert KEY in (theirs / "config.json").read_text(), "the CDK no longer writes it"
    assert source.configure({"api_key": KEY}, str(ours)) == {"api_key": KEY}
    assert not list(ours.iterdir())


def test_records_are_not_counted_one_by_one(source: SourceFullstory) -> None:
    stream = {"stream_descriptor": {"name": "users"}, "stream_state": {}}
    (state,) = SourceFullstory.states([{"type": "STREAM", "stream": stream, "sourceStats": {"recordCount": 7.0}}])
    message = AirbyteMessage(type=Type.STATE, state=state)
    assert Entrypoint(source).handle_record_counts(message, {}).state.sourceStats.recordCount == 7.0
    counts: Any = {}
    theirs = AirbyteEntrypoint.handle_record_counts(message, cdk.defaultdict(float, counts))
    assert theirs.state
    assert theirs.state.sourceStats
    assert theirs.state.sourceStats.recordCount == 0.0


def test_the_log_does_not_go_through_the_print_buffer() -> None:
    init_logger("airbyte")
    streams = [handler.stream for handler in logging.root.handlers if isinstance(handler, logging.StreamHandler)]
    assert PRINT_BUFFER in streams


def test_a_config_is_judged_by_our_sentences(source: SourceFullstory) -> None:
    wrong = {"api_key": KEY, "start_date": "yesterday"}
    with pytest.raises(AirbyteTracedException) as theirs:
        AirbyteEntrypoint.validate_connection(spec(source), wrong)
    assert "does not match" in str(theirs.value.message)
    with pytest.raises(AirbyteTracedException) as ours:
        Entrypoint(source).validate_connection(spec(source), wrong)
    assert "Write it as 2025-01-01" in str(ours.value.message)


def test_the_memory_monitor_is_quiet(source: SourceFullstory, caplog: pytest.LogCaptureFixture) -> None:
    logging.getLogger("airbyte").setLevel(logging.INFO)
    AirbyteEntrypoint(source)
    assert "MemoryMonitor" in caplog.text
    caplog.clear()
    Entrypoint(source)
    assert "MemoryMonitor" not in caplog.text


def test_a_key_of_one_letter_leaves_words_readable(source: SourceFullstory) -> None:
    update_secrets([])
    settings = spec(source).connectionSpecification
    AirbyteEntrypoint.set_up_secret_filter({"api_key": "a"}, settings)
    assert filter_secrets("a bad key") == "**** b****d key"
    Entrypoint(source).set_up_secret_filter({"api_key": "a"}, settings)
    assert filter_secrets("a bad key") == "a bad key"
    Entrypoint(source).set_up_secret_filter({"api_key": f"  {KEY}\n"}, settings)
    assert KEY not in filter_secrets(f"bad {KEY}")
    Entrypoint(source).set_up_secret_filter({"api_key": ["no text"], "": 1}, settings)


def test_an_error_shows_no_stack_trace() -> None:
    error = config_error("Do this.")
    trace = error.as_sanitized_airbyte_message().trace
    assert trace
    assert trace.error
    assert trace.error.stack_trace
    ours = json.loads(as_line(trace_message(error)))["trace"]["error"]
    assert ours == {"message": "Do this.", "internal_message": "Do this.", "failure_type": "config_error"}


def test_files_of_the_command_line_have_sentences(source: SourceFullstory, tmp_path: Path) -> None:
    path = tmp_path / "broken.json"
    path.write_text("{")
    with pytest.raises(ValueError, match="line 1 column 2"):  # which `launch` would print with a trace
        BaseConnector.read_config(str(path))
    for read in (source.read_config, source.read_catalog, source.read_state):
        with pytest.raises(AirbyteTracedException, match=r"broken\.json is not valid JSON"):
            read(str(path))
