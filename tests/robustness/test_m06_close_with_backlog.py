"""`close` while messages wait to be received.

It ends in about one round trip when the peer answers, and the messages stay readable.

In Rust:
- a_close_with_an_unread_backlog_is_quick_and_keeps_it
"""

from __future__ import annotations

import contextlib
import socket

from peer import Peer, close, text
from robustness.probes import SOON, Breaks, Call, Client, ended, probe

COUNT = 200
CLOSE = 0x88


@probe
def test_close(client: Client) -> str:
    """`close_timeout=10`, and `recv` afterwards"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=10)

        def serve() -> None:
            with contextlib.suppress(ConnectionError):  # a client that does not wait for the end
                peer.send(*(text(f"{number} " * 1000) for number in range(COUNT)))
                while peer.expect()[0] != CLOSE:
                    pass
                peer.send(close())
                peer.socket.shutdown(socket.SHUT_WR)

        serving = Call(serve)
        closing = ended(connection.close, within=15, name="close")
        serving.ended(within=15)
        received = 0
        with contextlib.suppress(*client.closed):
            while connection.recv(timeout=1) == f"{received} " * 1000:
                received += 1
        told = f"{closing.told()}; {received} of {COUNT} messages afterwards"
        if closing.seconds > SOON or received < COUNT:
            raise Breaks(told)
        return told
