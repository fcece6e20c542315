"""The server of Python's `websockets`, as the package `peers` describes it.

python websockets_server.py CERTIFICATE UNIX_SOCKET UNIX_SOCKET_FOR_TLS
"""

from __future__ import annotations

import asyncio
import json
import os
import ssl
import sys
import urllib.parse
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from websockets.asyncio.server import ServerConnection, serve, unix_serve
from websockets.exceptions import ConnectionClosed
from websockets.frames import Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event
from websockets.typing import Subprotocol

Options = dict[str, str]


class Connection(ServerConnection):
    """Shows the pings that come, which `websockets` answers and does not tell of."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pings: asyncio.Queue[bytes] = asyncio.Queue()

    def process_event(self, event: Event) -> None:
        super().process_event(event)
        if isinstance(event, Frame) and event.opcode is Opcode.PING:
            self.pings.put_nowait(bytes(event.data))


async def echo(ws: Connection, options: Options) -> None:
    size = int(options.get("fragment", 0))
    async for message in ws:
        if size:
            data = message.encode() if isinstance(message, str) else message
            parts = [data[start : start + size] for start in range(0, len(data), size)]
            await ws.send(parts, text=isinstance(message, str))
        else:
            await ws.send(message)


async def send(ws: Connection, options: Options) -> None:
    for number in range(int(options.get("count", 0))):
        await ws.send(f"message {number}")
    await ws.close(int(options.get("code", 1000)), options.get("reason", ""))


async def abort(ws: Connection, options: Options) -> None:
    for number in range(int(options.get("count", 0))):
        await ws.send(f"message {number}")
    ws.transport.abort()


async def ping(ws: Connection, options: Options) -> None:
    # Resolved by the Pong with the same payload alone.
    await (await ws.ping("are you there"))
    await ws.send("pong are you there")
    await ws.wait_closed()


async def pings(ws: Connection, options: Options) -> None:
    count = int(options["count"])
    for _ in range(count):
        await ws.pings.get()
    note(options["id"]).set_result(count)
    await ws.send(f"{count} pings")
    await ws.wait_closed()


async def watch(ws: Connection, options: Options) -> None:
    try:
        async for _ in ws:
            pass
    except ConnectionClosed:
        pass
    await ws.wait_closed()
    note(options["id"]).set_result([ws.close_code, ws.close_reason])


async def noted(ws: Connection, options: Options) -> None:
    await ws.send(json.dumps(await note(options["id"])))
    await ws.wait_closed()


async def report(ws: Connection, options: Options) -> None:
    assert ws.request is not None
    headers = list(ws.request.headers.raw_items())
    await ws.send(json.dumps({"path": ws.request.path, "headers": headers, "subprotocol": ws.subprotocol}))
    await ws.wait_closed()


async def idle(ws: Connection, options: Options) -> None:
    idlers.add(ws)
    async with idlers_changed:
        idlers_changed.notify_all()
    await ws.wait_closed()
    idlers.discard(ws)


async def census(ws: Connection, options: Options) -> None:
    count = int(options["count"])
    async with idlers_changed:
        await idlers_changed.wait_for(lambda: len(idlers) >= count)
    pongs = await asyncio.gather(*[await idler.ping() for idler in idlers])
    for _ in range(int(options["pings"])):
        await asyncio.gather(*[idler.pings.get() for idler in idlers])
    await ws.send(f"{len(pongs)} pongs")
    await ws.wait_closed()


async def handle(ws: ServerConnection) -> None:
    assert isinstance(ws, Connection)
    assert ws.request is not None
    path, options = split(ws.request.path)
    try:
        await BEHAVIOURS[path](ws, options)
    except ConnectionClosed:
        pass


def refuse(ws: ServerConnection, request: Request) -> Response | None:
    path, options = split(request.path)
    if path != "/status":
        return None
    return ws.respond(int(options["code"]), options["body"])


def choose(ws: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return Subprotocol("chat") if "chat" in offered else None


def split(path: str) -> tuple[str, Options]:
    url = urllib.parse.urlsplit(path)
    return url.path, dict(urllib.parse.parse_qsl(url.query))


def note(key: str) -> asyncio.Future[Any]:
    return notes.setdefault(key, asyncio.get_running_loop().create_future())


async def main(certificate: str, path: str, path_for_tls: str) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate)
    options: dict[str, Any] = {
        "create_connection": Connection,
        # With a full queue it would not see the answer to its Close, and wait for it for ten seconds.
        "max_queue": None,
        "max_size": None,
        "ping_interval": None,
        "process_request": refuse,
        "select_subprotocol": choose,
    }
    servers = [
        await serve(handle, "127.0.0.1", 0, **options),
        await serve(handle, "127.0.0.1", 0, ssl=tls, **options),
        await unix_serve(handle, path, **options),
        await unix_serve(handle, path_for_tls, ssl=tls, **options),
    ]
    plain, secure = (server.sockets[0].getsockname()[1] for server in servers[:2])
    print(json.dumps({"ws": plain, "wss": secure}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    os._exit(0)  # without waiting for connections


BEHAVIOURS: dict[str, Callable[[Connection, Options], Awaitable[None]]] = {
    f"/{behaviour.__name__}": behaviour
    for behaviour in [echo, send, abort, ping, pings, watch, noted, report, idle, census]
}
notes: dict[str, asyncio.Future[Any]] = {}
idlers: set[Connection] = set()
idlers_changed = asyncio.Condition()

if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
