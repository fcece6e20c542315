"""A peer that vanishes: its system answers nothing any more, neither data nor probes.

A socket filter of Linux that drops every segment stands for the cable that is pulled. It needs no rights,
unlike a network namespace of one's own.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from openline import CloseCause
from openline.exceptions import ConnectionClosedError
from fixtures import peer, pool  # noqa: F401  # pytest finds them by name
from peer import Peer, text

SO_ATTACH_FILTER = 26
TIMEOUT = 0.3


def vanish(sock: socket.socket) -> None:
    """Have the system drop what comes for a socket, without a word to who sent it."""
    drop_all = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))  # BPF_RET | BPF_K, 0
    program = struct.pack("HP", 1, ctypes.addressof(drop_all))
    sock.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)


def test_while_idle_with_pings(peer: Peer) -> None:
    ws = peer.connect(ping_interval=TIMEOUT, ping_timeout=TIMEOUT)
    vanish(peer.socket)
    with pytest.raises(ConnectionClosedError) as caught:
        ws.recv(20)
    # Whichever sees it first.
    assert caught.value.cause in (CloseCause.PING_TIMEOUT, CloseCause.USER_TIMEOUT)


class TestWithoutPings:
    def test_while_a_message_is_on_its_way(self, peer: Peer) -> None:
        ws = peer.connect(ping_interval=None, ping_timeout=TIMEOUT)
        vanish(peer.socket)
        ws.send("into the void")
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(20)
        assert caught.value.cause is CloseCause.USER_TIMEOUT
        assert isinstance(caught.value.__cause__, TimeoutError)

    def test_while_a_send_waits_for_room(self, peer: Peer) -> None:
        ws = peer.connect(ping_interval=None, ping_timeout=TIMEOUT)
        vanish(peer.socket)
        with pytest.raises(ConnectionClosedError) as caught:
            ws.send(bytes(64 << 20))
        assert caught.value.cause is CloseCause.USER_TIMEOUT

    def test_while_our_queue_is_full(self, peer: Peer) -> None:
        ws = peer.connect(ping_interval=None, ping_timeout=TIMEOUT, max_queue=1)
        peer.send(text("one") + text("two"))
        ws.send("three")
        peer.expect()
        vanish(peer.socket)
        ws.send("into the void")
        assert ws.wait_closed(20)
        assert [ws.recv(), ws.recv()] == ["one", "two"]
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv()
        assert caught.value.cause is CloseCause.USER_TIMEOUT

    def test_while_there_is_nothing_to_acknowledge(self, peer: Peer) -> None:
        """Then nobody can know, and nobody is told."""
        with peer.connect(ping_interval=None, ping_timeout=TIMEOUT / 3) as ws:
            vanish(peer.socket)
            assert not ws.wait_closed(TIMEOUT * 3)

    def test_a_peer_that_does_not_read_has_not_vanished(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        """Its window is closed, but it acknowledges probes: TCP_USER_TIMEOUT would end that connection."""
        with peer.connect(ping_interval=None, ping_timeout=TIMEOUT) as ws:
            sending = pool.submit(ws.send, bytes(16 << 20))
            time.sleep(TIMEOUT * 8)
            assert not sending.done()
            assert not ws.closed
            assert peer.expect_fast() == (0x82, 16 << 20)
            sending.result(20)
