"""One client, one workload, once, in a process of its own: `benchsuite.py` runs it.

python contender.py CLIENT WORKLOAD SECONDS PORT CORE AUTHORITIES

It prints its figures as JSON: messages a second, microseconds of CPU for each, and the median of round trips; or, if
the client is not installed or cannot do this, the reason.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
import pathlib
import resource
import subprocess
import sys

import asynchronous
import blocking
import compressed
from client import Client
from meter import Meter
from workloads import WORKLOADS, Workload

CLIENTS: dict[str, type[Client]] = {
    "raw": blocking.Raw,
    "raw, coalesced": blocking.RawCoalesced,
    "openline": blocking.Openline,
    "openline, busy_poll=0": blocking.OpenlineAsleep,
    "openline, for": blocking.OpenlineFor,
    "openline, many": blocking.OpenlineMany,
    "openline, SSLContext": blocking.OpenlineContext,
    "websockets": blocking.Websockets,
    "websockets, asyncio": asynchronous.WebsocketsAsyncio,
    "websocket-client": blocking.WebsocketClient,
    "websocket-rs": blocking.WebsocketRs,
    "websocket-rs, asyncio": asynchronous.WebsocketRsAsyncio,
    "picows": asynchronous.Picows,
    "picows, websockets": asynchronous.PicowsWebsockets,
    "aiohttp": asynchronous.Aiohttp,
    "curl_cffi": blocking.CurlCffi,
}


def main() -> None:
    name, workload_name, seconds, port, core, authorities = sys.argv[1:]
    workload = next(workload for workload in WORKLOADS if workload.name == workload_name)
    client = CLIENTS[name]
    os.sched_setaffinity(0, {int(core)})
    texts = compressed.messages(workload.size) if workload.compressed else []
    meter = Meter(workload, int(port), float(seconds), authorities, texts)
    if workload.kind == "idle":
        _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    getattr(client(meter), workload.kind)()
    meter.finish()


RUST = [
    "raw",
    "openline",
    "openline, many",
    "tungstenite",
    "fastwebsockets",
    "tokio-websockets",
    "sockudo-ws",
    "web-socket",
    "yawc",
]
"""What `native/src/bin/contender.rs` can be."""

ALL = [*CLIENTS, *(f"rust: {name}" for name in RUST)]


def takes_part(name: str, workload: Workload) -> bool:
    """Whether a client is installed and does this work."""
    if name.startswith("rust: "):
        is_of_many = workload.is_of_small and workload.kind != "round_trip"
        return workload.rust and ("many" not in name or is_of_many)
    return versions(name) is not None and CLIENTS[name].takes(workload)


def command(
    name: str, workload: Workload, seconds: float, port: str, core: str, authorities: str
) -> list[str]:
    """What measures this client with this workload."""
    if not name.startswith("rust: "):
        program = [sys.executable, __file__, name, workload.name]
        return [*program, str(seconds), port, core, authorities]
    program = ["taskset", "-c", core, str(build("clients") / "contender"), name.removeprefix("rust: ")]
    figures = [str(figure) for figure in (workload.opcode, workload.size, workload.batch, seconds)]
    return [*program, workload.kind, workload.path, *figures, port]


@functools.cache
def build(features: str = "") -> pathlib.Path:
    """Build the server, and the Rust clients with the feature for them; return where they are."""
    project = pathlib.Path(__file__).resolve().parent / "native"
    target = project.parent.parent / "target" / "bench"
    cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(target)]
    subprocess.run([*cargo, "--features", features], cwd=project, check=True)
    return target / "release"


def versions(name: str) -> list[str] | None:
    """Of the packages of a client, or None if one of them is not installed."""
    if name.startswith("rust: "):
        return []  # native/Cargo.lock has them
    try:
        return [f"{package} {importlib.metadata.version(package)}" for package in CLIENTS[name].packages]
    except importlib.metadata.PackageNotFoundError:
        return None


if __name__ == "__main__":
    main()
