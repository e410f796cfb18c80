"""What leaves the process: records as the API sent them, and lines that are never torn."""

from __future__ import annotations

import errno
import fcntl
import io
import mmap
import os
import select
import stat
import struct
import termios
import time
from collections import deque
from contextlib import suppress
from threading import RLock
from typing import Any

from airbyte_cdk import entrypoint
from airbyte_cdk.models import AirbyteMessage, AirbyteMessageSerializer

from .json_text import dump_line

_BUFFER_BYTES = 256 * 1024
_PIPE_BYTES = 1024 * 1024
"""The most that Linux gives a process without privileges (/proc/sys/fs/pipe-max-size)."""
_PAGE = mmap.PAGESIZE
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


class OutputError(OSError):
    """stdout takes no more, so that nobody can be told why but through stderr."""


class Stdout(io.TextIOBase):
    """Takes the place of sys.stdout, and of the CDK's print buffer, which costs as much as all the rest of a record's
    way through the entry point. Messages, and log lines of any thread, come out whole and in order.

    Into a pipe go whole lines only, and only when there is room for them: whoever ends the process while the other
    side reads nothing finds no torn line, unless a single one is larger than the pipe. Raises OutputError.
    """

    def __init__(self, descriptor: int = 1) -> None:
        self._descriptor = descriptor
        self._lock = RLock()
        self._lines: list[bytes] = []
        self._size = 0
        self._pipe = _pipe(descriptor)
        self._block = min(_BUFFER_BYTES, self._pipe.size // 2) if self._pipe else _BUFFER_BYTES

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
        """Let go what can go without waiting, and nothing after it: for a process that is about to end."""
        if not self._lock.acquire(blocking=False):
            return
        data = b"".join(self._lines)
        _, writable, _ = select.select([], [self._descriptor], [], 0)
        if data and writable and (self._pipe is None or self._pipe.takes(len(data))):
            self._lines = []
            self._write(data)

    def _write(self, data: bytes) -> None:
        try:
            if self._pipe and len(data) <= self._pipe.size:
                self._pipe.wait_for_room(len(data))
            view = memoryview(data)
            while view:
                view = view[os.write(self._descriptor, view) :]
        except OSError as error:
            raise OutputError(error.errno, error.strerror) from error


class _Pipe:
    """How much a pipe takes without blocking.

    It counts pages, not bytes: a write goes on in the page of the last one only if all that exceeds its whole pages
    fits there (pipe_write in Linux's fs/pipe.c), so the pages in use follow from the writes that are not read yet.
    """

    def __init__(self, descriptor: int, size: int) -> None:
        self.size = size
        self._descriptor = descriptor
        self._writes: deque[int] = deque()

    def wait_for_room(self, size: int) -> None:
        """And expect the write. Raises BrokenPipeError when nobody reads any more."""
        while not self.takes(size):
            select.select([], [self._descriptor], [])
            time.sleep(_POLL_SECONDS)
        tail = self._writes[-1] % _PAGE if self._writes else 0
        if tail and tail + size <= _PAGE:
            self._writes[-1] += size
        else:
            self._writes.append(size)

    def takes(self, size: int) -> bool:
        """Is there surely room for so many bytes now? Raises BrokenPipeError when nobody reads any more."""
        poll = select.poll()
        poll.register(self._descriptor, select.POLLERR)
        if any(event & select.POLLERR for _, event in poll.poll(0)):
            raise BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE))
        return self._pages_in_use() + _pages(size) <= self.size // _PAGE

    def _pages_in_use(self) -> int:
        unread = int(struct.unpack("i", fcntl.ioctl(self._descriptor, termios.FIONREAD, b"\0" * 4))[0])
        while self._writes and sum(self._writes) - self._writes[0] >= unread:
            self._writes.popleft()  # read
        others = max(0, unread - sum(self._writes))  # stderr may go into the same pipe
        return sum(map(_pages, self._writes)) + _pages(others)


def _pages(size: int) -> int:
    return -(-size // _PAGE)


def _pipe(descriptor: int) -> _Pipe | None:
    """None for what is no pipe, or does not tell how large it is (not Linux)."""
    if not stat.S_ISFIFO(os.fstat(descriptor).st_mode) or not hasattr(fcntl, "F_SETPIPE_SZ"):
        return None
    with suppress(OSError):  # it stays as large as it is, then
        fcntl.fcntl(descriptor, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    return _Pipe(descriptor, fcntl.fcntl(descriptor, fcntl.F_GETPIPE_SZ))
