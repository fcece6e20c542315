"""What an idle connection costs, keepalive and all else as by default.

No thread, one descriptor, and less than 10 KiB.

In Rust:
- a_thousand_idle_connections_are_served_by_one_thread
"""

from __future__ import annotations

import os
import socket
import time

from http_server import accepted
from peers.idle_client import usage
from robustness.probes import Breaks, Client, probe

COUNT = 300


def serve(listener: socket.socket) -> None:
    """Accept so many connections and hold them until they are gone, or nobody comes."""
    listener.settimeout(20)
    connections = []
    for _ in range(COUNT + 1):
        connection, _ = listener.accept()
        connection.sendall(accepted(connection.recv(4096).partition(b"\r\n\r\n")[0]))
        connections.append(connection)
    for connection in connections:
        while connection.recv(4096):
            pass


@probe
def test_cost(client: Client) -> str:
    """300 connections"""
    listener = socket.create_server(("127.0.0.1", 0), backlog=COUNT)
    if os.fork() == 0:  # its memory is not ours
        try:
            serve(listener)
        finally:
            os._exit(0)
    uri = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
    first = client.connect(uri)  # what is loaded or made once is not a cost of each
    before = usage()
    connections = [client.connect(uri) for _ in range(COUNT)]
    time.sleep(1)  # idle
    after = usage()
    cost = {name: (after[name] - before[name]) / COUNT for name in before}
    cost["KiB"] = round(cost.pop("bytes") / 1024, 1)
    told = ", ".join(f"{name} {number:g}" for name, number in cost.items())
    del first, connections
    if cost["threads"] > 0 or cost["descriptors"] > 1 or cost["KiB"] >= 10:
        raise Breaks(told)
    return told
