"""`openline.testing.EchoServer`, with the client of `websockets`."""

from __future__ import annotations

import os
import pathlib
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager

import pytest
import trustme
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect, unix_connect
from websockets.typing import Subprotocol

from openline.testing import EchoServer

Connect = Callable[[], AbstractContextManager[ClientConnection]]


@pytest.fixture(params=["ws", "wss", "unix"])
def to_server(
    request: pytest.FixtureRequest,
    tmp_path: pathlib.Path,
    authority: trustme.CA,
    certificate: pathlib.Path,
) -> Iterator[Connect]:
    """Connects to an echo server by each way."""
    if request.param == "ws":
        with EchoServer() as server:
            yield lambda: connect(server.uri, max_size=None, proxy=None)
    elif request.param == "wss":
        context = ssl.create_default_context()
        authority.configure_trust(context)
        with EchoServer(certfile=certificate) as server:
            yield lambda: connect_tls(server.uri, context)
    else:
        path = tmp_path / "echo.sock"
        with EchoServer(path=path):
            yield lambda: unix_connect(str(path), max_size=None)


def connect_tls(uri: str, context: ssl.SSLContext) -> ClientConnection:
    """Once in some hundred handshakes over TLS the client of `websockets` 17.4 waits in vain: its reading
    thread may start before the request is written, and hold the TLS socket meanwhile."""
    while True:
        try:
            return connect(uri, ssl=context, max_size=None, proxy=None, open_timeout=3)
        except TimeoutError:
            continue


@pytest.mark.parametrize(
    "message",
    ["", b"", "é€𝄞\0", bytes(range(256)), "x" * 65537, b"x" * 2**20],
    ids=["empty text", "empty binary", "text", "binary", "64 KiB + 1", "1 MiB"],
)
def test_messages(to_server: Connect, message: str | bytes) -> None:
    with to_server() as ws:
        ws.send(message)
        assert ws.recv(timeout=20) == message


def test_fragments(to_server: Connect) -> None:
    with to_server() as ws:
        ws.send(["é€", "", "𝄞"])
        assert ws.recv(timeout=20) == "é€𝄞"
        ws.send([b"\xff"] * 100)
        assert ws.recv(timeout=20) == b"\xff" * 100


def test_ping(to_server: Connect) -> None:
    with to_server() as ws:
        payloads: list[str | bytes] = ["", os.urandom(125)]
        for data in payloads:
            assert ws.ping(data).wait(20)


@pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999])
def test_the_client_closes(to_server: Connect, code: int) -> None:
    with to_server() as ws:
        ws.close(code, "see you")
        assert ws.close_code == code
        with pytest.raises(ConnectionClosed) as caught:
            ws.recv()
    assert caught.value.rcvd is not None
    assert caught.value.rcvd.code == code
    assert not caught.value.rcvd_then_sent


def test_the_server_closes() -> None:
    options = {"welcome": ["a", b"b"], "close_after": 1, "close_code": 4401, "close_reason": "ü" * 61}
    with EchoServer(**options) as server, connect(server.uri, proxy=None) as ws:  # type: ignore[arg-type]
        assert [ws.recv(timeout=20) for _ in range(2)] == ["a", b"b"]
        ws.send("c")
        assert ws.recv(timeout=20) == "c"
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=20)
        assert (ws.close_code, ws.close_reason) == (4401, "ü" * 61)


def test_the_server_ends() -> None:
    with EchoServer() as server, connect(server.uri, proxy=None) as ws:
        ws.send("x")
        assert ws.recv(timeout=20) == "x"
        server.close()
        with pytest.raises(ConnectionClosed):
            ws.recv(timeout=20)
        assert ws.close_code == 1001


def test_subprotocol_and_credentials() -> None:
    with EchoServer(subprotocols=["b", "a"], basic_auth=("ada", "secret")) as server:
        with pytest.raises(InvalidStatus, match="401"):
            connect(server.uri, proxy=None).__enter__()
        offered = [Subprotocol("a"), Subprotocol("b")]
        with connect(server.uri.replace("//", "//ada:secret@"), subprotocols=offered, proxy=None) as ws:
            assert ws.subprotocol == "b"
