"""What leaves the process: records as the API sent them, and lines that are never torn."""

from __future__ import annotations

import errno
import fcntl
import io
import os
import select
import stat
import struct
import termios
import time
from contextlib import suppress
from threading import RLock
from typing import Any

from airbyte_cdk import entrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer

from .json_text import dump_line

_BUFFER_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024
"""The most that Linux gives a process without privileges (/proc/sys/fs/pipe-max-size)."""
_PIPE_SLACK = 3 * 4096
"""A pipe counts pages: the first and the last may be used in part, and a write may begin a new one."""
_POLL_SECONDS = 0.001


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
    """From here on, records leave the CDK's entry point as they are, also where it runs without ours (in tests).

    The CDK's serializer drops null values from a record (airbyte-cdk 7.39: `omit_none` reaches into its data), which
    makes null and absent the same, and takes a copy of each record to do so. It has no switch, so the entry point gets
    one that passes records through and leaves all other messages to the CDK's.
    """
    entrypoint.AirbyteMessageSerializer = _RecordsAsTheyAre()  # type: ignore[assignment]


def as_line(message: AirbyteMessage) -> bytes:
    """The message as a line of JSON."""
    return dump_line(_RecordsAsTheyAre.dump(message))


class Stdout(io.TextIOBase):
    """Takes the place of sys.stdout, and of the CDK's print buffer, which costs as much as all the rest of a record's
    way through the entry point. Messages, and log lines of any thread, come out whole and in order.

    Into a pipe go whole lines only, and only when there is room for them: whoever ends the process while the other
    side reads nothing finds no torn line. Raises OSError (BrokenPipeError, ENOSPC) as a write does.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lock = RLock()
        self._lines: list[bytes] = []
        self._size = 0
        self._room = _pipe_room(descriptor)
        self._block = _BUFFER_BYTES if self._room is None else min(_BUFFER_BYTES, self._room // 2)

    def write(self, text: str) -> int:
        """For print and logging: a person may be waiting for it, so it goes out at once."""
        with self._lock:
            self.write_line(text.encode(errors="replace"))
            if text.endswith("\n"):
                self.flush()
        return len(text)

    def write_line(self, line: bytes) -> None:
        with self._lock:
            if self._size + len(line) > self._block:
                self.flush()
            self._lines.append(line)
            self._size += len(line)

    def flush(self) -> None:
        with self._lock:
            # Emptied first: whoever interrupts the writing must not write the same lines again.
            data, self._lines, self._size = b"".join(self._lines), [], 0
            if data:
                self._write(data)

    def flush_if_free(self) -> None:
        """Let go what can go without waiting: for a process that is about to end."""
        if not self._lock.acquire(blocking=False):
            return
        data = b"".join(self._lines)
        _, writable, _ = select.select([], [self._descriptor], [], 0)
        if data and writable and (self._room is None or len(data) <= self._free()):
            self._lines = []
            self._write(data)

    def _write(self, data: bytes) -> None:
        if self._room is not None and len(data) <= self._room:
            while len(data) > self._free():
                select.select([], [self._descriptor], [])
                time.sleep(_POLL_SECONDS)
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]

    def _free(self) -> int:
        """How many bytes the pipe surely takes now. Raises BrokenPipeError when nobody reads it any more."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLERR)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        unread = struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4))[0]
        return (self._room or 0) - int(unread)


def _pipe_room(descriptor: int) -> int | None:
    """How many bytes of whole lines a pipe holds; None for what is no pipe, or does not tell (not Linux)."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) or not hasattr(fcntl, "F_SETPIPE_SZ"):
        return None
    with suppress(OSError):  # it stays as large as it is, then
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ) - _PIPE_SLACK
