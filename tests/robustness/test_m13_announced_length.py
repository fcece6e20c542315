"""A frame that announces 2^40, 2^63 - 1 or 2^64 - 1 bytes.

The connection fails with 1009 at its header, and no memory is taken for the rest.

In Rust:
- a_length_that_is_only_announced_fails_at_the_header
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading

from peer import Peer
from robustness.probes import Breaks, Call, Client, ended, peak_memory, probe

PAYLOAD = bytes(64 << 20)
CLOSE = 0x88


def announce(client: Client, length: int) -> str:
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        before = peak_memory()
        receiving = Call(lambda: connection.recv(timeout=10), "recv")
        peer.send(b"\x82\x7f" + struct.pack("!Q", length))
        try:
            first, payload = ended(peer.expect, within=2).value
        except Breaks:
            taken, memory = taken_of(peer) >> 20, (peak_memory() - before) >> 20
            raise Breaks(f"reads on: {taken} MiB taken, {memory} MiB of memory") from None
        if (first, payload[:2]) != (CLOSE, struct.pack("!H", 1009)):
            raise Breaks(f"Close {int.from_bytes(payload[:2], 'big')}")
        peer.socket.shutdown(socket.SHUT_WR)
        end = receiving.ended(within=5)
        if not isinstance(end.error, client.closed) or peak_memory() - before > 4 << 20:
            raise Breaks(f"`recv` {end}, {(peak_memory() - before) >> 20} MiB of memory")
        return "1009 at the header"


def taken_of(peer: Peer) -> int:
    """How much of a payload is read from the peer, within some seconds."""
    sent = 0

    def send() -> None:
        nonlocal sent
        with contextlib.suppress(OSError):
            for start in range(0, len(PAYLOAD), 2**20):
                peer.send(PAYLOAD[start : start + 2**20])
                sent += 2**20

    sending = threading.Thread(target=send, daemon=True)
    sending.start()
    sending.join(5)
    return sent


@probe
def test_2_40(client: Client) -> str:
    """2^40"""
    return announce(client, 2**40)


@probe
def test_2_63(client: Client) -> str:
    """2^63 - 1"""
    return announce(client, 2**63 - 1)


@probe
def test_2_64(client: Client) -> str:
    """2^64 - 1"""
    return announce(client, 2**64 - 1)
