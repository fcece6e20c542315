"""Drop-in mode, in interpreters of its own: beside each supported release of `websockets`, and without.

`uses.py` is a program written for `websockets`; `test_uses.py` runs it in each of these situations, and with
`websockets` itself, which tells whether the program is right.
"""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
HERE = pathlib.Path(__file__).resolve().parent

ALONE = "without websockets"
INSTALLED = "17.4"
# `make` puts these below target/, each in a directory of its own.
RELEASES = ("15.0.1", "16.0")
SITUATIONS = (INSTALLED, *RELEASES, ALONE)


def python(situation: str, *arguments: str, cwd: pathlib.Path | None = None, **environment: str) -> str:
    """Run Python where `websockets` is what `situation` says; what it prints. It must succeed, quietly."""
    program = run(situation, *arguments, cwd=cwd, **environment)
    assert program.returncode == 0, program.stdout + program.stderr
    assert program.stderr == ""
    return program.stdout


def run(
    situation: str, *arguments: str, cwd: pathlib.Path | None = None, stdin: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """As `python`, without looking at how it ends."""
    path = [str(ROOT / "python"), str(ROOT / "tests")]
    flags = []
    if situation in RELEASES:
        release = ROOT / "target" / "websockets" / situation
        if not release.exists():
            pytest.skip(f"no websockets {situation} here: make target/websockets/{situation}")
        path.insert(0, str(release))
    elif situation == ALONE:
        flags = ["-S"]  # nothing that is installed
    return subprocess.run(
        [sys.executable, *flags, *arguments],
        cwd=ROOT if cwd is None else cwd,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(path), "PYTHONIOENCODING": "utf-8", **environment},
        input=stdin,
        capture_output=True,
        encoding="utf-8",
        timeout=55,
    )
