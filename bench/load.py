"""The servers under load: many connections at once, beside other servers, in one run.

python bench/load.py [--rounds 5] [--seconds 1] [--only TEXT] [--idle 10000]

Server and clients are processes of their own, and share the machine's CPUs. Rounds are interleaved; shown are medians,
and medians of the ratios within a round.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import json
import pathlib
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import contender

HERE = pathlib.Path(__file__).resolve().parent
PYTHON = [
    "openline",
    "websockets",
    "websockets, asyncio, uvloop",
]
RUST = ["openline", "openline, callbacks", "tungstenite"]


@dataclasses.dataclass(frozen=True)
class Load:
    name: str
    kind: str
    connections: int
    size: int
    servers: list[str]
    is_rust: bool = False
    deflates: bool = False


LOADS = [
    Load("Python: echo of 64 B, 100 connections", "echo", 100, 64, PYTHON),
    Load("Python: echo of 64 B, 1 connection", "echo", 1, 64, PYTHON),
    Load("Rust: echo of 64 B, 100 connections", "echo", 100, 64, RUST, is_rust=True),
    Load("Rust: echo of 64 B, 1 connection", "echo", 1, 64, RUST, is_rust=True),
    Load("Python: broadcast of 1 KiB to 1,000", "broadcast", 1_000, 1024, PYTHON),
    Load("Python: broadcast of 1 KiB to 1,000, compressed", "broadcast", 1_000, 1024, PYTHON, deflates=True),
    Load("Rust: broadcast of 1 KiB to 1,000", "broadcast", 1_000, 1024, RUST[:2], is_rust=True),
]


def main() -> None:
    parser = argparse.ArgumentParser(description="The servers under load.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--only", metavar="TEXT", default="", help="loads with this in their name")
    parser.add_argument("--idle", type=int, default=10_000, metavar="CONNECTIONS", help="how many idle ones to hold")
    options = parser.parse_args()
    contender.build("clients")
    for load in LOADS:
        if options.only in load.name:
            show(load, measure(load, options.rounds, options.seconds))
    for name, is_rust in [("openline", False), ("openline, callbacks", True)]:
        title = f"{'Rust' if is_rust else 'Python'}: {options.idle} idle connections"
        if options.only in title:
            hold(title, name, is_rust, options.idle)


def measure(load: Load, rounds: int, seconds: float) -> dict[str, list[float]]:
    rates: dict[str, list[float]] = {name: [] for name in load.servers}
    for number in range(rounds):
        turn = number % len(load.servers)
        for name in load.servers[turn:] + load.servers[:turn]:
            with serving(name, load.is_rust) as (port, _):
                rates[name].append(crowd(load, port, seconds)["rate"])
    return rates


def crowd(load: Load, port: int, seconds: float) -> dict[str, Any]:
    command = [program("crowd"), load.kind, str(port), str(load.connections), str(seconds), str(load.size)]
    done = subprocess.run(
        command + ["deflate"] * load.deflates, stdout=subprocess.PIPE, text=True, check=True, timeout=120
    )
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@contextlib.contextmanager
def serving(name: str, is_rust: bool) -> Iterator[tuple[int, int]]:
    """A server in a process of its own: its port and its process."""
    command = [program("rust_server")] if is_rust else [sys.executable, str(HERE / "python_server.py")]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    # It ends with its standard input, which `with` closes.
    with subprocess.Popen([*command, name], **pipes) as server:  # type: ignore[call-overload]
        yield json.loads(server.stdout.readline())["port"], server.pid


def show(load: Load, rates: dict[str, list[float]]) -> None:
    print(f"\n{load.name}\n")
    ours = rates[load.servers[0]]
    for name, values in rates.items():
        ratios = [our / value for our, value in zip(ours, values)]
        spread = f"{min(ratios):.2f} to {max(ratios):.2f}"
        ratio = f"{load.servers[0]} is {statistics.median(ratios):.2f} times as fast ({spread})"
        print(f"  {name:28} {statistics.median(values):10,.0f} /s" + f"   {ratio}" * (values is not ours), flush=True)


def hold(title: str, name: str, is_rust: bool, connections: int) -> None:
    """Tell what a server needs to hold connections that are idle, and answer their pings."""
    with serving(name, is_rust) as (port, process):
        before = resident(process)
        command = [program("crowd"), "idle", str(port), str(connections), "0", "0"]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, **pipes) as clients:  # type: ignore[call-overload]
            clients.stdout.readline()
            time.sleep(12)  # two pings for each, and the memory of what came before is given back
            after, threads = resident(process), thread_count(process)
            clients.stdin.close()
            pings = json.loads(clients.stdout.readline())["pings"]
    print(
        f"\n{title}\n\n  {after / 1024:.0f} MiB, {(after - before) / connections:.1f} KiB each; "
        f"{threads} threads; {pings / connections:.1f} pings answered by each in 12 s",
        flush=True,
    )


def resident(process: int) -> int:
    return status(process, "VmRSS")


def thread_count(process: int) -> int:
    return status(process, "Threads")


def status(process: int, name: str) -> int:
    lines = pathlib.Path(f"/proc/{process}/status").read_text(encoding="utf-8").splitlines()
    return int(next(line for line in lines if line.startswith(f"{name}:")).split()[1])


def program(name: str) -> str:
    return str(contender.build() / name)


if __name__ == "__main__":
    main()
