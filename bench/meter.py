"""How a client is measured: what it is told, and what time and CPU its messages take."""

from __future__ import annotations

import dataclasses
import json
import os
import pathlib
import statistics
import time
from collections.abc import Iterator
from typing import NoReturn

from workloads import TEXT, Workload

WARM_UP = 0.2
"""The part of the time for which a client works before it is measured."""


@dataclasses.dataclass
class Meter:
    """What one client does once: a workload for about so many seconds."""

    workload: Workload
    port: int
    seconds: float
    authorities: str
    """File with the certificates to trust."""
    texts: list[str]
    """What compressed messages say, one after another."""
    times: list[int] = dataclasses.field(default_factory=list)
    """Nanoseconds of each round trip."""
    result: dict[str, float] = dataclasses.field(default_factory=dict)

    @property
    def uri(self) -> str:
        return self.uri_of(self.workload.path)

    def uri_of(self, path: str) -> str:
        return f"{'wss' if self.workload.secure else 'ws'}://127.0.0.1:{self.port}{path}"

    @property
    def message(self) -> str | bytes:
        """What the server sends too."""
        size = self.workload.size
        return "x" * size if self.workload.opcode == TEXT else b"x" * size

    @property
    def messages(self) -> list[str] | list[bytes]:
        """What is sent, and is to come back, in one batch."""
        if self.workload.compressed:
            return self.texts
        return [self.message] * self.workload.batch  # type: ignore[return-value]

    def batches(self, batch: int | None = None) -> Iterator[None]:
        """Each turn is for one batch; the first ones are not measured."""
        start = time.perf_counter()
        while time.perf_counter() - start < self.seconds * WARM_UP:
            yield
        self.times.clear()
        count = 0
        start, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - start < self.seconds:
            yield
            count += batch or self.workload.batch
        self.record(count, time.perf_counter() - start, time.process_time() - cpu)

    def finish(self) -> NoReturn:
        """Print what was measured and end, with all connections: the server answers none of them a Close frame."""
        print(json.dumps(self.result), flush=True)
        os._exit(0)

    def record(self, count: int, seconds: float, cpu: float) -> None:
        self.result = {"rate": count / seconds, "cpu": cpu / count * 1e6}
        if self.times:
            self.times.sort()
            self.result["p50"] = statistics.median(self.times) / 1e3
            self.result["p99"] = self.times[len(self.times) * 99 // 100] / 1e3


class Usage:
    """What the system says of this process."""

    def __init__(self) -> None:
        status = pathlib.Path("/proc/self/status").read_text(encoding="utf-8")
        fields = dict(line.split(":", 1) for line in status.splitlines())
        self.threads = int(fields["Threads"])
        self.descriptors = len(os.listdir("/proc/self/fd"))
        self.bytes = int(fields["VmRSS"].split()[0]) * 1024
        self.cpu = time.process_time()
        self.time = time.perf_counter()

    def per_connection(self, before: Usage, count: int) -> dict[str, float]:
        """What `count` connections have added since."""
        return {
            "KiB": (self.bytes - before.bytes) / count / 1024,
            "threads": (self.threads - before.threads) / count,
            "descriptors": (self.descriptors - before.descriptors) / count,
        }

    def cpu_percent(self, before: Usage) -> float:
        return 100 * (self.cpu - before.cpu) / (self.time - before.time)
