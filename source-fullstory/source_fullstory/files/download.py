"""Downloads into temporary files, whole and proved so.

They are written to disk as fast as the wire gives them, and parsed afterwards: parsing while downloading is what makes
FullStory's own tool lose downloads of many gigabytes (https://github.com/fullstorydev/hauser/issues/82).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import requests
from urllib3.exceptions import ReadTimeoutError

from source_fullstory.files.space import Share
from source_fullstory.files.spool import Spool, digest
from source_fullstory.http.api import Answered, Client, Waiting, check_status
from source_fullstory.kit.contract import Stopped
from source_fullstory.kit.headers import retry_after
from source_fullstory.kit.retry import GivenUp, Retry
from source_fullstory.kit.transport import ERROR_BYTES, NETWORK_ERRORS, deadline, root_cause
from source_fullstory.rows.unpack import BadBundle, NotRows, examined, is_packed, pieces, unpacked

_PIECE = 256 * 1024
_STEP = 4 * 1024 * 1024
"""Room for so much is looked for at a time, where nothing tells how large a file is."""
_SLOW_BYTES = 16 * 1024
"""A download that brings less in the time that `stall` names has stalled."""
_MOST_SILENT_TRIES = 4
_BEING_MADE = frozenset({202, 204})
_SILENCE = (requests.ReadTimeout, ReadTimeoutError)

Send = Callable[[float], requests.Response]
"""Asks for the file, of which each piece may take so many seconds."""


class Download:
    """One file on its way, over all tries at it."""

    def __init__(self, client: Client, what: str, endpoint: str, send: Send, share: Share) -> None:
        self._client = client
        self._what = what
        self._endpoint = endpoint
        self._send = send
        self._share = share
        self._began = time.monotonic()
        self._silent_tries = 0
        self._wrong = self._unproved = b""
        self._is_whole = False
        """Did the last answer say where it ends?"""

    def attempt(self, answered: Answered, prove: Callable[[Spool], None], *, lines: bool = False) -> Spool:
        """One try, for Client.persist. `lines` lets NDJSON pass, where otherwise only an array is whole; `prove` may
        raise NotRows for what has the form only.

        Raises Retry for what time may mend, GivenUp, NotRows for what is no list twice, NoRoom, Stopped,
        errors.FullStoryError, and AirbyteTracedException when the file does not fit on the disk.
        """
        file = self._share.open(self._what)
        try:
            size = self._write(answered)
            try:
                spool = Spool(self._share, size, examined(unpacked(pieces(file)), lines=lines))
                prove(spool)
                if lines:
                    self._prove_end(spool)
            except NotRows as error:
                self._note_wrong(digest(file), error)
                raise Retry(str(error)) from error
            except BadBundle as error:
                raise Retry(f"{error} (after {size:,} bytes on the wire)") from error
        except BaseException:
            self._share.close()
            raise
        self._client.usage.largest_file = max(self._client.usage.largest_file, size)
        return spool

    def _note_wrong(self, found: bytes, error: NotRows) -> None:
        """What comes twice, byte for byte, comes a third time."""
        if found == self._wrong:
            raise error
        self._wrong = found

    def _prove_end(self, spool: Spool) -> None:
        """NDJSON may end after any line, and what breaks off there looks whole. Where neither gzip nor the answer
        tells, only another download does, if it is the same."""
        if self._is_whole or is_packed(spool.file):
            return
        before, self._unproved = self._unproved, spool.digest()
        if before != self._unproved:
            raise Retry("came without anything that tells its end; comparing it with another download")

    # the wire

    def _write(self, answered: Answered) -> int:
        """The body into the file, exactly as it is on the wire. Returns its size."""
        size = 0
        try:
            for piece in self._body(answered):
                if self._client.stopped.is_set():
                    raise Stopped
                if self._share.coming < len(piece):
                    self._share.expect(self._what, max(_STEP, len(piece)))
                self._share.write(self._what, piece)
                size += len(piece)
                self._client.usage.downloaded_bytes += len(piece)
                self._share.status = f"{self._what}, {size / 1e6:,.1f} MB of which are here"
        except _SILENCE as error:
            raise self._after_silence(size) from error
        except NETWORK_ERRORS as error:
            raise Retry(f"broke off after {size:,} bytes ({root_cause(error)})") from error
        return size

    def _body(self, answered: Answered) -> Iterator[bytes]:
        """The pieces of the body, undecoded."""
        silence, timing = self._silence, self._client.api.timing
        self._share.status = f"FullStory to make {self._what}"
        with deadline(silence + timing.answer):
            response = self._send(silence)
        with response:
            status = response.status_code
            if status in _BEING_MADE:
                raise Waiting(f"answered {status}: FullStory is still making it", retry_after(response.headers))
            if status != 200:
                check_status(response, self._endpoint, self._error_body(response))
                raise Retry(f"answered {status}")
            answered()
            self._is_whole = _says_where_it_ends(response)
            promised = response.headers.get("Content-Length", "")
            self._share.expect(self._what, int(promised) if promised.isdecimal() else 0)
            yield from self._paced(response, silence)

    def _paced(self, response: requests.Response, silence: float) -> Iterator[bytes]:
        """Raises Retry when it takes too long, or all but stops."""
        timing = self._client.api.timing
        end = time.monotonic() + timing.download
        since, received = time.monotonic(), 0
        while piece := response.raw.read1(_PIECE, decode_content=False):
            yield piece
            received += len(piece)
            now = time.monotonic()
            if now > end:
                raise Retry(f"was not through after {timing.download:.0f} s")
            if received >= _SLOW_BYTES:
                since, received = now, 0
            elif now - since > silence + timing.stall:
                raise Retry(f"brought only {received} bytes in {now - since:.0f} s")

    def _error_body(self, response: requests.Response) -> bytes:
        """The beginning of the body of an answer that is no success, or as much of it as comes in time."""
        end = time.monotonic() + self._client.api.timing.answer
        body = b""
        while len(body) < ERROR_BYTES and time.monotonic() < end:
            piece = response.raw.read1(ERROR_BYTES, decode_content=True)
            if not piece:
                break
            body += piece
        return body[:ERROR_BYTES]

    # silence

    @property
    def _silence(self) -> float:
        timing = self._client.api.timing
        return float(min(timing.longest_file_silence, timing.file_silence * 2**self._silent_tries))

    def _after_silence(self, size: int) -> Exception:
        problem = f"sent nothing for {self._silence:.0f} s after {size:,} bytes; FullStory may still be making it"
        self._silent_tries += 1
        if self._silent_tries == _MOST_SILENT_TRIES:
            return GivenUp(problem, self._silent_tries, time.monotonic() - self._began)
        return Retry(problem)


def _says_where_it_ends(response: requests.Response) -> bool:
    """Else the body ends where the connection does, and may be a part."""
    return "Content-Length" in response.headers or "chunked" in response.headers.get("Transfer-Encoding", "")
