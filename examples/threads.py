"""Several threads, each with a connection of its own; and two threads that share one.

python examples/threads.py [URI]
"""

from __future__ import annotations

import argparse
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from openline.sync.client import connect
from openline.testing import EchoServer

THREADS = 8
MESSAGES = 500


def talk(uri: str, name: int) -> int:
    """Send messages and wait for each to come back; how many did."""
    with connect(uri) as websocket:
        for number in range(MESSAGES):
            message = f"thread {name}, message {number}"
            websocket.send(message)
            assert websocket.recv() == message
    return MESSAGES


def share(uri: str) -> None:
    """Send in one thread while another receives."""
    messages = [f"message {number}" for number in range(MESSAGES)]
    with connect(uri) as websocket, ThreadPoolExecutor(1) as pool:
        received = pool.submit(lambda: [websocket.recv() for _ in messages])
        for message in messages:
            websocket.send(message)
        assert received.result() == messages


def run(uri: str) -> None:
    start = time.monotonic()
    with ThreadPoolExecutor(THREADS) as pool:
        echoed = sum(pool.map(partial(talk, uri), range(THREADS)))
    seconds = time.monotonic() - start
    print(f"{THREADS} threads, a connection each: {echoed} messages echoed in {seconds:.2f} s")
    assert echoed == THREADS * MESSAGES

    share(uri)
    print(f"two threads, one connection: {MESSAGES} messages sent by one and received by the other")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Several threads, a connection each.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, one of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
