"""What the results of the suite say: tables, targets, and pictures.

python bench/figures.py RESULTS [--docs]

RESULTS is a file that `benchsuite.py --save` wrote. Without `--docs` all tables and targets are printed once more; with it,
those between the markers of README.md and docs/performance.md are written anew, and the pictures in docs/pictures/.
"""

from __future__ import annotations

import argparse
import json
import pathlib
import re
import statistics
from collections.abc import Iterable
from typing import Any

from targets import TARGETS, Target
from workloads import WORKLOADS, Workload

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [ROOT / "README.md", ROOT / "docs" / "performance.md"]
MARKED = re.compile(r"(<!-- bench: (.+?) -->\n).*?(<!-- /bench -->)", re.DOTALL)

Results = dict[str, list[dict[str, Any]]]
"""Of one workload: each client's rounds."""


def main() -> None:
    parser = argparse.ArgumentParser(description="What the results of the suite say.")
    parser.add_argument("results", type=pathlib.Path)
    parser.add_argument("--docs", action="store_true", help="write the tables and pictures of the documentation")
    options = parser.parse_args()
    run = json.loads(options.results.read_text(encoding="utf-8"))
    if not options.docs:
        for workload in WORKLOADS:
            if workload.name in run["results"]:
                print(f"\n{workload.name}\n\n{table(run['results'][workload.name], workload)}")
        print(f"\n{targets(run['results'])}")
        return
    import pictures

    pictures.draw(run["results"], ROOT / "docs" / "pictures")
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        document.write_text(MARKED.sub(lambda found: fill(found, run), text), encoding="utf-8")


def fill(found: re.Match[str], run: dict[str, Any]) -> str:
    before, name, after = found.groups()
    if name == "machine":
        content = about(run)
    elif name == "targets":
        content = f"```text\n{targets(run['results'])}\n```"
    elif name == "overview":
        content = overview(run["results"])
    elif name == "memory":
        content = memory(run["memory"])
    else:
        workload = next(workload for workload in WORKLOADS if workload.name == name)
        content = table(run["results"][name], workload)
    return f"{before}\n{content}\n\n{after}"


def about(run: dict[str, Any]) -> str:
    machine = run["machine"]
    packages = sorted({package for name in run["versions"] for package in run["versions"][name] or []})
    return (
        f"Measured on {machine['date']}: {machine['cpu']}, 2 cores, {machine['system']}, Python {machine['python']}, "
        f"{machine['openssl']}; {run['rounds']} rounds of {run['seconds']} s. {', '.join(packages)}."
    )


def table(results: Results, workload: Workload) -> str:
    """In Markdown, the fastest first; under it who failed, and why."""
    done = {name: runs for name, runs in results.items() if runs and not failure(runs)}
    if workload.kind == "idle":
        lines = idle_rows(done)
    elif workload.kind == "round_trip":
        lines = round_trip_rows(done)
    else:
        lines = rate_rows(done, workload)
    failures = [f"{name}: {failure(runs)}" for name, runs in results.items() if failure(runs)]
    return "\n".join([*lines, *([""] + failures if failures else [])])


def failure(runs: list[dict[str, Any]]) -> str | None:
    return next((run["failed"] for run in runs if "failed" in run), None)


def round_trip_rows(results: Results) -> list[str]:
    lines = head(["client", "p50 µs", "range", "p99 µs", "CPU µs", "p50 to raw", "CPU to raw"])
    for name in sorted(results, key=lambda name: median(results[name], "p50")):
        runs = results[name]
        p50 = [run["p50"] for run in runs]
        cells = [name, f"{statistics.median(p50):.1f}", f"{min(p50):.1f} to {max(p50):.1f}"]
        cells += [f"{median(runs, key):.1f}" for key in ("p99", "cpu")]
        cells += [spread(ratios(results, key, name, raw_of(name))) for key in ("p50", "cpu")]
        lines.append(row(cells))
    return lines


def rate_rows(results: Results, workload: Workload) -> list[str]:
    is_data = workload.kind in ("receive", "send")
    lines = head(
        ["client", "a second", *(["MB/s"] if is_data else []), "CPU µs", "to raw", "openline to it"]
    )
    for name in sorted(results, key=lambda name: -median(results[name], "rate")):
        runs = results[name]
        rate = median(runs, "rate")
        cells = [name, f"{rate:,.0f}"]
        if is_data:
            cells.append(f"{rate * workload.size / 1e6:,.0f}")
        cells.append(f"{median(runs, 'cpu'):.3g}")
        cells.append(spread(ratios(results, "rate", name, raw_of(name))))
        ours = "rust: openline" if name.startswith("rust: ") else "openline"
        cells.append("" if name == ours else spread(ratios(results, "rate", ours, name)))
        lines.append(row(cells))
    return lines


def idle_rows(results: Results) -> list[str]:
    lines = head(["client", "KiB each", "threads each", "descriptors each", "CPU %", "open in the end"])
    for name in sorted(results, key=lambda name: median(results[name], "KiB")):
        run = results[name][0]
        cells = [name, f"{run['KiB']:.1f}", f"{run['threads']:.2f}", f"{run['descriptors']:.2f}"]
        lines.append(row([*cells, f"{run['cpu_percent']:.1f}", f"{run['open']:.0f}"]))
    return lines


OVERVIEW = [
    ("round trip, 64 B, µs", "round trip, 64 B", "p50"),
    ("CPU of it, µs", "round trip, 64 B", "cpu"),
    ("receive 64 B, thousand/s", "receive, 64 B of text", "rate"),
    ("send 64 B, thousand/s", "send, 64 B of text", "rate"),
    ("receive 1 MiB, a second", "receive, 1 MiB", "rate"),
    ("connect and close, a second", "connect and close", "rate"),
    ("idle connection, KiB", "a thousand idle connections", "KiB"),
]


def overview(results: dict[str, Results]) -> str:
    """The medians of each Python client, a column for each work."""
    lines = head(["client", *(label for label, _, _ in OVERVIEW)])
    clients = [name for name in results["round trip, 64 B"] if not name.startswith("rust: ")]
    for name in clients:
        cells = [name]
        for label, workload, key in OVERVIEW:
            runs = results.get(workload, {}).get(name, [])
            if not runs or failure(runs):
                cells.append("")
                continue
            value = median(runs, key) / (1e3 if "thousand" in label else 1)
            cells.append(f"{value:,.0f}" if value >= 100 else f"{value:.1f}")
        lines.append(row(cells))
    return "\n".join(lines)


def memory(rows: dict[str, dict[str, float]]) -> str:
    """What a connection of ours takes, by what it uses."""
    lines = head(["it uses", "KiB", "descriptors"])
    for name, used in rows.items():
        lines.append(row([name, f"{used['KiB']:.1f}", f"{used['descriptors']:.0f}"]))
    return "\n".join(lines)


def head(cells: list[str]) -> list[str]:
    return [row(cells), "| --- |" + " ---: |" * (len(cells) - 1)]


def row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def raw_of(name: str) -> str:
    return "rust: raw" if name.startswith("rust: ") else "raw"


def median(runs: list[dict[str, Any]], key: str) -> float:
    return float(statistics.median(run[key] for run in runs))


def ratios(results: Results, key: str, ours: str, theirs: str) -> list[float]:
    """Ours to theirs, within each round; none if one of them is missing."""
    pairs = zip(results.get(ours, []), results.get(theirs, []), strict=False)
    return [our[key] / their[key] for our, their in pairs if key in our and key in their]


def spread(values: list[float]) -> str:
    if not values:
        return ""
    digits = ".1f" if statistics.median(values) >= 3 else ".2f"
    low, middle, high = (format(v, digits) for v in (min(values), statistics.median(values), max(values)))
    return middle if low == high else f"{middle} ({low} to {high})"


def targets(results: dict[str, Results]) -> str:
    """A line for each target of which the workload was measured."""
    lines = (judge(target, results[target.workload]) for target in TARGETS if target.workload in results)
    return "\n".join(line for line in lines if line)


def judge(target: Target, results: Results) -> str | None:
    runs = results.get(target.client, [])
    if not runs or failure(runs):
        return None
    what = f"{target.workload}: {target.client}, {target.label}"
    if target.reference is None:
        value = median(runs, target.key)
        return f"{verdict(target, value)} {what} {value:.2f}, asked {target.bound}"
    other = target.reference
    if other == "the best peer":
        peers = [name for name in results if is_peer(name, target) and not failure(results[name])]
        if not peers:
            return None
        sign = 1 if target.key == "rate" else -1
        other = max(peers, key=lambda name: sign * median(results[name], target.key))
    values = ratios(results, target.key, target.client, other)
    if not values:
        return None
    return f"{verdict(target, statistics.median(values))} {what} {spread(values)} x {other}, asked {target.bound}"


def verdict(target: Target, value: float) -> str:
    return "met   " if target.is_met(value) else "missed"


def is_peer(name: str, target: Target) -> bool:
    is_rust = target.client.startswith("rust: ")
    return name.startswith("rust: ") == is_rust and "raw" not in name and "openline" not in name


if __name__ == "__main__":
    main()
