"""What idle connections cost a Python process: threads, descriptors, memory, and CPU while pings are answered.

python bench/idle.py [--connections 1000] [--seconds 10] [--client openline | websockets] [--compressed]

The peer is `websockets`' asyncio server in a process of its own. It pings every connection every second and
drops those that do not answer within two, so that the connections that are left have answered.

With `--compressed`, permessage-deflate is agreed on (with `--compressed alone` without context takeover, with
`--compressed small` with windows of 12 bits), and each connection has sent a message of 2 KiB and received one,
both compressed, before it idles.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import importlib.metadata
import multiprocessing
import multiprocessing.connection
import os
import pathlib
import platform
import resource
import time
from typing import Any

PING_INTERVAL = 1
PING_TIMEOUT = 2
MESSAGE = "".join(f"{n * n} " for n in range(500))[:2048]


def main() -> None:
    parser = argparse.ArgumentParser(description="What idle connections cost.")
    parser.add_argument("--connections", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--client", choices=["openline", "websockets"], default="openline")
    parser.add_argument(
        "--compressed", nargs="?", const="takeover", choices=["takeover", "alone", "small"], help="see above"
    )
    options = parser.parse_args()
    raise_limit(options.connections * 4 + 100)

    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    arguments = (theirs, options.compressed)
    server = multiprocessing.get_context("spawn").Process(target=serve, args=arguments, daemon=True)
    server.start()
    uri = ours.recv()
    client: Any = importlib.import_module(f"{options.client}.sync.client")
    # legacy: for `websockets`, to connect without `with`.
    keywords: dict[str, Any] = {"ping_interval": None, "proxy": None, "legacy": True}
    keywords["compression"] = "deflate" if options.compressed else None

    def connect() -> Any:
        websocket = client.connect(uri, **keywords)
        if options.compressed:
            websocket.send(MESSAGE)
            assert websocket.recv() == MESSAGE
        return websocket

    warm = connect()  # what is loaded once is not a cost of each
    time.sleep(0.5)
    before = usage()
    websockets = [connect() for _ in range(options.connections)]
    time.sleep(2)
    after = usage()
    cpu, start = time.process_time(), time.monotonic()
    time.sleep(options.seconds)
    cpu, seconds = time.process_time() - cpu, time.monotonic() - start
    in_the_end = usage()
    open_connections = sum(websocket.state.name == "OPEN" for websocket in websockets)
    pings = options.connections * seconds / PING_INTERVAL

    count = options.connections
    version = importlib.metadata.version(options.client)
    compressed = f", compressed ({options.compressed})" if options.compressed else ""
    print(f"{count} idle connections, {options.client} {version}{compressed}, ", end="")
    print(f"Python {platform.python_version()}")
    print(f"still open:   {open_connections} of {count} after {seconds:.0f} s of pings")
    print(f"threads:      {after['threads']:.0f} in all; {difference(before, after, 'threads', count):.3f} each")
    print(f"descriptors:  {difference(before, after, 'descriptors', count):.2f} each")
    print(f"memory (RSS): {difference(before, after, 'bytes', count) / 1024:.1f} KiB each, ", end="")
    print(f"{difference(before, in_the_end, 'bytes', count) / 1024:.1f} in the end")
    print(f"CPU:          {100 * cpu / seconds:.2f} % of a core, {1e6 * cpu / pings:.1f} µs per ping answered")

    server.terminate()
    server.join()
    for websocket in [warm, *websockets]:
        websocket.close()
    if open_connections < count:
        raise SystemExit("connections were lost")


def difference(before: dict[str, float], after: dict[str, float], key: str, count: int) -> float:
    return (after[key] - before[key]) / count


def usage() -> dict[str, float]:
    """What the kernel says of this process."""
    status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    return {
        "threads": int(fields["Threads"]),
        "descriptors": len(os.listdir("/proc/self/fd")),
        "bytes": int(fields["VmRSS"].split()[0]) * 1024,
    }


def raise_limit(descriptors: int) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < descriptors:
        raise SystemExit(f"{descriptors} descriptors are needed, and {hard} allowed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (descriptors, hard))


def serve(pipe: multiprocessing.connection.Connection, compressed: str | None) -> None:
    import websockets.asyncio.server as server
    from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory

    factories = {
        "takeover": [ServerPerMessageDeflateFactory()],
        "alone": [ServerPerMessageDeflateFactory(True, True)],
        "small": [ServerPerMessageDeflateFactory(server_max_window_bits=12, client_max_window_bits=12)],
    }

    async def run() -> None:
        async def keep(connection: server.ServerConnection) -> None:
            if compressed:
                await connection.send(await connection.recv())
            await connection.wait_closed()

        async with server.serve(
            keep,
            "127.0.0.1",
            0,
            backlog=1024,
            compression=None,
            extensions=factories[compressed] if compressed else None,
            ping_interval=PING_INTERVAL,
            ping_timeout=PING_TIMEOUT,
        ) as running:
            host, port = running.sockets[0].getsockname()
            pipe.send(f"ws://{host}:{port}/")
            await asyncio.get_running_loop().create_future()

    asyncio.run(run())


if __name__ == "__main__":
    main()
