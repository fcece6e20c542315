"""What `connection.socket` shows, and that it disturbs nothing."""

from __future__ import annotations

import io
import pathlib
import select
import socket
import ssl
from collections.abc import Iterator
from typing import Any

import pytest

from openline import ConnectionClosed
from openline.sync.client import ClientConnection, connect, unix_connect
from openline.testing import EchoServer

from fixtures import server, ws

__all__ = ["server", "ws"]


def echoes(ws: ClientConnection) -> None:
    ws.send("hello")
    assert ws.recv(5) == "hello"


def test_addresses_and_kind(ws: ClientConnection, server: EchoServer) -> None:
    sock = ws.socket
    for _ in range(2):
        assert sock.getpeername() == ws.remote_address == server.address
        assert sock.getsockname() == ws.local_address
        assert (sock.family, sock.type, sock.proto) == (
            socket.AF_INET,
            socket.SOCK_STREAM,
            socket.IPPROTO_TCP,
        )
        ws.close()


def test_ipv6() -> None:
    with EchoServer(host="::1") as server, connect(server.uri) as ws:
        assert ws.socket.family == socket.AF_INET6


def test_unix(tmp_path: pathlib.Path) -> None:
    with EchoServer(path=tmp_path / "sock"), unix_connect(tmp_path / "sock") as ws:
        assert (ws.socket.family, ws.socket.proto) == (socket.AF_UNIX, 0)
        assert ws.socket.getpeername() == str(tmp_path / "sock")


def test_descriptor(ws: ClientConnection) -> None:
    assert ws.socket.fileno() == ws.fileno() > 0
    assert not ws.socket._closed
    ws.send("hello")
    # Whether it is readable may be seen, and ended, by the driver first.
    assert select.select([], [ws.socket], [], 10)[1] == [ws.socket]
    assert ws.recv(5) == "hello"
    ws.close()
    assert (ws.socket.fileno(), ws.socket._closed) == (-1, True)
    assert "[closed] fd=-1" in repr(ws.socket)


def test_timeouts_disturb_nothing(ws: ClientConnection) -> None:
    sock = ws.socket
    assert (sock.gettimeout(), sock.timeout, sock.getblocking()) == (None, None, True)
    sock.settimeout(0.5)
    assert (sock.gettimeout(), sock.getblocking()) == (0.5, True)
    sock.setblocking(False)
    assert (sock.gettimeout(), sock.getblocking()) == (0, False)
    echoes(ws)
    sock.setblocking(True)
    assert sock.gettimeout() is None
    with pytest.raises(ValueError, match="Timeout value out of range"):
        sock.settimeout(-1)


def test_options(ws: ClientConnection) -> None:
    sock = ws.socket
    assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 0
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
    assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8) == bytes(8)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes(8))
    with pytest.raises(OSError):
        sock.getsockopt(12345, 1)
    echoes(ws)


@pytest.mark.parametrize("name", ["recv", "recv_into", "send", "sendall", "detach", "makefile", "connect"])
def test_the_stream_is_the_connections(ws: ClientConnection, name: str) -> None:
    with pytest.raises(io.UnsupportedOperation, match="the bytes of this socket are the connection's"):
        getattr(ws.socket, name)(1)
    echoes(ws)


def test_close(ws: ClientConnection) -> None:
    with ws.socket as sock:
        assert not sock._closed
    assert sock._closed and ws.closed
    with pytest.raises(ConnectionClosed):
        ws.recv()
    sock.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.shutdown(socket.SHUT_RDWR)
    with pytest.raises(OSError, match="Bad file descriptor"):
        sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)


def test_shutdown(ws: ClientConnection) -> None:
    ws.socket.shutdown(socket.SHUT_RDWR)
    with pytest.raises(ConnectionClosed):
        ws.recv(10)
    assert ws.close_code == 1006


def test_shutdown_of_what(ws: ClientConnection) -> None:
    with pytest.raises(ValueError, match="how must be 0, 1 or 2, not 3"):
        ws.socket.shutdown(3)


def test_it_is_an_attribute_as_others(ws: ClientConnection) -> None:
    ws.socket = "mine"
    assert ws.socket == "mine"
    echoes(ws)


def test_a_given_socket_is_itself(server: EchoServer) -> None:
    sock = socket.create_connection(server.address)
    with connect(server.uri, sock=sock) as ws:
        assert ws.socket is sock
    assert sock.fileno() == -1


def test_no_tls(ws: ClientConnection) -> None:
    assert not hasattr(ws.socket, "version")


class TestTls:
    @pytest.fixture
    def server(self, certificate: pathlib.Path) -> Iterator[EchoServer]:
        with EchoServer(certfile=certificate) as server:
            yield server

    @pytest.fixture(params=["rustls", "context"])
    def options(
        self, request: pytest.FixtureRequest, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        if request.param == "rustls":
            monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
            return {}
        return {"ssl": ssl.create_default_context(cafile=str(authority_file))}

    def test_session(self, server: EchoServer, options: dict[str, Any], certificate: pathlib.Path) -> None:
        with connect(server.uri, server_hostname="localhost", **options) as ws:
            sock = ws.socket
            assert sock.context is options.get("ssl")
            assert (sock.server_hostname, sock.server_side) == ("localhost", False)
            assert sock.version() == "TLSv1.3"
            name, version, bits = sock.cipher()
            assert (name.startswith("TLS_"), version, bits in (128, 256)) == (True, "TLSv1.3", True)
            assert (sock.selected_alpn_protocol(), sock.compression()) == (None, None)
            own = ssl.PEM_cert_to_DER_cert("".join(certificate.read_text().partition("-----BEGIN C")[1:]))
            assert sock.getpeercert(binary_form=True) == own
            assert sock.fileno() == ws.fileno()
            assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1
            echoes(ws)
        assert (sock.version(), sock.cipher(), sock._closed) == (None, None, True)

    def test_certificate_as_dict(self, server: EchoServer, options: dict[str, Any]) -> None:
        with connect(server.uri, **options) as ws:
            if "ssl" in options:
                assert ("DNS", "localhost") in ws.socket.getpeercert()["subjectAltName"]
            else:
                with pytest.raises(NotImplementedError, match="pass binary_form=True, or an ssl.SSLContext"):
                    ws.socket.getpeercert()

    def test_over_a_given_socket(self, server: EchoServer, options: dict[str, Any]) -> None:
        sock = socket.create_connection(server.address)
        with connect(server.uri, sock=sock, **options) as ws:
            assert ws.socket is not sock
            assert ws.socket.version() == "TLSv1.3"
            echoes(ws)
        assert sock.fileno() == -1

    def test_a_secure_socket_is_itself(self, server: EchoServer, authority_file: pathlib.Path) -> None:
        context = ssl.create_default_context(cafile=str(authority_file))
        sock = context.wrap_socket(socket.create_connection(server.address), server_hostname="localhost")
        with connect(server.uri.replace("wss:", "ws:"), sock=sock) as ws:
            assert ws.socket is sock
            echoes(ws)

    def test_shutdown(self, server: EchoServer, options: dict[str, Any]) -> None:
        ws = connect(server.uri, **options)
        ws.socket.shutdown(socket.SHUT_RDWR)
        with pytest.raises(ConnectionClosed):
            ws.recv(10)
