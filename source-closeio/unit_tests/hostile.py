"""A server that answers whatever a test likes, byte for byte; and the connector as a process of its own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PROGRAM = [sys.executable, "-m", "source_closeio"]
KEY = "na1.Zq8/v+T3xW5kB7nM.0pL2rY4s6uD9f"

Answer = Callable[[bytes], Iterable[bytes]]


def response(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", "Connection: close"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


def byte_by_byte(answer: bytes, seconds: float = 0.2) -> Iterator[bytes]:
    """For ever, once the answer is through."""
    for byte in answer:
        yield bytes([byte])
        time.sleep(seconds)
    while True:
        yield b" "
        time.sleep(seconds)


def endless_rows(request: bytes) -> Iterator[bytes]:
    """For every list of either API, which never ends; slowly, for lists that shift for ever are given up in the end."""
    time.sleep(0.05)
    rows = [{"id": f"{os.urandom(8).hex()}", "text": "x" * 2300} for _ in range(100)]
    body = {"data": rows, "results": rows, "has_more": True, "next_page_token": os.urandom(8).hex(), "id": "1"}
    yield response(json.dumps(body).encode())


class Hostile:
    """Answers each request, of which it is given the whole text, with pieces of bytes, and closes."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[bytes] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):  # gone
            request = b""
            while b"\r\n\r\n" not in request:
                received = connection.recv(65536)
                if not received:
                    return
                request += received
            self.requests.append(request)
            for piece in self.answer(request):
                connection.sendall(piece)
            connection.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._socket.close()


@contextmanager
def hostile(answer: Answer | bytes) -> Iterator[Hostile]:
    server = Hostile((lambda _: [answer]) if isinstance(answer, bytes) else answer)
    try:
        yield server
    finally:
        server.close()


def config(server: Hostile | str, **changes: Any) -> dict[str, Any]:
    url = server if isinstance(server, str) else server.url
    return {"api_key": KEY, "api_url": url, "export_url": url, "start_date": "2024-01-01", **changes}


def catalog(*streams: str) -> dict[str, Any]:
    stream = {"json_schema": {}, "supported_sync_modes": ["full_refresh", "incremental"]}
    chosen = {"sync_mode": "full_refresh", "destination_sync_mode": "append"}
    return {"streams": [{"stream": {"name": name, **stream}, **chosen} for name in streams]}


def command(folder: Path, name: str, config: Any, streams: Iterable[str] = ("users",), state: Any = None) -> list[str]:
    """The command line, with its files written."""
    files = {"config": config}
    if name == "read":
        files |= {"catalog": catalog(*streams)} | ({} if state is None else {"state": state})
    arguments = [name]
    for what, content in files.items():
        path = folder / f"{what}.json"
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
        arguments += [f"--{what}", str(path)]
    return arguments


@dataclass(frozen=True)
class Ended:
    """What a process left."""

    status: int
    output: bytes
    errors: bytes
    seconds: float

    @property
    def messages(self) -> list[dict[str, Any]]:
        """All whole lines; the last one has to be whole as well."""
        assert not self.output or self.output.endswith(b"\n"), self.output[-200:]
        return [json.loads(line) for line in self.output.splitlines()]

    @property
    def verdict(self) -> str:
        """What check, or a failed command, says in the end."""
        last = self.messages[-1]
        if last["type"] == "CONNECTION_STATUS":
            return f"{last['connectionStatus']['status']}: {last['connectionStatus'].get('message', '')}"
        return str(last["trace"]["error"]["message"]) if last["type"] == "TRACE" else ""

    @property
    def text(self) -> str:
        return (self.output + self.errors).decode(errors="replace")


def environment(**changes: str) -> dict[str, str]:
    """Nothing of this machine's proxies."""
    kept = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    return kept | {"PYTHONUNBUFFERED": ""} | changes


def run(arguments: list[str], before: str = "", timeout: float = 120, **changes: str) -> Ended:
    """The command in a process of its own, which executes the Python of `before` first."""
    began = time.monotonic()
    program = [sys.executable, "-c", f"{before}\nfrom source_closeio.run import run; run()"] if before else PROGRAM
    done = subprocess.run(
        [*program, *arguments],
        cwd=ROOT,
        env=environment(**changes),
        capture_output=True,
        timeout=timeout,
        check=False,
    )
    return Ended(done.returncode, done.stdout, done.stderr, time.monotonic() - began)
