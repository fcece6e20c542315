"""The servers of Python packages that `bench/load.py` measures.

python bench/python_server.py NAME

It says in one line of JSON on which port of 127.0.0.1 it listens, and ends with its standard input. `/echo` sends back
what comes; `/broadcast` greets, and sends a message of 1 KiB to all clients of that path for each that comes. Pings go out each
five seconds; compression is left as it is by default.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import threading
from collections.abc import Callable
from typing import Any

NEWS = "x" * 1024
OPTIONS: dict[str, Any] = {"ping_interval": 5, "ping_timeout": 20}


def say(port: int) -> None:
    print(json.dumps({"port": port}), flush=True)


def end_with_standard_input() -> None:
    sys.stdin.read()
    os._exit(0)  # without the goodbyes to thousands of clients


def run_openline() -> None:
    from openline.sync.server import broadcast, serve

    run_blocking(serve, broadcast)


def run_websockets() -> None:
    from websockets.sync.server import broadcast, serve

    run_blocking(serve, broadcast)


def run_blocking(serve: Callable[..., Any], broadcast: Callable[..., None]) -> None:
    everybody: set[Any] = set()

    def handler(websocket: Any) -> None:
        if websocket.request.path == "/echo":
            for message in websocket:
                websocket.send(message)
            return
        everybody.add(websocket)
        websocket.send("ready")
        for _ in websocket:
            broadcast(everybody, NEWS)

    with serve(handler, "127.0.0.1", 0, backlog=1024, **OPTIONS) as server:
        say(server.socket.getsockname()[1])
        threading.Thread(target=end_with_standard_input, daemon=True).start()
        server.serve_forever()


def run_asyncio() -> None:
    from websockets.asyncio.server import broadcast, serve

    uvloop: Any = importlib.import_module("uvloop")  # which is installed for benchmarks only

    everybody: set[Any] = set()

    async def handler(websocket: Any) -> None:
        if websocket.request.path == "/echo":
            async for message in websocket:
                await websocket.send(message)
            return
        everybody.add(websocket)
        await websocket.send("ready")
        async for _ in websocket:
            broadcast(everybody, NEWS)

    async def main() -> None:
        async with serve(handler, "127.0.0.1", 0, backlog=1024, **OPTIONS) as server:
            say(next(iter(server.sockets)).getsockname()[1])
            threading.Thread(target=end_with_standard_input, daemon=True).start()
            await server.serve_forever()

    uvloop.run(main())


SERVERS = {
    "openline": run_openline,
    "websockets": run_websockets,
    "websockets, asyncio, uvloop": run_asyncio,
}

if __name__ == "__main__":
    SERVERS[sys.argv[1]]()
