"""The last reference to a connection is dropped without `close`.

It is closed, with a `ResourceWarning`, and no thread is left.

In Rust:
- dropping_the_last_handle_ends_the_connection
"""

from __future__ import annotations

import gc
import threading
import time
import warnings

from peer import Peer
from robustness.probes import Breaks, Client, ended, probe


@probe
def test_drop(client: Client) -> str:
    """`del`"""
    with Peer() as peer:
        threads = threading.active_count()
        connection = client.connect(peer.uri)
        peer.socket  # accepted, and so its thread is over
        threads = min(threads, threading.active_count())
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            del connection
            gc.collect()
        warned = any(issubclass(warning.category, ResourceWarning) for warning in caught)
        faults = [] if warned else ["no warning"]

        def read_to_the_end() -> None:
            while peer.socket.recv(4096):
                pass

        try:
            ended(read_to_the_end, within=3)
        except Breaks:
            faults.append("not closed")
        time.sleep(0.1)
        left = threading.active_count() - threads
        if left > 0:
            faults.append(f"{left} threads left")
        if faults:
            raise Breaks(", ".join(faults))
        return "closed, with a warning"
