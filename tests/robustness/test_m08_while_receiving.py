"""`send`, `ping` and `close` while another thread is in `recv`.

They work.

In Rust:
- a_connection_is_shared_by_a_receiver_two_senders_and_a_closer
- ping_waits_for_its_pong_with_and_without_a_receiver
"""

from __future__ import annotations

import socket

from peer import Peer, close, frame, text
from robustness.probes import Breaks, Call, Client, Connection, ended, probe

PONG, CLOSE = 10, 0x88


def receiving(connection: Connection) -> Call:
    """A `recv` that waits."""
    call = Call(lambda: connection.recv(timeout=None), "recv")
    call.runs_for(0.2)
    return call


@probe
def test_send(client: Client) -> str:
    """`send`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None)
        call = receiving(connection)
        told = ended(lambda: connection.send("question"), within=5).told()
        assert peer.expect() == (0x81, b"question")
        peer.send(text("answer"))
        assert call.ended(within=5).value == "answer"
        return told


@probe
def test_ping(client: Client) -> str:
    """`ping`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None)
        call = receiving(connection)
        ping = Call(lambda: connection.ping(timeout=5), "ping")
        _, payload = peer.expect()
        peer.send(frame(PONG, payload), text("answer"))
        told = ping.ended(within=8).told()
        assert call.ended(within=5).value == "answer"
        return told


@probe
def test_close(client: Client) -> str:
    """`close`, `close_timeout=5`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=5)
        call = receiving(connection)
        closing = Call(connection.close, "close")
        assert peer.expect()[0] == CLOSE
        peer.send(close())
        peer.socket.shutdown(socket.SHUT_WR)
        told = closing.ended(within=10).told()
        end = call.ended(within=5)
        if not isinstance(end.error, client.closed):
            raise Breaks(f"`recv` {end}")
        return f"{told}; `recv` ends"
