"""Downloads: bundles into temporary files, whole and proved so, some ahead of the one that is being read.

A bundle is written to disk as fast as the wire gives it, and parsed afterwards: parsing while downloading is what
makes FullStory's own tool lose downloads of many gigabytes (https://github.com/fullstorydev/hauser/issues/82).
"""

from __future__ import annotations

import errno
import logging
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Event, Thread
from typing import IO

import requests
from airbyte_cdk.models import FailureType
from airbyte_cdk.utils.traced_exception import AirbyteTracedException

from source_fullstory import errors
from source_fullstory.api import (
    NETWORK_ERRORS,
    Answered,
    Client,
    GivenUp,
    Retry,
    check_status,
    root_cause,
)
from source_fullstory.bundles import Bundle, list_bundles
from source_fullstory.decode import BadBundle, inflated, is_whole
from source_fullstory.reader import Stopped

_PIECE = 256 * 1024
_LONGEST_SECONDS = 2 * 3600.0  # for one download; the platform ends a sync after three hours without a record
_SLOW_SECONDS = 120.0  # a download that brings less than _SLOW_BYTES in so long has stalled
_SLOW_BYTES = 16 * 1024
_DISK_RESERVE = 64 * 1024 * 1024
_DISK_CHECK_BYTES = 64 * 1024 * 1024
_ERROR_BYTES = 64 * 1024

logger = logging.getLogger("airbyte")


class Vanished(Exception):
    """The bundle was listed, and is listed no more."""


@dataclass(slots=True)
class Spool:
    """A complete bundle on disk, in a file without a name: it is gone as soon as it is closed, or the process ends."""

    file: IO[bytes]
    wire_bytes: int
    json_bytes: int

    def chunks(self) -> Iterator[bytes]:
        """Its JSON from the beginning. One reader at a time."""
        return inflated(_pieces(self.file))

    def close(self) -> None:
        self.file.close()


def fetch(client: Client, bundle: Bundle) -> Spool:
    """Download the bundle. Raises Vanished, Stopped, or AirbyteTracedException with the bundle's name."""
    what = f"the download of bundle {bundle.id}"
    attempt = partial(_attempt, client, bundle)
    try:
        try:
            return client.persist(what, client.api.downloads, attempt)
        except errors.Missing as error:
            if bundle not in list_bundles(client, bundle.stop - 1, until=bundle.stop):
                raise Vanished from error
            logger.info(f"{client.stream}: {bundle} is listed, but not there; trying once more")
            return client.persist(what, client.api.downloads, attempt)
    except GivenUp as given_up:
        raise _given_up(client, bundle, given_up) from given_up
    except errors.FullStoryError as error:
        raise _refused(bundle, error) from error


def _attempt(client: Client, bundle: Bundle, answered: Answered) -> Spool:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - closed by whoever reads it
    try:
        size = _receive(client, bundle, file, answered)
        try:
            return Spool(file, size, is_whole(inflated(_pieces(file))))
        except BadBundle as error:
            raise Retry(f"{error} (after {size:,} bytes on the wire)") from error
    except BaseException:
        file.close()
        raise


def _receive(client: Client, bundle: Bundle, file: IO[bytes], answered: Answered) -> int:
    """The body into `file`, exactly as it is on the wire. Returns its size."""
    size = 0
    try:
        with client.api.open_bundle(bundle.id) as response:
            if response.status_code != 200:
                check_status(response, "/export/get", response.raw.read(_ERROR_BYTES, decode_content=True))
                raise Retry(f"answered {response.status_code}")
            answered()
            promised = response.headers.get("Content-Length", "")
            _check_disk(bundle, int(promised) if promised.isdigit() else 0)
            for piece in _paced(response):
                if client.stopped.is_set():
                    raise Stopped
                if size // _DISK_CHECK_BYTES != (size + len(piece)) // _DISK_CHECK_BYTES:
                    _check_disk(bundle, _DISK_CHECK_BYTES)
                file.write(piece)
                size += len(piece)
                client.usage.bundle_bytes += len(piece)
            file.flush()
    except NETWORK_ERRORS as error:
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            raise _disk_full(bundle, 0) from error
        raise Retry(f"broke off after {size:,} bytes ({root_cause(error)})") from error
    return size


def _paced(response: requests.Response) -> Iterator[bytes]:
    """The pieces of the body, undecoded. Raises requests.ReadTimeout when it takes too long or all but stops."""
    end = time.monotonic() + _LONGEST_SECONDS
    since, received = time.monotonic(), 0
    while piece := response.raw.read1(_PIECE, decode_content=False):
        yield piece
        received += len(piece)
        now = time.monotonic()
        if now > end:
            raise requests.ReadTimeout(f"not through after {_LONGEST_SECONDS:.0f} s")
        if received >= _SLOW_BYTES:
            since, received = now, 0
        elif now - since > _SLOW_SECONDS:
            raise requests.ReadTimeout(f"only {received} bytes in {now - since:.0f} s")


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    file.seek(0)
    return iter(lambda: file.read(_PIECE), b"")


def _check_disk(bundle: Bundle, needed: int) -> None:
    if shutil.disk_usage(tempfile.gettempdir()).free < needed + _DISK_RESERVE:
        raise _disk_full(bundle, needed)


class Downloads:
    """Fetches `bundles` in their order, up to `ahead` of them beyond the one that was taken last.

    Each has a daemon thread of its own, which ends with the download, so that none keeps the process alive.
    """

    def __init__(self, client: Client, bundles: Sequence[Bundle], ahead: int) -> None:
        self._client = client
        self._bundles = bundles
        self._ahead = ahead
        self._jobs: list[_Job] = []

    def take(self, number: int) -> Spool:
        """Bundle `number`, once it is here. Ask for them in order. Raises as `fetch` does."""
        self._start_to(number + self._ahead)
        job, self._jobs[number] = self._jobs[number], _TAKEN
        job.done.wait()
        if job.spool is None:
            raise job.error or Stopped
        self._start_to(number + 1 + self._ahead)
        return job.spool

    def _start_to(self, end: int) -> None:
        for bundle in self._bundles[len(self._jobs) : end]:
            job = _Job(Event())
            self._jobs.append(job)
            Thread(target=self._run, args=(bundle, job), name=f"download-{bundle.id}", daemon=True).start()

    def _run(self, bundle: Bundle, job: _Job) -> None:
        try:
            job.spool = fetch(self._client, bundle)
        except Exception as error:  # noqa: BLE001 - whoever takes the bundle tells the user, whatever it is
            job.error = error
        job.done.set()
        if self._client.stopped.is_set():
            self.close()

    def close(self) -> None:
        """Drop what was downloaded and not taken."""
        for job in self._jobs:
            if job.spool:
                job.spool.close()


@dataclass(slots=True)
class _Job:
    done: Event
    spool: Spool | None = None
    error: Exception | None = None


_TAKEN = _Job(Event())


def _given_up(client: Client, bundle: Bundle, given_up: GivenUp) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"{client.stream}: {bundle} could not be downloaded: it {given_up}. The bundles before it are kept, "
        "and the next sync goes on with this one. If it breaks off again and again, choose a shorter bundle period in "
        "FullStory's Data Export settings, so that bundles become smaller, or ask FullStory's support about this one.",
        internal_message=f"{bundle} {given_up.problem}",
        failure_type=FailureType.transient_error,
    )


def _refused(bundle: Bundle, error: errors.FullStoryError) -> AirbyteTracedException:
    return AirbyteTracedException(
        message=f"FullStory lists {bundle}, but does not give it: {error}. The bundles before it are kept. Run the "
        "sync again; if it goes on, ask FullStory's support about this bundle.",
        internal_message=str(error),
        failure_type=FailureType.system_error,
    )


def _disk_full(bundle: Bundle, needed: int) -> AirbyteTracedException:
    folder = tempfile.gettempdir()
    free = shutil.disk_usage(folder).free
    return AirbyteTracedException(
        message=f"There is no room for {bundle}: {needed / 1e6:,.0f} MB more are needed, {free / 1e6:,.0f} MB are free "
        f"in {folder}. Give the connector more temporary disk space (TMPDIR says where), download fewer bundles "
        "ahead, or choose a shorter bundle period in FullStory's Data Export settings.",
        internal_message=f"{free} bytes free",
        failure_type=FailureType.config_error,
    )
