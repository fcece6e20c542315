"""How many instructions one `send` and one `recv` of 64 bytes take in Rust: a figure that noise does not reach.

python bench/instructions.py [--save]

It needs valgrind, whose callgrind counts. The figures are compared with those of bench/instructions.json, which the first
run and `--save` write: on the machine and with the compiler at hand. They are of user space, so that a system call
counts as one.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
RECORD = HERE / "instructions.json"
TARGET = HERE.parent / "target" / "bench-instructions"
FUNCTIONS = {"send": "*single_calls::one_send*", "recv": "*single_calls::one_receive*"}
CALLS = 1_000


def main() -> None:
    parser = argparse.ArgumentParser(description="Instructions of one send and one recv.")
    parser.add_argument("--save", action="store_true", help="keep the figures to compare later ones with")
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        raise SystemExit("valgrind is not installed; on Debian: apt-get install valgrind")
    counts = {name: count(pattern) for name, pattern in FUNCTIONS.items()}
    if options.save or not RECORD.exists():
        RECORD.write_text(json.dumps(counts, indent=1) + "\n", encoding="utf-8")
    recorded = json.loads(RECORD.read_text(encoding="utf-8"))
    print("| call | instructions | recorded | change |\n| --- | ---: | ---: | ---: |")
    for name, instructions in counts.items():
        change = 100 * (instructions / recorded[name] - 1)
        print(f"| {name} | {instructions} | {recorded[name]} | {change:+.1f} % |")


def count(pattern: str) -> int:
    """Of one call, on average."""
    # rustix reads the clock past libc in a way that valgrind does not know.
    environment = {**os.environ, "RUSTFLAGS": "--cfg rustix_use_libc"}
    cargo = ["cargo", "build", "--quiet", "--release", "--locked", "--target-dir", str(TARGET)]
    cargo += ["--features", "own", "--bin", "single_calls"]
    subprocess.run(cargo, cwd=HERE / "native", env=environment, check=True)
    with tempfile.TemporaryDirectory() as directory:
        command = ["valgrind", "--tool=callgrind", f"--callgrind-out-file={directory}/out"]
        command += [f"--toggle-collect={pattern}", str(TARGET / "release" / "single_calls")]
        done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    found = re.search(r"Collected : (\d+)", done.stderr)
    if done.returncode or found is None or found[1] == "0":
        raise SystemExit(done.stderr)
    return round(int(found[1]) / CALLS)


if __name__ == "__main__":
    main()
