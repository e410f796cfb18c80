"""What leaves the process: records as the API sent them, and lines that are never torn."""

from __future__ import annotations

import io
import json
from threading import RLock
from typing import Any

import orjson
from airbyte_cdk import entrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer

_BUFFER_BYTES = 256 * 1024


class _RecordsAsTheyAre:
    """What the entry point uses of a serializer."""

    @staticmethod
    def dump(message: AirbyteMessage) -> Any:
        record = message.record
        if record is None:
            return AirbyteMessageSerializer.dump(message)
        data = {"stream": record.stream, "data": record.data, "emitted_at": record.emitted_at}
        return {"type": "RECORD", "record": data}


def keep_nulls() -> None:
    """From here on, records leave the entry point as they are.

    The CDK's serializer drops null values from a record (airbyte-cdk 7.39: `omit_none` reaches into its data), which
    makes null and absent the same, and takes a copy of each record to do so. It has no switch, so the entry point gets
    one that passes records through and leaves all other messages to the CDK's.
    """
    entrypoint.AirbyteMessageSerializer = _RecordsAsTheyAre()  # type: ignore[assignment]


def as_line(message: AirbyteMessage) -> bytes:
    """The message as a line of JSON."""
    content = entrypoint.AirbyteMessageSerializer.dump(message)
    try:
        return orjson.dumps(content, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:  # an integer beyond 64 bits
        return json.dumps(content).encode() + b"\n"


class Stdout(io.TextIOBase):
    """Takes the place of sys.stdout, and of the CDK's print buffer, which costs as much as all the rest of a record's
    way through the entry point. Messages, and log lines of any thread, come out whole and in order."""

    def __init__(self) -> None:
        self._bytes = open(1, "wb", buffering=_BUFFER_BYTES, closefd=False)  # noqa: SIM115 - as long as the process
        self._lock = RLock()

    def write(self, text: str) -> int:
        """For print and logging: a person may be waiting for it, so it goes out at once."""
        with self._lock:
            self._bytes.write(text.encode(errors="replace"))
            self._bytes.flush()
        return len(text)

    def write_line(self, line: bytes) -> None:
        with self._lock:
            self._bytes.write(line)

    def flush(self) -> None:
        with self._lock:
            self._bytes.flush()
