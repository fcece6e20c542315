"""Both ends send 64 MiB at once, each in one thread.

A sender that waits for room keeps reading into the queue, so that both finish. When the queue is full too,
the send is ended by its time-out or by keepalive.

In Rust:
- two_peers_that_send_at_once_do_not_block_each_other
- a_send_ends_when_neither_end_reads
"""

from __future__ import annotations

import struct
import threading

from peer import Peer, binary
from robustness.probes import SOON, Client, ended, probe

COUNT, SIZE = 64, 2**20


class SendsFirst:
    """A peer that receives when it has sent all it has to send."""

    def __init__(self, peer: Peer) -> None:
        self._socket = peer.socket
        self._socket.settimeout(None)
        self.received = 0
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def end(self) -> None:
        self._thread.join(10)

    def _run(self) -> None:
        try:
            for number in range(COUNT):
                self._socket.sendall(binary(struct.pack("!I", number) + bytes(SIZE - 4)))
            while self.received < COUNT * SIZE:
                data = self._socket.recv(2**18)
                if not data:
                    return
                self.received += len(data)
        except OSError:
            return


@probe
def test_with_room_in_the_queue(client: Client) -> str:
    """with `max_queue=None`: both finish"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, max_size=None, max_queue=None)
        other = SendsFirst(peer)
        numbers = []

        def exchange() -> None:
            for _ in range(COUNT):
                connection.send(bytes(SIZE))
            for _ in range(COUNT):
                message = connection.recv()
                assert isinstance(message, bytes)
                numbers.append(struct.unpack_from("!I", message)[0])

        told = ended(exchange, within=15).told()
        other.end()
        assert numbers == list(range(COUNT))
        assert other.received >= COUNT * SIZE
        return told


@probe
def test_with_a_full_queue_and_a_time_out(client: Client) -> str:
    """with a full queue: `send(timeout=0.5)`"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, max_size=None)
        SendsFirst(peer)

        def send() -> None:
            for _ in range(COUNT):
                connection.send(bytes(SIZE), timeout=0.5)

        return ended(send, within=SOON).told(TimeoutError)


@probe
def test_with_a_full_queue_and_keepalive(client: Client) -> str:
    """with a full queue: keepalive of 0.5 s + 0.5 s"""
    with Peer() as peer:
        connection = client.connect(
            peer.uri, ping_interval=0.5, ping_timeout=0.5, close_timeout=0.5, max_size=None
        )
        SendsFirst(peer)

        def send() -> None:
            for _ in range(COUNT):
                connection.send(bytes(SIZE))

        return ended(send, within=SOON).told(*client.closed)
