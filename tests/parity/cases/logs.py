"""What connections log."""

from __future__ import annotations

import logging
import threading
from typing import Any

from websockets.sync.client import connect, reconnect

from parity import case, each
from parity.script import BINARY, CLOSE, CONT, PING, PONG, TEXT, binary, close, frame, text
from parity.server import REFUSED, Connection, Response, end, expect, http, silent
from parity.session import Session


@case
def a_conversation(s: Session) -> object:
    ws = s.connect(expect, text("hello"), logger=s.logger)
    ws.send("hi")
    message = ws.recv()
    ws.close()
    return message


@case
def the_handshake(s: Session) -> object:
    ws = s.connect(
        response=Response(headers="X: y"),
        logger=s.logger,
        additional_headers={"Authorization": "Bearer token", "Cookie": "a=b"},
    )
    return ws.state


@each(
    {
        "403 with a body": http("403 Forbidden", "no", "X: y"),
        "500": http("500 Oops"),
        "nothing": REFUSED,
        "nonsense": b"nonsense\r\n\r\n",
        "wrong accept": Response(accept="x"),
        "redirect": http("302 Found", "", "Location: ftp://localhost/"),
    }
)
def a_failed_handshake(s: Session, response: Any) -> object:
    error = s.attempt(s.connect, response=response, logger=s.logger)
    # `websockets` closes its socket while a thread may be about to read from it, which logs that at times.
    s.records[:] = [record for record in s.records if record.getMessage() != "! error while receiving data"]
    return error


FRAMES = {
    "text": text("caf\u00e9"),
    "long text": text("0123456789" * 30),
    "binary": binary(bytes(range(10))),
    "long binary": binary(bytes(range(200))),
    "binary text": binary(b"hello"),
    "empty": text(""),
    "fragments": frame(TEXT, b"a", fin=False) + frame(CONT, b"\xc3", fin=False) + frame(CONT, b"\xa9"),
    "ping": frame(PING, b"x"),
    "pong": frame(PONG),
    "binary ping": frame(PING, b"\0\xff"),
    "very long": binary(b"x" * 100_000),
    "quotes": text("it's"),
}


@each(FRAMES)
def received_frame(s: Session, frames: bytes) -> object:
    ws = s.connect(frames, text("last"), logger=s.logger, compression=None)
    while ws.recv() != "last":
        pass
    return ws.state


SENT: dict[str, Any] = {
    "text": "caf\u00e9",
    "long text": "0123456789" * 30,
    "binary": bytes(range(10)),
    "long binary": bytes(range(200)),
    "fragments": ["a", "b"],
    "empty": "",
    "memoryview": memoryview(b"ab"),
}


@each(SENT)
def sent_frame(s: Session, message: Any) -> object:
    frames = len(message) + 1 if isinstance(message, list) else 1
    ws = s.connect(*[expect] * frames, text("last"), logger=s.logger, compression=None)
    ws.send(message)
    return ws.recv()


@case
def compressed_frames(s: Session) -> object:
    answer = frame(TEXT, bytes.fromhex("f248cdc9c90700"), rsv=0x40)
    deflate = Response(headers="Sec-WebSocket-Extensions: permessage-deflate")
    ws = s.connect(expect, answer, response=deflate, logger=s.logger)
    ws.send("hello " * 10)
    return ws.recv()


@each(
    {
        "1000": close(1000),
        "4000": close(4000, "why"),
        "no code": close(None),
        "end": end,
        "wrong code": frame(CLOSE, b"\0\0"),
        "wrong frame": frame(3),
        "not UTF-8": frame(TEXT, b"\xff"),
        "end within a frame": (frame(BINARY, b"abc")[:3]),
    }
)
def the_end(s: Session, last: Any) -> object:
    ws = s.connect(
        last, *([] if callable(last) or len(last) > 3 or last[:1] != b"\x82" else [end]), logger=s.logger
    )
    s.attempt(ws.recv)
    ws.wait_closed(5)
    return ws.state


@case
def a_close_without_answer(s: Session) -> object:
    ws = s.connect(silent, logger=s.logger, close_timeout=0.1)
    ws.close(1001, "bye")
    return ws.state


@case
def a_message_too_large(s: Session) -> object:
    ws = s.connect(text("0123456789"), logger=s.logger, max_size=5)
    s.attempt(ws.recv)
    return ws.state


@case
def pings_of_ours(s: Session) -> object:
    def pong(connection: Connection) -> None:
        connection.answer_ping()

    ws = s.connect(pong, text("then"), logger=s.logger)
    ws.ping(b"x")
    ws.recv()
    ws.pong(b"y")
    return ws.state


@case
def keepalive_that_fails(s: Session) -> object:
    ws = s.connect(logger=s.logger, ping_interval=0.05, ping_timeout=0.05)
    s.attempt(ws.recv)
    ws.wait_closed(5)
    levels = {record.getMessage() for record in s.records if record.levelno > logging.DEBUG}
    steps = [record.getMessage() for record in s.records if record.getMessage()[:1] in "%-"]
    s.records.clear()
    return levels, steps


@case
def keepalive_that_fails_where_nobody_answers(s: Session) -> object:
    ws = s.connect(silent, logger=s.logger, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
    s.attempt(ws.recv)
    ws.wait_closed(5)
    s.attempt(getattr(ws, "keepalive_thread", threading.Thread()).join)
    errors = [record.getMessage() for record in s.records if record.levelno > logging.DEBUG]
    s.records.clear()
    return errors


@case
def without_debug(s: Session) -> object:
    logger = s.logger
    logger.setLevel(logging.INFO)
    ws = s.connect(text("hello"), close(1000), logger=logger)
    return ws.recv(), s.attempt(ws.recv)


@case
def the_connection_of_a_failed_handshake(s: Session) -> object:
    """Adapters such as the one in the documentation of `websockets` look at it."""
    found: list[object] = []

    class Adapter(logging.LoggerAdapter):  # type: ignore[type-arg]
        def process(self, message: Any, kwargs: Any) -> Any:
            if "extra" in kwargs and not message.startswith("= connection is CONNECTING"):
                ws = kwargs["extra"]["websocket"]
                found.append([ws.id == ws.protocol.id, ws.response, ws.subprotocol, ws.logger is not None])
            return message, kwargs

    error = s.attempt(s.connect, response=http("403 Forbidden"), logger=Adapter(s.logger, {}))
    s.records.clear()  # which `a_failed_handshake` compares
    return error, found[0], len(found) > 3


@case
def an_adapter(s: Session) -> object:
    ws = s.connect(text("hello"), logger=logging.LoggerAdapter(s.logger, {"mine": 1}))
    message = ws.recv()
    ws.close()
    return message, any(hasattr(record, "mine") for record in s.records)


@case
def the_logger_of_a_connection(s: Session) -> object:
    ws = s.connect(logger=s.logger)
    ws.logger.warning("mine %d", 1)
    last = s.records[-1]
    same = last.websocket.id == ws.id if hasattr(last, "websocket") else None
    return type(ws.logger).__name__, ws.logger.logger is s.logger, same, last.name == s.logger.name


@case
def the_default_logger(s: Session) -> object:
    return s.connect().logger.logger.name


@case(alone=True)
def records_of_the_default_logger(s: Session) -> object:
    logger = logging.getLogger("websockets.client")
    records: list[str] = []

    class Keep(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(f"{record.name} {record.levelname} {record.getMessage().partition(':')[0]}")

    handler = Keep()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        ws = s.connect(text("hello"))
        ws.recv()
        ws.close()
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    return records


@case
def reconnecting(s: Session) -> object:
    server = s.server(text("hello"), responses=[http("503 Service Unavailable"), Response()])
    logger = s.logger
    logger.setLevel(logging.INFO)
    delays: Any = lambda: iter([0.01] * 5)  # noqa: E731
    for ws in reconnect(server.uri, proxy=None, logger=logger, reconnect_delays=delays):
        return ws.recv()
    return None


@case
def a_connection_that_cannot_be_made(s: Session) -> object:
    uri = f"ws://127.0.0.1:{s.refusing_port()}/"
    return s.attempt(connect, uri, proxy=None, logger=s.logger).__class__.__name__
