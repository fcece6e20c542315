"""`close` while a `send` in another thread waits for a peer that has stopped reading.

It returns within `close_timeout`.

In Rust:
- a_blocked_send_ends_with_a_close_from_another_thread
"""

from __future__ import annotations

import socket

from peer import Peer
from robustness.probes import LARGE, SOON, Call, Client, ended, probe


@probe
def test_close(client: Client) -> str:
    """`close_timeout=0.5`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        sending = Call(lambda: connection.send(LARGE), "send")
        peer.socket.recv(1, socket.MSG_PEEK)  # it has begun
        sending.runs_for(0.3)
        return ended(connection.close, within=SOON, name="close").told()
