"""Holds idle connections and says what they cost this process.

python idle_client.py URI CONNECTIONS PING_INTERVAL

Prints a line of JSON with what the kernel says before, and one with what it says with the connections as soon
as a line of input asks for it. It then stays idle for some seconds and prints what CPU that took.
"""

from __future__ import annotations

import json
import os
import pathlib
import sys
import time

from openline.protocol import State
from openline.sync.client import connect

SECONDS = 2


def main(uri: str, connections: int, ping_interval: float) -> None:
    threads = usage()["threads"]
    # What is loaded or made once is not a cost of each.
    with connect(uri) as ws:
        ws.ping()
    before = usage()
    websockets = [connect(uri, ping_interval=ping_interval) for _ in range(connections)]
    print("connected", flush=True)

    sys.stdin.readline()
    after = usage()
    cpu, start = time.process_time(), time.monotonic()
    time.sleep(SECONDS)  # not to wait for an event, but to do nothing
    cpu = (time.process_time() - cpu) / (time.monotonic() - start)

    print(
        json.dumps(
            {
                "open": sum(ws.state is State.OPEN for ws in websockets),
                "threads": after["threads"] - threads,
                "descriptors": after["descriptors"] - before["descriptors"],
                "bytes each": (after["bytes"] - before["bytes"]) / connections,
                "CPU": cpu,
            }
        ),
        flush=True,
    )
    os._exit(0)  # without the closing handshakes


def usage() -> dict[str, int]:
    """What the kernel says of this process."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "threads": int(fields["Threads"]),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "bytes": int(fields["VmRSS"].split()[0]) * 1024,
    }


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
