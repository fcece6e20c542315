"""The result of a soak, as a line, as a page, and as a plot."""

from __future__ import annotations

import csv
import pathlib
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import openline

from session import Counts

KINDS = ["lost", "lost or reordered", "doubled", "damaged", "hang", "broken", "memory", "left"]


class Sample(NamedTuple):
    """The process of the clients at one moment."""

    seconds: float
    rss_mib: float
    servers_rss_mib: float
    descriptors: int
    threads: int
    connections: int
    messages: int
    losses: int


@dataclass
class Result:
    seed: int
    minutes: float
    connections: int
    samples: Sequence[Sample]
    counts: Counts
    injected: dict[str, int]
    memory_after: float
    """In MiB, when all clients were done."""
    violations: list[tuple[str, str]] = field(default_factory=list)

    @property
    def first_mib(self) -> float:
        """The median of memory in the first quarter, after a tenth to warm up."""
        return median_mib(self.samples, 0.1, 0.325)

    @property
    def last_mib(self) -> float:
        """The median of memory in the last quarter."""
        return median_mib(self.samples, 0.775, 1.0)

    @property
    def grown_mib(self) -> float:
        return self.last_mib - self.first_mib

    def summary(self) -> str:
        counts = self.counts
        faults = sum(count for kind, count in self.injected.items() if kind not in ("delays", "splits"))
        return (
            f"{counts.messages_received:,} messages came back of {counts.messages_sent:,} sent, over "
            f"{counts.connections:,} connections, {counts.losses:,} of them broken, with {faults:,} faults; "
            f"{len(self.violations)} violations; {self.first_mib:.1f} MiB, then {self.last_mib:.1f} MiB"
        )


def median_mib(samples: Sequence[Sample], start: float, end: float) -> float:
    part = samples[int(start * len(samples)) : int(end * len(samples))] or samples
    return statistics.median(sample.rss_mib for sample in part)


def write(result: Result, reports: pathlib.Path) -> pathlib.Path:
    """Write samples, plot and page into a new directory, and return it."""
    directory = reports / time.strftime("%Y-%m-%d-%H%M%S")
    directory.mkdir(parents=True)
    with open(directory / "samples.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(Sample._fields)
        writer.writerows(result.samples)
    plot(result, directory / "soak.png")
    (directory / "report.md").write_text(page(result), encoding="utf-8")
    return directory


def page(result: Result) -> str:
    counts = result.counts
    rows = [
        ("connections at a time", f"{result.connections:,}"),
        ("connections in all", f"{counts.connections:,}"),
        ("messages sent", f"{counts.messages_sent:,} ({gib(counts.bytes_sent)})"),
        ("messages received and checked", f"{counts.messages_received:,} ({gib(counts.bytes_received)})"),
        ("pings answered", f"{counts.pings:,}"),
        ("time-outs of recv in between", f"{counts.time_outs:,}"),
        ("time-outs of send", f"{counts.send_time_outs:,}"),
        ("connections broken by faults", f"{counts.losses:,}"),
        ("openings broken by faults", f"{counts.failed_openings:,}"),
        ("reconnects by `reconnect`", f"{counts.reconnects:,}"),
        ("memory in the first quarter (median)", f"{result.first_mib:.1f} MiB"),
        ("memory in the last quarter", f"{result.last_mib:.1f} MiB"),
        ("memory when all clients were done", f"{result.memory_after:.1f} MiB"),
        ("most descriptors", f"{max(sample.descriptors for sample in result.samples):,}"),
        ("most threads", f"{max(sample.threads for sample in result.samples):,}"),
    ]
    kinds = [(kind, str(sum(1 for each, _ in result.violations if each == kind))) for kind in KINDS]
    faults = [(kind.replace("_", " "), f"{count:,}") for kind, count in result.injected.items()]
    causes = [(cause, f"{count:,}") for cause, count in counts.causes.most_common()]
    parts = [
        f"# Soak of {result.minutes:g} minutes",
        f"openline {openline.__version__}, Python {platform.python_version()}, {platform.platform()}, "
        f"seed {result.seed}. TCP, TLS and Unix sockets, to openline's server and that of `websockets`.",
        "![memory, descriptors and threads over time](soak.png)",
        table(("figure", ""), rows),
        table(("violations", "count"), kinds),
        table(("faults injected", "count"), faults),
        table(("causes of the ends by faults", "count"), causes),
        "\n".join(f"- {kind}: {text}" for kind, text in result.violations[:100]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def table(head: tuple[str, str], rows: Sequence[tuple[str, str]]) -> str:
    return "\n".join(
        [f"| {head[0]} | {head[1]} |", "| --- | ---: |", *(f"| {name} | {value} |" for name, value in rows)]
    )


def gib(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"


def plot(result: Result, path: pathlib.Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot

    minutes = [sample.seconds / 60 for sample in result.samples]
    rates = [0.0]
    for before, after in zip(result.samples, result.samples[1:]):
        rates.append((after.messages - before.messages) / (after.seconds - before.seconds))
    figure, axes = pyplot.subplots(4, 1, sharex=True, figsize=(10, 11))
    axes[0].plot(minutes, [sample.rss_mib for sample in result.samples], label="clients")
    axes[0].plot(minutes, [sample.servers_rss_mib for sample in result.samples], label="servers and proxies")
    axes[0].set_ylabel("memory, MiB")
    axes[1].plot(minutes, [sample.descriptors for sample in result.samples], label="descriptors")
    axes[1].plot(minutes, [sample.connections for sample in result.samples], label="open connections")
    axes[2].plot(minutes, [sample.threads for sample in result.samples], label="threads")
    axes[3].plot(minutes, rates, label="messages received per second")
    axes[3].set_xlabel("minutes")
    for each in axes:
        each.set_ylim(bottom=0)
        each.legend(loc="lower right")
        each.grid(alpha=0.3)
    figure.suptitle(f"{result.summary()}\nseed {result.seed}", fontsize=8)
    figure.tight_layout()
    figure.savefig(path, dpi=110)
