"""Reconnect by hand, with exponential backoff, while the server restarts.

python examples/reconnect.py [URI]
"""

from __future__ import annotations

import argparse
import random
import threading
import time

from openline import ConnectionClosed
from openline.sync.client import connect
from openline.testing import EchoServer

MESSAGES = 6
FIRST_DELAY = 0.05
LONGEST_DELAY = 5.0


def run(uri: str) -> None:
    done = 0
    connections = 0
    delay = FIRST_DELAY
    while done < MESSAGES:
        try:
            with connect(uri) as websocket:
                connections += 1
                delay = FIRST_DELAY
                print(f"connection {connections} is open")
                while done < MESSAGES:
                    message = f"message {done + 1} of {MESSAGES}"
                    websocket.send(message)
                    assert websocket.recv() == message
                    print(f"echoed: {message}", flush=True)
                    done += 1
                    time.sleep(0.1)
        # A connection that is lost, and one that cannot be made: ConnectError is a ConnectionClosed.
        except ConnectionClosed as error:
            # Half of it is chance, so that many clients do not come back at the same moment.
            pause = delay * random.uniform(0.5, 1)
            print(f"{type(error).__name__}: {error}; next attempt in {pause:.2f} s", flush=True)
            time.sleep(pause)
            delay = min(2 * delay, LONGEST_DELAY)
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
    parser = argparse.ArgumentParser(description="Reconnect by hand while the server restarts.")
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
