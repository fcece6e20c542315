"""The soak: hundreds of connections for as long as you like, with every message checked.

    python soak/soak.py --minutes 30 --report   # what `make soak MINUTES=30` runs
    python soak/soak.py --minutes 0.4 --connections 80

The exit status is 1 if a message was lost, doubled, reordered or damaged, if a call hung, if a connection
was lost that should not be, if memory grew, or if descriptors or threads were left.
"""

from __future__ import annotations

import argparse
import faulthandler
import gc
import os
import pathlib
import random
import ssl
import sys
import tempfile
import threading
import time
from collections.abc import Iterable

import trustme

import servers
from openline.sync.client import connect
from report import Result, Sample, write
from session import LIMIT, Client, Counts

REPORTS = pathlib.Path(__file__).resolve().parent / "reports"

# Less of it says nothing about memory.
MINUTES_FOR_MEMORY = 2.0


def main() -> int:
    parser = argparse.ArgumentParser(description="Check every message of hundreds of connections.")
    parser.add_argument("--minutes", type=float, default=3.0, help="how long (3)")
    parser.add_argument("--connections", type=int, default=200, help="how many at a time (200)")
    parser.add_argument("--pause", type=float, default=0.1, help="seconds between exchanges (about 0.1)")
    parser.add_argument("--seed", type=int, help="what decides on all chance (another each time)")
    parser.add_argument("--report", action="store_true", help="write a report to soak/reports/")
    options = parser.parse_args()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"soak: seed {seed}, {options.connections} connections, {options.minutes:g} minutes", flush=True)
    with tempfile.TemporaryDirectory(prefix="soak") as directory:
        result = soak(pathlib.Path(directory), options.minutes, options.connections, options.pause, seed)
    if options.report:
        print(f"report in {write(result, REPORTS)}")
    print(result.summary())
    for kind, text in result.violations[:20]:
        print(f"{kind}: {text}", file=sys.stderr)
    return 1 if result.violations else 0


def soak(directory: pathlib.Path, minutes: float, connections: int, pause: float, seed: int) -> Result:
    authority = trustme.CA()
    authority.issue_cert("localhost", "127.0.0.1").private_key_and_cert_chain_pem.write_to_path(
        str(directory / "server.pem")
    )
    authority.cert_pem.write_to_path(str(directory / "ca.pem"))
    os.environ["SSL_CERT_FILE"] = str(directory / "ca.pem")
    context = ssl.create_default_context()
    with servers.running(directory, seed) as running:
        for route in running.routes:
            # What is made once for all connections is there then.
            if route.proxy == "none" and route.path is None:
                connect(route.uri, proxy=None).close()
        before = descriptors(), threads()
        stop = threading.Event()
        clients = [
            Client(number, seed, running.routes, context, pause, stop) for number in range(connections)
        ]
        start = time.monotonic()
        for client in clients:
            client.start()
        samples = []
        try:
            while (elapsed := time.monotonic() - start) < 60 * minutes:
                samples.append(sample(elapsed, clients, running.pid))
                time.sleep(min(1.0, max(0.0, 60 * minutes - elapsed)))
        finally:
            stop.set()
        join(clients)
        counts = total(clients)
        violations = [violation for client in clients for violation in client.violations]
        violations += left(before)
        servers.give_back_memory()
        memory_after = rss_mib(os.getpid())
        running.stop()
    result = Result(
        seed, minutes, connections, samples, counts, running.injected, memory_after, violations
    )
    if minutes >= MINUTES_FOR_MEMORY and result.grown_mib > max(16.0, 0.1 * result.first_mib):
        violations.append(("memory", f"grew by {result.grown_mib:.1f} MiB from {result.first_mib:.1f}"))
    return result


def sample(elapsed: float, clients: list[Client], servers_pid: int) -> Sample:
    counts = total(clients)
    servers.give_back_memory()
    return Sample(
        seconds=elapsed,
        rss_mib=rss_mib(os.getpid()),
        servers_rss_mib=rss_mib(servers_pid),
        descriptors=descriptors(),
        threads=threads(),
        connections=counts.open_now,
        messages=counts.messages_received,
        losses=counts.losses,
    )


def total(clients: list[Client]) -> Counts:
    sums = Counts()
    for client in clients:
        for name, value in vars(client.counts).items():
            if name == "causes":
                sums.causes.update(value.copy())
            else:
                setattr(sums, name, getattr(sums, name) + value)
    return sums


def join(clients: list[Client]) -> None:
    """Wait for the clients. If one hangs, that is shown, and the process ends."""
    deadline = time.monotonic() + 2 * LIMIT
    for client in clients:
        client.join(max(0.0, deadline - time.monotonic()))
    hanging = [client.name for client in clients if client.is_alive()]
    if hanging:
        faulthandler.dump_traceback()
        print(f"hang: {', '.join(hanging)}", file=sys.stderr, flush=True)
        os._exit(1)


def left(before: tuple[int, int]) -> Iterable[tuple[str, str]]:
    """Descriptors and threads that are there and were not before."""
    deadline = time.monotonic() + 10
    while (descriptors() > before[0] or threads() > before[1]) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.1)
    for what, now, then in [("descriptors", descriptors(), before[0]), ("threads", threads(), before[1])]:
        if now > then:
            yield "left", f"{now} {what}, {then} before"


def rss_mib(pid: int) -> float:
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


if __name__ == "__main__":
    sys.exit(main())
