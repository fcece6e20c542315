"""`send` to a peer that has stopped reading.

It ends by its time-out, else by the ping time-out, else by `close` from another thread.

In Rust:
- a_send_that_times_out_leaves_the_stream_whole
- a_blocked_send_ends_with_the_ping_timeout
- a_blocked_send_ends_with_a_close_from_another_thread
"""

from __future__ import annotations

import socket

from peer import Peer
from robustness.probes import LARGE, SOON, Call, Client, ended, probe


@probe
def test_its_time_out(client: Client) -> str:
    """`send(timeout=0.5)`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None)
        return ended(lambda: connection.send(LARGE, timeout=0.5), within=SOON).told(TimeoutError)


@probe
def test_the_ping_time_out(client: Client) -> str:
    """keepalive of 0.5 s + 0.5 s"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=0.5, ping_timeout=0.5, close_timeout=0.5)
        return ended(lambda: connection.send(LARGE), within=SOON).told(*client.closed)


@probe
def test_a_close(client: Client) -> str:
    """`close` in another thread after 0.3 s, `close_timeout=0.5`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        sending = Call(lambda: connection.send(LARGE), "send")
        peer.socket.recv(1, socket.MSG_PEEK)  # it has begun
        sending.runs_for(0.3)
        Call(connection.close)
        return sending.ended(within=SOON).told(*client.closed)
