"""Runs sessions with published packages against a server of our own, with one library or another behind.

The packages are those of `requirements-packages.txt`, in an environment of their own: `.venv-packages`,
which `make packages` makes. There `websockets` has a directory of its own, so that it can be left out.
"""

from __future__ import annotations

import contextlib
import json
import os
import pathlib
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import NamedTuple

from fake_server import without_ids

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
ENVIRONMENT = ROOT / ".venv-packages"
WEBSOCKETS = ENVIRONMENT / "websockets"
OPENLINE = ROOT / "python"
HERE = pathlib.Path(__file__).parent


class Setup(NamedTuple):
    """What is behind the packages."""

    search_path: list[pathlib.Path]
    """What is importable, beside the packages."""

    command: list[str]
    """What runs the session, after the interpreter."""

    connect_is_from: str
    """The package whose `connect` is at work."""


RUN_ON_OPENLINE = ["-m", "openline", "run"]
SETUPS = {
    "websockets": Setup([WEBSOCKETS], [], "websockets"),
    "openline beside websockets": Setup([WEBSOCKETS, OPENLINE], RUN_ON_OPENLINE, "openline"),
    "openline alone": Setup([OPENLINE], RUN_ON_OPENLINE, "openline"),
}


class Transcript(NamedTuple):
    """What happened in a session, on both sides."""

    client: list[str]
    """The lines that the session printed."""

    server: list[str]
    """What the server saw: the connections, one after the other."""


class Runner(NamedTuple):
    """Runs sessions, each with a server of its own."""

    certificate: pathlib.Path
    """That of the server, with its key."""

    authority: pathlib.Path
    """What the sessions trust."""

    def run(self, package: str, setup: Setup) -> Transcript:
        """Runs a session with a package.

        Args:
            package: the name in `sessions/use_PACKAGE.py`.
            setup: what is behind it.

        Returns:
            What happened, with the addresses of the server replaced by words.

        Raises:
            AssertionError: if the session failed, or the wrong library was at work.
        """
        with self._server() as (server, addresses):
            environment = {
                name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")
            }
            environment["PYTHONPATH"] = os.pathsep.join(map(str, setup.search_path))
            environment["PYTHONIOENCODING"] = "utf-8"
            environment["SSL_CERT_FILE"] = str(self.authority)
            session = subprocess.run(
                [interpreter(), *setup.command, HERE / "sessions" / f"use_{package}.py", *addresses],
                env=environment,
                capture_output=True,
                encoding="utf-8",
                timeout=40,
            )
            seen, _ = server.communicate(timeout=30)
        assert session.returncode == 0, session.stdout + session.stderr
        assert f"\nconnect is from {setup.connect_is_from}." in session.stderr, session.stderr
        return Transcript(
            without_ids(_without_addresses(session.stdout, addresses)).splitlines(),
            list(_described(_without_addresses(seen, addresses))),
        )

    @contextlib.contextmanager
    def _server(self) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
        server = subprocess.Popen(
            [sys.executable, HERE / "fake_server.py", self.certificate],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        with server:
            try:
                assert server.stdout is not None
                yield server, json.loads(server.stdout.readline())
            finally:
                server.kill()


def interpreter() -> pathlib.Path:
    """The Python of the environment with the packages."""
    return ENVIRONMENT / "bin" / "python"


def _described(seen: str) -> Iterator[str]:
    for line in seen.splitlines():
        record = json.loads(line)
        yield f"## {record['path']}"
        yield from record["headers"]
        yield from record["messages"]
        yield record["end"]


def _without_addresses(text: str, addresses: list[str]) -> str:
    plain, secure = addresses
    text = text.replace(plain, "PLAIN").replace(secure, "SECURE")
    return re.sub(r"127\.0\.0\.1:\d+", "127.0.0.1:PORT", text)
