"""A peer that is gone while TCP is not: found within `ping_interval + ping_timeout`, whatever we do."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from openline import CloseCause, ConnectionClosedError
from openline.frames import Opcode
from openline.sync.client import ClientConnection

from fixtures import peer  # noqa: F401  # pytest finds it by name
from peer import Peer, frame, text

INTERVAL, TIMEOUT = 0.2, 0.3


def recv(ws: ClientConnection) -> None:
    ws.recv()


def recv_with_timeouts(ws: ClientConnection) -> None:
    while True:
        try:
            ws.recv(timeout=0.05)
        except TimeoutError:
            pass


def send_large(ws: ClientConnection) -> None:
    while True:
        ws.send(bytes(1 << 20))


def send_small(ws: ClientConnection) -> None:
    while True:
        ws.send("a little now and then")
        time.sleep(0.01)


def send_many(ws: ClientConnection) -> None:
    while True:
        ws.send_many(["x" * 1000] * 1000)


def send_with_timeouts(ws: ClientConnection) -> None:
    while True:
        try:
            ws.send(bytes(1 << 20), timeout=0.05)
        except TimeoutError:
            pass


def ping(ws: ClientConnection) -> None:
    while True:
        ws.ping()


def nothing(ws: ClientConnection) -> None:
    assert ws.wait_closed(20)
    ws.recv()


@pytest.mark.parametrize("what_the_network_does", ["reads nothing", "swallows all"])
@pytest.mark.parametrize(
    "call",
    [recv, recv_with_timeouts, send_large, send_small, send_many, send_with_timeouts, ping, nothing],
)
def test_while(peer: Peer, call: Callable[[ClientConnection], None], what_the_network_does: str) -> None:
    ws = peer.connect(ping_interval=INTERVAL, ping_timeout=TIMEOUT, close_timeout=60)
    peer.send(text("the last that comes through"))
    for _ in range(2):  # it is alive
        opcode, payload = peer.expect()
        peer.send(frame(Opcode.PONG, payload))
    assert ws.recv(10) == "the last that comes through"
    swallowing = threading.Thread(target=read_to_end, args=(peer,))
    if what_the_network_does == "swallows all":
        swallowing.start()
    start = time.monotonic()
    with pytest.raises(ConnectionClosedError, match="keepalive ping timeout") as caught:
        call(ws)
    assert time.monotonic() - start < INTERVAL + TIMEOUT + 5  # for a machine that has much to do
    assert caught.value.cause is CloseCause.PING_TIMEOUT
    assert ws.closed
    if what_the_network_does == "swallows all":
        swallowing.join()


def read_to_end(peer: Peer) -> None:
    try:
        while peer.socket.recv(1 << 20):
            pass
    except OSError:
        pass


def test_who_reads_slowly_is_alive(peer: Peer) -> None:
    """A full socket alone says nothing: as long as pongs come the sender waits."""
    ws = peer.connect(ping_interval=INTERVAL, ping_timeout=TIMEOUT)
    sender = threading.Thread(target=ws.send, args=(bytes(16 << 20),))
    sender.start()
    is_read = threading.Event()

    def live() -> None:
        while not is_read.wait(0.05):
            peer.send(frame(Opcode.PONG, b"unasked"))

    living = threading.Thread(target=live)
    living.start()
    time.sleep(3 * (INTERVAL + TIMEOUT))
    assert not ws.closed
    assert peer.expect_fast() == (0x82, 16 << 20)
    is_read.set()
    living.join()
    sender.join()
    ws.abort()
