"""TLS as a scripted server speaks it, record by record."""

from __future__ import annotations

import base64
import hashlib
import pathlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import trustme

from openline import CloseCause, ConnectionClosedError, ConnectionClosedOK
from openline.sync.client import ClientConnection, connect

from peer import GUID, close, text


class TlsPeer:
    """Answers the handshake of one connection; then what it sends goes out when it is told to."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"wss://127.0.0.1:{self._listener.getsockname()[1]}/"
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self._thread = threading.Thread(target=self._accept)
        self._thread.start()

    def connect(self, **kwargs: Any) -> ClientConnection:
        """Connect, with a `close_timeout` that no test waits for."""
        ws: ClientConnection = connect(self.uri, close_timeout=60, ping_interval=None, **kwargs)
        self._thread.join(10)
        return ws

    def write(self, data: bytes) -> None:
        """Make a record of the data. It is not sent yet."""
        self._tls.write(data)

    def write_close_notify(self) -> None:
        """Make the alert that ends our direction. It is not sent yet."""
        with pytest.raises(ssl.SSLWantReadError):
            self._tls.unwrap()

    def flush(self) -> None:
        """Send all that was made, in one piece."""
        self._socket.sendall(self._outgoing.read())

    def send_raw(self, data: bytes) -> None:
        """Send bytes that TLS has not made."""
        self._socket.sendall(data)

    def read_to_end(self) -> None:
        while self._socket.recv(2**16):
            pass

    def shutdown(self) -> None:
        self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        self._listener.close()
        self._socket.close()

    def _accept(self) -> None:
        self._socket, _ = self._listener.accept()
        self._socket.settimeout(10)
        self._run(self._tls.do_handshake)
        request = b""
        while b"\r\n\r\n" not in request:
            request += self._run(lambda: self._tls.read(4096))
        key = request.partition(b"Sec-WebSocket-Key: ")[2].partition(b"\r\n")[0]
        self.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + base64.b64encode(hashlib.sha1(key + GUID).digest()) + b"\r\n\r\n"
        )
        self.flush()

    def _run(self, step: Callable[[], Any]) -> Any:
        while True:
            try:
                outcome = step()
            except ssl.SSLWantReadError:
                self.flush()
                self._incoming.write(self._socket.recv(2**16))
            else:
                self.flush()
                return outcome


@pytest.fixture
def peer(
    authority: trustme.CA, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[TlsPeer]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    peer = TlsPeer(context)
    yield peer
    peer.close()


@pytest.mark.parametrize("timeout", [None, 5])
def test_close_and_close_notify_at_once(peer: TlsPeer, timeout: float | None) -> None:
    """The peer then waits for our close_notify and does not end TCP, as asyncio does: we come first."""
    ws = peer.connect()
    peer.write(text("last"))
    peer.write(close(1000, "bye"))
    peer.write_close_notify()
    peer.flush()
    assert ws.recv(timeout) == "last"
    with pytest.raises(ConnectionClosedOK, match="received 1000 .* bye; then sent 1000"):
        ws.recv(timeout)
    peer.read_to_end()
    assert ws.wait_closed(10)


def test_close_and_close_notify_while_nobody_receives(peer: TlsPeer) -> None:
    ws = peer.connect()
    peer.write(close(1001))
    peer.write_close_notify()
    peer.flush()
    peer.read_to_end()
    assert ws.wait_closed(10)
    assert ws.close_code == 1001


@pytest.mark.parametrize("timeout", [None, 5])
def test_close_notify_without_a_close(peer: TlsPeer, timeout: float | None) -> None:
    ws = peer.connect()
    peer.write(text("last"))
    peer.write_close_notify()
    peer.flush()
    assert ws.recv(timeout) == "last"
    with pytest.raises(ConnectionClosedError, match="no close frame received or sent") as caught:
        ws.recv(timeout)
    assert isinstance(caught.value.__cause__, EOFError)


def test_the_end_of_tcp_without_close_notify(peer: TlsPeer) -> None:
    """RFC 8446 §6.1: without it, somebody may have cut the stream."""
    ws = peer.connect()
    peer.write(text("last"))
    peer.flush()
    peer.shutdown()
    assert ws.recv(10) == "last"
    with pytest.raises(ConnectionClosedError, match="no close frame received or sent") as caught:
        ws.recv(10)
    assert isinstance(caught.value.__cause__, EOFError)


@pytest.mark.parametrize("by", ["rustls", "ssl"])
def test_causes(peer: TlsPeer, by: str, authority_file: pathlib.Path) -> None:
    context = ssl.create_default_context(cafile=str(authority_file)) if by == "ssl" else None
    ws = peer.connect(ssl=context)
    peer.shutdown()
    with pytest.raises(ConnectionClosedError) as caught:
        ws.recv(10)
    assert caught.value.cause is CloseCause.TLS_EOF


@pytest.mark.parametrize("by", ["rustls", "ssl"])
@pytest.mark.parametrize("name", ["recv", "send", "ping"])
def test_abort(peer: TlsPeer, by: str, name: str, authority_file: pathlib.Path) -> None:
    context = ssl.create_default_context(cafile=str(authority_file)) if by == "ssl" else None
    ws = peer.connect(ssl=context)
    with ThreadPoolExecutor(1) as pool:
        arguments = [bytes(2**25)] if name == "send" else []
        waiting = pool.submit(getattr(ws, name), *arguments)
        assert not ws.wait_closed(0.05)
        ws.abort()
        error = waiting.exception(10)
    assert isinstance(error, ConnectionClosedError)
    assert error.cause is CloseCause.ABORTED


def test_many_messages_in_one_record_and_one_in_many(peer: TlsPeer) -> None:
    messages = [str(number) for number in range(100)]
    ws = peer.connect(max_queue=4)
    peer.write(b"".join(map(text, messages)))
    for byte in text("in records of a byte"):
        peer.write(bytes([byte]))
    peer.write(close())
    peer.flush()
    peer.shutdown()
    assert list(ws) == [*messages, "in records of a byte"]
    assert ws.close_code == 1000


def test_a_record_that_is_broken(peer: TlsPeer) -> None:
    ws = peer.connect()
    peer.write(text("before"))
    peer.flush()
    peer.send_raw(b"\x17\x03\x03\x00\x20" + bytes(32))
    assert ws.recv(10) == "before"
    with pytest.raises(ConnectionClosedError) as caught:
        ws.recv(10)
    assert isinstance(caught.value.__cause__, ssl.SSLError)
