"""HTTP as bytes: one listener on its own threads, and answers that can go wrong on the wire."""

from __future__ import annotations

import contextlib
import socket
import struct
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from email.utils import formatdate
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import IO, Any, Generic, TypeVar, cast
from urllib.parse import parse_qsl, urlsplit

from .faults import STOPPING, Fault
from .reply import Hangup, Reply
from .request import Request

HOST = "127.0.0.1"
PIECE = 256 * 1024
IN_MEMORY = 8 * 1024 * 1024
TERABYTE = 10**12
PATIENCE = 5.0  # seconds for threads to end

R = TypeVar("R", bound=Request)


class Listener(ThreadingTCPServer, Generic[R]):
    """A server on a port of this machine (0: a free one), from now on; `answer` turns a request into a reply.

    `read` makes of the request what the API sees in it. Every connection has a thread. What goes wrong in one, other
    than the client's going away, is in `crashes`.
    """

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(
        self, port: int, read: Callable[[Request], R], answer: Callable[[R], Reply], clock: Callable[[], float]
    ) -> None:
        super().__init__((HOST, port), Handler)
        self.read = read
        self.answer = answer
        self.clock = clock
        self.stopping = threading.Event()
        self.crashes: list[BaseException] = []
        self._connections: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Without a slash at the end."""
        return f"http://{HOST}:{self.server_address[1]}"

    def stop(self) -> None:
        """Close the port and every connection; stalls end."""
        self.stopping.set()
        ending = threading.Thread(target=self.shutdown)
        ending.start()
        with contextlib.suppress(OSError):  # a visitor, so that the loop looks up at once
            socket.create_connection((HOST, self.server_address[1]), timeout=1).close()
        ending.join()
        self.server_close()
        self._thread.join()
        with self._changed:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
            self._changed.wait_for(lambda: not self._connections, timeout=PATIENCE)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Remember the connection, so that `stop` can end it."""
        with self._changed:
            self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        """Forget the connection."""
        super().shutdown_request(request)
        with self._changed:
            self._connections.discard(request)
            self._changed.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Keep what went wrong; but a client that goes away is its own business."""
        error = sys.exc_info()[1]
        if error is not None and not isinstance(error, OSError):
            self.crashes.append(error)


class Handler(BaseHTTPRequestHandler):
    """Reads requests, has them answered, writes the answers."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    timeout = 600
    wbufsize = -1  # headers leave with the first piece of the body

    @property
    def listener(self) -> Listener[Request]:
        """The server, under its true type."""
        return cast("Listener[Request]", self.server)

    def _serve(self) -> None:
        request = self.listener.read(self._request())
        try:
            reply = self.listener.answer(request)
            self._send(request, reply)
        except Hangup as wish:
            self._hang_up(reset=wish.reset)
        finally:
            request.finished = time.time()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _serve  # noqa: N815 - names of the base class

    def _request(self) -> Request:
        parts = urlsplit(self.path)
        return Request(
            method=self.command,
            path=parts.path,
            params=dict(parse_qsl(parts.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            body=self.rfile.read(int(self.headers.get("Content-Length") or 0)),
            line=self.path,
        )

    def _send(self, request: Request, reply: Reply) -> None:
        fault = reply.fault
        framing = (fault.framing or reply.framing).replace("terminated", "chunked")
        body, length = self._measured(reply, framing)
        if fault.kind == "stall_headers":
            self.listener.stopping.wait(fault.seconds)
        if fault.kind == "huge_length":
            framing, claimed = "length", max(fault.at or 0, TERABYTE)
        else:
            claimed = length
        request.status = reply.status  # before the client can know it
        self._send_head(reply, framing, claimed)
        try:
            for piece in self._on_the_wire(body, length, reply):
                request.sent += len(piece)
                self._write(piece, framing)
        except Hangup as wish:
            if fault.framing != "terminated" or wish.reset:
                raise
        if framing == "chunked":
            self.wfile.write(b"0\r\n\r\n")
        if framing == "close" or fault.kind == "huge_length":
            self.close_connection = True

    def _send_head(self, reply: Reply, framing: str, length: int) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        if framing == "length":
            self.send_header("Content-Length", str(length))
        elif framing == "chunked":
            self.send_header("Transfer-Encoding", "chunked")
        else:
            self.send_header("Connection", "close")
        self.end_headers()

    def _write(self, piece: bytes, framing: str) -> None:
        self.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if framing == "chunked" else piece)
        self.wfile.flush()

    def _measured(self, reply: Reply, framing: str) -> tuple[Iterable[bytes], int]:
        """The body and its length, which is 0 where nobody needs it (it may have to be made first to be known)."""
        if isinstance(reply.body, bytes):
            return _pieces(reply.body), len(reply.body)
        if reply.length is not None:
            return reply.body, reply.length
        if framing != "length" and reply.fault.kind not in STOPPING:
            return reply.body, 0
        file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 - closed when it was read
        for chunk in reply.body:
            file.write(chunk)
        length = file.tell()
        file.seek(0)
        return _read(file), length

    def _on_the_wire(self, chunks: Iterable[bytes], length: int, reply: Reply) -> Iterator[bytes]:
        """The pieces of the body as the fault and the pace let them through; never an empty one."""
        fault, done = reply.fault, 0
        limit = _stop(fault, length)
        for chunk in _resized(chunks, fault.at or 0 if fault.kind == "drip" else 0):
            rest = chunk
            if fault.kind in STOPPING and done <= limit < done + len(chunk):
                yield from _some(chunk[: limit - done])
                self._give_up(fault)
                rest = chunk[limit - done :]
            done += len(chunk)
            yield from _some(rest)
            if fault.kind == "drip":
                self.listener.stopping.wait(fault.seconds)
            if reply.bytes_per_second:
                self.listener.stopping.wait(len(chunk) / reply.bytes_per_second)

    def _give_up(self, fault: Fault) -> None:
        self.wfile.flush()
        if fault.kind != "stall_body":
            raise Hangup(reset=fault.kind == "reset_body")
        self.listener.stopping.wait(fault.seconds)

    def _hang_up(self, *, reset: bool) -> None:
        self.close_connection = True
        if reset:
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            # A plain close sends the reset; the polite shutdown that follows then finds nothing to do.
            self.connection.close()

    def date_time_string(self, timestamp: float | None = None) -> str:
        """The Date header goes by the simulator's clock."""
        return formatdate(self.listener.clock() if timestamp is None else timestamp, usegmt=True)

    def version_string(self) -> str:
        """The Server header."""
        return "simulator"

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - name of the base class
        """Say nothing; `requests` tells more."""


def _stop(fault: Fault, length: int) -> int:
    """After how many bytes of a body a fault strikes that strikes in its middle."""
    if fault.at is None:
        return length // 2
    return max(0, min(fault.at, length - 1) if fault.at >= 0 else length + fault.at)


def _pieces(body: bytes) -> Iterator[bytes]:
    return (body[at : at + PIECE] for at in range(0, len(body), PIECE))


def _read(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        yield from iter(lambda: file.read(PIECE), b"")


def _resized(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    for chunk in chunks:
        if not size:
            yield chunk
        else:
            yield from (chunk[at : at + size] for at in range(0, len(chunk), size))


def _some(piece: bytes) -> Iterator[bytes]:
    if piece:
        yield piece
