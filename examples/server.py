"""A server with a room in which everybody hears everybody, and two clients who meet there."""

import threading

from openline.sync.client import connect
from openline.sync.server import ServerConnection, broadcast, serve


def handler(websocket: ServerConnection) -> None:
    for message in websocket:
        broadcast(websocket.server.connections, message)


with serve(handler, "localhost", 0) as server:
    # A program that does nothing else calls `server.serve_forever()` right here.
    threading.Thread(target=server.serve_forever).start()
    host, port = server.socket.getsockname()[:2]
    with connect(f"ws://{host}:{port}") as alice, connect(f"ws://{host}:{port}") as bob:
        bob.send("I am here")
        print("bob hears:", bob.recv())
        alice.send("hello, everybody")
        print("bob hears:", bob.recv())
