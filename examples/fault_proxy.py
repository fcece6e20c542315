"""What a client does when the network fails: a proxy cuts, resets, stalls and delays its connections.

python examples/fault_proxy.py
"""

from __future__ import annotations

import time
from collections.abc import Iterator

from openline import ConnectionClosed
from openline.sync.client import connect, reconnect
from openline.testing import EchoServer, FaultProxy, Faults

SEED = 7


def delays() -> Iterator[float]:
    while True:
        yield 0.05


def count(proxy: FaultProxy, numbers: int) -> list[str]:
    """The client under test: it counts, and goes on where it was after each loss."""
    received: list[str] = []
    for websocket in reconnect(proxy.uri, reconnect_delays=delays):
        try:
            while len(received) < numbers:
                websocket.send(str(len(received)))
                received.append(str(websocket.recv()))
        except ConnectionClosed as error:
            print(f"lost after {len(received)}: {error}")
            continue
        break
    return received


def cut_now_and_then(server: EchoServer) -> None:
    faults = Faults(split=20, cut_after=(400, 800))
    with FaultProxy(server.uri, down=faults, seed=SEED) as proxy:
        assert count(proxy, 500) == [str(number) for number in range(500)]
        print(f"counted to 500 over {proxy.injected.cuts + 1} connections, in {proxy.injected.splits} pieces")
        assert proxy.injected.cuts > 2


def notice_silence(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        with connect(proxy.uri, ping_interval=0.1, ping_timeout=0.2) as websocket:
            proxy.stall()
            start = time.monotonic()
            try:
                websocket.recv()  # until keepalive gives up
            except ConnectionClosed as error:
                print(f"silence noticed after {time.monotonic() - start:.1f} s: {error.cause}")
                assert str(error.cause) == "CloseCause.PING_TIMEOUT"


def wait_for_a_slow_network(server: EchoServer) -> None:
    with FaultProxy(server.uri, Faults(delay=0.05)) as proxy, connect(proxy.uri) as websocket:
        trip = websocket.ping(timeout=10)
        print(f"a ping took {trip:.3f} s, with 0.05 s each way")
        assert trip >= 0.1


if __name__ == "__main__":
    with EchoServer() as server:
        cut_now_and_then(server)
        notice_silence(server)
        wait_for_a_slow_network(server)
