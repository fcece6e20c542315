"""Connections that programs make themselves: `ClientConnection(sock, protocol)`, then `handshake()`."""

from __future__ import annotations

import concurrent.futures
import contextlib
import pathlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import websockets.client
import websockets.extensions.permessage_deflate
import websockets.uri

from openline import (
    ConnectionClosed,
    ConnectionClosedError,
    InvalidHandshake,
    InvalidState,
    InvalidStatus,
    State,
)
from openline.client import ClientProtocol
from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from openline.http11 import USER_AGENT
from openline.sync.client import ClientConnection
from openline.testing import EchoServer
from openline.uri import parse_uri

from fixtures import peer, server
from peer import Peer

__all__ = ["peer", "server"]


def dial(server: EchoServer) -> socket.socket:
    return socket.create_connection(server.address)


@pytest.fixture
def unopened(server: EchoServer) -> Iterator[ClientConnection]:
    ws = ClientConnection(dial(server), ClientProtocol(server.uri))
    yield ws
    ws.close_socket()


def test_handshake(unopened: ClientConnection) -> None:
    ws = unopened
    assert (ws.state, ws.protocol.state) == (State.CONNECTING, State.CONNECTING)
    unmade: Any = ws
    assert (unmade.request, unmade.response, ws.subprotocol, ws.closed) == (None, None, None, False)
    assert (ws.extensions, ws.close_code, ws.latency) == ([], None, 0)
    identity = ws.id
    ws.handshake({"X-Trace": "42"}, timeout=10)
    assert (ws.state, ws.protocol.state) == (State.OPEN, State.OPEN)
    assert ws.request.headers["X-Trace"] == "42"
    assert ws.request.headers["User-Agent"] == USER_AGENT
    assert ws.response.status_code == 101
    assert ws.id is identity
    assert ws.protocol.handshake_exc is None
    with ws:
        ws.send("hello")
        assert ws.recv(5) == "hello"
        assert ws.ping(timeout=5) > 0
    assert ws.socket.fileno() == -1
    assert ws.protocol.close_code == ws.close_code == 1000


def test_settings_of_the_protocol() -> None:
    with EchoServer(subprotocols=["chat"]) as server:
        protocol = ClientProtocol(
            parse_uri(server.uri.replace("://", "://ada:p%40ss@") + "room?a=b"),
            origin="https://app.example",
            extensions=[ClientPerMessageDeflateFactory()],
            subprotocols=["chat"],
            max_size=5,
        )
        ws = ClientConnection(dial(server), protocol, close_timeout=7)
        ws.handshake(user_agent_header=None)
        assert ws.request.path == "/room?a=b"
        assert ws.request.headers["Origin"] == "https://app.example"
        assert ws.request.headers["Authorization"] == "Basic YWRhOnBAc3M="
        assert "User-Agent" not in ws.request.headers
        assert (ws.subprotocol, ws.close_timeout) == ("chat", 7)
        assert [extension.name for extension in ws.extensions] == ["permessage-deflate"]
        ws.send("123456")
        with pytest.raises(ConnectionClosedError, match="1009"):
            ws.recv(5)


@pytest.mark.parametrize("uri", ["ws://localhost/", "ws://localhost:80/", "ws://localhost"])
def test_the_default_port_is_not_in_the_request(uri: str, server: EchoServer) -> None:
    ws = ClientConnection(dial(server), ClientProtocol(uri))
    ws.handshake()
    assert ws.request.headers["Host"] == "localhost"
    ws.close()


def test_no_compression_unless_asked_for(unopened: ClientConnection) -> None:
    unopened.handshake()
    assert "Sec-WebSocket-Extensions" not in unopened.request.headers


def test_unix(tmp_path: pathlib.Path) -> None:
    path = str(tmp_path / "echo.sock")
    with EchoServer(path=path), socket.socket(socket.AF_UNIX) as sock:
        sock.connect(path)
        with ClientConnection(sock, ClientProtocol("ws://localhost/")) as ws:
            ws.handshake()
            ws.send(b"x" * 100_000)
            assert ws.recv(5) == b"x" * 100_000


def test_tls_of_the_socket(certificate: pathlib.Path, authority_file: pathlib.Path) -> None:
    context = ssl.create_default_context(cafile=str(authority_file))
    with EchoServer(certfile=certificate) as server:
        sock = context.wrap_socket(dial(server), server_hostname="localhost")
        with ClientConnection(sock, ClientProtocol(server.uri)) as ws:
            ws.handshake()
            assert ws.socket is sock
            assert ws.request.headers["Host"] == server.uri.removeprefix("wss://").rstrip("/")
            ws.send("hello")
            assert ws.recv(5) == "hello"
        assert sock.fileno() == -1


def test_protocol_of_websockets(server: EchoServer) -> None:
    factory = websockets.extensions.permessage_deflate.ClientPerMessageDeflateFactory()
    theirs = websockets.client.ClientProtocol(
        websockets.uri.parse_uri(server.uri), extensions=[factory], max_size=(1000, None)
    )
    given: Any = theirs
    ws = ClientConnection(dial(server), given)
    assert ws.id == theirs.id
    ws.handshake()
    assert ws.protocol.state is State.OPEN
    assert ws.protocol.max_message_size == 1000
    assert [extension.name for extension in ws.extensions] == ["permessage-deflate"]
    ws.close()


class TestBefore:
    @pytest.mark.parametrize(
        "call",
        [
            lambda ws: ws.send("x"),
            lambda ws: ws.send_many(["x"]),
            lambda ws: ws.recv(),
            lambda ws: ws.recv_streaming(),
            lambda ws: ws.recv_many(),
            lambda ws: ws.recv_into(bytearray(1)),
            lambda ws: ws.ping(),
            lambda ws: ws.pong(),
            lambda ws: ws.close(),
            lambda ws: ws.wait_closed(0),
            lambda ws: next(ws),
            lambda ws: ws.fileno(),
            lambda ws: ws.start_keepalive(),
            lambda ws: ws.timings,
            lambda ws: ws.remote_address,
        ],
    )
    def test_nothing_works(self, call: Callable[[ClientConnection], Any], unopened: ClientConnection) -> None:
        with pytest.raises(InvalidState, match=r"this connection is not open; call its handshake\(\)"):
            call(unopened)
        unopened.handshake()

    def test_leaving_with_closes_the_socket(self, server: EchoServer) -> None:
        sock = dial(server)
        with ClientConnection(sock, ClientProtocol(server.uri)) as ws:
            pass
        assert (sock.fileno(), ws.state, ws.closed) == (-1, State.CLOSED, True)
        with pytest.raises(InvalidState, match="connection is closed"):
            ws.handshake()
        with pytest.raises(ConnectionClosedError, match="no close frame received or sent"):
            ws.recv()

    def test_dropping_it_leaves_the_socket_to_the_program(self, server: EchoServer) -> None:
        sock = dial(server)
        ClientConnection(sock, ClientProtocol(server.uri))
        assert sock.fileno() != -1
        sock.close()

    def test_bad_arguments_change_nothing(self, unopened: ClientConnection) -> None:
        with pytest.raises(ValueError, match="additional_headers: "):
            unopened.handshake({"X": "a\r\nb"})
        unopened.handshake()
        unopened.close()


class TestFailing:
    def check(self, ws: ClientConnection, error: BaseException, sock: socket.socket) -> None:
        assert ws.protocol.handshake_exc is error
        assert (ws.state, ws.protocol.state, ws.closed) == (State.CLOSED, State.CLOSED, True)
        assert sock.fileno() == -1
        assert str(ws.protocol.close_exc) == "no close frame received or sent"
        ws.close()  # does nothing
        with pytest.raises(ConnectionClosedError):
            ws.send("x")

    def test_refused(self) -> None:
        with EchoServer(basic_auth=("ada", "secret")) as server:
            sock = dial(server)
            with pytest.raises(InvalidStatus) as caught:
                with ClientConnection(sock, ClientProtocol(server.uri)) as ws:
                    ws.handshake()
        assert caught.value.response.status_code == 401
        self.check(ws, caught.value, sock)

    def test_not_http(self) -> None:
        with contextlib.closing(Peer(response=b"SSH-2.0\r\n\r\n")) as peer:
            sock = socket.create_connection(("127.0.0.1", parse_uri(peer.uri).port))
            ws = ClientConnection(sock, ClientProtocol(peer.uri))
            with pytest.raises(InvalidHandshake) as caught:
                ws.handshake()
        self.check(ws, caught.value, sock)

    def test_time_out(self) -> None:
        with contextlib.closing(Peer(response=None)) as peer:
            sock = socket.create_connection(("127.0.0.1", parse_uri(peer.uri).port))
            ws = ClientConnection(sock, ClientProtocol(peer.uri))
            with pytest.raises(TimeoutError) as caught:
                ws.handshake(timeout=0.05)
        self.check(ws, caught.value, sock)


    def test_closed_by_another_thread(self) -> None:
        with contextlib.closing(Peer(response=None)) as peer:
            sock = socket.create_connection(("127.0.0.1", parse_uri(peer.uri).port))
            ws = ClientConnection(sock, ClientProtocol(peer.uri))
            with concurrent.futures.ThreadPoolExecutor() as pool:
                handshake = pool.submit(ws.handshake)
                assert peer.socket
                ws.close_socket()
                error = handshake.exception(10)
        assert isinstance(error, InvalidHandshake)
        self.check(ws, error, sock)


def test_a_second_handshake(unopened: ClientConnection) -> None:
    unopened.handshake()
    with pytest.raises(InvalidState, match="connection is open"):
        unopened.handshake()
    unopened.send("still there")
    assert unopened.recv(5) == "still there"


def pinged(peer: Peer) -> bool:
    return peer.expect()[0] & 0x0F == 9


class TestKeepalive:
    def open(self, peer: Peer, **kwargs: Any) -> ClientConnection:
        sock = socket.create_connection(("127.0.0.1", parse_uri(peer.uri).port))
        ws = ClientConnection(sock, ClientProtocol(peer.uri), close_timeout=0.2, **kwargs)
        ws.handshake()
        return ws

    def test_runs_after_the_handshake(self, peer: Peer) -> None:
        with self.open(peer, ping_interval=0.05, ping_timeout=None):
            assert pinged(peer)

    def test_begins_anew(self, peer: Peer) -> None:
        with self.open(peer, ping_interval=None) as ws:
            ws.ping_interval, ws.ping_timeout = 0.05, 60
            ws.start_keepalive()
            assert pinged(peer)

    def test_values_are_checked(self, unopened: ClientConnection) -> None:
        unopened.handshake()
        unopened.ping_interval = 0
        with pytest.raises(ValueError, match="ping_interval must be positive"):
            unopened.start_keepalive()

    def test_a_subclass_chooses(self, peer: Peer) -> None:
        class Eager(ClientConnection):
            def __init__(self, sock: Any, protocol: ClientProtocol, **kwargs: Any) -> None:
                super().__init__(sock, protocol, ping_interval=0.05, close_timeout=0.1)

        with peer.connect(create_connection=Eager, ping_interval=None) as ws:
            assert (ws.ping_interval, ws.close_timeout) == (0.05, 0.1)
            assert pinged(peer)


def test_close_socket(unopened: ClientConnection) -> None:
    unopened.handshake()
    closing = threading.Timer(0.05, unopened.close_socket)
    closing.start()
    with pytest.raises(ConnectionClosed):
        unopened.recv(10)
    closing.join()
    assert unopened.closed
