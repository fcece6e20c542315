"""The peer sends pings without end and reads nothing.

Memory is bounded, as only the newest ping needs an answer, and `send` and `close` are bounded.

In Rust:
- a_flood_of_pings_to_a_peer_that_reads_nothing_takes_no_memory
- a_flood_without_a_message_does_not_outlast_a_timeout
"""

from __future__ import annotations

import threading
import time

from peer import Peer, frame
from robustness.probes import LARGE, SOON, Breaks, Client, Connection, ended, peak_memory, probe

PING = 9
FLOOD = 32 << 20


class Flood:
    """A peer that sends 32 MiB of pings."""

    def __init__(self, peer: Peer) -> None:
        self._socket = peer.socket
        self._socket.settimeout(None)
        self.sent = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def settle(self, within: float = 10) -> None:
        """Wait until all is sent, or nothing goes any more."""
        deadline, last = time.monotonic() + within, -1
        while self.sent < FLOOD and self.sent != last and time.monotonic() < deadline:
            last = self.sent
            self._thread.join(1)

    def _run(self) -> None:
        pings = frame(PING, bytes(125)) * 512
        try:
            while self.sent < FLOOD:
                self._socket.sendall(pings)
                self.sent += len(pings)
        except OSError:
            return


def flooded(client: Client, peer: Peer) -> Connection:
    connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
    Flood(peer).settle()
    return connection


@probe
def test_memory(client: Client) -> str:
    """memory, after 32 MiB of pings"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        before = peak_memory()
        flood = Flood(peer)
        # For those that read only while they receive.
        receiving = threading.Thread(target=lambda: connection.recv(timeout=20), daemon=True)
        receiving.start()
        flood.settle()
        grown = peak_memory() - before
        told = f"{grown / 2**20:.1f} MiB, having read {flood.sent / 2**20:.0f} MiB"
        if grown > 8 << 20:
            raise Breaks(told)
        return told


@probe
def test_send(client: Client) -> str:
    """`send(timeout=0.5)`"""
    with Peer() as peer:
        connection = flooded(client, peer)
        return ended(lambda: connection.send(LARGE, timeout=0.5), within=SOON).told(TimeoutError)


@probe
def test_close(client: Client) -> str:
    """`close`, `close_timeout=0.5`"""
    with Peer() as peer:
        connection = flooded(client, peer)
        return ended(connection.close, within=SOON).told()
