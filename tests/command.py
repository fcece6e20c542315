"""The command `openline`, which `make test-python` has built."""

from __future__ import annotations

import os
import pathlib
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["PROGRAM", "serving"]

ROOT = pathlib.Path(__file__).resolve().parent.parent
PROGRAM = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug" / "openline"


@contextmanager
def serving(*arguments: str) -> Iterator[tuple[str, list[str]]]:
    """A server of the command's, which ends with the block.

    Yields:
        Its port, and the lines that it says at once.
    """
    command = [str(PROGRAM), *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline()]
        if arguments[0] == "echo":
            lines.append(process.stdout.readline())
        try:
            port = re.search(r":(\d+)/?$", lines[0].strip())
            assert port is not None, lines
            yield port[1], lines
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate(timeout=30)
