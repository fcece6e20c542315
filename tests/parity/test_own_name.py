"""What `openline.sync.client` does otherwise than the drop-in mode: the last table of the page."""

from __future__ import annotations

import errno
import logging
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from openline.exceptions import ConnectError, ConnectionClosedError
from openline.sync.client import connect
from parity.page import PAGE
from parity.script import close, text
from parity.server import Connection, Response, Server

Serve = Callable[..., Server]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers that play a script, and stop them in the end."""
    servers: list[Server] = []

    def start(*steps: Any) -> Server:
        servers.append(Server(*steps, responses=[Response()]))
        return servers[-1]

    yield start
    for server in servers:
        server.finish()


def ping_waits(serve: Serve) -> None:
    with connect(serve(Connection.answer_ping).uri, proxy=None, ping_interval=None) as ws:
        assert 0 < ws.ping() < 5


def iteration_ends(serve: Serve) -> None:
    with connect(serve(text("hello"), close(4000)).uri, proxy=None, ping_interval=None) as ws:
        assert list(ws) == ["hello"]
        assert ws.close_code == 4000


def timeout_by_position(serve: Serve) -> None:
    with connect(serve().uri, proxy=None, ping_interval=None) as ws:
        ws.send("hello", 5)


def connect_error(serve: Serve) -> None:
    with socket.socket() as bound, pytest.raises(ConnectionRefusedError) as caught:
        bound.bind(("127.0.0.1", 0))
        connect(f"ws://127.0.0.1:{bound.getsockname()[1]}/", proxy=None)
    assert isinstance(caught.value, (ConnectError, ConnectionClosedError))
    assert caught.value.errno == errno.ECONNREFUSED


def names(serve: Serve) -> None:
    with connect(serve().uri, proxy=None, ping_interval=None) as ws:
        assert isinstance(ws.logger, logging.LoggerAdapter)
        assert ws.logger.logger.name == "openline.client"
        assert " openline/" in ws.request.headers["User-Agent"]


ROWS: dict[str, Callable[[Serve], None]] = {
    "`ping()`": ping_waits,
    "iteration": iteration_ends,
    "`send(message, timeout)`": timeout_by_position,
    "a connection that cannot be made": connect_error,
    "names of loggers and of the user agent": names,
}


@pytest.mark.parametrize("row", ROWS)
def test_row(row: str, serve: Serve) -> None:
    ROWS[row](serve)


def test_page_has_these_rows() -> None:
    table = PAGE.read_text(encoding="utf-8").split("## openline by its own name")[1]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    assert [row for row in rows if row not in ("|", "---")] == list(ROWS)
