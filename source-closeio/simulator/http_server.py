"""HTTP/1.1 on a socket: keep-alive, gzip, one thread per connection, and answers that break off on demand."""

from __future__ import annotations

import gzip
import socket
import socketserver
import struct
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final

MOST_HEADERS: Final = 200


@dataclass
class Incoming:
    """A request as it came."""

    method: str
    target: str
    headers: Mapping[str, str]  # lower-case names
    body: bytes


@dataclass
class Outgoing:
    """An answer, and how to spoil it on the way (`spoil` is the kind of a fault)."""

    status: int
    body: bytes = b""
    content_type: str = "application/json"
    headers: list[tuple[str, str]] = field(default_factory=list)
    compress: bool = True
    spoil: str = ""
    seconds: float = 0.0


class Server(socketserver.ThreadingTCPServer):
    """Hands each request to `answer` and sends what it returns."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], answer: Callable[[Incoming], Outgoing]) -> None:
        self.answer = answer
        self.stopping = threading.Event()
        self._connections: set[socket.socket] = set()
        super().__init__(address, Connection)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients that go away are no news; everything else is."""
        import sys

        if not isinstance(sys.exception() if hasattr(sys, "exception") else sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        """Stop listening and end every connection."""
        self.stopping.set()
        self.shutdown()
        self.server_close()
        for connection in list(self._connections):
            close(connection)


class Connection(socketserver.StreamRequestHandler):
    """One client; requests one after the other until either side closes."""

    disable_nagle_algorithm = True
    server: Server

    def handle(self) -> None:
        while not self.server.stopping.is_set():
            incoming = self._read()
            if incoming is None:
                return
            close_asked = incoming.headers.get("connection", "").lower() == "close"
            outgoing = self.server.answer(incoming)
            if not self._send(incoming, outgoing, last=close_asked) or close_asked:
                return

    # -- reading ------------------------------------------------------------------------------------------

    def _read(self) -> Incoming | None:
        line = self.rfile.readline(65537)
        parts = line.decode("latin-1").split()
        if len(parts) != 3:
            return None
        headers: dict[str, str] = {}
        for _ in range(MOST_HEADERS):
            line = self.rfile.readline(65537)
            if line in (b"\r\n", b"\n", b""):
                break
            name, _, value = line.decode("latin-1").partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        length = int(headers.get("content-length") or 0)
        body = self.rfile.read(length) if length else self._chunks(headers)
        return Incoming(parts[0], parts[1], headers, body)

    def _chunks(self, headers: Mapping[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() != "chunked":
            return b""
        body = b""
        while size := int(self.rfile.readline().split(b";")[0] or b"0", 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    # -- answering ----------------------------------------------------------------------------------------

    def _send(self, incoming: Incoming, outgoing: Outgoing, *, last: bool) -> bool:
        """Send an answer; False when the connection is to be closed after it."""
        spoil = outgoing.spoil
        if spoil == "delay":
            self.server.stopping.wait(outgoing.seconds)
            spoil = ""
        if spoil in ("reset", "close", "stall"):
            if spoil == "stall":
                self.server.stopping.wait(outgoing.seconds)
            if spoil == "reset":
                self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            return False
        body, headers = self._encode(incoming, outgoing)
        if incoming.method == "HEAD":
            body = b""
        if last or spoil in ("cut-length", "cut-chunked", "cut-close", "stall-body"):
            headers.append(("connection", "close"))
        if spoil == "cut-chunked":
            headers.append(("transfer-encoding", "chunked"))
        elif spoil != "cut-close":
            headers.append(("content-length", str(len(body))))
        head = head_of(outgoing.status, headers)
        if not spoil:
            self.connection.sendall(head + body)
            return True
        return self._send_spoilt(spoil, head, body, outgoing.seconds)

    def _send_spoilt(self, spoil: str, head: bytes, body: bytes, seconds: float) -> bool:
        half = body[: max(1, len(body) // 2)]
        if spoil == "slow":
            self.connection.sendall(head)
            pieces = [body[at : at + max(1, len(body) // 20)] for at in range(0, len(body), max(1, len(body) // 20))]
            for piece in pieces:
                self.connection.sendall(piece)
                self.server.stopping.wait(seconds / max(1, len(pieces)))
            return True
        if spoil == "cut-chunked":
            self.connection.sendall(head + b"%x\r\n%b\r\n" % (len(half), half))
            return False
        self.connection.sendall(head + half)
        if spoil == "stall-body":
            self.server.stopping.wait(seconds)
        return False

    def _encode(self, incoming: Incoming, outgoing: Outgoing) -> tuple[bytes, list[tuple[str, str]]]:
        headers = [("content-type", outgoing.content_type), *outgoing.headers]
        if outgoing.compress and len(outgoing.body) > 200 and "gzip" in incoming.headers.get("accept-encoding", ""):
            headers += [("content-encoding", "gzip"), ("vary", "Accept-Encoding")]
            return gzip.compress(outgoing.body, compresslevel=1, mtime=0), headers
        return outgoing.body, headers


def head_of(status: int, headers: Iterable[tuple[str, str]]) -> bytes:
    try:
        reason = HTTPStatus(status).phrase
    except ValueError:
        reason = "Unknown"
    lines = [f"HTTP/1.1 {status} {reason}", *(f"{name}: {value}" for name, value in headers)]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def close(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
        connection.close()
    except OSError:
        pass
