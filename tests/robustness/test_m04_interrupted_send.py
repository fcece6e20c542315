"""`send` is interrupted in the middle of a frame, and another `send` follows.

The stream stays whole: what was begun goes out first, or nothing of it has, or the connection is failed.
The exception tells which.

In Rust:
- a_send_that_times_out_leaves_the_stream_whole
- the_tail_of_a_timed_out_message_follows_without_another_call
"""

from __future__ import annotations

import socket
from collections.abc import Callable

from peer import Peer, interrupt_later
from robustness.probes import SOON, Breaks, Call, Client, Connection, ended, probe

SIZE = 16 << 20


def then_send_another(client: Client, stop: Callable[[Connection, Peer], None]) -> str:
    """Have a send stopped while the peer does not read, send again, and see what reaches the peer."""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        stop(connection, peer)
        was_open = client.is_open(connection)
        another = Call(lambda: connection.send("another"), "send")

        reading = ended(lambda: read_up_to_text(peer), within=12, name="reading at the peer")
        if another.ended(within=SOON).error is not None:
            if was_open:
                raise Breaks("the next `send` fails on an open connection")
            return "the connection is failed"
        if reading.error is not None:
            raise Breaks("open, and the stream is torn: the peer waits for the rest of a frame")
        if reading.value == [(0x82, SIZE), (0x81, len("another"))]:
            return "whole: the rest goes first"
        if reading.value == [(0x81, len("another"))]:
            return "whole: withdrawn"
        raise Breaks(f"open, and the stream is torn: the peer sees {describe(reading.value)}")


def read_up_to_text(peer: Peer) -> list[tuple[int, int]]:
    frames = [peer.expect_fast()]
    while frames[-1][0] == 0x82:
        frames.append(peer.expect_fast())
    return frames


def describe(frames: list[tuple[int, int]]) -> str:
    return ", ".join(f"opcode {first & 15} of {length} bytes" for first, length in frames)


@probe
def test_a_time_out(client: Client) -> str:
    """by its time-out"""

    def stop(connection: Connection, peer: Peer) -> None:
        ended(lambda: connection.send(bytes(SIZE), timeout=0.3), within=SOON, name="send").told(TimeoutError)

    return then_send_another(client, stop)


@probe
def test_ctrl_c(client: Client) -> str:
    """by Ctrl-C"""

    def stop(connection: Connection, peer: Peer) -> None:
        Call(lambda: peer.socket.recv(1, socket.MSG_PEEK) and interrupt_later(0.2))  # it has begun
        try:
            connection.send(bytes(SIZE))
        except KeyboardInterrupt:
            return
        raise Breaks("not interrupted")

    return then_send_another(client, stop)


@probe
def test_what_is_told(client: Client) -> str:
    """two time-outs: `committed` of the exception"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None, close_timeout=0.5)
        told = []
        for _ in range(2):
            ending = ended(lambda: connection.send(bytes(SIZE), timeout=0.3), within=SOON, name="send")
            ending.told(TimeoutError)
            told.append(getattr(ending.error, "committed", None))
        if None in told:
            raise Breaks("it does not tell")
        Call(lambda: connection.send("another"))
        frames = ended(lambda: read_up_to_text(peer), within=12, name="reading at the peer").value
        if told != [True, False] or len(frames) != 2:
            raise Breaks(f"it tells {told}, and the peer sees {describe(frames)}")
        return "True for the one that arrives, False for the other"
