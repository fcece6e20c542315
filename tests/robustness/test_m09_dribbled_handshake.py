"""The response to the handshake comes a byte every 0.3 s, with `open_timeout=2`.

`connect` ends after 2 s.

In Rust:
- open_timeout_is_one_deadline_over_a_dribbled_handshake
"""

from __future__ import annotations

import socket
import threading
import time

from http_server import accepted
from robustness.probes import Breaks, Client, ended, probe


def dribble(listener: socket.socket) -> None:
    connection, _ = listener.accept()
    with connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in accepted(connection.recv(4096).partition(b"\r\n\r\n")[0]):
            try:
                connection.sendall(bytes([byte]))
            except OSError:
                return
            time.sleep(0.3)


@probe
def test_connect(client: Client) -> str:
    """`connect`"""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=dribble, args=(listener,), daemon=True).start()
        uri = f"ws://127.0.0.1:{listener.getsockname()[1]}/"
        ending = ended(lambda: client.connect(uri, open_timeout=2), within=20)
        if ending.error is None or ending.seconds > 5:
            raise Breaks(str(ending))
        return str(ending)
