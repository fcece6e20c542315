"""TLS keys that the server changes in the middle (RFC 8446 §4.6.3), as OpenSSL does it."""

from __future__ import annotations

import base64
import hashlib
import os
import pathlib
import shutil
import ssl
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from openline.frames import Opcode
from openline.sync.client import connect

from fixtures import pool  # noqa: F401  # pytest finds it by name
from peer import GUID, frame, text


class Server:
    """`openssl s_server`: what is written to it goes to the client, but for its commands."""

    def __init__(self, certificate: pathlib.Path) -> None:
        self._process = subprocess.Popen(
            ["openssl", "s_server", "-accept", "127.0.0.1:0", "-cert", str(certificate), "-naccept", "1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        )
        self.port = int(self._read_to(b"ACCEPT 127.0.0.1:", b"\n"))

    def accept(self) -> None:
        """Answer the handshake of a client that has connected."""
        key = self._read_to(b"Sec-WebSocket-Key: ", b"\r\n")
        self._read_to(b"\r\n\r\n", b"")
        accept = base64.b64encode(hashlib.sha1(key + GUID).digest())
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    def write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(data)

    def change_keys(self, asks_for_ours: bool, send: Callable[[], None]) -> None:
        """Change the keys it sends with, and ask the client to do the same, or not.

        What it says of that comes out with what the client sends.
        """
        self.write(b"K\n" if asks_for_ours else b"k\n")
        said = b""
        while b"SSL_do_handshake -> 1" not in said:
            send()
            said += self._read(4096)

    def close(self) -> None:
        self._process.kill()
        self._process.communicate()

    def _read_to(self, start: bytes, end: bytes) -> bytes:
        """Read what stands between the two."""
        seen = b""
        while start not in seen:
            seen += self._read(1)
        found = b""
        while not found.endswith(end):
            found += self._read(1)
        return found.removesuffix(end)

    def _read(self, length: int) -> bytes:
        assert self._process.stdout is not None
        data = os.read(self._process.stdout.fileno(), length)
        assert data, "the server has ended"
        return data


@pytest.fixture
def key_changer(certificate: pathlib.Path) -> Iterator[Server]:
    if shutil.which("openssl") is None:
        pytest.skip("no openssl here")
    server = Server(certificate)
    yield server
    server.close()


@pytest.mark.parametrize("by", ["rustls", "SSLContext"])
def test_keys_are_changed_in_the_middle(
    by: str,
    key_changer: Server,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    pool: ThreadPoolExecutor,
) -> None:
    """Records of ours that have the wrong key would end the server."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.create_default_context() if by == "SSLContext" else None
    accepting = pool.submit(key_changer.accept)
    ws = connect(f"wss://localhost:{key_changer.port}/", ssl=context, ping_interval=None)
    accepting.result(10)
    for number in range(20):
        start, end = frame(Opcode.TEXT, b"be", fin=False), frame(Opcode.CONT, f"gin {number}".encode())
        key_changer.write(text("whole") + start)
        assert ws.recv(timeout=10) == "whole"
        with pytest.raises(TimeoutError):
            ws.recv(timeout=0.01)
        key_changer.change_keys(number % 2 == 1, lambda: ws.send("a message"))
        key_changer.write(end)
        assert ws.recv(timeout=10) == f"begin {number}"
    ws.abort()
