"""Messages and pings to servers that others wrote, and back, by each way."""

from __future__ import annotations

import os
import pathlib

import pytest

from openline import ConnectionClosedError, ConnectionClosedOK
from openline.protocol import State
from openline.sync.client import connect

from peers import Server, Target

MESSAGES: dict[str, str | bytes] = {
    "empty text": "",
    "empty binary": b"",
    "text": "Hello",
    "binary": bytes(range(256)),
    "each length of UTF-8": "a é € 𝄞 \U0010ffff \ufeff",
    "controls": "\0\t\r\n\x7f\x85\u2028",
    "125": "x" * 125,
    "126": b"x" * 126,
    "65535": "x" * 65535,
    "64 KiB": b"x" * 65536,
    "64 KiB + 1": "é" * 32768 + "x",
}

LARGE = 2**24  # 16 MiB


@pytest.mark.parametrize("message", MESSAGES.values(), ids=MESSAGES)
def test_a_message_comes_back(target: Target, message: str | bytes) -> None:
    with target.connect("/echo") as ws:
        ws.send(message)
        received = ws.recv(timeout=20)
        assert type(received) is type(message)
        assert received == message


@pytest.mark.parametrize("message", ["é€𝄞x" * (LARGE // 10), os.urandom(LARGE)], ids=["text", "binary"])
def test_a_large_message_comes_back(target: Target, message: str | bytes) -> None:
    with target.connect("/echo", max_size=None) as ws:
        ws.send(message)
        # Not part of the assertion: pytest would show both.
        is_same = ws.recv(timeout=20) == message
        assert is_same


def test_messages_come_back_in_order(target: Target) -> None:
    messages = [*MESSAGES.values(), *(str(number) for number in range(100))]
    with target.connect("/echo", max_queue=None) as ws:
        for message in messages:
            ws.send(message)
        assert [ws.recv(timeout=20) for _ in messages] == messages
        ws.send_many(messages)
        assert [ws.recv(timeout=20) for _ in messages] == messages


@pytest.mark.parametrize(
    ("fragments", "whole"),
    [
        (["a", "", "é", "𝄞", "x" * 70_000], "aé𝄞" + "x" * 70_000),
        ([b"", b"\0", b"\xff" * 126], b"\0" + b"\xff" * 126),
        (["", ""], ""),
    ],
    ids=["text", "binary", "empty"],
)
def test_our_fragments_are_one_message(
    target: Target, fragments: list[str | bytes], whole: str | bytes
) -> None:
    with target.connect("/echo") as ws:
        ws.send(iter(fragments))
        assert ws.recv(timeout=20) == whole


def test_our_fragments_may_cut_characters(target: Target) -> None:
    whole = "é€𝄞" * 3
    with target.connect("/echo") as ws:
        ws.send((bytes([byte]) for byte in whole.encode()), text=True)
        assert ws.recv(timeout=20) == whole


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_their_fragments_are_one_message(target: Target, size: int) -> None:
    text, binary = "é€𝄞x" * 100, os.urandom(1001)
    with target.connect("/echo", {"fragment": size}) as ws:
        ws.send(text)
        assert ws.recv(timeout=20) == text
        ws.send(binary)
        assert ws.recv(timeout=20) == binary
        ws.send(text)
        assert "".join(map(str, ws.recv_streaming())) == text
        ws.send(binary)
        pieces = list(ws.recv_streaming(decode=False))
        assert b"".join(pieces) == binary
        assert len(pieces) >= len(binary) // size


def test_over_the_limit(target: Target) -> None:
    ws = target.connect("/echo", max_size=1000)
    ws.send("x" * 1000)
    assert ws.recv(timeout=20) == "x" * 1000
    ws.send("x" * 1001)
    with pytest.raises(ConnectionClosedError, match="sent 1009 .*max_size of 1000"):
        ws.recv(timeout=20)
    assert ws.wait_closed(20)


def test_we_ping(target: Target) -> None:
    with target.connect("/echo") as ws:
        payloads: list[str | bytes] = ["", "grün", os.urandom(125)]
        for data in payloads:
            assert 0 < ws.ping(data, timeout=20) < 20
        ws.pong("that nobody has asked for")
        ws.send("still here")
        assert ws.recv(timeout=20) == "still here"


def test_they_ping(target: Target) -> None:
    with target.connect("/ping") as ws:
        assert ws.recv(timeout=20) == "pong are you there"


def test_keepalive_while_receiving(target: Target) -> None:
    with target.connect("/pings", {"count": 3, "id": target.new_key()}, ping_interval=0.1) as ws:
        assert ws.recv(timeout=20) == "3 pings"
        assert ws.latency > 0


def test_keepalive_while_nobody_receives(target: Target) -> None:
    key = target.new_key()
    with target.connect("/pings", {"count": 3, "id": key}, ping_interval=0.1) as ws:
        assert target.noted(key) == 3
        assert ws.state is State.OPEN


def test_ipv4_by_name(
    websockets_server: Server, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`localhost` may be ::1 too, where nobody listens: the next address is tried."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    for scheme, port in websockets_server.ports.items():
        with connect(f"{scheme}://localhost:{port}/send?count=1") as ws:
            assert ws.recv(timeout=20) == "message 0"
            with pytest.raises(ConnectionClosedOK):
                ws.recv(timeout=20)
