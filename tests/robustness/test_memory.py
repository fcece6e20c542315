"""Millions of messages: memory stays flat, and each is of exactly `str` or `bytes`."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator

import pytest

from openline import CloseCause, ConnectionClosedError
from openline.frames import Opcode
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import peer  # noqa: F401  # pytest finds it by name
from peer import Peer, binary, frame, text
from robustness.census import FULL, resident

COUNT = 10_000_000 if FULL else 1_000_000

# A round of messages, as they are on the wire and as they are received.
KINDS = [(text("grün"), "grün"), (binary(b"\0\1"), b"\0\1"), (text(""), ""), (binary(bytes(200)), bytes(200))]
ROUND = KINDS * 25
WIRE = b"".join(wire for wire, _ in ROUND) * 10
EXPECTED = [message for _, message in ROUND]


def one_by_one(ws: ClientConnection) -> Iterator[str | bytes]:
    recv = ws.recv
    while True:
        yield recv()


def many(ws: ClientConnection) -> Iterator[str | bytes]:
    while True:
        yield from ws.recv_many(len(EXPECTED))


@pytest.mark.parametrize("receive", [one_by_one, many, iter])
def test_receiving(peer: Peer, receive: Callable[[ClientConnection], Iterator[str | bytes]]) -> None:
    rounds = COUNT // 3 // len(ROUND)

    def send() -> None:
        for _ in range(rounds // 10 + 1):
            peer.send(WIRE)

    ws = peer.connect(max_queue=64)
    sender = threading.Thread(target=send)
    sender.start()
    messages = receive(ws)
    warm = 0
    for number in range(rounds):
        for expected in EXPECTED:
            message = next(messages)
            assert type(message) is type(expected) and message == expected
        if number == rounds // 10:
            warm = resident()
    assert resident() - warm < 4 << 20
    ws.abort()
    sender.join()


def test_both_ways_and_compressed() -> None:
    """With a server of this process: its memory counts, too."""
    messages: list[str | bytes] = ["grün" * 20, bytes(100), "", b"x" * 1000] * 25
    with EchoServer() as server, connect(server.uri, max_queue=None) as ws:
        warm = 0
        for number in range(COUNT // 10 // len(messages)):
            ws.send_many(messages)
            received: list[str | bytes] = []
            while len(received) < len(messages):
                received += ws.recv_many(timeout=10)
            assert received == messages
            assert [type(message) for message in received] == [type(message) for message in messages]
            if number == COUNT // 100 // len(messages):
                warm = resident()
        assert resident() - warm < 4 << 20


def test_fragments_of_a_byte_with_pings_between(peer: Peer) -> None:
    """They take the memory of their bytes, whatever the number of frames; too many of them end it (1009)."""
    piece = frame(Opcode.CONT, b"x", fin=False) + frame(Opcode.PING, b"")
    ws = peer.connect(max_size=None)
    sent = 0
    before = resident()

    def send() -> None:
        nonlocal sent
        try:
            peer.send(frame(Opcode.TEXT, b"", fin=False))
            while True:
                peer.send(piece * 1000)
                sent += 1000
        except OSError:
            pass

    sender = threading.Thread(target=send)
    sender.start()
    with pytest.raises(ConnectionClosedError, match="more than 131072 fragments") as caught:
        ws.recv(20)
    ws.abort()
    sender.join()
    assert caught.value.cause is CloseCause.TOO_BIG
    assert sent >= 2**17 - 1
    assert resident() - before < 8 << 20
