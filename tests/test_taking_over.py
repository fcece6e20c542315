"""Connections over sockets whose handshake somebody else has made."""

from __future__ import annotations

import http.client
import pathlib
import socket
import ssl
import threading
from typing import Any

import pytest
import websockets.client
import websockets.protocol
import websockets.uri

from openline import ConnectError, ConnectionClosedError, ConnectionClosedOK, InvalidState, Opcode, State
from openline.client import ClientProtocol
from openline.protocol import Protocol, Side
from openline.sync.client import ClientConnection
from openline.sync.connection import Connection
from openline.testing import EchoServer

from fixtures import server
from peer import frame

__all__ = ["server"]


def ends(**kwargs: Any) -> tuple[Connection, Connection]:
    one, other = socket.socketpair()
    server = Connection(one, Protocol(Side.SERVER, **kwargs), ping_interval=None, close_timeout=1)
    client = Connection(other, Protocol(Side.CLIENT), ping_interval=None, close_timeout=1)
    return server, client


def test_both_sides() -> None:
    server, client = ends()
    assert (server.state, client.protocol.state) == (State.OPEN, State.OPEN)
    unmade: Any = server
    assert (unmade.request, unmade.response, server.subprotocol, server.extensions) == (None, None, None, [])
    client.send("hello")
    assert server.recv(5) == "hello"
    server.send(b"x" * 300_000)
    assert client.recv(5) == b"x" * 300_000
    assert server.ping(timeout=5) > 0
    closing = threading.Thread(target=server.close, args=(1001, "bye"))
    closing.start()
    with pytest.raises(ConnectionClosedOK, match=r"received 1001 \(going away\) bye"):
        client.recv(5)
    closing.join()
    client.close()
    assert (server.socket.fileno(), client.socket.fileno()) == (-1, -1)
    assert str(server.protocol.close_exc) == "sent 1001 (going away) bye; then received 1001 (going away) bye"


def test_limits() -> None:
    server, client = ends(max_size=10)
    with client, server:
        client.send("x" * 11)
        with pytest.raises(ConnectionClosedError, match="1009"):
            server.recv(5)


def test_what_was_read_too_far() -> None:
    ours, theirs = socket.socketpair()
    first = frame(Opcode.TEXT, b"early") + frame(Opcode.TEXT, b"late")
    with theirs, Connection(ours, Protocol(Side.CLIENT), leftover=first[:10], close_timeout=0) as ws:
        assert ws.recv(5) == "early"
        theirs.sendall(first[10:])
        assert ws.recv(5) == "late"


def test_a_handshake_by_an_http_library(server: EchoServer) -> None:
    connection = http.client.HTTPConnection(*server.address)
    headers = {
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
        "Sec-WebSocket-Version": "13",
    }
    connection.request("GET", "/", headers=headers)
    response = connection.getresponse()
    assert response.status == 101
    sock = connection.sock
    protocol = ClientProtocol(server.uri, state=State.OPEN)
    with ClientConnection(sock, protocol) as ws:
        assert ws.state is State.OPEN
        ws.send("hello")
        assert ws.recv(5) == "hello"
        with pytest.raises(InvalidState, match="connection is open"):
            ws.handshake()
    response.close()


def test_over_tls(certificate: pathlib.Path, authority_file: pathlib.Path) -> None:
    one, other = socket.socketpair()
    secured: list[ssl.SSLSocket] = []

    def accept() -> None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
        secured.append(context.wrap_socket(one, server_side=True))

    accepting = threading.Thread(target=accept)
    accepting.start()
    context = ssl.create_default_context(cafile=str(authority_file))
    ours = context.wrap_socket(other, server_hostname="localhost")
    accepting.join()
    with Connection(ours, Protocol(Side.CLIENT)) as client:
        with Connection(secured[0], Protocol(Side.SERVER)) as server:
            client.send("hello")
            assert server.recv(5) == "hello"


def test_protocols_of_websockets() -> None:
    one, other = socket.socketpair()
    sides: Any = websockets.protocol.Side
    server_protocol: Any = websockets.protocol.Protocol(sides.SERVER, max_size=5)
    with Connection(one, server_protocol) as server:
        assert (server.protocol.side, server.protocol.max_message_size) == (Side.SERVER, 5)
        uri = websockets.uri.parse_uri("ws://localhost/")
        theirs: Any = websockets.client.ClientProtocol(uri, state=websockets.protocol.State.OPEN)
        with ClientConnection(other, theirs) as client:
            client.send("hello")
            assert server.recv(5) == "hello"


class TestRefused:
    def test_a_socket_that_is_not_connected(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(ConnectError):
                Connection(sock, Protocol(Side.CLIENT))
            assert sock.fileno() != -1

    def test_leftover_without_a_handshake(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(ValueError, match="leftover is what was read behind a handshake"):
                ClientConnection(sock, ClientProtocol("ws://localhost/"), leftover=b"x")

    def test_settings(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(ValueError, match="ping_interval must be positive"):
                Connection(sock, Protocol(Side.CLIENT), ping_interval=0)
