"""Measure a connection: round trips, and messages per second both ways.

python examples/stats.py [URI]

Client and server share this machine, and the embedded server echoes one message at a time: the figures tell
what to expect here, not what a network or another server does. For comparisons see bench/.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time

from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

ROUND_TRIPS = 5_000
MESSAGES = 200_000
BATCH = 500
PAYLOAD = "x" * 64


def round_trips(websocket: ClientConnection) -> list[float]:
    """Send a message and wait for it to come back; the microseconds that took, sorted."""
    times: list[float] = []
    for _ in range(ROUND_TRIPS):
        start = time.perf_counter()
        websocket.send(PAYLOAD)
        message = websocket.recv()
        times.append((time.perf_counter() - start) * 1e6)
        assert message == PAYLOAD
    return sorted(times)


def both_ways(websocket: ClientConnection) -> tuple[float, float]:
    """Send in one thread and receive in another; messages per second out and back."""
    batch = [PAYLOAD] * BATCH
    seconds_out: list[float] = []

    def send() -> None:
        start = time.perf_counter()
        for _ in range(MESSAGES // BATCH):
            websocket.send_many(batch)
        seconds_out.append(time.perf_counter() - start)

    sender = threading.Thread(target=send)
    start = time.perf_counter()
    sender.start()
    received = 0
    while received < MESSAGES:
        received += len(websocket.recv_many())
    seconds_back = time.perf_counter() - start
    sender.join()
    assert received == MESSAGES
    return MESSAGES / seconds_out[0], MESSAGES / seconds_back


def run(uri: str) -> None:
    with connect(uri) as websocket:
        times = round_trips(websocket)
        out, back = both_ways(websocket)
    p99 = times[len(times) * 99 // 100]
    print(f"| {f'{len(PAYLOAD)}-byte text messages':27} |                  |")
    print("| --------------------------- | ---------------: |")
    print(f"| round trip, p50             | {statistics.median(times):13.1f} µs |")
    print(f"| round trip, p99             | {p99:13.1f} µs |")
    print(f"| sent, send_many             | {out:>14,.0f}/s |")
    print(f"| received at once, recv_many | {back:>14,.0f}/s |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Round trips, and messages per second both ways.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, one of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
