"""The application pauses for 4 s with a full queue, with keepalive of 1 s + 1 s.

The connection stays open, and every message arrives.

In Rust:
- data_counts_as_life_and_so_does_our_own_pause
- a_full_queue_holds_the_peer_back_and_loses_nothing
"""

from __future__ import annotations

import threading
import time

from peer import Peer, binary, frame
from robustness.probes import Breaks, Client, ended, probe

COUNT, SIZE = 600, 2**16
PING, PONG = 0x89, 10


def serve(peer: Peer) -> None:
    """Send all, and answer pings between two messages, as servers do."""
    peer.socket.settimeout(None)
    whole_frames = threading.Lock()

    def answer() -> None:
        try:
            while True:
                first, payload = peer.expect()
                if first == PING:
                    with whole_frames:
                        peer.send(frame(PONG, payload))
        except (AssertionError, OSError):
            return

    def send() -> None:
        try:
            for number in range(COUNT):
                with whole_frames:
                    peer.send(binary(number.to_bytes(4, "big") + bytes(SIZE)))
        except OSError:
            return

    for run in (answer, send):
        threading.Thread(target=run, daemon=True).start()


@probe
def test_pause(client: Client) -> str:
    """38 MiB wait meanwhile"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=1, ping_timeout=1, close_timeout=1)
        serve(peer)
        time.sleep(4)  # this is what the row is about
        received = 0

        def receive() -> None:
            nonlocal received
            while received < COUNT:
                message = connection.recv()
                assert isinstance(message, bytes)
                assert int.from_bytes(message[:4], "big") == received
                received += 1

        ending = ended(receive, within=8, name="recv")
        if ending.error is not None:
            raise Breaks(f"{type(ending.error).__name__} after {received} of {COUNT} messages")
        if not client.is_open(connection):
            raise Breaks("closed after all messages")
        return "open; all messages"
