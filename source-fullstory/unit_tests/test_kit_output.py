"""Lines that leave the process are whole, whatever the other side does."""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import termios
import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from source_fullstory.kit.output import OutputError, Stdout

LINE = b"x" * 99 + b"\n"


class Pipe:
    """One, and the threads that write into it."""

    def __init__(self) -> None:
        self.reading, self.writing = os.pipe()
        self.stdout = Stdout(self.writing)
        self.threads: list[threading.Thread] = []
        self.failures: list[int | None] = []

    def write(self, lines: Iterable[bytes]) -> None:
        """In a thread, each at once."""
        self.threads.append(threading.Thread(target=self._write, args=(lines,), daemon=True))
        self.threads[-1].start()

    def _write(self, lines: Iterable[bytes]) -> None:
        try:
            for line in lines:
                self.stdout.write_line(line)
                self.stdout.flush()
        except OutputError as error:
            self.failures.append(error.errno)

    def unread(self) -> int:
        """How many bytes are in it."""
        return int(struct.unpack("i", fcntl.ioctl(self.reading, termios.FIONREAD, bytes(4)))[0])

    def drain(self) -> bytes:
        """What is in it."""
        return os.read(self.reading, self.unread()) if self.unread() else b""

    def read(self, size: int, piece: int) -> bytes:
        found = bytearray()
        while len(found) < size:
            found += os.read(self.reading, piece)
        return bytes(found)

    def stop_reading(self) -> None:
        os.close(self.reading)
        self.reading = -1

    def close(self) -> None:
        """The reading end first, so that no thread writes into what gets the number next."""
        if self.reading >= 0:
            self.stop_reading()
        for thread in self.threads:
            thread.join(10)
            assert not thread.is_alive()
        os.close(self.writing)


@pytest.fixture
def pipe() -> Iterator[Pipe]:
    made = Pipe()
    yield made
    made.close()


def test_messages_wait_for_each_other_and_logs_do_not(pipe: Pipe) -> None:
    pipe.stdout.write_line(b"1\n")
    assert pipe.drain() == b""
    pipe.stdout.write("2\n")
    assert pipe.drain() == b"1\n2\n"
    pipe.stdout.write_line(b"3\n")
    pipe.stdout.flush_if_free()
    assert pipe.drain() == b"3\n"


@pytest.mark.parametrize("size", [100, 2500, 4095, 4097, 9000, 200_000])
def test_a_blocked_pipe_holds_whole_lines_only(pipe: Pipe, size: int) -> None:
    """A write that does not fit into what the pipe's last page has left begins a new one, so that a pipe may be full
    with half the bytes that it could hold. A thread that blocks in the write itself has torn its line."""
    pipe.write([b"x" * (size - 1) + b"\n"] * (4_000_000 // size))
    for _ in range(3):
        time.sleep(0.3)  # it fills the pipe, and waits
        assert pipe.unread()
        assert pipe.unread() % size == 0, "a torn line"
        os.read(pipe.reading, size * 3)


def test_a_slow_reader_gets_everything_in_order(pipe: Pipe) -> None:
    sizes = [37, 4000, 5000, 90_000, 12, 2100, 300_000, 2_000_000, 64]
    lines = [bytes([65 + number % 26]) * size + b"\n" for number, size in enumerate(sizes * 2)]
    pipe.write(lines)
    assert pipe.read(sum(map(len, lines)), 33_333) == b"".join(lines)


def test_lines_of_several_threads_are_not_mixed(pipe: Pipe) -> None:
    for mark in (b"a", b"b", b"c"):
        pipe.write([mark * 99 + b"\n"] * 500)
    found = pipe.read(3 * 500 * 100, 65536)
    assert {len(set(line)) for line in found.splitlines()} == {1}
    assert {len(line) for line in found.splitlines()} == {99}


def test_who_is_about_to_end_does_not_wait_for_room(pipe: Pipe) -> None:
    os.write(pipe.writing, b"o" * (fcntl.fcntl(pipe.writing, fcntl.F_GETPIPE_SZ) - 50))
    pipe.stdout.write_line(LINE)
    pipe.stdout.flush_if_free()
    assert LINE not in pipe.drain()


def test_who_is_about_to_end_does_not_wait_for_a_thread_that_waits(pipe: Pipe) -> None:
    pipe.write([LINE * 2000] * 20)
    time.sleep(0.3)
    began = time.monotonic()
    pipe.stdout.flush_if_free()
    assert time.monotonic() - began < 5


def test_nobody_reads_any_more(pipe: Pipe) -> None:
    pipe.stop_reading()
    pipe.write([LINE])
    pipe.threads[-1].join(10)
    assert pipe.failures == [errno.EPIPE]


def test_nobody_reads_any_more_while_it_is_full(pipe: Pipe) -> None:
    pipe.write([LINE * 50] * 9999)
    time.sleep(0.3)
    pipe.stop_reading()
    pipe.threads[-1].join(10)
    assert pipe.failures == [errno.EPIPE]


def test_a_full_disk() -> None:
    with Path("/dev/full").open("wb") as full:
        stdout = Stdout(full.fileno())
        stdout.write_line(LINE)
        with pytest.raises(OutputError) as caught:
            stdout.flush()
    assert caught.value.errno == errno.ENOSPC
