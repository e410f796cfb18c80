"""Downloads into temporary files, whole and proved so.

They are written to disk as fast as the wire gives them, and parsed afterwards: parsing while downloading is what makes
FullStory's own tool lose downloads of many gigabytes (https://github.com/fullstorydev/hauser/issues/82).
"""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from threading import Event, Thread
from typing import IO

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory.http.api import Answered, Client, FullStoryTiming, check_status
from source_fullstory.kit.contract import Page, Stopped
from source_fullstory.kit.retry import Retry
from source_fullstory.kit.transport import NETWORK_ERRORS, error_body, root_cause
from source_fullstory.rows.decode import BadBundle, arrays, inflated, is_whole

_PIECE = 256 * 1024
_SLOW_BYTES = 16 * 1024  # a download that brings less in the time that `stall` names has stalled
_DISK_RESERVE = 64 * 1024 * 1024
_DISK_CHECK_BYTES = 64 * 1024 * 1024
_PARSE_TRIES = 3

logger = logging.getLogger("airbyte")


@dataclass(slots=True)
class Spool:
    """A complete download, in a file without a name: it is gone as soon as it is closed, or the process ends."""

    file: IO[bytes]
    wire_bytes: int
    json_bytes: int
    lines: int
    """About as many as rows, for all known downloads have one a line."""

    def chunks(self) -> Iterator[bytes]:
        """Its JSON, as one array, from the beginning. One reader at a time."""
        return arrays(inflated(_pieces(self.file)))

    def close(self) -> None:
        self.file.close()


def receive(
    client: Client,
    what: str,
    endpoint: str,
    send: Callable[[], requests.Response],
    answered: Answered,
    *,
    lines: bool = False,
) -> Spool:
    """One try at a download, for Client.persist. `lines` lets NDJSON pass, where otherwise only an array is whole.

    Raises Retry for what time may mend, Stopped, errors.FullStoryError, and AirbyteTracedException when `what` does
    not fit on the disk.
    """
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
    try:
        size = _write(client, what, endpoint, send, file, answered)
        try:
            return Spool(file, size, *is_whole(inflated(_pieces(file)), lines=lines))
        except BadBundle as error:
            raise Retry(f"{error} (after {size:,} bytes on the wire)") from error
    except BaseException:
        file.close()
        raise


def _write(
    client: Client,
    what: str,
    endpoint: str,
    send: Callable[[], requests.Response],
    file: IO[bytes],
    answered: Answered,
) -> int:
    """The body into `file`, exactly as it is on the wire. Returns its size."""
    size = 0
    try:
        with send() as response:
            if response.status_code != 200:
                check_status(response, endpoint, error_body(response))
                raise Retry(f"answered {response.status_code}")
            answered()
            promised = response.headers.get("Content-Length", "")
            _check_disk(what, int(promised) if promised.isdigit() else 0)
            for piece in _paced(response, client.api.timing):
                if client.stopped.is_set():
                    raise Stopped
                if size // _DISK_CHECK_BYTES != (size + len(piece)) // _DISK_CHECK_BYTES:
                    _check_disk(what, _DISK_CHECK_BYTES)
                file.write(piece)
                size += len(piece)
                client.usage.downloaded_bytes += len(piece)
            file.flush()
    except NETWORK_ERRORS as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _disk_full(what, 0) from error
        raise Retry(f"broke off after {size:,} bytes ({root_cause(error)})") from error
    return size


def _paced(response: requests.Response, timing: FullStoryTiming) -> Iterator[bytes]:
    """The pieces of the body, undecoded. Raises requests.ReadTimeout when it takes too long or all but stops."""
    end = time.monotonic() + timing.download
    since, received = time.monotonic(), 0
    while piece := response.raw.read1(_PIECE, decode_content=False):
        yield piece
        received += len(piece)
        now = time.monotonic()
        if now > end:
            raise requests.ReadTimeout(f"not through after {timing.download:.0f} s")
        if received >= _SLOW_BYTES:
            since, received = now, 0
        elif now - since > timing.stall:
            raise requests.ReadTimeout(f"only {received} bytes in {now - since:.0f} s")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_PIECE), b"")


def _check_disk(what: str, needed: int) -> None:
    if shutil.disk_usage(tempfile.gettempdir()).free < needed + _DISK_RESERVE:
        raise _disk_full(what, needed)


def parsed(
    client: Client, what: str, spool: Spool, read: Callable[[Spool], Iterator[Page]], again: Callable[[], Spool]
) -> Iterator[Page]:
    """The pages that `read` makes of the spool, which is closed then; what shows its damage only now is downloaded
    `again`. Without gzip or a length nothing proves the bytes. Rows that are out come again, under the same keys.

    Raises BadBundle when the damage stays, and what `again` raises.
    """
    for tries_left in reversed(range(_PARSE_TRIES)):
        try:
            yield from read(spool)
            return  # noqa: TRY300 - an `else` would stand below the `finally`, far from here
        except BadBundle as error:
            if not tries_left:
                raise
            logger.info(f"{client.stream}: {what} {error}; downloading it again")
        finally:
            spool.close()
        spool = again()


class Fetch:
    """A download under way in a daemon thread of its own, which ends with it and keeps no process alive."""

    def __init__(self, client: Client, name: str, fetch: Callable[[], Spool]) -> None:
        self._client = client
        self._fetch = fetch
        self._done = Event()
        self._spool: Spool | None = None
        self._error: Exception | None = None
        self._dropped = False
        Thread(target=self._run, name=f"download-{name}", daemon=True).start()

    def take(self) -> Spool:
        """What was downloaded, once it is here; the caller closes it. Raises what kept it from coming."""
        self._done.wait()
        spool, self._spool = self._spool, None
        if spool is None:
            raise self._error or Stopped
        return spool

    def _run(self) -> None:
        try:
            self._spool = self._fetch()
        except Exception as error:  # noqa: BLE001 - whoever takes it tells the user, whatever it is
            self._error = error
        self._done.set()
        if self._dropped or self._client.stopped.is_set():
            self.drop()

    def drop(self) -> None:
        """Close what was downloaded and not taken, or will be."""
        self._dropped = True
        if self._spool:
            self._spool.close()


def _disk_full(what: str, needed: int) -> AirbyteTracedException:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    return AirbyteTracedException(
        message=f"There is no room for {what}: {needed / 1e6:,.0f} MB more are needed, {free / 1e6:,.0f} MB are free "
        f"in {folder}. Give the connector more temporary disk space (TMPDIR says where), download fewer ahead, or "
        "choose a shorter bundle period in FullStory's Data Export settings, or a shorter export window here.",
        internal_message=f"{free} bytes free",
        failure_type=FailureType.config_error,
    )
