"""Wrong uses of openline, for checkers of types: `make types` runs mypy and pyright on it, nobody runs it.

Each line that is wrong has a `type: ignore`; both checkers are told to refuse one that they do not need.
"""

# pyright: reportUnnecessaryTypeIgnoreComment=true

from __future__ import annotations

from openline.client import backoff
from openline.datastructures import Headers
from openline.exceptions import ConnectionClosedError, InvalidStatus
from openline.frames import Close, Frame
from openline.http11 import Request
from openline.sync.client import ClientConnection, connect, reconnect, unix_connect
from openline.uri import parse_uri


def connecting() -> None:
    connect()  # type: ignore[call-arg]
    connect(8765)  # type: ignore[arg-type]
    connect(b"ws://localhost")  # type: ignore[arg-type]
    connect("ws://localhost", 10)  # type: ignore[call-arg, arg-type]
    connect("ws://localhost", open_timeout="10")  # type: ignore[arg-type]
    connect("ws://localhost", ssl=True)  # type: ignore[arg-type]
    connect("ws://localhost", subprotocols=[1])  # type: ignore[list-item]
    connect("ws://localhost", additional_headers={"X-Number": 1})  # type: ignore[arg-type]
    connect("ws://localhost", max_size="1M")  # type: ignore[arg-type]
    connect("ws://localhost", max_queue=(1, 2, 3))  # type: ignore[arg-type]
    connect("ws://localhost", proxy=False)  # type: ignore[arg-type]
    connect("ws://localhost", create_connection=print)  # type: ignore[type-var]
    connect("ws://localhost", extensions=["permessage-deflate"])  # type: ignore[list-item]
    connect("ws://localhost", extra_headers={})  # type: ignore[call-arg]
    unix_connect(5)  # type: ignore[arg-type]
    unix_connect("/run/app.sock", ping_interval="20")  # type: ignore[arg-type]
    unix_connect("/run/app.sock", reconnect_delays=backoff)  # type: ignore[call-arg]
    reconnect("ws://localhost", reconnect_delays=backoff())  # type: ignore[arg-type]


async def with_asyncio(websocket: ClientConnection) -> None:
    await websocket.recv()  # type: ignore[misc]
    async with connect("ws://localhost"):  # type: ignore[attr-defined]
        pass
    async for _ in websocket:  # type: ignore[attr-defined]
        pass


def messages(websocket: ClientConnection) -> None:
    websocket.send(5)  # type: ignore[arg-type]
    websocket.send(None)  # type: ignore[arg-type]
    websocket.send({"type": "hello"}, text="yes")  # type: ignore[arg-type]
    websocket.send_many([1])  # type: ignore[list-item]
    websocket.recv(timeout="1")  # type: ignore[call-overload]
    websocket.recv().encode()  # type: ignore[union-attr]
    websocket.recv(decode=False).encode()  # type: ignore[attr-defined]
    websocket.recv(decode=True).decode()  # type: ignore[attr-defined]
    websocket.recv_into("text")  # type: ignore[arg-type]
    websocket.ping(5)  # type: ignore[arg-type]
    websocket.close("bye")  # type: ignore[arg-type]


def attributes(websocket: ClientConnection) -> None:
    websocket.closed = True  # type: ignore[misc]
    websocket.state = 3  # type: ignore[assignment,misc]
    websocket.is_open  # type: ignore[attr-defined]
    len(websocket.close_reason)  # type: ignore[arg-type]


def values(error: ConnectionClosedError, frame: Frame) -> None:
    error.rcvd.code  # type: ignore[union-attr]
    InvalidStatus(404)  # type: ignore[arg-type]
    Close("bye")  # type: ignore[call-arg, arg-type]
    Headers(5)  # type: ignore[arg-type]
    Headers()["X-Number"] = 5  # type: ignore[assignment]
    Request("/")  # type: ignore[call-arg]
    parse_uri(None)  # type: ignore[arg-type]
    frame.serialize()  # type: ignore[call-arg]
