"""A peer whose TCP keeps the rest of a message back until what it has sent is acknowledged (Nagle's algorithm)."""

from __future__ import annotations

import socket
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from fixtures import peer, pool  # noqa: F401  # pytest finds them by name
from openline.sync.client import ClientConnection
from peer import Peer, text


@pytest.mark.skipif(sys.platform != "linux", reason="TCP_QUICKACK is Linux's")
def test_a_part_of_a_frame_is_acknowledged_at_once(peer: Peer, pool: ThreadPoolExecutor) -> None:
    with peer.connect() as ws:
        for _ in range(20):  # as long as a connection is new, all is acknowledged at once
            ws.send("question")
            peer.expect()
            peer.send(text("answer"))
            assert ws.recv(10) == "answer"
        ws.send("question")
        assert not acknowledges_at_once(ws)

        received = pool.submit(ws.recv)
        answer = text("answer")
        peer.send(answer[:2])
        end = time.monotonic() + 10
        while not acknowledges_at_once(ws):
            assert time.monotonic() < end, "the peer has to wait"
        peer.send(answer[2:])
        assert received.result(10) == "answer"


def acknowledges_at_once(ws: ClientConnection) -> bool:
    return bool(ws.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK))
