"""The demonstration: runs the programs of examples/, each in a process of its own, and tells how they did.

python tools/demo.py

The servers are openline's own, on free ports and a Unix socket of this process. Each program checks what it
claims and says so with its exit status; this one's is 0 if all of them did.
"""

from __future__ import annotations

import contextlib
import pathlib
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

import openline
from openline.testing import EchoServer

EXAMPLES = pathlib.Path(__file__).resolve().parent.parent / "examples"
LIMIT = 60


@contextlib.contextmanager
def programs() -> Iterator[list[tuple[str, ...]]]:
    """The programs and their arguments, while the servers they connect to are there."""
    with (
        tempfile.TemporaryDirectory() as directory,
        EchoServer() as echo,
        EchoServer(welcome=["first", "second", "third"], close_after=0, close_reason="that is all") as news,
        EchoServer(basic_auth=("alice", "secret"), subprotocols=["chat.v2"]) as private,
        EchoServer(path=f"{directory}/echo.sock") as local,
    ):
        yield [
            ("basic.py", echo.uri),
            ("timeouts.py", echo.uri),
            ("iterate.py", news.uri),
            ("threads.py", echo.uri),
            ("headers.py", private.uri.replace("://", "://alice:secret@")),
            ("unix_socket.py", local.address),
            ("reconnect.py",),  # it restarts a server of its own
            ("compression.py", echo.uri),
            ("subclass.py", echo.uri),
            ("logging_frames.py", echo.uri),
            ("stats.py", echo.uri),
            ("fault_proxy.py",),  # it has servers and proxies of its own
            ("server.py",),  # it is one
        ]


def run(program: tuple[str, ...]) -> bool:
    """Run a program, with its output as it comes; whether it did what it claims."""
    name, *arguments = program
    print(f"$ python examples/{' '.join(program)}", flush=True)
    start = time.monotonic()
    try:
        # Asserts are the programs' checks: an environment that turns them off must not count.
        command = [sys.executable, "-E", str(EXAMPLES / name), *arguments]
        status: object = subprocess.run(command, timeout=LIMIT).returncode
    except subprocess.TimeoutExpired:
        status = f"none after {LIMIT} s"
    print(f"exit status {status} after {time.monotonic() - start:.1f} s\n", flush=True)
    return status == 0


def main() -> int:
    print(f"openline {openline.__version__} on Python {platform.python_version()}, {platform.platform()}\n")
    with programs() as listed:
        failed = [program[0] for program in listed if not run(program)]
    if failed:
        print(f"{len(failed)} of {len(listed)} programs failed: {', '.join(failed)}")
    else:
        print(f"all {len(listed)} programs did what they claim")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
