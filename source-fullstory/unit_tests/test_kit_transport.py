"""One exchange is bounded in time and size, and gives the key to nobody else, whatever the server does."""

from __future__ import annotations

import gzip
import os
import socket
import ssl
import subprocess
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests
from airbyte_cdk.utils.traced_exception import AirbyteTracedException
from source_fullstory.kit import transport
from unit_tests.hostile import Hostile, byte_by_byte, hostile, response


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name.endswith(("_CA_BUNDLE", "SSL_CERT_FILE")):
            monkeypatch.delenv(name)


def fetch(url: str, seconds: float = 20.0, most: int = 1_000_000, path: str = "/") -> bytes:
    """One exchange as both connectors have it."""
    session = transport.session(url, "Basic the-key", "agent", 1)
    with (
        transport.deadline(seconds),
        session.get(url + path, timeout=(5, 5), stream=True, allow_redirects=False) as answer,
    ):
        return transport.body(answer, most) if answer.status_code == 200 else transport.error_body(answer)


def sent_to(server: Hostile) -> str:
    return b"".join(server.requests).decode()


@pytest.mark.parametrize("chunked", [False, True], ids=["whole", "chunked"])
@pytest.mark.parametrize("zipped", [False, True], ids=["plain", "gzip"])
def test_a_body_in_any_pieces(chunked: bool, zipped: bool) -> None:
    content = b'{"data": [1, 2, 3]}' * 20
    wire = gzip.compress(content) if zipped else content
    answer = response(wire, **({"Content_Encoding": "gzip"} if zipped else {}))
    if chunked:
        head = answer.partition(b"\r\n\r\n")[0].replace(b"Content-Length", b"X-Length")
        chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in wire)
        answer = head + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks + b"0\r\n\r\n"
    with hostile(lambda _: (bytes([byte]) for byte in answer)) as server:
        assert fetch(server.url) == content


@pytest.mark.parametrize("size", [0, 10])
def test_a_body_that_is_cut_is_no_body(size: int) -> None:
    answer = response(b"x" * 20)
    with hostile(answer[: len(answer) - 20 + size]) as server, pytest.raises(transport.NETWORK_ERRORS):
        fetch(server.url)


ANSWERS: dict[str, Callable[[], Iterator[bytes]]] = {
    "headers": lambda: byte_by_byte(b"HTTP/1.1 200 OK\r\n" + b"X-Long: yes\r\n" * 99),
    "body": lambda: byte_by_byte(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n", 0.01),
    "body without a length": lambda: byte_by_byte(b"HTTP/1.1 200 OK\r\n\r\n", 0.01),
    "chunks": lambda: byte_by_byte(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n", 0.01),
    "error": lambda: byte_by_byte(b"HTTP/1.1 500 No\r\nContent-Length: 9999\r\n\r\n", 0.01),
    "continue": lambda: byte_by_byte(b"HTTP/1.1 100 Continue\r\n\r\n" * 999, 0.02),
    "silence": lambda: byte_by_byte(b"", 3600),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_a_server_that_sends_byte_by_byte(kind: str) -> None:
    began = time.monotonic()
    with hostile(lambda _: ANSWERS[kind]()) as server, pytest.raises(transport.NETWORK_ERRORS):
        fetch(server.url, seconds=1.0)
    assert time.monotonic() - began < 10


def test_a_proxy_that_answers_byte_by_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    began = time.monotonic()
    with hostile(lambda _: byte_by_byte(b"HTTP/1.1 200 OK\r\n" + b"X-Long: yes\r\n" * 99)) as proxy:
        monkeypatch.setenv("HTTPS_PROXY", proxy.url)
        with pytest.raises(transport.NETWORK_ERRORS) as caught:
            fetch("https://api.example.com", seconds=1.0)
    assert "not through after 1 s" in str(caught.value)
    assert time.monotonic() - began < 10
    assert "CONNECT api.example.com:443" in sent_to(proxy)
    assert "the-key" not in sent_to(proxy)


def test_what_ends_in_time_is_left_alone() -> None:
    with hostile(response(b"{}")) as server:
        session = transport.session(server.url, None, "agent", 1)
        for _ in range(3):
            with transport.deadline(0.3), session.get(server.url, stream=True, timeout=5) as answer:
                assert transport.body(answer, 10) == b"{}"
        time.sleep(0.5)  # the deadlines pass
        with transport.deadline(5), session.get(server.url, stream=True, timeout=5) as answer:
            assert transport.body(answer, 10) == b"{}"


class TestSize:
    @pytest.mark.parametrize("size", [1_000_001, 50_000_000])
    def test_a_body_beyond_the_bound(self, size: int) -> None:
        with hostile(response(b"x" * size)) as server, pytest.raises(transport.TooLarge, match="more than 1 MB"):
            fetch(server.url)

    @pytest.mark.parametrize("status", ["200 OK", "302 Found", "500 No"])
    def test_an_endless_body(self, status: str) -> None:
        def endless(_: bytes) -> Iterator[bytes]:
            yield f"HTTP/1.1 {status}\r\n\r\n".encode()
            while True:
                yield b" " * 65536

        with hostile(endless) as server:
            if status.startswith("200"):
                with pytest.raises(transport.TooLarge):
                    fetch(server.url)
            else:
                assert len(fetch(server.url)) <= transport.ERROR_BYTES

    @pytest.mark.parametrize("layers", [1, 2, 3])
    def test_a_bomb_takes_no_more_memory_than_the_bound(self, layers: int) -> None:
        packer = zlib.compressobj(9, wbits=31)
        wire = b"".join(packer.compress(bytes(1 << 20)) for _ in range(512)) + packer.flush()
        for _ in range(layers - 1):
            wire = gzip.compress(wire)
        answer = response(wire, Content_Encoding=", ".join(["gzip"] * layers))
        with hostile(answer) as server:
            before = peak_bytes()
            with pytest.raises(transport.TooLarge):
                fetch(server.url, most=8_000_000)
            assert peak_bytes() - before < 100_000_000


def peak_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) * 1024


class TestTheKey:
    def test_it_wins_over_netrc(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        netrc = tmp_path / "netrc"
        netrc.write_text("machine 127.0.0.1 login user password hunter22")
        monkeypatch.setenv("NETRC", str(netrc))
        with hostile(response()) as server:
            fetch(server.url)
            session = transport.session(server.url, None, "agent", 1)
            session.get(server.url, timeout=5)
        assert sent_to(server).count("Authorization") == 1
        assert "Authorization: Basic the-key" in sent_to(server)

    def test_it_goes_through_the_proxy_that_the_environment_names(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with hostile(response(b"by proxy")) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url.replace("//", "//user:hunter22@"))
            monkeypatch.setenv("NO_PROXY", "127.0.0.1")
            assert fetch("http://api.example.com") == b"by proxy"
            assert "Proxy-Authorization: Basic" in sent_to(proxy)
            with hostile(response(b"direct")) as server:
                assert fetch(server.url) == b"direct"


class TestCertificates:
    @pytest.fixture
    def tls(self, tmp_path: Path) -> Iterator[tuple[str, Path]]:
        """A server with a certificate of its own making."""
        certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
        command += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run(command, check=True, capture_output=True)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        listening = socket.create_server(("127.0.0.1", 0))

        def serve() -> None:
            with suppress(OSError):
                connection, _ = listening.accept()
                with connection, context.wrap_socket(connection, server_side=True) as secure:
                    secure.recv(65536)
                    secure.sendall(response(b"secure"))

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}", certificate
        thread.join(10)
        listening.close()

    @pytest.mark.parametrize("name", ["SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
    def test_an_authority_of_ones_own(self, tls: tuple[str, Path], name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        url, certificate = tls
        monkeypatch.setenv(name, str(certificate))
        assert fetch(url) == b"secure"

    def test_no_other_is_trusted(self, tls: tuple[str, Path]) -> None:
        with pytest.raises(transport.NETWORK_ERRORS) as caught:
            fetch(tls[0])
        assert "the certificate is not trusted: self-signed certificate" in transport.root_cause(caught.value)

    def test_a_file_that_is_not_there(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", "/no/such/file")
        with pytest.raises(AirbyteTracedException, match="SSL_CERT_FILE names /no/such/file"):
            fetch("https://localhost")


class TestCauses:
    @pytest.mark.parametrize(
        "url",
        ["http://127.0.0.1:99999/?secret", "http://[/?secret", f"http://{'x' * 70}.com/?secret", "http://\ud800/"],
    )
    def test_addresses_that_cannot_be_used_are_not_told(self, url: str) -> None:
        session = transport.session("https://x", None, "agent", 1)
        with pytest.raises(transport.NETWORK_ERRORS) as caught:
            session.get(url, timeout=5)
        assert "secret" not in transport.root_cause(caught.value)

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (socket.gaierror(socket.EAI_NONAME, "x"), "not known to the DNS"),
            (socket.gaierror(socket.EAI_AGAIN, "x"), "the DNS does not answer"),
            (ConnectionRefusedError(111, "secret"), "ConnectionRefusedError: Connection refused"),
            (requests.ConnectionError("secret"), "ConnectionError"),
            (zlib.error("secret"), "its compression is damaged"),
            (ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] secret"), "SSLError"),
        ],
    )
    def test_what_is_told(self, error: Any, told: str) -> None:
        outer = requests.ConnectionError("secret")
        outer.__cause__ = error
        assert told in transport.root_cause(outer)
        assert "secret" not in transport.root_cause(outer)
