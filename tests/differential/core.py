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
        return Outcome.of(case, [[_with_key(word) for word in part] for part in self.ask(case.line())])

    def send(self, case: Case, *what: str) -> bytes:
        """The bytes that this end of a case sends, of what the program can send."""
        sent, *_ = self.ask(f"{case.line()} send={','.join(what)}")
        return bytes.fromhex(sent[0].removeprefix("sent:"))

    def ask(self, line: str) -> list[list[str]]:
        """The answer to a line, word by word, in its parts."""
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None and stdout is not None
        stdin.write(line + "\n")
        stdin.flush()
        answer = stdout.readline()
        assert answer.endswith("\n"), f"the program has ended on {line}"
        return [part.split() for part in answer.split("|")]


def _with_key(word: str) -> str:
    """Of the response that accepts, others differ in the date and such: only the key is compared."""
    if not word.startswith("accepted:"):
        return word
    head, _, response = word.rpartition(":")
    key = re.search(rb"\r\nSec-WebSocket-Accept: (\S+)\r\n", bytes.fromhex(response))
    assert key is not None
    return f"{head}:{key[1].decode()}"
