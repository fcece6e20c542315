"""Compressed messages (permessage-deflate) from Python: openline, websockets, and aiohttp on uvloop.

python bench/deflate.py [--rounds 5] [--cores 0,1]

How it measures:

- The messages are JSON as programs send it, 200 different ones of a size. Context is taken over, level and
  memory are those that each library has by default.
- The server is a process of its own, `fixed_deflate.rs`, on another core: it answers each message with one that
  was compressed before, or sends those without end. It compresses nothing itself, so what is measured is the
  client.
- "Round trip" is send, then recv. "Receive" is recv alone, as fast as messages can be had.
- Each contender runs in a fresh process. Rounds are interleaved, in an order that rotates; ratios are formed
  within a round. Shown are medians, and the range of the ratios. "CPU" is what the client's process used per
  message, of all its threads.

`make bench-compression` installs aiohttp and uvloop first.
"""

from __future__ import annotations

import argparse
import asyncio
import importlib
import json
import os
import pathlib
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from importlib import metadata
from typing import Any

from roundtrip import build, cpu_model, median, shake_hands

HERE = pathlib.Path(__file__).resolve().parent
WORKLOADS = [("round trip", 1024), ("receive", 1024), ("round trip", 16384), ("receive", 16384)]
DIFFERENT = 200
SECONDS = 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description="Compressed messages.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--cores", default="0,1", help="of client and server (default: 0,1)")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--workload", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    client_core, server_core = map(int, (options.cores.split(",") * 2)[:2])
    if options.contender:
        work, size = WORKLOADS[options.workload]
        print(json.dumps(measure(options.contender, work, size, client_core, server_core)))
        return

    build("fixed_deflate")
    names = list(CONTENDERS)
    versions = [f"{name} {metadata.version(name)}" for name in [*names, "uvloop"]]
    print(f"compressed messages, cores {options.cores} (client, server), {cpu_model()}")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {options.rounds} rounds\n")
    print("| work              | client     | messages/s | CPU µs | openline is faster |")
    print("| ----------------- | ---------- | ---------: | -----: | -----------------: |")
    for index, (work, size) in enumerate(WORKLOADS):
        results: dict[str, list[dict[str, float]]] = {name: [] for name in names}
        for number in range(options.rounds):
            for name in names[number % len(names) :] + names[: number % len(names)]:
                command = [sys.executable, __file__, "--contender", name, "--workload", str(index)]
                command += ["--cores", options.cores]
                results[name].append(json.loads(subprocess.check_output(command, timeout=120)))
        for name, runs in results.items():
            ratios = [o["rate"] / r["rate"] for o, r in zip(results["openline"], runs, strict=True)]
            ratio = "" if name == "openline" else f"{statistics.median(ratios):.2f}"
            spread = "" if name == "openline" else f" ({min(ratios):.2f}-{max(ratios):.2f})"
            print(f"| {work:10} {size:6} | {name:10} | {median(runs, 'rate'):10,.0f} ", end="")
            print(f"| {median(runs, 'cpu'):6.1f} | {ratio + spread:>18} |")


def messages(size: int) -> list[str]:
    """JSON of about this size, each message different."""
    made = []
    for number in range(DIFFERENT):
        rows: list[dict[str, Any]] = []
        while len(json.dumps(rows)) < size:
            n = number * 1000 + len(rows)
            rows.append(
                {
                    "id": n * 7919 % 100003,
                    "name": f"user{n % 977}",
                    "price": round(n * 31 % 5000 + n % 100 / 100, 2),
                    "side": "buy" if n % 3 else "sell",
                    "ts": 1700000000000 + n * 137,
                }
            )
        made.append(json.dumps(rows)[:size])
    return made


def write_frames(path: pathlib.Path, texts: list[str]) -> None:
    """Write what the server sends, compressed one after another."""
    compressor = zlib.compressobj(wbits=-15)
    with path.open("wb") as file:
        for text in texts:
            payload = (compressor.compress(text.encode()) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]
            length = len(payload)
            head = bytes([0xC1, length]) if length < 126 else b"\xc1\x7e" + length.to_bytes(2, "big")
            file.write((len(head) + length).to_bytes(4, "big") + head + payload)


def measure(name: str, work: str, size: int, client_core: int, server_core: int) -> dict[str, float]:
    """One contender, once: messages a second, and microseconds of CPU for each."""
    os.sched_setaffinity(0, {client_core})
    texts = messages(size)
    with tempfile.TemporaryDirectory() as directory:
        frames = pathlib.Path(directory) / "frames"
        write_frames(frames, texts)
        with socket.create_server(("127.0.0.1", 0)) as listener:
            server: list[subprocess.Popen[bytes]] = []
            mode = "echo" if work == "round trip" else "stream"
            accepting = threading.Thread(
                target=lambda: server.append(accept(listener, mode, frames, server_core))
            )
            accepting.start()
            try:
                return CONTENDERS[name](listener.getsockname()[1], work, texts)
            finally:
                accepting.join()
                server[0].kill()
                server[0].wait()


def accept(
    listener: socket.socket, mode: str, frames: pathlib.Path, core: int
) -> subprocess.Popen[bytes]:
    connection = shake_hands(listener, b"Sec-WebSocket-Extensions: permessage-deflate\r\n")
    command = ["taskset", "-c", str(core), str(build("fixed_deflate")), mode, str(frames)]
    with connection:
        return subprocess.Popen(command, stdin=connection.fileno())


# The contenders: each connects to a port and does the work for a while.


def blocking(connect: Callable[..., Any], port: int, work: str, texts: list[str]) -> dict[str, float]:
    # legacy: for `websockets`, to connect without `with`.
    arguments: Any = {"ping_interval": None, "close_timeout": 0.1, "legacy": True, "proxy": None}
    websocket = connect(f"ws://127.0.0.1:{port}/", **arguments)
    send, recv = websocket.send, websocket.recv
    is_round_trip = work == "round trip"

    def turn() -> None:
        for text in texts:
            if is_round_trip:
                send(text)
            if recv() != text:
                raise SystemExit("this is another message")

    turn()
    count, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < SECONDS:
        turn()
        count += len(texts)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    return {"rate": count / seconds, "cpu": cpu / count * 1e6}


def openline_client(port: int, work: str, texts: list[str]) -> dict[str, float]:
    from openline.sync.client import connect

    return blocking(connect, port, work, texts)


def websockets_client(port: int, work: str, texts: list[str]) -> dict[str, float]:
    from websockets.sync.client import connect

    return blocking(connect, port, work, texts)


def aiohttp_client(port: int, work: str, texts: list[str]) -> dict[str, float]:
    # Only `make bench-compression` installs them.
    aiohttp: Any = importlib.import_module("aiohttp")
    uvloop: Any = importlib.import_module("uvloop")

    async def run() -> dict[str, float]:
        async with (
            aiohttp.ClientSession() as session,
            session.ws_connect(f"http://127.0.0.1:{port}/", compress=15, timeout=0.1) as websocket,
        ):
            is_round_trip = work == "round trip"

            async def turn() -> None:
                for text in texts:
                    if is_round_trip:
                        await websocket.send_str(text)
                    if (await websocket.receive()).data != text:
                        raise SystemExit("this is another message")

            await turn()
            count, start, cpu = 0, time.perf_counter(), time.process_time()
            while time.perf_counter() - start < SECONDS:
                await turn()
                count += len(texts)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(json.dumps({"rate": count / seconds, "cpu": cpu / count * 1e6}), flush=True)
            os._exit(0)  # the server answers no Close frame

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(run())


CONTENDERS: dict[str, Callable[[int, str, list[str]], dict[str, float]]] = {
    "openline": openline_client,
    "websockets": websockets_client,
    "aiohttp": aiohttp_client,
}


if __name__ == "__main__":
    main()
