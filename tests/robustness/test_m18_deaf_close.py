"""The peer sends Close and keeps TCP open, or we fail the connection and it ignores that.

Every call ends within `close_timeout`, without keepalive too.

In Rust:
- a_peer_that_closes_but_keeps_tcp_open_is_cut_after_close_timeout
- a_peer_that_ignores_our_failure_is_cut_after_close_timeout
"""

from __future__ import annotations

from collections.abc import Callable

from peer import Peer, close, frame
from robustness.probes import SOON, Client, Connection, ended, probe

RESERVED_OPCODE = 3


def bounded(client: Client, sent: bytes, call: Callable[[Connection], object]) -> str:
    """The end of a call after the peer has sent something and goes on to do nothing."""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=1)
        peer.send(sent)
        return str(ended(lambda: call(connection), within=SOON))


@probe
def test_recv_after_its_close(client: Client) -> str:
    """its Close: `recv`"""
    return bounded(client, close(), lambda connection: connection.recv())


@probe
def test_close_after_its_close(client: Client) -> str:
    """its Close: `close`"""
    return bounded(client, close(), lambda connection: connection.close())


@probe
def test_recv_after_our_failure(client: Client) -> str:
    """our failure: `recv`"""
    return bounded(client, frame(RESERVED_OPCODE), lambda connection: connection.recv())


@probe
def test_close_after_our_failure(client: Client) -> str:
    """our failure: `close`"""
    return bounded(client, frame(RESERVED_OPCODE), lambda connection: connection.close())
