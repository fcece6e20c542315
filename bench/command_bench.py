"""Whether `openline bench` can be believed: its rate beside the Rust client's, its percentiles beside the server's own.

    python bench/command_bench.py [--rounds 7] [--seconds 2] [--only rate|percentiles]

Rates: the neutral server, one connection, round trips of 64 bytes; `openline bench` and the client of
native/src/bin/contender.rs ("rust: openline") in turn, each in a fresh process, both pinned as the suite does.

Percentiles: a server of this script delays each answer by a time of a known distribution, and notes how long it was from
the request's last byte to the answer: what it noted is compared with what `openline bench` prints. That the server
begins to count late, and a client ends late, is in the difference; the delays are long beside that.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import pathlib
import platform
import random
import socket
import statistics
import subprocess
import threading
import time
from typing import Any

import benchsuite
import contender
from workloads import WORKLOADS

ROOT = pathlib.Path(__file__).resolve().parent.parent
SIZE = 64
QUANTILES = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p99_9": 0.999}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement of a rate (default: 2)")
    parser.add_argument("--delays", type=float, default=20.0, help="seconds of each measurement of percentiles")
    parser.add_argument("--only", choices=["rate", "percentiles"])
    options = parser.parse_args()
    program = build()
    print(f"{benchsuite.cpu_model()}, {os.cpu_count()} CPUs, {platform.system()} {platform.release()}")
    print(f"load {os.getloadavg()[0]:.1f}, {platform.python_implementation()} {platform.python_version()}")
    if options.only != "percentiles":
        rates(program, options.rounds, options.seconds)
    if options.only != "rate":
        percentiles(program, options.delays)


def build() -> pathlib.Path:
    """The command, as it is released."""
    command = ["cargo", "build", "--quiet", "--release", "--locked", "-p", "openline-cli"]
    subprocess.run(command, cwd=ROOT, check=True)
    return ROOT / "target" / "release" / "openline"


def bench(program: pathlib.Path, *arguments: str, core: str | None = None) -> dict[str, Any]:
    """What the command measures; on one core, if that is given."""
    pinned = [] if core is None else ["taskset", "-c", core]
    command = [*pinned, str(program), "bench", "--json", "--binary", "--size", str(SIZE)]
    command += ["--compression", "off", "--ping-interval", "0", "--no-proxy", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def rates(program: pathlib.Path, rounds: int, seconds: float) -> None:
    """Round trips of one connection in a second, in interleaved rounds."""
    for name in ["round trip, 64 B", "round trip, 64 B, one core"]:
        workload = next(workload for workload in WORKLOADS if workload.name == name)
        ours: list[float] = []
        theirs: list[float] = []
        medians: list[tuple[float, float]] = []
        with benchsuite.servers() as ports:
            server = ports["same core" if workload.one_core else "another core"]
            uri = f"ws://127.0.0.1:{server['ws']}{workload.path}"
            for number in range(rounds):
                for is_ours in [True, False] if number % 2 == 0 else [False, True]:
                    if is_ours:
                        result = bench(program, "--duration", str(seconds), uri, core=benchsuite.CLIENT_CORE)
                        ours.append(result["messages_per_second"])
                        median = result["latency_ns"]["p50"] / 1e3
                    else:
                        other = benchsuite.one("rust: openline", workload, seconds, ports)
                        if "failed" in other:
                            raise SystemExit(f"rust: openline: {other['failed']}")
                        theirs.append(other["rate"])
                        p50 = other["p50"]
                medians.append((median, p50))
        ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
        print(f"\n{name}, {rounds} rounds of {seconds} s\n")
        print("| | median | lowest | highest |\n| --- | ---: | ---: | ---: |")
        print(row("openline bench, messages/s", ours, 0))
        print(row("rust: openline, messages/s", theirs, 0))
        print(row("ratio, in the same round", ratios, 3))
        print(row("p50 of openline bench, µs", [median for median, _ in medians], 1))
        print(row("p50 of rust: openline, µs", [p50 for _, p50 in medians], 1))


def row(name: str, values: list[float], digits: int) -> str:
    figures = (statistics.median(values), min(values), max(values))
    return "| ".join([f"| {name} ", *(f"{figure:,.{digits}f} " for figure in figures)]) + "|"


def percentiles(program: pathlib.Path, seconds: float) -> None:
    """Percentiles of delays, as the command and as the server saw them."""
    loads = {
        "closed loop, 8 connections": ["--connections", "8"],
        # Seldom enough that a connection has its answer when its next message is due.
        "open loop, 60 connections, 300 messages/s": ["--connections", "60", "--rate", "300"],
    }
    for name, arguments in loads.items():
        with DelayingServer() as server:
            result = bench(program, "--duration", str(seconds), *arguments, server.uri)
            noted = sorted(server.noted())
        print(f"\n{name}, {seconds:g} s: {result['answered']} answers, the server noted {len(noted)}\n")
        print("| percentile | openline bench, ms | the server, ms | difference |\n| --- | ---: | ---: | ---: |")
        for quantile, share in QUANTILES.items():
            shown = result["latency_ns"][quantile] / 1e6
            known = at(noted, share) / 1e6
            label = quantile.replace("_", ".")
            print(f"| {label} | {shown:.2f} | {known:.2f} | {100 * (shown / known - 1):+.1f} % |")


def at(ordered: list[int], share: float) -> float:
    """The quantile as a histogram counts it: the smallest value that so many are not above."""
    index = max(0, min(len(ordered) - 1, -int(-share * len(ordered) // 1) - 1))
    return ordered[index]


class DelayingServer:
    """Answers each message after a time by chance, and notes how long it took; a thread for each connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.uri = f"ws://127.0.0.1:{self.listener.getsockname()[1]}/"
        self.lists: list[list[int]] = []
        self.accepting = threading.Thread(target=self.accept, daemon=True)

    def __enter__(self) -> DelayingServer:
        self.accepting.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
        self.accepting.join()

    def noted(self) -> list[int]:
        """Nanoseconds of all answers."""
        return [time for noted in self.lists for time in noted]

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return  # it was closed
            noted: list[int] = []
            self.lists.append(noted)
            chance = random.Random(len(self.lists))
            threading.Thread(target=answer, args=(connection, chance, noted), daemon=True).start()


def answer(connection: socket.socket, chance: random.Random, noted: list[int]) -> None:
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with connection, connection.makefile("rb") as requests:
        shake_hands(connection, requests)
        frame = b"\x82" + bytes([SIZE]) + b"x" * SIZE
        while True:
            head = requests.read(2)
            if len(head) < 2 or head[0] & 0x0F == 8:
                connection.sendall(b"\x88\x02\x03\xe8")
                return
            requests.read(4 + (head[1] & 0x7F))
            start = time.perf_counter_ns()
            time.sleep(delay(chance))
            connection.sendall(frame)
            noted.append(time.perf_counter_ns() - start)


def delay(chance: random.Random) -> float:
    """Seconds: log-normal around 15 ms, as the times of servers are, but no longer than 120 ms."""
    return min(0.12, chance.lognormvariate(-4.2, 0.6))


def shake_hands(connection: socket.socket, requests: Any) -> None:
    key = b""
    while (line := requests.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"sec-websocket-key":
            key = value.strip()
    digest = hashlib.sha1(key + b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11").digest()
    head = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    accept = base64.b64encode(digest).decode()
    connection.sendall(f"{head}Sec-WebSocket-Accept: {accept}\r\n\r\n".encode())


if __name__ == "__main__":
    main()
