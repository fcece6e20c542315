"""Checks two promises about the Rust code: no async runtime, and `unsafe` only where it is allowed.

python tools/check_tree.py
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent

ASYNC_RUNTIMES = {
    "actix-rt",
    "async-executor",
    "async-global-executor",
    "async-io",
    "async-std",
    "compio",
    "embassy-executor",
    "futures-executor",
    "glommio",
    "mio",
    "monoio",
    "pollster",
    "pyo3-async-runtimes",
    "smol",
    "tokio",
    "tokio-util",
}

UNSAFE_ALLOWED = {
    "crates/openline/src/poller/system.rs",
    "crates/openline/src/fork/at_fork.rs",  # pthread_atfork has no safe form
    "crates/openline-python/src/convert.rs",
    "crates/openline-python/src/interpreter.rs",  # PyInterpreterState_GetID, and PyIter_Next that unwinds
    "crates/openline-python/src/signals.rs",  # Py_AddPendingCall has no safe form
}


def async_runtimes() -> list[str]:
    """Those in `cargo tree`: what users get, so without what only tests need."""
    command = ["cargo", "tree", "--workspace", "--locked", "--all-features"]
    command += ["--edges", "normal,build", "--prefix", "none"]
    tree = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True)
    packages = {line.split()[0] for line in tree.stdout.splitlines() if line.strip()}
    assert "openline" in packages, "cargo tree lists no packages"
    return [f"{name} is in the dependency tree" for name in sorted(packages & ASYNC_RUNTIMES)]


def unsafe_code() -> list[str]:
    """The lines with the keyword `unsafe` outside the files that may have it."""
    found = []
    files = sorted((ROOT / "crates").rglob("*.rs"))
    assert files, "no Rust files"
    for file in files:
        name = file.relative_to(ROOT).as_posix()
        if name in UNSAFE_ALLOWED:
            continue
        for number, line in enumerate(file.read_text().splitlines(), 1):
            code = line.split("//")[0]
            if re.search(r"\bunsafe\b", code):
                found.append(f"{name}:{number}: unsafe is not allowed in this file: {line.strip()}")
    return found


if __name__ == "__main__":
    problems = async_runtimes() + unsafe_code()
    print("\n".join(problems) or "no async runtime; unsafe only where it is allowed")
    sys.exit(1 if problems else 0)
