"""The servers of a soak, and the proxies before them, in a process of their own; and the way to them.

    python soak/servers.py DIRECTORY SEED

It prints the routes as JSON, does to the connections through its proxies what `disturb` does, and prints
what it did when its standard input ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import pathlib
import random
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any, Literal

ROOT = pathlib.Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import peers  # noqa: E402  # of the tests
from openline.testing import EchoServer, FaultProxy, Faults  # noqa: E402


@dataclass(frozen=True)
class Route:
    """A way to an echo server."""

    server: str
    """"openline" or "websockets"."""
    transport: str
    """"ws", "wss", "unix" or "unix+tls"."""
    uri: str
    path: str | None
    """Of the Unix socket."""
    proxy: str
    """"none", or which of the proxies."""
    breaks: bool
    """Whether connections may be lost on it."""
    largest: int
    """How large messages may be there."""

    def __str__(self) -> str:
        return f"{self.transport} to {self.server}, proxy {self.proxy}"


LARGE = 4_000_000

DIRECTIONS: list[Literal["up", "down", "both"]] = ["up", "down", "both"]

# By name: what the proxy does, whether it breaks connections, and for how large messages it is.
PROXIES: dict[str, tuple[dict[str, Any], bool, int]] = {
    "split": ({"faults": Faults(split=3000, jitter=0.002)}, False, LARGE),
    "crumbs": ({"faults": Faults(split=9)}, False, 3000),
    "slow": ({"faults": Faults(delay=0.02, jitter=0.01, rate=2_000_000)}, False, 200_000),
    "cut": ({"up": Faults(cut_after=(200, 300_000)), "down": Faults(split=500)}, True, LARGE),
    "reset": ({"up": Faults(split=500), "down": Faults(reset_after=(100, 300_000))}, True, LARGE),
    "half": (
        {"up": Faults(half_close_after=(200, 2_000_000)), "down": Faults(half_close_after=(200, 300_000))},
        True,
        LARGE,
    ),
    "bits": ({"faults": Faults(corrupt_per_mib=10, corrupt_at=(3000, 300_000))}, True, LARGE),
}


@contextlib.contextmanager
def running(directory: pathlib.Path, seed: int) -> Iterator[Servers]:
    """Run the servers, each kind in a process of its own.

    Args:
        directory: where `server.pem`, a certificate with its key, is, and sockets may be.
        seed: what decides on faults.
    """
    command = [sys.executable, __file__, str(directory), str(seed)]
    # asyncio complains there of what is broken on purpose.
    with (
        open(directory / "servers.log", "w", encoding="utf-8") as log,
        subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        ) as process,
    ):
        servers = Servers(process)
        try:
            yield servers
        finally:
            servers.stop()


class Servers:
    """The process of the servers, seen from that of the clients."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        self._process = process
        self.routes = [Route(**route) for route in json.loads(process.stdout.readline())]
        self.injected: dict[str, int] = {}

    @property
    def pid(self) -> int:
        return self._process.pid

    def stop(self) -> None:
        """End them, and have what they did to connections."""
        if self._process.stdin is not None and not self._process.stdin.closed:
            self._process.stdin.close()
            assert self._process.stdout is not None
            self.injected = json.loads(self._process.stdout.readline() or "{}")
            self._process.wait(timeout=30)


def main(directory: pathlib.Path, seed: int) -> None:
    certificate = directory / "server.pem"
    (directory / "websockets").mkdir()
    with contextlib.ExitStack() as stack:
        targets = []
        for transport in peers.TRANSPORTS:
            path = str(directory / f"{transport}.sock") if transport.startswith("unix") else None
            secure = certificate if transport in ("wss", "unix+tls") else None
            server = stack.enter_context(EchoServer(path=path, certfile=secure))
            targets.append(("openline", transport, server.uri, path))
        websockets = stack.enter_context(peers.running("websockets", certificate, directory / "websockets"))
        for transport in peers.TRANSPORTS:
            target = peers.Target(websockets, transport)
            uri = target.uri("/echo")
            path_there = websockets.sockets[uri.partition(":")[0]] if target.is_unix else None
            targets.append(("websockets", transport, uri, path_there))

        routes = []
        proxies: dict[str, list[FaultProxy]] = {}
        for server_name, transport, uri, path_there in targets:
            routes.append(Route(server_name, transport, uri, path_there, "none", False, LARGE))
            for number, (name, (faults, breaks, largest)) in enumerate(PROXIES.items()):
                if name == "bits" and transport not in ("wss", "unix+tls"):
                    continue  # nobody would notice
                own = None if path_there is None else f"{path_there}.{name}"
                proxy = stack.enter_context(
                    FaultProxy(path_there or uri, path=own, seed=seed + number, **faults)
                )
                proxies.setdefault(name, []).append(proxy)
                # A proxy on a Unix socket does not know the path of the request.
                via = uri if path_there else proxy.uri
                address = proxy.address if path_there else None
                routes.append(Route(server_name, transport, via, address, name, breaks, largest))
        print(json.dumps([asdict(route) for route in routes]), flush=True)

        ended = threading.Event()
        threads = []
        for name, group in proxies.items():
            for number, proxy in enumerate(group):
                choices = random.Random(f"{seed} {name} {number}")
                arguments = (proxy, PROXIES[name][1], choices, ended)
                threads.append(threading.Thread(target=disturb, args=arguments))
        threads.append(threading.Thread(target=give_back, args=(ended,)))
        for thread in threads:
            thread.start()
        sys.stdin.read()
        ended.set()
        for thread in threads:
            thread.join()
        injected: dict[str, int] = {}
        for proxy in (proxy for group in proxies.values() for proxy in group):
            for kind, count in proxy.injected._asdict().items():
                injected[kind] = injected.get(kind, 0) + count
        print(json.dumps(injected), flush=True)


def disturb(proxy: FaultProxy, breaks: bool, choices: random.Random, ended: threading.Event) -> None:
    """Stall a proxy's connections now and then; where they may break, break them, too."""

    def be_offline() -> None:
        proxy.offline()
        ended.wait(0.3)
        proxy.online()

    breaking: list[Callable[[], None]] = [
        proxy.cut,
        proxy.reset,
        lambda: proxy.half_close("up"),
        lambda: proxy.half_close("down"),
        be_offline,
    ]
    while not ended.wait(choices.expovariate(1 / 4)):
        if breaks and choices.random() < 0.4:
            choices.choice(breaking)()
        else:
            proxy.stall(choices.choice(DIRECTIONS))
            ended.wait(choices.uniform(0.05, 1.5))
            proxy.resume()


def give_back(ended: threading.Event) -> None:
    """Keep memory as small as it can be, for who measures it."""
    while not ended.wait(1):
        give_back_memory()


def give_back_memory() -> None:
    """Have glibc give the system back what is free, which would hide what is not, and look like it."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


if __name__ == "__main__":
    main(pathlib.Path(sys.argv[1]), int(sys.argv[2]))
