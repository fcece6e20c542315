"""Many connections in a row: none of them hangs, and those that fail leave nothing.

With OPENLINE_FULL=1 in the environment (`make test-many`) the numbers are those of the promise; without, they
are a sample.
"""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pathlib
import random
import socket
import ssl
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

import peers
from fixtures import pool
from http_server import HttpServer
from openline import WebSocketException
from openline.sync.client import connect, unix_connect
from openline.testing import EchoServer

__all__ = ["pool"]

FULL = bool(os.environ.get("OPENLINE_FULL"))


@pytest.fixture(params=["rustls", "SSLContext"])
def context(
    request: pytest.FixtureRequest, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> ssl.SSLContext | None:
    if request.param == "rustls":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        return None
    return ssl.create_default_context(cafile=str(authority_file))


def test_300_handshakes_in_a_row(context: ssl.SSLContext | None, websockets_server: peers.Server) -> None:
    """Robustness M19."""
    for number in range(300):
        with connect(f"wss://localhost:{websockets_server.ports['wss']}/echo", ssl=context) as ws:
            ws.send(f"{number}")
            assert ws.recv(timeout=10) == f"{number}"


def test_both_directions_at_once(
    context: ssl.SSLContext | None, certificate: pathlib.Path, pool: ThreadPoolExecutor
) -> None:
    count, size = (1024 if FULL else 96), 2**20
    with EchoServer(certfile=certificate) as server, connect(server.uri, ssl=context, max_size=None) as ws:

        def send() -> str:
            data, sent = random.Random(3).randbytes(size), hashlib.sha256()
            for number in range(count):
                message = number.to_bytes(8, "big") + data
                sent.update(message)
                ws.send(message)
            return sent.hexdigest()

        sending = pool.submit(send)
        received = hashlib.sha256()
        for _ in range(count):
            message = ws.recv(timeout=30)
            assert isinstance(message, bytes)
            received.update(message)
        assert received.hexdigest() == sending.result(30)


def refused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class TestFailures:
    """Each kind of failure again and again: descriptors, threads and memory stay as they were."""

    COUNT = 500 if FULL else 25

    def check(
        self, fail: Callable[[], object], expected: type[Exception] | tuple[type[Exception], ...]
    ) -> None:
        def some(count: int) -> None:
            for _ in range(count):
                with pytest.raises(expected):
                    fail()

        some(5)
        before = self.census()
        memory = resident()
        some(self.COUNT)
        assert self.census() == before
        assert resident() - memory < 4 << 20

    @staticmethod
    def census() -> tuple[int, int]:
        """Descriptors, and threads but those of a server, which keeps some. Those that are about to end are waited for."""
        gc.collect()
        last = (-1, -1)
        for _ in range(200):
            threads = 0
            for task in pathlib.Path("/proc/self/task").iterdir():
                with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                    threads += "openline-handle" not in (task / "comm").read_text()
            now = (len(os.listdir("/proc/self/fd")), threads)
            if now == last:
                return now
            last = now
            threading.Event().wait(0.02)
        return last

    def test_refused(self) -> None:
        port = refused_port()
        self.check(lambda: connect(f"ws://127.0.0.1:{port}/"), ConnectionRefusedError)

    def test_unknown_name(self) -> None:
        self.check(lambda: connect(f"ws://{'a' * 64}.invalid/"), socket.gaierror)

    def test_no_such_unix_socket(self, tmp_path: pathlib.Path) -> None:
        self.check(lambda: unix_connect(tmp_path / "none"), FileNotFoundError)

    def test_certificate(
        self,
        context: ssl.SSLContext | None,
        certificate: pathlib.Path,
        monkeypatch: pytest.MonkeyPatch,
        tmp_path: pathlib.Path,
    ) -> None:
        if context is None:
            import trustme

            trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
        else:
            context = ssl.create_default_context()
        with EchoServer(certfile=certificate) as server:
            self.check(lambda: connect(server.uri, ssl=context), ssl.SSLCertVerificationError)

    def test_no_tls(self, context: ssl.SSLContext | None) -> None:
        with EchoServer() as server:
            uri = server.uri.replace("ws://", "wss://")
            self.check(lambda: connect(uri, ssl=context), ssl.SSLError)

    def test_time_out_in_tls(self, context: ssl.SSLContext | None) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent:
            uri = f"wss://localhost:{silent.getsockname()[1]}/"
            self.check(lambda: connect(uri, ssl=context, open_timeout=0.01), TimeoutError)

    def test_time_out_in_the_handshake(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=1000) as silent:
            uri = f"ws://127.0.0.1:{silent.getsockname()[1]}/"
            self.check(lambda: connect(uri, open_timeout=0.01), TimeoutError)

    @pytest.mark.parametrize(
        "answer", [b"HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", b"220 hello\r\n\r\n"]
    )
    def test_answer(self, answer: bytes) -> None:
        with HttpServer(lambda head: answer) as server:
            self.check(lambda: connect(server.uri()), WebSocketException)

    def test_redirects(self) -> None:
        with HttpServer(lambda head: b"HTTP/1.1 302 x\r\nLocation: /\r\nContent-Length: 0\r\n\r\n") as server:

            def fail() -> None:
                server.requests.clear()
                connect(server.uri())

            self.check(fail, WebSocketException)

    @pytest.mark.parametrize("scheme", ["http", "https", "socks4a", "socks5h"])
    def test_proxy(self, scheme: str) -> None:
        answer = b"HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n"
        with HttpServer(lambda head: answer) as server:
            url = f"{scheme}://127.0.0.1:{server.port}"
            # The server waits for the end of a request, and SOCKS and TLS have none.
            timeout = 10 if scheme == "http" else 0.02
            expected = (WebSocketException, TimeoutError)
            self.check(lambda: connect("ws://example.invalid/", proxy=url, open_timeout=timeout), expected)

    def test_given_socket(self) -> None:
        with EchoServer(basic_auth=("ada", "secret")) as server:
            self.check(
                lambda: connect("ws://localhost/", sock=socket.create_connection(server.address)),
                WebSocketException,
            )


def resident() -> int:
    """Bytes of memory that this process has in use."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
