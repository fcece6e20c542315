"""A forked child uses the connection of its parent, or drops it.

It gets a clear error, and the parent's connection is untouched.
"""

from __future__ import annotations

import gc
import os
import traceback
from collections.abc import Callable

from peer import Peer, text
from robustness.probes import Breaks, Client, ended, probe


def in_child(call: Callable[[], str]) -> str:
    """What it returns in a forked child."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, call().encode())
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(0)
    os.close(writing)
    told = ended(lambda: os.read(reading, 1000).decode(), within=8, name="the child")
    os.close(reading)
    os.waitpid(child, 0)
    return str(told.value)


@probe
def test_send(client: Client) -> str:
    """`send` in the child"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None)

        def send() -> str:
            try:
                connection.send("from the child")
            except Exception as error:
                return type(error).__name__
            return ""

        told = in_child(send)
        connection.send("from the parent")
        if peer.expect() != (0x81, b"from the parent"):
            raise Breaks("it writes into the parent's stream")
        return f"{told}, and nothing is written" if told else "nothing is written"


@probe
def test_drop(client: Client) -> str:
    """it is dropped in the child"""
    with Peer() as peer:
        connection = client.connect(peer.uri, ping_interval=None)

        def drop() -> str:
            nonlocal connection
            del connection
            gc.collect()
            return "dropped"

        assert in_child(drop) == "dropped"
        connection.send("from the parent")
        first, payload = peer.expect()
        if (first, payload) != (0x81, b"from the parent"):
            raise Breaks(f"it sends opcode {first & 15} in the parent's stream")
        peer.send(text("to the parent"))
        assert ended(lambda: connection.recv(timeout=5), within=8).value == "to the parent"
        return "the parent's goes on"
