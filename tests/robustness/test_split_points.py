"""A time-out at every point within a frame, and a TLS record, loses nothing: `recv(timeout)` on sockets."""

from __future__ import annotations

import pathlib
import ssl
from collections.abc import Callable, Iterator

import pytest
import trustme

from openline.frames import Opcode
from openline.sync.client import ClientConnection

from fixtures import peer  # noqa: F401  # pytest finds it by name
from peer import Peer, binary, frame, text
from tls_peer import TlsPeer

FRAMES: dict[str, tuple[bytes, str | bytes]] = {
    "text": (text("grün"), "grün"),
    "empty": (binary(b""), b""),
    "length of two bytes": (binary(bytes(range(200))), bytes(range(200))),
    "fragments, and a ping between": (
        frame(Opcode.TEXT, b"gr\xc3", fin=False)
        + frame(Opcode.PING, b"are you there")
        + frame(Opcode.CONT, b"\xbc", fin=False)
        + frame(Opcode.CONT, b"n"),
        "grün",
    ),
}


def recv(ws: ClientConnection, timeout: float) -> str | bytes:
    return ws.recv(timeout)


def recv_many(ws: ClientConnection, timeout: float) -> str | bytes:
    (message,) = ws.recv_many(1, timeout)
    return message


def recv_into(ws: ClientConnection, timeout: float) -> bytes:
    buffer = bytearray(300)
    return bytes(buffer[: ws.recv_into(buffer, timeout)])


Receive = Callable[[ClientConnection, float], str | bytes]


def check(ws: ClientConnection, receive: Receive, expected: str | bytes) -> None:
    received = receive(ws, 10)
    if receive is recv_into and isinstance(expected, str):
        expected = expected.encode()
    assert (type(received), received) == (type(expected), expected)


@pytest.mark.parametrize("timeout", [0, 0.0005])
@pytest.mark.parametrize("receive", [recv, recv_many, recv_into])
@pytest.mark.parametrize("kind", FRAMES)
def test_every_point_within_a_frame(peer: Peer, kind: str, receive: Receive, timeout: float) -> None:
    wire, expected = FRAMES[kind]
    with peer.connect() as ws:
        for split in range(1, len(wire)):
            peer.send(wire[:split])
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    receive(ws, timeout)
            peer.send(wire[split:])
            check(ws, receive, expected)


@pytest.mark.parametrize("timeout", [0, 0.0005])
def test_points_within_a_large_frame(peer: Peer, timeout: float) -> None:
    """Larger than what is read to where it belongs at once; in the header, and here and there."""
    payload = bytes(range(256)) * 1000
    wire = binary(payload)
    points = [*range(1, 12), *range(15, len(wire), 9_973), len(wire) - 1]
    with peer.connect() as ws:
        for split in points:
            peer.send(wire[:split])
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    ws.recv(timeout)
            peer.send(wire[split:])
            assert ws.recv(10) == payload


@pytest.mark.parametrize("timeout", [0, 0.0005])
def test_every_byte_alone(peer: Peer, timeout: float) -> None:
    with peer.connect() as ws:
        for wire, expected in FRAMES.values():
            for byte in wire[:-1]:
                peer.send(bytes([byte]))
                with pytest.raises(TimeoutError):
                    ws.recv(timeout)
            peer.send(wire[-1:])
            check(ws, recv, expected)


@pytest.fixture(params=["rustls", "SSLContext"])
def tls(
    request: pytest.FixtureRequest,
    authority: trustme.CA,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[tuple[TlsPeer, ClientConnection]]:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    peer = TlsPeer(context)
    ws = peer.connect(ssl=ssl.create_default_context() if request.param == "SSLContext" else None)
    yield peer, ws
    ws.abort()
    peer.close()


@pytest.mark.parametrize("timeout", [0, 0.0005])
def test_every_point_within_a_tls_record(tls: tuple[TlsPeer, ClientConnection], timeout: float) -> None:
    peer, ws = tls
    split, record = 1, b"??"
    while split < len(record):
        peer.write(text("in a record"))
        record = peer.take()
        peer.send_raw(record[:split])
        for _ in range(2):
            with pytest.raises(TimeoutError):
                ws.recv(timeout)
        peer.send_raw(record[split:])
        assert ws.recv(10) == "in a record"
        split += 1
