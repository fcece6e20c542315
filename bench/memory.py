"""What a connection takes of memory once it is idle, by what it uses.

python bench/memory.py [--connections 1000]

Each connection has sent a message and received the answer, and then waits. Each row is a process of its own.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import blocking
import compressed
import benchsuite
import figures
from client import check
from meter import Meter, Usage
from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Deflate
from workloads import WORKLOADS

CONNECTIONS = 1_000

PLAIN, TLS = "round trip, 64 B", "round trip, 64 B over TLS"
COMPRESSED = "round trip, 1 KiB compressed"

ALONE = Deflate(server_no_context_takeover=True, client_no_context_takeover=True)
SMALL = Deflate(server_max_window_bits=12, client_max_window_bits=12)


class Extended(blocking.Openline):
    """With parameters of one's own for compression."""

    def __init__(self, factory: Deflate, meter: Meter) -> None:
        super().__init__(meter)
        self.options = {"extensions": [factory], "compression": None}

    def connect(self, uri: str) -> Any:
        from openline.sync.client import connect

        return connect(uri, **self.plain())


ROWS: dict[str, tuple[str, Callable[[Meter], blocking.Blocking]]] = {
    "nothing": (PLAIN, blocking.Openline),
    "TLS by rustls": (TLS, blocking.Openline),
    "TLS by an `SSLContext`": (TLS, blocking.OpenlineContext),
    "compression": (COMPRESSED, blocking.Openline),
    "compression, windows of 12 bits": (COMPRESSED, functools.partial(Extended, SMALL)),
    "compression, no context takeover": (COMPRESSED, functools.partial(Extended, ALONE)),
}


def main() -> None:
    parser = argparse.ArgumentParser(description="Memory of an idle connection.")
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--row", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.row:
        name, port, authorities = options.row
        print(json.dumps(measure(name, int(port), authorities, options.connections)))
        return
    with benchsuite.servers() as ports:
        print(figures.memory(rows(ports, options.connections)))


def rows(ports: dict[str, Any], connections: int) -> dict[str, dict[str, float]]:
    """What a connection takes, by what it uses."""
    results = {}
    for name, (workload, _) in ROWS.items():
        port = ports["another core"]["wss" if workload == TLS else "ws"]
        command = [sys.executable, __file__, "--connections", str(connections)]
        command += ["--row", name, str(port), ports["authorities"]]
        environment = {**os.environ, "SSL_CERT_FILE": ports["authorities"]}
        results[name] = json.loads(subprocess.check_output(command, env=environment, timeout=120))
    return results


def measure(name: str, port: int, authorities: str, count: int) -> dict[str, float]:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    workload_name, make = ROWS[name]
    workload = next(workload for workload in WORKLOADS if workload.name == workload_name)
    texts = compressed.messages(workload.size) if workload.compressed else []
    meter = Meter(workload, port, 0, authorities, texts)
    client = make(meter)

    def used() -> Any:
        connection = client.connect(meter.uri)
        message = meter.messages[0]
        connection.send(message)
        check(connection.recv() == message)
        return connection

    kept = [used()]
    time.sleep(0.3)
    before = Usage()
    kept += [used() for _ in range(count)]
    time.sleep(2)
    result = Usage().per_connection(before, count)
    del kept
    return result


if __name__ == "__main__":
    main()
