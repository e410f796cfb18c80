"""One HTTP exchange: bounded in time and size, by a session that sends the key to nobody else."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from requests.utils import get_environ_proxies
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from .errors import config_error

NETWORK_ERRORS = (requests.RequestException, HTTPError, OSError, UnicodeError)
"""UnicodeError: a host name that no DNS name can be."""
REDIRECTS = frozenset({301, 302, 303, 307, 308})
RETRY_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504}) | frozenset(range(520, 531))

CONNECT_SECONDS = 15.0
ERROR_BYTES = 64 * 1024
"""Of an answer that is no success: enough for what it says."""
_PIECE = 1 << 20

_local = threading.local()
# It quotes addresses, as in "Failed to parse headers (url=...)".
logging.getLogger("urllib3").setLevel(logging.CRITICAL)


class TooLarge(Exception):
    """The answer has more bytes, unpacked, than this connector takes in at once."""

    def __init__(self, most_bytes: int) -> None:
        super().__init__(f"answered with more than {most_bytes / 1e6:,.0f} MB")


class Key(AuthBase):
    """As an `auth` of the session the key wins over a ~/.netrc; as a header it would not."""

    def __init__(self, header: str | None) -> None:
        self._header = header

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._header:
            request.headers["Authorization"] = self._header
        return request


def session(url: str, authorization: str | None, user_agent: str, connections: int) -> requests.Session:
    """A session for the API at `url`. Proxies and certificates come from the environment, looked up once: requests
    would do so for each request anew, and take passwords from a ~/.netrc."""
    made = requests.Session()
    made.proxies = get_environ_proxies(url)
    made.verify = _authorities() or True
    made.trust_env = False
    made.auth = Key(authorization)
    # Not more than gzip: downloads are unpacked elsewhere.
    made.headers.update({"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": user_agent})
    adapter = _Adapter(pool_maxsize=connections)
    made.mount("https://", adapter)
    made.mount("http://", adapter)
    return made


def _authorities() -> str | None:
    """The file of certificates that the environment names, if it does. SSL_CERT_FILE is OpenSSL's own name for it, and
    what companies with an authority of their own set."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        path = os.environ.get(name)
        if path and not os.access(path, os.R_OK):
            raise config_error(f"{name} names {path}, which is not there, or not readable. Correct it, or unset it.")
        if path:
            return path
    return None


def body(response: requests.Response, most_bytes: int) -> bytes:
    """The whole body, unpacked. Raises TooLarge, and what NETWORK_ERRORS names."""
    pieces: list[bytes] = []
    size = 0
    while piece := response.raw.read1(_PIECE, decode_content=True):
        size += len(piece)
        if size > most_bytes:
            raise TooLarge(most_bytes)
        pieces.append(piece)
    return b"".join(pieces)


def error_body(response: requests.Response) -> bytes:
    """The beginning of the body of an answer that is no success."""
    pieces: list[bytes] = []
    while sum(map(len, pieces)) < ERROR_BYTES and (piece := response.raw.read1(ERROR_BYTES, decode_content=True)):
        pieces.append(piece)
    return b"".join(pieces)[:ERROR_BYTES]


def root_cause(error: BaseException) -> str:
    """What went wrong on the network, without addresses: those of signed downloads are secrets, whichever part of
    them the exception quotes."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__ or error
    if isinstance(error, socket.gaierror):
        is_silent = error.errno == socket.EAI_AGAIN
        return "the DNS does not answer" if is_silent else "the host name is not known to the DNS"
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"the certificate is not trusted: {getattr(error, 'verify_message', 'it is for another host')}"
    if isinstance(error, ssl.SSLError):
        return f"{type(error).__name__}: {getattr(error, 'reason', None) or 'TLS'}"
    if isinstance(error, zlib.error):
        return "its compression is damaged"
    if isinstance(error, OSError) and error.errno is not None:
        return f"{type(error).__name__}: {os.strerror(error.errno)}"
    return type(error).__name__


# -- the deadline of a whole exchange


@contextmanager
def deadline(seconds: float) -> Iterator[None]:
    """Whatever is read inside, headers included, ends within so many seconds: timeouts of sockets bound each piece
    only, and a server that sends byte by byte keeps within them for ever. Raises requests.ReadTimeout then."""
    watched = _watch.add(time.monotonic() + seconds)
    _local.watched = watched
    try:
        yield
    except NETWORK_ERRORS as error:
        if watched.expired:
            raise requests.ReadTimeout(f"not through after {seconds:.0f} s") from error
        raise
    finally:
        _local.watched = None
        watched.over, watched.sock = True, None
    if watched.expired:  # some servers' answers end wherever the connection does
        raise requests.ReadTimeout(f"not through after {seconds:.0f} s")


class _Watched:
    """One exchange, and the socket that it reads from."""

    def __init__(self) -> None:
        self.sock: socket.socket | None = None
        self.over = self.expired = False

    def expire(self) -> None:
        if self.over:
            return
        self.expired = True
        sock = self.sock  # the exchange may end, and let go of it, at any moment
        if sock:
            with suppress(OSError):  # closed meanwhile
                # Not the TLS socket's own: that would take the object away under the thread that reads from it.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


class _Watch:
    """Ends the exchanges whose time is over. One thread, started with the first exchange."""

    def __init__(self) -> None:
        self._condition = threading.Condition()
        self._waiting: list[tuple[float, int, _Watched]] = []
        self._numbers = itertools.count()
        self._running = False

    def add(self, at: float) -> _Watched:
        watched = _Watched()
        with self._condition:
            if not self._running:
                threading.Thread(target=self._run, name="deadlines", daemon=True).start()
                self._running = True
            heapq.heappush(self._waiting, (at, next(self._numbers), watched))
            if self._waiting[0][2] is watched:  # it is the first to end; else the thread wakes early enough
                self._condition.notify()
        return watched

    def _run(self) -> None:
        while True:
            with self._condition:
                while self._waiting and self._waiting[0][2].over:
                    heapq.heappop(self._waiting)
                wait = self._waiting[0][0] - time.monotonic() if self._waiting else None
                if wait is None or wait > 0:
                    self._condition.wait(wait)
                    continue
                _, _, watched = heapq.heappop(self._waiting)
            watched.expire()


_watch = _Watch()


class _Connection:
    """Tells the exchange of this thread which socket it reads from."""

    sock: socket.socket | None

    def getresponse(self, *args: Any, **options: Any) -> Any:
        self._watch()
        return super().getresponse(*args, **options)  # type: ignore[misc]  # of the class that it is mixed into

    def _tunnel(self) -> None:
        self._watch()
        super()._tunnel()  # type: ignore[misc]  # the same

    def _watch(self) -> None:
        watched: _Watched | None = getattr(_local, "watched", None)
        if watched:
            watched.sock = self.sock
            if watched.expired:
                watched.expire()


class _HTTPConnection(_Connection, HTTPConnection):
    pass


class _HTTPSConnection(_Connection, HTTPSConnection):
    pass


class _HTTPPool(urllib3.HTTPConnectionPool):
    ConnectionCls = _HTTPConnection


class _HTTPSPool(urllib3.HTTPSConnectionPool):
    ConnectionCls = _HTTPSConnection


class _Adapter(HTTPAdapter):
    """requests' own, with connections that can be ended from outside."""

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
        self.poolmanager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        manager = super().proxy_manager_for(*args, **options)
        manager.pool_classes_by_scheme = {"http": _HTTPPool, "https": _HTTPSPool}
        return manager
