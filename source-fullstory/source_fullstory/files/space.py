"""Temporary space, which all downloads of the process share.

The download in turn goes first: those ahead of it are put off where there is no room, and give up what they hold if the
one in turn needs it. So only the one in turn can fail for want of room, and only if it does not fit by itself.
"""

from __future__ import annotations

import errno
import itertools
import os
import shutil
import tempfile
from contextlib import suppress
from threading import Lock, RLock
from typing import IO
from weakref import WeakSet

from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.http.api import Waiting
from source_fullstory.kit.errors import config_error

_MOST_RESERVE = 64 * 1024 * 1024
_RESERVE_PART = 20
"""A twentieth of all the space there is, so that small disks have some use, too."""
_SMALL = 1024 * 1024
"""Whether so little fits, writing it shows."""
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


_numbers = itertools.count()


class NoRoom(Exception):
    """There is no room for a download that is not in turn yet."""


class Share:
    """The file that one download writes. One that is `ahead` may be put off at any time; then it is empty."""

    def __init__(self, space: Space, *, ahead: bool) -> None:
        self._space = space
        self._writing = Lock()
        self.number = next(_numbers)
        self.ahead = ahead
        self.put_off = False
        self.file: IO[bytes] | None = None
        self.coming = 0
        """Bytes that are announced, and not written yet."""
        self.status = ""
        """What is going on, for the log."""

    @property
    def takes_room(self) -> bool:
        """It may be announced before there is a file, and again between two tries."""
        return not self.put_off and bool(self.file or self.coming)

    def open(self, what: str) -> IO[bytes]:
        """A file without a name: it is gone as soon as it is closed, or the process ends."""
        try:
            file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - closed by whoever reads it
        except OSError as error:
            raise self._refusal(what, error) from error
        self.file = file
        return file

    def expect(self, what: str, size: int) -> None:
        """So many bytes are coming. Raises NoRoom, or where it is in turn Waiting or AirbyteTracedException."""
        missing = self._space.make_room(self, size)
        if self.put_off or (missing and self.ahead):
            raise NoRoom
        if missing and self._space.has_others(self):
            raise Waiting("waits for room, which the file of another stream takes")
        if missing:
            raise _too_large(what, size, missing)

    def write(self, what: str, piece: bytes) -> None:
        """Raises as `expect` does."""
        rest = memoryview(piece)
        while rest:
            try:
                rest = rest[self._write_some(rest) :]
            except OSError as error:
                if error.errno not in _FULL or not self._space.evict_for(self):
                    raise self._refusal(what, error) from error

    def _write_some(self, piece: memoryview) -> int:
        with self._writing:  # else what is emptied meanwhile grows again
            if self.put_off or not self.file:
                raise NoRoom
            size = self.file.write(piece)
            self.coming = max(0, self.coming - size)
            return size

    def _refusal(self, what: str, error: OSError) -> Exception:
        return NoRoom() if self.ahead else _unwritable(what, error)

    def empty(self) -> None:
        """Give up what is written, from whichever thread."""
        with self._writing:
            self.put_off, self.coming = True, 0
            if self.file:
                with suppress(OSError, ValueError):  # closed meanwhile
                    os.ftruncate(self.file.fileno(), 0)

    def close(self) -> None:
        self.coming = 0
        if self.file:
            self.file.close()
            self.file = None


class Space:
    """The shares that there are. Thread-safe."""

    def __init__(self) -> None:
        self._lock = RLock()
        self._shares: WeakSet[Share] = WeakSet()

    def share(self, *, ahead: bool) -> Share:
        made = Share(self, ahead=ahead)
        with self._lock:
            self._shares.add(made)
        return made

    def take(self, share: Share) -> bool:
        """The download is in turn from now on. Returns whether it still is on its way, or here."""
        with self._lock:
            share.ahead = False
            return not share.put_off

    def make_room(self, share: Share, size: int) -> int:
        """Announce so many bytes. Returns 0 where they fit, else how many bytes are missing."""
        with self._lock:
            if share.put_off:
                return size
            share.coming = size
            while missing := self._missing(share):
                if not self.evict_for(share):
                    share.coming = 0
                    return missing
            return 0

    def evict_for(self, share: Share) -> bool:
        """Make a download that is ahead give up what it holds, if there is one, and `share` is in turn."""
        with self._lock:
            others = [other for other in self._shares if other.ahead and other.takes_room]
            if share.ahead or not others:
                return False
            max(others, key=lambda other: other.number).empty()
            return True

    def has_others(self, share: Share) -> bool:
        """Does another download hold any of the space?"""
        with self._lock:
            return any(other is not share and other.takes_room for other in self._shares)

    def _missing(self, share: Share) -> int:
        announced = sum(other.coming for other in self._shares if other is not share)
        try:
            usage = shutil.disk_usage(tempfile.gettempdir())
        except OSError:  # making a file will show what is wrong
            return 0
        free = usage.free - announced
        return 0 if share.coming <= _SMALL else max(0, share.coming + reserve(usage.total) - free)


SPACE = Space()


def reserve(total: int) -> int:
    """What other programs are left, in bytes."""
    return min(_MOST_RESERVE, total // _RESERVE_PART)


_REMEDY = (
    "Give the connector more temporary space (the environment variable TMPDIR names the folder), or choose a shorter "
    "bundle period in FullStory's Data Export settings, or a shorter export window here."
)


def _too_large(what: str, size: int, missing: int) -> AirbyteTracedException:
    folder = tempfile.gettempdir()
    usage = shutil.disk_usage(folder)
    return config_error(
        f"There is no room for {what}: {size / 1e6:,.1f} MB are coming, {usage.free / 1e6:,.1f} MB are free in "
        f"{folder}, of which {reserve(usage.total) / 1e6:,.1f} MB are left to other programs. {_REMEDY}",
        f"{missing} bytes are missing",
    )


def _unwritable(what: str, error: OSError) -> AirbyteTracedException:
    reason = os.strerror(error.errno) if error.errno and error.errno != errno.ENOENT else "no folder can be written to"
    folder = tempfile.tempdir or os.environ.get("TMPDIR") or "/tmp"  # noqa: S108 - where Python looks
    mount = (
        " In a container that is read-only, mount one (docker run --tmpfs /tmp)." if error.errno not in _FULL else ""
    )
    return config_error(
        f"There is no room for {what} in the temporary folder {folder} ({reason}). {_REMEDY}{mount}",
        f"{type(error).__name__}: {reason}",
    )
