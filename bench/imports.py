"""What `import openline.sync.client` costs, beside `websockets.sync.client`.

python bench/imports.py [--rounds 10] [--core 0]

How it measures:

- Each import is the first of a fresh interpreter, started with `-I` (no environment, no user's packages).
  Files are in the kernel's cache and compiled: a first round is not counted.
- "import" is the time of the `import` statement, by the interpreter's own clock. "program" is that of the
  whole process, less that of one that does nothing (`python -c pass`) in the same round.
- Rounds are interleaved: each measures all, in an order that rotates. The ratios are formed within a round;
  shown are medians, and the range. "CPU" is what the process used for the statement.
- "modules" counts what was loaded that the interpreter had not loaded itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata

from benchsuite import cpu_model

CONTENDERS = ["openline.sync.client", "websockets.sync.client"]

STATEMENT = """
import sys, time
before = set(sys.modules)
start, cpu = time.perf_counter(), time.process_time()
import {module}
end, cpu_end = time.perf_counter(), time.process_time()
print([1000 * (end - start), 1000 * (cpu_end - cpu), len(set(sys.modules) - before)])
"""

KEYS = ["import", "CPU", "modules", "program"]


def main() -> None:
    parser = argparse.ArgumentParser(description="What importing the client costs.")
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--core", type=int, default=0)
    options = parser.parse_args()
    os.sched_setaffinity(0, {options.core})

    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for number in range(options.rounds + 1):
        _, nothing = run("pass")
        shift = number % len(CONTENDERS)
        for name in CONTENDERS[shift:] + CONTENDERS[:shift]:
            output, _ = run(STATEMENT.format(module=name))
            _, program = run(f"import {name}")
            if number > 0:
                values = [*json.loads(output), program - nothing]
                results[name].append(dict(zip(KEYS, values, strict=True)))
    report(results, options)


def run(program: str) -> tuple[str, float]:
    """What a program prints, and its milliseconds."""
    start = time.perf_counter()
    output = subprocess.check_output([sys.executable, "-I", "-c", program], text=True, timeout=60)
    return output, 1000 * (time.perf_counter() - start)


def report(results: dict[str, list[dict[str, float]]], options: argparse.Namespace) -> None:
    versions = [f"{name} {metadata.version(name)}" for name in ["openline", "websockets"]]
    print(f"importing the client, core {options.core}, {cpu_model()}")
    print(f"Python {platform.python_version()}, {', '.join(versions)}; {options.rounds} rounds\n")
    print("| module                 | import, ms | CPU, ms | program, ms | modules |")
    print("| ---------------------- | ---------: | ------: | ----------: | ------: |")
    for name, runs in results.items():
        medians = {key: statistics.median(run[key] for run in runs) for key in KEYS}
        print(f"| {name:22} | {medians['import']:10.1f} | {medians['CPU']:7.1f} ", end="")
        print(f"| {medians['program']:11.1f} | {medians['modules']:7.0f} |")
    print()
    ours, theirs = (results[name] for name in CONTENDERS)
    for key in ["import", "CPU", "program"]:
        ratios = [mine[key] / other[key] for mine, other in zip(ours, theirs, strict=True)]
        print(f"openline / websockets = {statistics.median(ratios):.2f}", end="")
        print(f"  ({key}; {min(ratios):.2f} - {max(ratios):.2f})")


if __name__ == "__main__":
    main()
