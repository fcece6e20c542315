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

    def takes(self, case: Case) -> bool:
        return True

    def run(self, case: Case) -> Outcome:
        parts = [[said for word in part for said in _compared(case, word)] for part in self.ask(case.line())]
        return Outcome.of(case, parts)

    def send(self, case: Case, *what: str, compress: str = "") -> bytes:
        """The bytes that this end of a case sends, of what the program can send, compressed if told how."""
        how = f" compress={compress}" if compress else ""
        sent, *_ = self.ask(f"{case.line()}{how} send={','.join(what)}")
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


def _compared(case: Case, word: str) -> list[str]:
    """Of the response that accepts, others differ in the date and such: key and extensions are compared."""
    if not word.startswith("accepted:"):
        return [word]
    head, _, response = word.rpartition(":")
    key = re.search(rb"\r\nSec-WebSocket-Accept: (\S+)\r\n", bytes.fromhex(response))
    assert key is not None
    words = [f"{head}:{key[1].decode()}"]
    if case.negotiation is not None:
        extensions = re.search(rb"\r\nSec-WebSocket-Extensions: (.+?)\r\n", bytes.fromhex(response))
        words.append(f"answered:{extensions[1].hex() if extensions else ''}")
    return words
