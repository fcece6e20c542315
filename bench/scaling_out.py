"""How many messages the program of docs/scaling-out.md delivers: processes, a Redis between them, and clients.

    python bench/scaling_out.py                     # 2 processes, 50 clients at each
    python bench/scaling_out.py --processes 4 --clients 25 --size 1024

One client sends, and is never more than a window ahead of what it has received itself; all clients receive. Deliveries
are messages times clients. Clients and servers share the machine, so this is no limit of either.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import pathlib
import platform
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from typing import Any

from openline.sync.client import connect

PAGE = pathlib.Path(__file__).resolve().parent.parent / "docs" / "scaling-out.md"
WINDOW = 64


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--clients", type=int, default=50, help="of each process (default: 50)")
    parser.add_argument("--size", type=int, default=64, help="of a message, in bytes (default: 64)")
    parser.add_argument("--messages", type=int, default=2000, help="of a round (default: 2000)")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as directory,
        redis(pathlib.Path(directory)) as redis_port,
        contextlib.ExitStack() as stack,
    ):
        ports = [free_port() for _ in range(options.processes)]
        for port in ports:
            stack.enter_context(server(pathlib.Path(directory), port, redis_port))
        uris = [f"ws://127.0.0.1:{port}" for port in ports for _ in range(options.clients)]
        # Messages of the program are short; to compress them would be measured otherwise.
        clients = [stack.enter_context(connect(uri, compression=None)) for uri in uris]
        await_relays(clients)
        rates = [a_round(clients, options.messages, "x" * options.size) for _ in range(options.rounds)]
    print(f"Python {platform.python_version()}, {os.cpu_count()} CPUs, load {os.getloadavg()[0]:.1f}")
    print(f"{options.processes} processes, {len(clients)} clients, messages of {options.size} B")
    for name, per_message in [("published", 1), ("delivered", len(clients))]:
        low, middle, high = (round(f(rates) * per_message) for f in (min, statistics.median, max))
        print(f"{name}: {middle:,} messages a second (median of {len(rates)} rounds; {low:,} to {high:,})")


def await_relays(clients: list[Any]) -> None:
    """Return when what one client sends gets to all: the processes are subscribed."""
    waiting = set(range(len(clients)))
    while waiting:
        clients[0].send("?")
        for index in list(waiting):
            with contextlib.suppress(TimeoutError):
                clients[index].recv(timeout=0.1)
                waiting.discard(index)
    # Some have got it more than once.
    clients[0].send("!")
    for client in clients:
        while client.recv(timeout=30) != "!":
            pass


def a_round(clients: list[Any], count: int, message: str) -> float:
    """Return how many messages were sent in a second, up to when all clients had all of them."""
    ahead = threading.Semaphore(WINDOW)

    def receive(client: Any) -> None:
        for _ in range(count):
            client.recv(timeout=30)
            if client is clients[0]:
                ahead.release()

    threads = [threading.Thread(target=receive, args=(client,)) for client in clients]
    for thread in threads:
        thread.start()
    start = time.perf_counter()
    for _ in range(count):
        if not ahead.acquire(timeout=30):
            raise TimeoutError("a message did not come back")
        clients[0].send(message)
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - start)


@contextlib.contextmanager
def redis(directory: pathlib.Path) -> Iterator[int]:
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not installed (Debian: apt-get install redis-server)")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    with running(command, port):
        yield port


@contextlib.contextmanager
def server(directory: pathlib.Path, port: int, redis_port: int) -> Iterator[None]:
    found = re.search(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    path = directory / f"{port}.py"
    path.write_text(found[1].replace('"localhost", 8765', f'"127.0.0.1", {port}'), encoding="utf-8")
    with running([sys.executable, str(path)], port, REDIS_URL=f"redis://127.0.0.1:{redis_port}"):
        yield


@contextlib.contextmanager
def running(command: list[str], port: int, **environment: str) -> Iterator[None]:
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env={**os.environ, **environment})
    try:
        while process.poll() is None:
            with contextlib.suppress(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            time.sleep(0.02)  # there is nothing to wait for but its port
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


if __name__ == "__main__":
    main()
