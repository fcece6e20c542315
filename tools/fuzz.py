"""Runs the targets of fuzz/: under libFuzzer where nightly Rust and cargo-fuzz are, otherwise on stable.

python tools/fuzz.py --seconds-in-all 60
python tools/fuzz.py --minutes-each 10 [--target NAME]...

Each CPU runs one at a time. Both run the same properties. libFuzzer sees which inputs reach new code and goes on from those; stable Rust
changes the kept inputs blindly. What libFuzzer learns is kept in fuzz/work/ on this machine; a find is
written to fuzz/artifacts/ and ends the run of its target. The exit status is 1 if there is one.
"""

from __future__ import annotations

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

ROOT = pathlib.Path(__file__).resolve().parent.parent
FUZZ = ROOT / "fuzz"

# Bytes in an input. More makes a run slower, and reaches nothing: limits are set low where they matter.
MAX_LEN = 4096


class Outcome(NamedTuple):
    """What the run of one target came to."""

    inputs: int | None
    seconds: float
    # Edges of the program's flow that were seen; stable Rust does not count them.
    coverage: int | None
    has_failed: bool


def missing() -> str | None:
    """What libFuzzer needs and this machine lacks."""
    # Not `rustc +nightly`: some versions of rustup would install it then.
    if not re.search(r"^nightly-[a-z]", _output(["rustup", "toolchain", "list"]), re.MULTILINE):
        return "no nightly Rust"
    if not _output(["cargo", "+nightly", "fuzz", "--version"]):
        return "no cargo-fuzz"
    if not any(shutil.which(compiler) for compiler in ["c++", "g++", "clang++"]):
        return "no C++ compiler"
    return None


def _output(command: list[str]) -> str:
    """What it prints, nothing if it fails or is not there."""
    try:
        run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    except OSError:
        return ""
    return run.stdout if run.returncode == 0 else ""


def build_with_libfuzzer() -> pathlib.Path:
    """The program with all targets."""
    command = ["cargo", "+nightly", "fuzz", "build", "properties"]
    subprocess.run(command, cwd=ROOT, check=True)
    about = subprocess.run(["rustc", "+nightly", "-vV"], check=True, stdout=subprocess.PIPE, text=True)
    host = re.search(r"^host: (.*)$", about.stdout, re.MULTILINE)
    assert host, about.stdout
    return FUZZ / "target" / host[1] / "release" / "properties"


def run_with_libfuzzer(program: pathlib.Path, target: str, seconds: float) -> Outcome:
    work, artifacts = FUZZ / "work" / target, FUZZ / "artifacts" / target
    for directory in [work, artifacts]:
        directory.mkdir(parents=True, exist_ok=True)
    # libFuzzer writes to the first directory and only reads the second.
    command = [str(program), str(work), str(FUZZ / "corpus" / target)]
    command += [f"-max_total_time={max(1, round(seconds))}", f"-max_len={MAX_LEN}"]
    command += ["-timeout=10", "-rss_limit_mb=2048", "-print_final_stats=1", f"-artifact_prefix={artifacts}/"]
    start = time.monotonic()
    run = subprocess.run(
        command, env=os.environ | {"FUZZ": target}, capture_output=True, text=True, errors="replace"
    )
    inputs = re.search(r"^stat::number_of_executed_units: (\d+)", run.stderr, re.MULTILINE)
    coverage = re.findall(r"\bcov: (\d+)", run.stderr)
    if run.returncode != 0:
        # What comes before is progress.
        report = re.search(r"^.*(panicked at|ERROR: ).*$", run.stderr, re.MULTILINE)
        print(run.stderr[report.start() if report else -8000 :])
    return Outcome(
        int(inputs[1]) if inputs else None,
        time.monotonic() - start,
        int(coverage[-1]) if coverage else None,
        run.returncode != 0,
    )


def build_on_stable() -> list[str]:
    """The command that runs the tests of the properties, optimised but with all assertions."""
    return ["cargo", "test", "--locked", "--profile", "fuzz", "-p", "openline-proto", "--test", "properties"]


def run_on_stable(command: list[str], target: str, seconds: float) -> Outcome:
    command = [*command, "--", f"targets::tests::{target}", "--exact", "--nocapture"]
    start = time.monotonic()
    run = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | {"OPENLINE_FUZZ_SECONDS": str(seconds)},
        capture_output=True,
        text=True,
        errors="replace",
    )
    inputs = re.search(rf"^{target}: (\d+) inputs in ", run.stderr, re.MULTILINE)
    if run.returncode != 0:
        # What comes before are the steps that made the input small.
        print(run.stderr[-8000:])
    return Outcome(
        int(inputs[1]) if inputs else None, time.monotonic() - start, None, run.returncode != 0
    )


def main() -> int:
    parser = argparse.ArgumentParser(description="Run the targets of fuzz/.")
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--seconds-in-all", type=float, help="shared by the targets")
    length.add_argument("--minutes-each", type=float, help="for each target")
    parser.add_argument("--target", action="append", help="only this one; may be given again")
    parser.add_argument("--stable", action="store_true", help="without libFuzzer, even if it is here")
    options = parser.parse_args()

    targets = sorted(entry.name for entry in (FUZZ / "corpus").iterdir())
    if options.target:
        if unknown := set(options.target) - set(targets):
            parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(targets)}")
        targets = options.target
    if options.minutes_each is not None:
        seconds = options.minutes_each * 60
    else:
        seconds = options.seconds_in_all / len(targets)

    lack = "--stable was given" if options.stable else missing()
    if lack is None:
        print(f"libFuzzer: {len(targets)} targets, {seconds:.0f} s each", flush=True)
        program = build_with_libfuzzer()
    else:
        print(f"stable Rust, since {lack}: {len(targets)} targets, {seconds:.0f} s each", flush=True)
        command = build_on_stable()
        subprocess.run([*command, "--no-run"], cwd=ROOT, check=True)

    def run(target: str) -> Outcome:
        if lack is None:
            return run_with_libfuzzer(program, target, seconds)
        return run_on_stable(command, target, seconds)

    outcomes = []
    print(f"{'target':18} {'inputs':>12} {'seconds':>9} {'coverage':>9}", flush=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for target, outcome in zip(targets, pool.map(run, targets), strict=True):
            outcomes.append(outcome)
            print(_line(target, outcome), flush=True)
    failed = sum(outcome.has_failed for outcome in outcomes)
    inputs = sum(outcome.inputs or 0 for outcome in outcomes)
    minutes = sum(outcome.seconds for outcome in outcomes) / 60
    print(f"{inputs:,} inputs in {minutes:.1f} minutes, {failed} of {len(targets)} targets failed")
    if failed:
        print("what they failed on is in fuzz/artifacts/; fuzz/README.md says how to go on")
    return 1 if failed else 0


def _line(target: str, outcome: Outcome) -> str:
    inputs = "-" if outcome.inputs is None else f"{outcome.inputs:,}"
    coverage = "-" if outcome.coverage is None else f"{outcome.coverage:,}"
    failed = "  FAILED" if outcome.has_failed else ""
    return f"{target:18} {inputs:>12} {outcome.seconds:9.1f} {coverage:>9}{failed}"


if __name__ == "__main__":
    sys.exit(main())
