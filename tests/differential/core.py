"""The core: the Rust program `crates/openline-proto/tests/differential.rs`."""

from __future__ import annotations

import pathlib
import re
import subprocess
from types import TracebackType
from typing import Self

from differential import Case, Outcome

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

PROGRAM = "cargo test --quiet --locked -p openline-proto --test differential -- answer".split()
"""`make test-python` has built it."""


class Core:
    """The program, which runs as long as the context."""

    name = "openline"

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            PROGRAM, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()

    def run(self, case: Case) -> Outcome:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(case.line() + "\n")
        stdin.flush()
        answer = stdout.readline()
        assert answer.endswith("\n"), f"the program has ended on {case}"
        return Outcome.of(case, [_words(part) for part in answer.split("|")])


def _words(part: str) -> list[str]:
    return [_with_key(word) for word in part.split()]


def _with_key(word: str) -> str:
    """Of the response that accepts, others differ in the date and such: only the key is compared."""
    if not word.startswith("accepted:"):
        return word
    head, _, response = word.rpartition(":")
    key = re.search(rb"\r\nSec-WebSocket-Accept: (\S+)\r\n", bytes.fromhex(response))
    assert key is not None
    return f"{head}:{key[1].decode()}"
