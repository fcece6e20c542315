"""Programs of their own: environment variables that are read at their start, and their end."""

from __future__ import annotations

from typing import Any

from parity import case, each
from parity.script import close, text
from parity.server import http
from parity.session import Session

ECHO = """
    import sys
    from websockets.sync.client import connect

    with connect(sys.argv[1], proxy=None, ping_interval=None) as ws:
        print(ws.recv())
"""

LOGGED = """
    import logging, sys
    from websockets.sync.client import connect

    logging.basicConfig(level=logging.DEBUG, format="%(name)s %(levelname)s %(message)s", stream=sys.stdout)
    with connect(sys.argv[1], proxy=None, ping_interval=None, compression=None) as ws:
        print(ws.recv()[:5])
"""


def result(ended: tuple[int, str, str], begin: str = "") -> Any:
    code, output, error = ended
    return code, [line for line in output.splitlines() if line.startswith(begin)], error


@case
def a_program(s: Session) -> object:
    return result(s.program(ECHO, s.server(text("hello")).uri))


@case
def user_agent(s: Session) -> object:
    return result(s.program(ECHO, s.server(text("hello")).uri, WEBSOCKETS_USER_AGENT="mine/1.0"))


@each(["1", "3"])
def redirects(s: Session, limit: str) -> object:
    server = s.server(text("hello"), response=http("302 Found", "", "Location: /next"))
    code, _, error = s.program(ECHO, server.uri, WEBSOCKETS_MAX_REDIRECTS=limit)
    return code, error.partition(",")[0]


@each(["20", "75", "9"])
def log_size(s: Session, size: str) -> object:
    server = s.server(text("0123456789" * 20))
    return result(s.program(LOGGED, server.uri, WEBSOCKETS_MAX_LOG_SIZE=size), "websockets.client DEBUG <")


@case
def log_of_the_root(s: Session) -> object:
    return result(s.program(LOGGED, s.server(text("hello")).uri), "websockets.client")


@case
def delays(s: Session) -> object:
    program = """
        from itertools import islice
        from websockets.client import backoff

        print(list(islice(backoff(), 5)))
    """
    variables = {"INITIAL_DELAY": "0", "MIN_DELAY": "1", "MAX_DELAY": "5", "FACTOR": "2"}
    return result(
        s.program(program, **{f"WEBSOCKETS_BACKOFF_{name}": text for name, text in variables.items()})
    )


@case
def an_error_that_nobody_catches(s: Session) -> object:
    return result(s.program(ECHO, s.server(close(4000, "why")).uri))


@case
def a_refused_handshake_that_nobody_catches(s: Session) -> object:
    return result(s.program(ECHO, s.server(response=http("401 Unauthorized", "no")).uri))


@case
def a_connection_that_is_never_closed(s: Session) -> object:
    program = """
        import sys
        from websockets.sync.client import connect

        ws = connect(sys.argv[1], legacy=True, proxy=None)
        print(ws.recv())
    """
    server = s.server(text("hello"))
    ended = s.program(program, server.uri)
    return result(ended)


@case
def closed_at_exit(s: Session) -> object:
    program = """
        import atexit, sys
        from websockets.sync.client import connect

        ws = connect(sys.argv[1], legacy=True, proxy=None)
        atexit.register(ws.close)
        print(ws.recv())
    """
    return result(s.program(program, s.server(text("hello")).uri))


@case
def a_thread_that_is_still_in_recv(s: Session) -> object:
    program = """
        import sys, threading
        from websockets.sync.client import connect

        ws = connect(sys.argv[1], legacy=True, proxy=None)
        print(ws.recv())
        threading.Thread(target=ws.recv, daemon=True).start()
    """
    return result(s.program(program, s.server(text("hello")).uri))


@case
def lazy_names(s: Session) -> object:
    program = """
        import websockets

        closed = websockets.ConnectionClosed
        print(closed is websockets.exceptions.ConnectionClosed)
        print(issubclass(websockets.ConnectionClosedOK, closed))
        print(websockets.State.OPEN is websockets.protocol.State.OPEN, websockets.Close(1000, ""))
    """
    return result(s.program(program))


@case
def everything_by_a_star(s: Session) -> object:
    program = """
        from websockets.sync.client import *
        print(sorted(name for name in dir() if "connect" in name.lower()))
    """
    return result(s.program(program))
