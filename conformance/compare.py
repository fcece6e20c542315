"""What the cases of sections 9, 12 and 13 cost a client: openline's two and that of `websockets`.

python conformance/compare.py [--rounds 3] [--sections 9 12 13]

How it measures:

- The suite is the server, in this process; each client is a process of its own, for each section. Four cases of
  section 9 are left out, which `websockets` refuses.
- Rounds are interleaved: each runs all contenders, in an order that rotates. The ratios are formed within a
  round; shown are medians, and the range.
- "time" is what the suite says of its cases, added up. It includes the suite's own work, which is the same for
  all and runs beside the client's if there is another core. Only cases that came out OK for everybody in all
  rounds are counted: one that fails may end early, or wait.
- "bare" is `bare.rs`, the least that a client of section 9 can do: its time is the suite's own share.
- "CPU" is what the client's process used in user and kernel mode, from its start to its end, so that for the
  Python ones the start of Python is in it. It cannot be split by case, so there is none for a client that did
  not come through all cases of the section.

It is a measurement, not a test: the exit status tells nothing of the figures.
"""

from __future__ import annotations

import argparse
import asyncio
import pathlib
import platform
import resource
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from importlib import metadata

import suite
from expected import OK
from suite import Endpoint

CONTENDERS = {
    "openline (Rust)": Endpoint("rust", "client", "release"),
    "openline (Python)": Endpoint("python", "client", "release"),
    "websockets": Endpoint("websockets", "client", "release"),
    "bare": Endpoint("bare", "client", "release"),
}
OTHER = "websockets"
FLOOR = "bare"

# What `websockets` 17.4 refuses for the number of fragments, after which it waits 10 s each.
WITHOUT = ["9.3.1", "9.3.2", "9.4.1", "9.4.2"]

# Seconds for one client with one section.
LIMIT = 1800


@dataclass(frozen=True)
class Measured:
    """One section with one client, once."""

    seconds: dict[str, float]
    """Of each case that came out OK."""
    failed: frozenset[str]
    """The other cases."""
    cpu: float
    """Seconds of CPU, of the client."""


Rounds = dict[str, list[Measured]]


def main() -> None:
    parser = argparse.ArgumentParser(description="What the cases cost a client.")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sections", nargs="+", default=["9", "12", "13"], help="such as 9, or 12.1")
    options = parser.parse_args()

    results: dict[str, Rounds] = {section: {name: [] for name in CONTENDERS} for section in options.sections}
    for number in range(options.rounds):
        names = list(CONTENDERS)
        for name in names[number % len(names) :] + names[: number % len(names)]:
            for section in options.sections:
                if name != FLOOR or section.split(".")[0] == "9":
                    results[section][name].append(measure(CONTENDERS[name], section))
    versions = [f"{name} {metadata.version(name)}" for name in ["openline", "websockets", "kosoku"]]
    print(f"Autobahn cases as a client, {cpu_model()}")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {options.rounds} rounds\n")
    print(f"| section | s    | {' | '.join(CONTENDERS)} |")
    print(f"| ------- | ---- | {' | '.join('-' * (len(name) - 1) + ':' for name in CONTENDERS)} |")
    remarks = [remark for section, rounds in results.items() for remark in report(section, rounds)]
    print("\n" + "\n".join(remarks))


def measure(endpoint: Endpoint, section: str) -> Measured:
    """Run a section with a client."""
    before = cpu_of_children()
    results = asyncio.run(suite.play(endpoint, [f"{section}.*"], LIMIT, without=WITHOUT))
    cpu = cpu_of_children() - before
    good = {result.case_id: result.duration / 1000 for result in results if suite.ran(result).outcome == OK}
    return Measured(good, frozenset(result.case_id for result in results) - good.keys(), cpu)


def cpu_of_children() -> float:
    """The seconds of CPU of the processes that have ended: there is one at a time."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def report(section: str, rounds: Rounds) -> Iterable[str]:
    """Print the rows of a section; what is to be said below the table."""
    failed = {name: frozenset[str]().union(*(run.failed for run in runs)) for name, runs in rounds.items()}
    left_out = frozenset[str]().union(*failed.values())

    def seconds(run: Measured) -> float:
        return sum(taken for case, taken in run.seconds.items() if case not in left_out)

    if any(seconds(run) for runs in rounds.values() for run in runs):
        time = {name: [*map(seconds, runs)] for name, runs in rounds.items() if runs}
        yield from row(section, "time", time)
    cpu = {name: [run.cpu for run in runs] for name, runs in rounds.items() if runs and not failed[name]}
    if cpu:
        yield from row(section, "CPU", cpu)
    for name, cases in failed.items():
        if cases:
            which = ", ".join(sorted(cases)) if len(cases) < 7 else f"{len(cases)} cases"
            yield f"section {section}: left out, since not OK for {name}: {which}"


def row(section: str, label: str, figures: dict[str, list[float]]) -> Iterable[str]:
    """Print a row of medians; the ratios to the other library."""
    cells = [
        f"{statistics.median(figures[name]):.2f}" if name in figures else "-" for name in CONTENDERS
    ]
    aligned = [cell.rjust(len(name)) for cell, name in zip(cells, CONTENDERS, strict=True)]
    print(f"| {section:7} | {label:4} | {' | '.join(aligned)} |")
    for name in figures:
        if name != OTHER and OTHER in figures:
            ratios = [ours / theirs for ours, theirs in zip(figures[name], figures[OTHER], strict=True)]
            spread = f"section {section}, {label}; {min(ratios):.2f} - {max(ratios):.2f}"
            yield f"{name} / {OTHER} = {statistics.median(ratios):.2f}  ({spread})"


def cpu_model() -> str:
    """What the machine says of its processor."""
    info = pathlib.Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    models = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return models[0] if models else platform.machine()


if __name__ == "__main__":
    main()
