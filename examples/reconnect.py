"""Reconnect while the server restarts, and go on where the work was.

python examples/reconnect.py [URI]
"""

from __future__ import annotations

import argparse
import logging
import sys
import threading
import time
from collections.abc import Iterator

from openline import ConnectionClosed, reconnect
from openline.client import backoff
from openline.testing import EchoServer

MESSAGES = 6


def delays() -> Iterator[float]:
    """Shorter waits than by default, for a server that is soon back."""
    return backoff(initial_delay=0.1, min_delay=0.1, max_delay=5.0)


def run(uri: str) -> None:
    done = 0
    connections = 0
    for websocket in reconnect(uri, reconnect_delays=delays):
        connections += 1
        print(f"connection {connections} is open")
        try:
            while done < MESSAGES:
                message = f"message {done + 1} of {MESSAGES}"
                websocket.send(message)
                assert websocket.recv() == message
                print(f"echoed: {message}", flush=True)
                done += 1
                time.sleep(0.1)
            break
        except ConnectionClosed as error:
            print(f"{type(error).__name__}: {error}", flush=True)
    print(f"{done} messages over {connections} connections")


def restart(server: EchoServer) -> EchoServer:
    """Wait for the first client, let it work a little, and be away for a while."""
    while not server.requests:
        time.sleep(0.01)
    time.sleep(0.25)
    server.close()
    time.sleep(0.4)
    return EchoServer(port=server.address[1])


if __name__ == "__main__":
    logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(message)s")  # tells of waits
    parser = argparse.ArgumentParser(description="Reconnect while the server restarts.")
    parser.add_argument("uri", nargs="?", help="of an echo server; without it, one of our own that restarts")
    uri = parser.parse_args().uri
    if uri is not None:
        run(uri)
    else:
        first = EchoServer()
        servers = [first]
        restarting = threading.Thread(target=lambda: servers.append(restart(first)))
        restarting.start()
        run(first.uri)
        restarting.join()
        second = servers[1]
        # Every message but those of the first connection went to the second server.
        assert len(second.requests) == 1
        second.close()
