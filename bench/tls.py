"""TLS from Python: opening connections, and round trips of 64 bytes, by openline (both ways) and websockets.

python bench/tls.py [--rounds 5] [--messages 10000] [--connections 60] [--cores 0]

How it measures:

- The server is an `openline.testing.EchoServer` with TLS in a process of its own, the same one for all
  contenders, on the same core as the client.
- The certificate is signed by an authority of this program's, which is trusted beside those of the system, in
  one file that SSL_CERT_FILE names, as on a machine whose owner has added one.
- "openline" has no `ssl` argument, as `websockets` in "connect"; "openline, context" has an `ssl.SSLContext`
  that is made once, as `websockets` in "round trip".
- Each contender runs in a fresh process. Rounds are interleaved: each runs all contenders, in an order that
  rotates. The ratios are formed within a round; shown are medians, and the range.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import platform
import ssl
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib import metadata
from typing import Any

import trustme

from roundtrip import cpu_model

CONTENDERS = ["openline", "openline, context", "websockets"]
PAYLOAD = b"\xa5" * 64
SYSTEM_AUTHORITIES = pathlib.Path("/etc/ssl/certs/ca-certificates.crt")

SERVE = """
import sys
from openline.testing import EchoServer
with EchoServer(certfile=sys.argv[1]) as server:
    print(server.uri, flush=True)
    sys.stdin.read()
"""


def main() -> None:
    parser = argparse.ArgumentParser(description="TLS: connections and round trips, on one core.")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--messages", type=int, default=10_000)
    parser.add_argument("--connections", type=int, default=60)
    parser.add_argument("--cores", default="0", help="of client and server, such as 0 or 0,1 (default: 0)")
    parser.add_argument("--contender", choices=CONTENDERS, help=argparse.SUPPRESS)
    parser.add_argument("--uri", help=argparse.SUPPRESS)
    options = parser.parse_args()
    client_core, server_core = (options.cores.split(",") * 2)[:2]
    if options.contender:
        os.sched_setaffinity(0, {int(client_core)})
        print(json.dumps(measure(options.contender, options.uri, options)))
        return

    with tempfile.TemporaryDirectory() as directory:
        certificate, authorities = certify(pathlib.Path(directory))
        os.environ["SSL_CERT_FILE"] = str(authorities)
        command = ["taskset", "-c", server_core, sys.executable, "-c", SERVE, str(certificate)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None and server.stdin is not None
            uri = server.stdout.readline().strip()
            report(run(uri, options), options)
            server.stdin.close()


def certify(directory: pathlib.Path) -> tuple[pathlib.Path, pathlib.Path]:
    """A certificate for localhost, and a file of the authorities to trust."""
    authority = trustme.CA()
    certificate, authorities = directory / "server.pem", directory / "authorities.pem"
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(certificate))
    system = SYSTEM_AUTHORITIES.read_bytes() if SYSTEM_AUTHORITIES.exists() else b""
    authorities.write_bytes(system + authority.cert_pem.bytes())
    return certificate, authorities


def run(uri: str, options: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for number in range(options.rounds):
        shift = number % len(CONTENDERS)
        for name in CONTENDERS[shift:] + CONTENDERS[:shift]:
            command = [sys.executable, __file__, "--contender", name, "--uri", uri, "--cores", options.cores]
            command += ["--messages", str(options.messages), "--connections", str(options.connections)]
            results[name].append(json.loads(subprocess.check_output(command, timeout=300)))
    return results


def measure(name: str, uri: str, options: argparse.Namespace) -> dict[str, float]:
    """One contender, once: milliseconds for a connection, microseconds for a round trip."""
    connect = connector(name)
    connect(uri, None).close()
    start = time.perf_counter()
    for _ in range(options.connections):
        connect(uri, None).close()
    opening = (time.perf_counter() - start) / options.connections

    context = None if name == "openline" else ssl.create_default_context()
    websocket = connect(uri, context)
    times = []
    for number in range(options.messages + 1000):
        start_ns = time.perf_counter_ns()
        websocket.send(PAYLOAD)
        if websocket.recv() != PAYLOAD:
            raise SystemExit("the reply is not the request")
        if number >= 1000:
            times.append(time.perf_counter_ns() - start_ns)
    websocket.close()
    return {"connect": opening * 1000, "round trip": statistics.median(times) / 1000}


def connector(name: str) -> Callable[[str, ssl.SSLContext | None], Any]:
    if name == "websockets":
        from websockets.sync.client import connect as theirs

        return lambda uri, context: theirs(
            uri, ssl=context, proxy=None, compression=None, ping_interval=None, legacy=True
        )
    from openline.sync.client import connect as ours

    shared = ssl.create_default_context() if name == "openline, context" else None
    return lambda uri, context: ours(
        uri, ssl=context or shared, proxy=None, compression=None, ping_interval=None
    )


def report(results: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    versions = [f"{name} {metadata.version(name)}" for name in ["openline", "websockets"]]
    print(f"TLS, cores {options.cores} (client, server), {cpu_model()}")
    print(f"Python {platform.python_version()}, {ssl.OPENSSL_VERSION}, {', '.join(versions)}; ", end="")
    print(f"{options.rounds} rounds of {options.connections} connections and {options.messages} messages\n")
    print("| client            | connect and close, ms | round trip, µs |")
    print("| ----------------- | --------------------: | -------------: |")
    for name, runs in results.items():
        medians = [statistics.median(run[key] for run in runs) for key in ("connect", "round trip")]
        print(f"| {name:17} | {medians[0]:21.2f} | {medians[1]:14.2f} |")
    print()
    for name in CONTENDERS[:2]:
        for key in ["connect", "round trip"]:
            pairs = zip(results[name], results["websockets"], strict=True)
            ratios = [ours[key] / theirs[key] for ours, theirs in pairs]
            print(f"{name} / websockets = {statistics.median(ratios):.2f}", end="")
            print(f"  ({key}; {min(ratios):.2f} - {max(ratios):.2f})")


if __name__ == "__main__":
    main()
