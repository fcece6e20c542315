"""Sockets that the user brings, and what `socket.create_connection` takes."""

from __future__ import annotations

import gc
import pathlib
import queue
import socket
import ssl
import threading
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from fixtures import server
from openline import ConnectError, InvalidStatus
from openline.sync.client import ClientConnection, connect, unix_connect
from openline.testing import EchoServer

__all__ = ["server"]


def tcp_socket(server: EchoServer) -> socket.socket:
    return socket.create_connection(server.address)


def socket_with_timeout(server: EchoServer) -> socket.socket:
    return socket.create_connection(server.address, timeout=0.01)


class Owned(socket.socket):
    owner: ClientConnection


def non_blocking_socket(server: EchoServer) -> socket.socket:
    sock = socket.create_connection(server.address)
    sock.setblocking(False)
    return sock


def pair(server: EchoServer) -> socket.socket:
    """One end of a pair, whose other one is copied to the server."""
    ours, inner = socket.socketpair()
    outer = socket.create_connection(server.address)

    def copy(source: socket.socket, sink: socket.socket) -> None:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)

    def run() -> None:
        with inner, outer:
            there = threading.Thread(target=copy, args=(inner, outer))
            there.start()
            copy(outer, inner)
            there.join()

    threading.Thread(target=run).start()
    return ours


def echoes(ws: ClientConnection) -> None:
    messages: list[str | bytes] = ["hello", b"x" * 300_000]
    for message in messages:
        ws.send(message)
        assert ws.recv(timeout=10) == message
    assert ws.ping(timeout=10) > 0
    with pytest.raises(TimeoutError):
        ws.recv(timeout=0.01)


@pytest.mark.parametrize("make", [tcp_socket, socket_with_timeout, non_blocking_socket, pair])
def test_given_socket(make: Callable[[EchoServer], socket.socket], server: EchoServer) -> None:
    sock = make(server)
    with connect("ws://nowhere.invalid/", sock=sock) as ws:
        assert ws.request.headers["Host"] == "nowhere.invalid"
        echoes(ws)
        assert sock.fileno() != -1
    assert sock.fileno() == -1


def test_unix_socket(tmp_path: pathlib.Path) -> None:
    with EchoServer(path=tmp_path / "sock"), socket.socket(socket.AF_UNIX) as sock:
        sock.connect(str(tmp_path / "sock"))
        with unix_connect(sock=sock) as ws:
            echoes(ws)


def test_user_changes_the_mode_later(server: EchoServer) -> None:
    sock = tcp_socket(server)
    with connect("ws://localhost/", sock=sock) as ws:
        sock.setblocking(False)
        ws.send("hello")
        assert ws.recv() == "hello"
        sock.settimeout(0.001)
        echoes(ws)


def test_user_closes_it(server: EchoServer) -> None:
    sock = tcp_socket(server)
    with connect("ws://localhost/", sock=sock) as ws:
        sock.close()
        echoes(ws)


def test_user_shuts_it_down(server: EchoServer) -> None:
    sock = tcp_socket(server)
    with connect("ws://localhost/", sock=sock) as ws:
        sock.shutdown(socket.SHUT_RDWR)
        assert list(ws) == []
    assert ws.close_code == 1006


@pytest.fixture
def tls_server(certificate: pathlib.Path) -> Any:
    with EchoServer(certfile=certificate) as server:
        yield server


class TestTls:
    @pytest.fixture
    def context(self, authority_file: pathlib.Path) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(authority_file))

    def test_tls_over_a_given_socket(self, tls_server: EchoServer, context: ssl.SSLContext) -> None:
        with connect("wss://localhost/", sock=tcp_socket(tls_server), ssl=context) as ws:
            echoes(ws)

    def test_rustls_over_a_given_socket(
        self, tls_server: EchoServer, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        with connect("wss://localhost/", sock=pair(tls_server)) as ws:
            echoes(ws)

    def test_wrapped_socket(self, tls_server: EchoServer, context: ssl.SSLContext) -> None:
        sock = context.wrap_socket(tcp_socket(tls_server), server_hostname="localhost")
        with connect("ws://localhost/", sock=sock, max_size=None) as ws:
            echoes(ws)
            sender = threading.Thread(target=ws.send_many, args=([bytes(2**20)] * 20,))
            sender.start()
            for _ in range(20):
                assert ws.recv(timeout=10) == bytes(2**20)
            sender.join()
        assert sock.fileno() == -1


class Stream:
    """No socket for the system: what goes in and out passes through queues."""

    def __init__(self, server: EchoServer) -> None:
        self._socket = socket.create_connection(server.address)
        self.sent = 0
        self.is_closed = threading.Event()

    def recv(self, size: int) -> bytes:
        return self._socket.recv(size)

    def sendall(self, data: bytes) -> None:
        self.sent += len(data)
        self._socket.sendall(data)

    def shutdown(self, how: int) -> None:
        self._socket.shutdown(how)

    def close(self) -> None:
        self._socket.close()
        self.is_closed.set()


class TestStream:
    def test_object_with_recv_and_sendall(self, server: EchoServer) -> None:
        stream: Any = Stream(server)
        with connect("ws://localhost/", sock=stream, compression=None) as ws:
            echoes(ws)
        assert stream.sent > 300_000
        assert stream.is_closed.wait(10)

    def test_over_tls(
        self, certificate: pathlib.Path, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        with EchoServer(certfile=certificate) as server:
            stream: Any = Stream(server)
            with connect("wss://localhost/", sock=stream) as ws:
                echoes(ws)
            assert stream.is_closed.wait(10)

    def test_closed_after_failure(self) -> None:
        with EchoServer(basic_auth=("ada", "secret")) as server:
            stream: Any = Stream(server)
            with pytest.raises(InvalidStatus):
                connect("ws://localhost/", sock=stream)
            assert stream.is_closed.wait(10)

    def test_error_of_the_stream(self) -> None:
        class Broken:
            closed: queue.Queue[bool] = queue.Queue()

            def recv(self, size: int) -> bytes:
                raise OSError("no carrier")

            def sendall(self, data: bytes) -> None:
                raise OSError("no carrier")

            def close(self) -> None:
                self.closed.put(True)

        broken: Any = Broken()
        with pytest.raises(Exception, match="did not receive a valid HTTP response"):
            connect("ws://localhost/", sock=broken)
        assert Broken.closed.get(timeout=10)


class TestFailure:
    def test_closed_after_failure(self) -> None:
        with EchoServer(basic_auth=("ada", "secret")) as server:
            sock = tcp_socket(server)
            with pytest.raises(InvalidStatus):
                connect("ws://localhost/", sock=sock)
            assert sock.fileno() == -1

    def test_not_connected(self) -> None:
        with socket.socket() as sock:
            with pytest.raises(ConnectError, match="the given socket: "):
                connect("ws://localhost/", sock=sock)
            assert sock.fileno() == -1

    def test_closed_before(self) -> None:
        sock = socket.socket()
        sock.close()
        with pytest.raises(OSError, match="Bad file descriptor"):
            connect("ws://localhost/", sock=sock)

    @pytest.mark.parametrize("argument", ["timeout", "address", "source_address", "all_errors"])
    def test_arguments_for_new_sockets(self, argument: str) -> None:
        values: dict[str, Any] = {
            "timeout": 1,
            "address": ("localhost", 80),
            "source_address": ("", 0),
            "all_errors": True,
        }
        with socket.socket() as sock, pytest.raises(ValueError, match=f"^{argument}: for a new socket only"):
            connect("ws://localhost/", sock=sock, **{argument: values[argument]})

    def test_proxy(self) -> None:
        with socket.socket() as sock, pytest.raises(ValueError, match="^proxy is for connections over TCP"):
            connect("ws://localhost/", sock=sock, proxy="http://localhost:3128")


class TestCreateConnection:
    def test_address(self, server: EchoServer) -> None:
        with connect("ws://nowhere.invalid:81/x", address=server.address) as ws:
            assert (ws.request.headers["Host"], ws.request.path) == ("nowhere.invalid:81", "/x")
            echoes(ws)

    def test_source_address(self, server: EchoServer) -> None:
        with connect(server.uri, source_address=("127.0.0.2", 0)) as ws:
            assert ws.local_address[0] == "127.0.0.2"
        with connect(server.uri, source_address=("", 0)) as ws:
            echoes(ws)

    def test_unknown_source_address(self, server: EchoServer) -> None:
        with pytest.raises(socket.gaierror, match="source_address 'nowhere.invalid': "):
            connect(server.uri, source_address=("nowhere.invalid", 0))

    def test_timeout(self) -> None:
        # A listener whose queue is full answers no further SYN.
        with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
            waiting = [socket.socket() for _ in range(3)]
            for sock in waiting:
                sock.setblocking(False)
                sock.connect_ex(listener.getsockname())
            with pytest.raises(TimeoutError, match="timed out while opening the connection"):
                connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/", timeout=0.1)
            for sock in waiting:
                sock.close()

    def test_all_errors(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ExceptionGroup, match="create_connection failed") as caught:
            connect(f"ws://127.0.0.1:{port}/", all_errors=True)
        [error] = caught.value.exceptions
        assert isinstance(error, ConnectionRefusedError)
        assert str(error) == f"[Errno 111] 127.0.0.1:{port}: Connection refused"

    def test_every_address_is_in_the_error(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError) as caught:
            connect(f"ws://localhost:{port}/")
        assert isinstance(caught.value, ConnectError)
        assert [str(attempt) for attempt in caught.value.attempts]
        for attempt in caught.value.attempts:
            assert str(attempt.strerror) in str(caught.value)


def test_timings(
    tls_server: EchoServer, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    with connect(tls_server.uri) as ws:
        dns, tcp, proxy, tls, http = ws.timings
        assert (proxy, ws.timings.dns) == (None, dns)
        for step in (dns, tcp, tls, http):
            assert step is not None and 0 < step < 10


def test_a_socket_that_holds_its_connection_is_collected_with_it(server: EchoServer) -> None:
    sock = Owned()
    sock.connect(server.address)
    sock.owner = connect("ws://localhost/", sock=sock)
    sock.owner.close()
    reference = weakref.ref(sock)
    del sock
    gc.collect()
    assert reference() is None
