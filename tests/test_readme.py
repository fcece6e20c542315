"""The Python examples of the documents run, and print what the documents say.

A block of Python is run as a program of its own. `ws://localhost:8765` in it is replaced by the address of an
echo server that runs in this process. If the next block is `text`, it is what the program must print.
"""

from __future__ import annotations

import pathlib
import re
import subprocess
import sys
from typing import NamedTuple

import pytest

from openline.testing import EchoServer

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/**/*.md"))]
PLACEHOLDER = "ws://localhost:8765"
FENCE = re.compile(r"^```(?P<language>[\w,]*)\n(?P<body>.*?)^```$", re.MULTILINE | re.DOTALL)


class Example(NamedTuple):
    where: str
    program: str
    output: str | None


def examples() -> list[Example]:
    found = []
    for document in DOCUMENTS:
        text = document.read_text(encoding="utf-8")
        blocks = list(FENCE.finditer(text))
        for block, following in zip(blocks, [*blocks[1:], None], strict=True):
            if block["language"] == "python":
                line = text.count("\n", 0, block.start()) + 1
                output = following["body"] if following and following["language"] == "text" else None
                where = f"{document.relative_to(ROOT).as_posix()}:{line}"
                found.append(Example(where, block["body"], output))
    return found


EXAMPLES = examples()


def test_the_readme_has_examples() -> None:
    assert sum(example.where.startswith("README.md") for example in EXAMPLES) >= 2


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.where)
def test_example(example: Example) -> None:
    with EchoServer() as server:
        program = example.program.replace(PLACEHOLDER, server.uri.rstrip("/"))
        run = subprocess.run(
            [sys.executable, "-W", "error", "-c", program], capture_output=True, text=True, timeout=30
        )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    if example.output is not None:
        assert run.stdout == example.output
