"""What a case is given: servers, connections to them, and a log, all of which end with it."""

from __future__ import annotations

import logging
import os
import pathlib
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable
from typing import Any

from websockets.sync.client import connect, unix_connect

from parity.outcome import Json, describe
from parity.server import Connection, Response, Server, Step

__all__ = ["Session"]


class Session:
    """The surroundings of one case.

    Args:
        name: of the case.
        certificates: the directory with `authority.pem` and `server.pem`.

    Attributes:
        authority: the certificate of the authority that has signed those of servers.
        servers: the servers so far, in the order of their starts.
        records: the log records so far.
    """

    def __init__(self, name: str, certificates: pathlib.Path) -> None:
        self.authority = certificates / "authority.pem"
        self._server_pem = certificates / "server.pem"
        self.servers: list[Server] = []
        self._opened: list[Any] = []
        self._bound: list[socket.socket] = []
        self._refusing: list[int] = []
        self.records: list[logging.LogRecord] = []
        self._log = logging.getLogger(f"parity.{name}")
        self._log.propagate = False
        self._directory: tempfile.TemporaryDirectory[str] | None = None

    def server(
        self,
        *steps: Step,
        response: Response | bytes | Callable[[Connection], None] = Response(),
        responses: list[Response | bytes | Callable[[Connection], None]] | None = None,
        tls: bool = False,
        listener: socket.socket | None = None,
    ) -> Server:
        """Start a server; see `Server`."""
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._server_pem)
            # With tickets `websockets`, which reads and writes in two threads, hangs now and then.
            context.num_tickets = 0
        server = Server(*steps, responses=responses or [response], tls=context, listener=listener)
        self.servers.append(server)
        return server

    def unix_server(self, *steps: Step, **kwargs: Any) -> Server:
        """Start a server on a Unix socket."""
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(self.directory / "socket"))
        listener.listen()
        return self.server(*steps, listener=listener, **kwargs)

    def open(self, server: Server, uri: str | None = None, **kwargs: Any) -> Any:
        """Connect to a server, without a proxy and keepalive unless the case wants them."""
        kwargs = {"legacy": True, "ping_interval": None, "open_timeout": 5, "close_timeout": 5, **kwargs}
        if server.listener.family == socket.AF_UNIX:
            connection = unix_connect(server.address, uri, **kwargs)
        else:
            connection = connect(uri or server.uri, **{"proxy": None, **kwargs})
        self._opened.append(connection)
        return connection

    def connect(self, *steps: Step, response: Any = Response(), tls: bool = False, **kwargs: Any) -> Any:
        """Start a server and connect to it."""
        return self.open(self.server(*steps, response=response, tls=tls), **kwargs)

    def closing(self, connection: Any) -> Any:
        """Have a connection closed at the end of the case, which this class has not opened."""
        self._opened.append(connection)
        return connection

    def attempt(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Call something that may well fail: what it returns, or the exception."""
        try:
            return function(*args, **kwargs)
        except Exception as error:
            return error

    def program(self, source: str, *arguments: object, **environment: str) -> tuple[int, str, str]:
        """Run a program in an interpreter of its own: its exit code, its output, its last line of errors."""
        installed = "openline" in sys.modules
        run = subprocess.run(
            [sys.executable, *(["-S"] if sys.flags.no_site else []), "-W", "ignore", "-c"]
            + [("import openline; openline.install()\n" if installed else "") + textwrap.dedent(source)]
            + [str(argument) for argument in arguments],
            capture_output=True,
            text=True,
            timeout=10,
            env={**os.environ, **environment},
        )
        return run.returncode, run.stdout, (run.stderr.splitlines() or [""])[-1]

    def refusing_port(self) -> int:
        """A port that refuses connections until the case is over."""
        bound = socket.socket()
        bound.bind(("127.0.0.1", 0))
        self._bound.append(bound)
        self._refusing.append(int(bound.getsockname()[1]))
        return self._refusing[-1]

    @property
    def logger(self) -> logging.Logger:
        """A logger for all records, which become part of the outcome."""
        if not self._log.handlers:
            self._log.setLevel(logging.DEBUG)
            self._log.addHandler(_Keeping(self.records))
        return self._log

    @property
    def directory(self) -> pathlib.Path:
        """A new directory."""
        if self._directory is None:
            self._directory = tempfile.TemporaryDirectory()
        return pathlib.Path(self._directory.name)

    def run(self, case: Callable[[Session], object]) -> Json:
        """Run a case, and tell what it brought."""
        outcome: dict[str, Json] = {}
        ports = []
        try:
            outcome["result"] = describe(case(self))
        except Exception as error:
            outcome["raised"] = describe(error)
        for connection in [*self._opened, *self._bound]:
            connection.close()
        for server in self.servers:
            if server.listener.family != socket.AF_UNIX:
                ports.append(str(server.port))
        ports += [str(port) for port in self._refusing]
        received = [lines for server in self.servers for lines in server.finish()]
        if received:
            outcome["wire"] = received
        if self.records:
            outcome["log"] = [_told(record) for record in self.records]
        replacements = dict.fromkeys(ports, "PORT")
        if self._directory is not None:
            replacements[self._directory.name] = "DIRECTORY"
            self._directory.cleanup()
        return _normal(outcome, replacements)


class _Keeping(logging.Handler):
    def __init__(self, records: list[logging.LogRecord]) -> None:
        super().__init__()
        self.records = records

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


def _told(record: logging.LogRecord) -> str:
    told = f"{record.levelname} {record.getMessage()}"
    if hasattr(record, "websocket"):
        told += " @"
    if record.exc_info and record.exc_info[1] is not None:
        told += f" !{type(record.exc_info[1]).__name__}"
    return told


def _normal(value: Json, replacements: dict[str, str]) -> Json:
    """Leave out what differs from run to run."""
    if isinstance(value, dict):
        return {key: _normal(value[key], replacements) for key in value}
    if isinstance(value, list):
        return [_normal(item, replacements) for item in value]
    if not isinstance(value, str):
        return "PORT" if str(value) in replacements else value
    value = re.sub(
        r"(?<![\w+/])(?:[\w+/]{22}==|[\w+/]{27}=(?!=))", "RANDOM", value
    )  # keys, and accepted ones
    for found, put in replacements.items():
        value = value.replace(found, put)
    return value
