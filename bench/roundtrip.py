"""Round trips of a 64-byte message from Python: a bare blocking socket, openline and websockets.

python bench/roundtrip.py [--rounds 7] [--messages 20000] [--cores 0] [--delay 0]

How it measures:

- Client and server run on the same core, so that the figure is what a message costs both of them, without
  the time that it takes to wake another core, which is the same for all.
- The server is a process of its own, `fixed_echo.rs`: it reads as many bytes as a request has and writes a
  reply that was made before. It knows no WebSockets, is the same program for all contenders, and costs as
  little as a server can, so that differences between the clients are not diluted. The handshake is done
  here, in Python, before the measurement.
- The bare socket moves the same number of bytes: what the two frames have, header and mask included.
- Each contender runs in a fresh process. Rounds are interleaved: each runs all contenders, in an order that
  rotates. The ratios are formed within a round; shown are medians, and the range.
- "asleep" is openline with `busy_poll=0`: it never looks for data before it sleeps. That makes a difference
  between two cores (`--cores 0,1`); a slow peer (`--delay 1000`) shows what the looking costs where it is vain.
- "CPU" is what the client's process used per message, of all its threads.
"""

from __future__ import annotations

import argparse
import base64
import functools
import hashlib
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

HERE = pathlib.Path(__file__).resolve().parent
PAYLOAD = b"\xa5" * 64
REQUEST_LEN = 2 + 4 + len(PAYLOAD)  # a header, a mask key, the payload
REPLY = bytes([0x82, len(PAYLOAD)]) + PAYLOAD  # FIN and Binary, no mask
WARM_UP = 1_000
PLAIN: Any = {"ping_interval": None, "compression": None, "close_timeout": 1, "proxy": None}


def main() -> None:
    parser = argparse.ArgumentParser(description="Round trips of 64 bytes on one core.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--cores", default="0", help="of client and server, such as 0 or 0,1 (default: 0)")
    parser.add_argument("--delay", type=int, default=0, help="microseconds for which the server sleeps")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    client_core, server_core = (options.cores.split(",") * 2)[:2]
    if options.contender:
        result = measure(
            options.contender, options.messages, int(client_core), int(server_core), options.delay
        )
        print(json.dumps(result))
        return

    build("fixed_echo")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for number in range(options.rounds):
        names = list(CONTENDERS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            command = [sys.executable, __file__, "--contender", name]
            command += ["--messages", str(options.messages), "--cores", options.cores]
            command += ["--delay", str(options.delay)]
            results[name].append(json.loads(subprocess.check_output(command, timeout=120)))
    report(results, options)


def report(results: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    versions = [f"{name} {metadata.version(name)}" for name in ["openline", "websockets"]]
    print(f"round trip of {len(PAYLOAD)} bytes, cores {options.cores} (client, server), {cpu_model()}")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; ", end="")
    print(f"{options.rounds} rounds of {options.messages} messages\n")
    print("| client       | p50 µs | range         | p99 µs | CPU µs |")
    print("| ------------ | -----: | ------------- | -----: | -----: |")
    for name, runs in results.items():
        p50 = [run["p50"] for run in runs]
        print(f"| {name:12} | {median(runs, 'p50'):6.2f} | {min(p50):5.2f} - {max(p50):5.2f} ", end="")
        print(f"| {median(runs, 'p99'):6.2f} | {median(runs, 'cpu'):6.2f} |")
    print()
    for other in [name for name in results if name != "openline"]:
        for key, label in [("p50", "round trip"), ("cpu", "CPU")]:
            ratios = [
                ours[key] / theirs[key]
                for ours, theirs in zip(results["openline"], results[other], strict=True)
            ]
            low, high = min(ratios), max(ratios)
            print(f"openline / {other} = {statistics.median(ratios):.2f}", end="")
            print(f"  ({label}; {low:.2f} - {high:.2f})")


def median(runs: list[dict[str, float]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


def measure(
    name: str, messages: int, client_core: int, server_core: int, delay: int
) -> dict[str, float]:
    """One contender, once: the microseconds of its round trips, and of CPU for each."""
    os.sched_setaffinity(0, {client_core})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        server: list[subprocess.Popen[bytes]] = []
        accepting = threading.Thread(target=lambda: server.append(accept(listener, name, server_core, delay)))
        accepting.start()
        exchange, finish = CONTENDERS[name](listener.getsockname()[1])
        accepting.join()
    for _ in range(WARM_UP):
        exchange()
    times = []
    cpu = time.process_time()
    for _ in range(messages):
        start = time.perf_counter_ns()
        exchange()
        times.append(time.perf_counter_ns() - start)
    cpu = time.process_time() - cpu
    # The server cannot answer a Close frame: it ends, and the client sees the end of the stream.
    server[0].kill()
    server[0].wait()
    finish()
    times.sort()
    return {
        "p50": times[len(times) // 2] / 1000,
        "p99": times[len(times) * 99 // 100] / 1000,
        "cpu": cpu / messages * 1e6,
    }


# The contenders: each connects to a port and gives a function for one round trip and one for the end.

Client = tuple[Callable[[], None], Callable[[], None]]


def bare(port: int) -> Client:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    request = bytes(REQUEST_LEN)
    expected = len(REPLY)

    def exchange() -> None:
        connection.sendall(request)
        if len(connection.recv(4096)) != expected:
            raise SystemExit("the reply came in pieces")

    return exchange, connection.close


def openline_client(port: int, busy_poll: float | None = None) -> Client:
    return exchange_with(connect_openline(port, busy_poll=busy_poll))


def websockets_client(port: int) -> Client:
    return exchange_with(connect_websockets(port))


def connect_openline(port: int, **options: Any) -> Any:
    from openline.sync.client import connect

    return connect(f"ws://127.0.0.1:{port}/", **PLAIN, **options)


def connect_websockets(port: int, **options: Any) -> Any:
    from websockets.sync.client import connect

    # legacy: to connect without `with`.
    return connect(f"ws://127.0.0.1:{port}/", legacy=True, **PLAIN, **options)


def exchange_with(websocket: Any) -> Client:
    send, recv = websocket.send, websocket.recv

    def exchange() -> None:
        send(PAYLOAD)
        if recv() != PAYLOAD:
            raise SystemExit("the reply is not the request")

    return exchange, websocket.close


CONTENDERS: dict[str, Callable[[int], Client]] = {
    "bare": bare,
    "openline": openline_client,
    "asleep": functools.partial(openline_client, busy_poll=0),
    "websockets": websockets_client,
}


# The server.


def build(name: str) -> pathlib.Path:
    """Build a server of this directory, if it is not built yet; return where it is."""
    source = HERE / f"{name}.rs"
    built = HERE.parent / "target" / "bench" / name
    if not built.exists() or built.stat().st_mtime < source.stat().st_mtime:
        built.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run(["rustc", "--edition=2024", "-O", "-o", str(built), str(source)], check=True)
    return built


def accept(listener: socket.socket, name: str, core: int, delay: int) -> subprocess.Popen[bytes]:
    """Accept one client, shake hands if it is one of WebSockets, and hand it to the server."""
    if name == "bare":
        connection, _ = listener.accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    else:
        connection = shake_hands(listener)
    command = ["taskset", "-c", str(core), str(build("fixed_echo")), str(REQUEST_LEN), REPLY.hex()]
    command.append(str(delay))
    with connection:
        return subprocess.Popen(command, stdin=connection.fileno())


def shake_hands(listener: socket.socket, headers: bytes = b"") -> socket.socket:
    """Accept one client of WebSockets, and answer with these headers."""
    connection, _ = listener.accept()
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(4096)
    lines = [line.split(b":", 1) for line in head.split(b"\r\n") if b":" in line]
    key = {field.lower(): value.strip() for field, value in lines}[b"sec-websocket-key"]
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    connection.sendall(
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Accept: " + base64.b64encode(digest) + b"\r\n" + headers + b"\r\n"
    )
    return connection


def cpu_model() -> str:
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        models = [line.split(":", 1)[1].strip() for line in info if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    main()
