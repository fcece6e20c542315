"""TLS as a scripted server speaks it, record by record."""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
import trustme

from openline import CloseCause, ConnectionClosedError, ConnectionClosedOK

from peer import close, text
from tls_peer import TlsPeer


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
