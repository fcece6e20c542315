"""Messages a second, one way, from Python: a bare blocking socket, openline and websockets.

python bench/rates.py [--rounds 5] [--way receive|send] [--seconds 0.5]

How it measures:

- Client and server have a core each. The server is a process of its own, `fixed_rate.rs`, which floods the client
  with frames that were made before, or takes what comes; it is the same program for all contenders. The
  handshake is done here, in Python, before the measurement.
- "bare" moves the same bytes: one `recv_into` of 128 KiB after another; to send, one `sendall` for each message, and
  for "bare, many" one for 1,000 of them.
- Each contender runs in a fresh process, for about so many seconds, as a first try tells. Rounds are interleaved; the
  ratios are formed within a round. Shown are medians, and the range of the ratios.
- "CPU" is what the client's process used per message, of all its threads.
- To send is over when the server has taken the last byte and has said so.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
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

from roundtrip import build, connect_openline, connect_websockets, cpu_model, shake_hands

TEXT, BINARY = 1, 2
SIZES = [(64, TEXT), (64, BINARY), (1024, TEXT), (65_536, TEXT), (1 << 20, BINARY)]
MANY = 1_000
FIRST_TRY = 200
WARM_UP = 20
CLIENT_CORE, SERVER_CORE = 0, 1


def main() -> None:
    parser = argparse.ArgumentParser(description="Messages a second, one way, between two cores.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--way", choices=CONTENDERS, help="default: both")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--contender", nargs=5, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.contender:
        way, name, opcode, size, count = options.contender
        print(json.dumps(measure(way, name, int(opcode), int(size), int(count))))
        return

    build("fixed_rate")
    versions = [f"{name} {metadata.version(name)}" for name in ["openline", "websockets"]]
    print(f"{cpu_model()}, Python {platform.python_version()}, {', '.join(versions)}; {options.rounds} rounds")
    for way in [options.way] if options.way else CONTENDERS:
        for size, opcode in SIZES:
            compare(way, opcode, size, options)


def compare(way: str, opcode: int, size: int, options: argparse.Namespace) -> None:
    names = [name for name in CONTENDERS[way] if size * MANY < 1 << 24 or "many" not in name]
    counts = {name: count_for(way, name, opcode, size, options.seconds) for name in names}
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in names}
    for number in range(options.rounds):
        turn = number % len(names)
        for name in names[turn:] + names[:turn]:
            runs[name].append(run(way, name, opcode, size, counts[name]))
    print(f"\n{way}, {size} bytes, {'text' if opcode == TEXT else 'binary'}\n")
    print("| client | thousand/s | MB/s | CPU µs | times bare | times websockets |")
    print("| ------ | ---------: | ---: | -----: | ---------: | ---------------: |")
    for name in names:
        rate = statistics.median(run["rate"] for run in runs[name])
        cpu = statistics.median(run["cpu"] for run in runs[name])
        ratios = [ratio(runs[name], runs[other]) for other in ["bare", "websockets"]]
        print(f"| {name} | {rate / 1e3:,.1f} | {rate * size / 1e6:,.0f} | {cpu:.3f} | {' | '.join(ratios)} |")


def ratio(ours: list[dict[str, float]], theirs: list[dict[str, float]]) -> str:
    ratios = [our["rate"] / their["rate"] for our, their in zip(ours, theirs, strict=True)]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} - {max(ratios):.2f})"


def count_for(way: str, name: str, opcode: int, size: int, seconds: float) -> int:
    """How many messages take about so long."""
    rate = run(way, name, opcode, size, FIRST_TRY)["rate"]
    for _ in range(2):  # the first messages take longest
        rate = run(way, name, opcode, size, max(FIRST_TRY, int(rate * seconds / 4)))["rate"]
    return max(FIRST_TRY, int(rate * seconds) // MANY * MANY)


def run(way: str, name: str, opcode: int, size: int, count: int) -> dict[str, float]:
    command = [sys.executable, __file__, "--contender", way, name, str(opcode), str(size), str(count)]
    result: dict[str, float] = json.loads(subprocess.check_output(command, timeout=300))
    return result


def measure(way: str, name: str, opcode: int, size: int, count: int) -> dict[str, float]:
    """One contender, once: messages a second, and the microseconds of CPU for each."""
    os.sched_setaffinity(0, {CLIENT_CORE})
    with socket.create_server(("127.0.0.1", 0)) as listener:
        connections: list[socket.socket] = []
        accepting = threading.Thread(target=lambda: connections.append(shake_hands(listener)))
        accepting.start()
        port = listener.getsockname()[1]
        transfer, finish = CONTENDERS[way][name](port, opcode, size)
        accepting.join()
    mode = "flood" if way == "receive" else "sink"
    command = ["taskset", "-c", str(SERVER_CORE), str(build("fixed_rate"))]
    warm_up = WARM_UP if way == "receive" else 0
    command += [mode, str(opcode), str(size), str(warm_up + count)]
    with connections[0] as connection, subprocess.Popen(command, stdin=connection.fileno()) as server:
        if warm_up:
            transfer(warm_up)
        cpu, start = time.process_time(), time.perf_counter()
        transfer(count)
        took, used = time.perf_counter() - start, time.process_time() - cpu
        server.kill()  # it cannot answer a Close frame
    finish()
    return {"rate": count / took, "cpu": used / count * 1e6}


# The contenders: each connects to a port and gives a function that moves so many messages, and one for the end.

Client = tuple[Callable[[int], None], Callable[[], None]]


def bare(port: int) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port))
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    connection.sendall(b"GET / HTTP/1.1\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        head += connection.recv(1)
    return connection


def header_len(size: int) -> int:
    return 2 if size < 126 else 4 if size < 65_536 else 10


def bare_receive(port: int, opcode: int, size: int) -> Client:
    connection = bare(port)

    def transfer(count: int) -> None:
        left = count * (header_len(size) + size)
        buffer = bytearray(128 * 1024)
        while left:
            left -= connection.recv_into(buffer, min(left, len(buffer)))

    return transfer, connection.close


def bare_send(port: int, opcode: int, size: int, at_once: int = 1) -> Client:
    connection = bare(port)
    message = bytes(at_once * (header_len(size) + 4 + size))

    def transfer(count: int) -> None:
        for _ in range(count // at_once):
            connection.sendall(message)
        connection.sendall(message[: len(message) // at_once * (count % at_once)])
        if connection.recv(16) != b"\x81\x04done":
            raise SystemExit("the server has not taken all")

    return transfer, connection.close


def bare_send_many(port: int, opcode: int, size: int) -> Client:
    return bare_send(port, opcode, size, MANY)


openline = functools.partial(connect_openline, max_size=None)
websockets = functools.partial(connect_websockets, max_size=None)


def received(connect: Callable[[int], Any]) -> Callable[[int, int, int], Client]:
    def client(port: int, opcode: int, size: int) -> Client:
        websocket = connect(port)

        def transfer(count: int) -> None:
            recv, total = websocket.recv, 0
            for _ in range(count):
                total += len(recv())
            check(total, count * size)

        return transfer, websocket.close

    return client


def iterated(port: int, opcode: int, size: int) -> Client:
    websocket = openline(port)

    def transfer(count: int) -> None:
        total = 0
        for message in websocket:
            total += len(message)
            if total == count * size:
                return

    return transfer, websocket.close


def received_many(port: int, opcode: int, size: int) -> Client:
    websocket = openline(port)

    def transfer(count: int) -> None:
        left = count
        while left:
            messages = websocket.recv_many(left)
            check(sum(map(len, messages)), len(messages) * size)
            left -= len(messages)

    return transfer, websocket.close


def sent(connect: Callable[[int], Any]) -> Callable[[int, int, int], Client]:
    def client(port: int, opcode: int, size: int) -> Client:
        websocket, message = connect(port), payload(opcode, size)

        def transfer(count: int) -> None:
            send = websocket.send
            for _ in range(count):
                send(message)
            finish_sending(websocket)

        return transfer, websocket.close

    return client


def sent_many(port: int, opcode: int, size: int) -> Client:
    websocket, messages = openline(port), [payload(opcode, size)] * MANY

    def transfer(count: int) -> None:
        for _ in range(count // MANY):
            websocket.send_many(messages)
        websocket.send_many(messages[: count % MANY])
        finish_sending(websocket)

    return transfer, websocket.close


def payload(opcode: int, size: int) -> str | bytes:
    return "x" * size if opcode == TEXT else bytes(size)


def finish_sending(websocket: Any) -> None:
    if websocket.recv() != "done":
        raise SystemExit("the server has not taken all")


def check(total: int, expected: int) -> None:
    if total != expected:
        raise SystemExit(f"{total} bytes came, not {expected}")


CONTENDERS: dict[str, dict[str, Callable[[int, int, int], Client]]] = {
    "receive": {
        "bare": bare_receive,
        "openline, recv": received(openline),
        "openline, for": iterated,
        "openline, recv_many": received_many,
        "websockets": received(websockets),
    },
    "send": {
        "bare": bare_send,
        "openline": sent(openline),
        "websockets": sent(websockets),
        "bare, many": bare_send_many,
        "openline, send_many": sent_many,
    },
}


if __name__ == "__main__":
    main()
