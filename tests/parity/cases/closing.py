"""The end of connections: who closes first, codes and reasons, time-outs, ends without a Close."""

from __future__ import annotations

import threading
from typing import Any

from websockets.frames import CloseCode

from parity import case, each
from parity.script import CLOSE, CONT, TEXT, close, frame, text
from parity.server import Step, end, expect, reset, silent, wait
from parity.session import Session


def ended(ws: Any) -> object:
    return ws.state, ws.close_code, ws.close_reason


def closed(s: Session, ws: Any) -> object:
    """How the connection ended, seen by `recv` and by its attributes."""
    error = s.attempt(ws.recv)
    return error, ended(ws)


@case
def by_us(s: Session) -> object:
    ws = s.connect()
    return ws.close(), ended(ws), s.attempt(ws.recv)


@case
def open_connection(s: Session) -> object:
    return ended(s.connect())


@each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999])
def by_us_with_code(s: Session, code: int) -> object:
    ws = s.connect()
    ws.close(code, "why")
    return closed(s, ws)


@each([0, 1, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, -1])
def by_us_with_wrong_code(s: Session, code: int) -> object:
    ws = s.connect()
    return s.attempt(ws.close, code), ws.state


@each({"str": "4000", "None": None, "float": 1000.0, "bool": True})
def by_us_with_a_code_of_another_type(s: Session, code: Any) -> object:
    ws = s.connect()
    return type(s.attempt(ws.close, code)).__name__, ws.state


@each({"bytes": b"bye", "None": None, "number": 1})
def by_us_with_a_reason_of_another_type(s: Session, reason: Any) -> object:
    ws = s.connect()
    return type(s.attempt(ws.close, 1000, reason)).__name__, ws.state


@each({"empty": "", "UTF-8": "caf\u00e9 \U0001f600", "123 bytes": "x" * 123, "surrogate": "\ud800"})
def by_us_with_reason(s: Session, reason: str) -> object:
    ws = s.connect()
    return s.attempt(ws.close, 1000, reason), ws.state


@each({"124 bytes": "x" * 124, "124 bytes of UTF-8": "\u00e9" * 62})
def by_us_with_a_long_reason(s: Session, reason: str) -> object:
    ws = s.connect()
    return s.attempt(ws.close, 1000, reason), ws.state


@case
def by_us_by_keywords(s: Session) -> object:
    ws = s.connect()
    ws.close(code=4000, reason="why")
    return closed(s, ws)


@case
def by_us_with_an_enumeration(s: Session) -> object:
    ws = s.connect()
    ws.close(CloseCode.GOING_AWAY)
    return closed(s, ws)


@case
def twice(s: Session) -> object:
    ws = s.connect()
    ws.close(4000)
    ws.close(4001)
    return closed(s, ws)


@case
def from_two_threads(s: Session) -> object:
    ws = s.connect()
    threads = [threading.Thread(target=ws.close) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ended(ws)


@each([1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4401, 4999])
def by_the_server_with_code(s: Session, code: int) -> object:
    return closed(s, s.connect(close(code, "why")))


@each([0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535])
def by_the_server_with_wrong_code(s: Session, code: int) -> object:
    return closed(s, s.connect(close(code)))


@each(
    {
        "no code": close(None),
        "no reason": close(1000),
        "UTF-8": close(1000, "caf\u00e9"),
        "one byte": frame(CLOSE, b"\x03"),
        "not UTF-8": frame(CLOSE, b"\x03\xe8\xff"),
        "wrong code, not UTF-8": frame(CLOSE, b"\x00\x01\xff"),
        "fragmented": frame(CLOSE, b"\x03\xe8", fin=False),
        "126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
        "123 bytes": close(1000, "x" * 123),
    }
)
def by_the_server(s: Session, last: bytes) -> object:
    return closed(s, s.connect(last))


@case
def by_the_server_with_another_code_than_ours(s: Session) -> object:
    def answer(connection: Any) -> None:
        connection.silent = True
        connection.read_frame()
        connection.socket.sendall(close(4001, "mine"))
        end(connection)

    ws = s.connect(answer)
    ws.close(1000, "yours")
    return closed(s, ws)


@case
def by_the_server_between_fragments(s: Session) -> object:
    return closed(s, s.connect(frame(TEXT, b"a", fin=False), close(1000)))


@case
def data_behind_a_close(s: Session) -> object:
    ws = s.connect(text("before"), close(1000), text("behind"))
    return ws.recv(), closed(s, ws)


@case
def two_closes(s: Session) -> object:
    return closed(s, s.connect(close(1000, "first"), close(1001, "second")))


@case
def messages_while_we_close(s: Session) -> object:
    def answer(connection: Any) -> None:
        connection.silent = True
        connection.read_frame()
        connection.socket.sendall(text("late") + close(1000))
        end(connection)

    ws = s.connect(answer)
    ws.close()
    return s.attempt(ws.recv), closed(s, ws)


@each({"end": end, "reset": reset})
def without_a_close(s: Session, cut: Step) -> object:
    ws = s.connect(text("a"), expect, cut)
    message = ws.recv()
    ws.send("go")
    error: Any = s.attempt(ws.recv)
    return message, str(error), type(error).__name__, type(error.__cause__).__name__, ended(ws)


@case
def end_within_a_frame(s: Session) -> object:
    return closed(s, s.connect(text("abcdef")[:4], end))


@case
def end_within_a_message(s: Session) -> object:
    return closed(s, s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b", fin=False), end))


@case
def end_while_we_close(s: Session) -> object:
    def cut(connection: Any) -> None:
        connection.silent = True
        connection.read_frame()
        end(connection)

    ws = s.connect(cut)
    ws.close()
    return closed(s, ws)


@case
def close_time_out(s: Session) -> object:
    ws = s.connect(silent, close_timeout=0.1)
    ws.close()
    return closed(s, ws)


@case
def close_time_out_of_zero(s: Session) -> object:
    ws = s.connect(silent, close_timeout=0)
    ws.close()
    s.servers[0].connections.clear()  # the Close may be cut off, or not
    return ended(ws)


@case
def close_time_out_assigned(s: Session) -> object:
    ws = s.connect(silent, close_timeout=60)
    ws.close_timeout = 0.1
    ws.close()
    return ws.close_timeout, closed(s, ws)


@case
def close_time_out_after_their_close(s: Session) -> object:
    def hold(connection: Any) -> None:
        connection.silent = True
        connection.read_frame()

    ws = s.connect(close(4000), hold, wait, close_timeout=0.1)
    error = s.attempt(ws.recv, timeout=1)
    s.servers[0].go()
    return error, closed(s, ws)


@each({"open": None, "after a close": close()})
def wait_closed(s: Session, last: bytes | None) -> object:
    ws = s.connect(*([last] if last else []))
    return ws.wait_closed(0.2 if last is None else 5), ws.state


@case
def wait_closed_without_time_out(s: Session) -> object:
    ws = s.connect(close())
    return ws.wait_closed(), ended(ws)


@case
def wait_closed_of_zero(s: Session) -> object:
    ws = s.connect()
    before = ws.wait_closed(timeout=0)
    ws.close()
    return before, ws.wait_closed(timeout=0)


@case
def leaving_the_context(s: Session) -> object:
    with s.connect() as ws:
        pass
    return ended(ws)


@each({"ValueError": ValueError("mine"), "StopIteration": StopIteration("mine")})
def leaving_the_context_with(s: Session, error: Exception) -> object:
    ws = s.connect()

    def body() -> None:
        with ws:
            raise error

    return s.attempt(body), ended(ws)


@case
def leaving_the_context_by_a_close_of_theirs(s: Session) -> object:
    ws = s.connect(close(4000, "why"))

    def body() -> None:
        with ws:
            ws.recv()

    return s.attempt(body), ended(ws)


@case
def leaving_the_context_once_closed(s: Session) -> object:
    with s.connect() as ws:
        ws.close(4000)
    return ended(ws)


@case
def contextlib_closing(s: Session) -> object:
    import contextlib

    with contextlib.closing(s.connect(text("a"))) as ws:
        message = ws.recv()
    return message, ended(ws)


@case
def enter_and_exit_by_hand(s: Session) -> object:
    manager = s.connect(text("a"))
    ws = manager.__enter__()
    message = ws.recv()
    return message, manager.__exit__(None, None, None), ended(ws), ws is manager


@case
def addresses_once_closed(s: Session) -> object:
    ws = s.connect()
    before = ws.remote_address == ws.socket.getpeername()
    ws.close()
    return before, type(s.attempt(lambda: ws.remote_address)).__name__


@case
def codes_as_objects(s: Session) -> object:
    ws = s.connect()
    ws.close()
    error: Any = s.attempt(ws.recv)
    codes = [error.sent.code, error.rcvd.code, ws.close_code]
    return [type(code).__name__ for code in codes], codes == [CloseCode.NORMAL_CLOSURE] * 3
