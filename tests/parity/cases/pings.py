"""Pings and pongs, ours and the server's, and keepalive."""

from __future__ import annotations

import threading
from typing import Any

from parity import case, each
from parity.script import PING, PONG, close, frame, text
from parity.server import Connection, deaf_to_pings, end, expect, silent, wait
from parity.session import Session


def pong(connection: Connection) -> None:
    """Answer a ping."""
    connection.answer_ping()


@case
def an_event(s: Session) -> object:
    ws = s.connect(expect, wait, frame(PONG, b"x"), text("then"))
    event = ws.ping(b"x")
    before = event.is_set()
    s.servers[0].go()
    return isinstance(event, threading.Event), before, event.wait(5), event.is_set(), ws.recv()


@case
def random_data(s: Session) -> object:
    ws = s.connect(pong, pong, text("then"))
    first, second = ws.ping(), ws.ping()
    return first.wait(5), second.wait(5), ws.recv()


@each(
    {
        "str": "caf\u00e9",
        "bytes": b"ab",
        "bytearray": bytearray(b"ab"),
        "memoryview": memoryview(b"ab"),
        "empty": b"",
        "empty str": "",
        "125 bytes": b"x" * 125,
    }
)
def data(s: Session, payload: Any) -> object:
    ws = s.connect(pong)
    return ws.ping(payload).wait(5)


@each({"126 bytes": b"x" * 126, "number": 1, "list": [b"a"], "surrogate": "\ud800"})
def wrong_data(s: Session, payload: Any) -> object:
    ws = s.connect()
    return s.attempt(ws.ping, payload), ws.state, s.attempt(ws.send, "after")


@case
def by_keyword(s: Session) -> object:
    return s.connect(pong).ping(data=b"x").wait(5)


@case
def the_same_data_twice(s: Session) -> object:
    ws = s.connect(expect)
    ws.ping(b"x")
    return s.attempt(ws.ping, b"x"), s.attempt(ws.ping, "x")


@case
def the_same_data_again_after_its_pong(s: Session) -> object:
    ws = s.connect(pong, pong)
    return ws.ping(b"x").wait(5), ws.ping(b"x").wait(5)


@case
def a_pong_for_a_later_ping(s: Session) -> object:
    ws = s.connect(expect, expect, expect, frame(PONG, b"2"), text("then"))
    events = [ws.ping(payload) for payload in (b"1", b"2", b"3")]
    ws.recv()
    return [event.is_set() for event in events]


@case
def a_pong_for_an_earlier_ping(s: Session) -> object:
    ws = s.connect(expect, expect, frame(PONG, b"1"), text("then"))
    events = [ws.ping(payload) for payload in (b"1", b"2")]
    ws.recv()
    return [event.is_set() for event in events]


@case
def a_pong_that_nobody_waits_for(s: Session) -> object:
    ws = s.connect(expect, frame(PONG, b"other"), frame(PONG), text("then"))
    event = ws.ping(b"x")
    ws.recv()
    return event.is_set()


@case
def a_pong_without_anybody_in_recv(s: Session) -> object:
    return s.connect(pong, text("unread")).ping(b"x").wait(5)


@case
def never_answered(s: Session) -> object:
    ws = s.connect(expect)
    event = ws.ping(b"x")
    return event.wait(0.1), event.is_set()


@each([False, True])
def closed_before_the_pong(s: Session, ack_on_close: bool) -> object:
    ws = s.connect(expect, close())
    event = ws.ping(b"x", ack_on_close=ack_on_close)
    ws.wait_closed()
    return event.wait(0.3), ws.state


@case
def cut_before_the_pong(s: Session) -> object:
    ws = s.connect(expect, end)
    event = ws.ping(b"x", ack_on_close=True)
    return event.wait(5), ws.wait_closed(5)


@case
def ack_on_close_by_position(s: Session) -> object:
    return s.attempt(s.connect().ping, b"x", True)


@case
def latency(s: Session) -> object:
    ws = s.connect(pong)
    before = ws.latency
    ws.ping().wait(5)
    return before, 0 < ws.latency < 5


@each({"nothing": b"", "text": b"hello", "125 bytes": b"x" * 125})
def of_the_server(s: Session, payload: bytes) -> object:
    return s.connect(frame(PING, payload), text("then")).recv()


@case
def of_the_server_without_anybody_in_recv(s: Session) -> object:
    def wait_for_pong(connection: Connection) -> None:
        connection.read_frame()
        connection.server.answered.set()

    ws = s.connect(frame(PING, b"x"), wait_for_pong)
    return s.servers[0].answered.wait(5), ws.state


@case
def of_the_server_in_order(s: Session) -> object:
    return s.connect(frame(PING, b"1"), frame(PING, b"2"), frame(PING, b"3"), text("then")).recv()


@case
def of_the_server_between_fragments(s: Session) -> object:
    return s.connect(frame(1, b"a", fin=False), frame(PING, b"x"), frame(0, b"b")).recv()


@each(
    {
        "126 bytes": frame(PING, b"x" * 126),
        "fragmented": frame(PING, b"x", fin=False),
        "reserved bit": frame(PING, b"x", rsv=0x40),
    }
)
def wrong_ping_of_the_server(s: Session, wrong: bytes) -> object:
    ws = s.connect(wrong)
    return s.attempt(ws.recv)


@each(
    {
        "nothing": (),
        "bytes": (b"x",),
        "str": ("caf\u00e9",),
        "bytearray": (bytearray(b"x"),),
        "number": (1,),
        "None": (None,),
        "126 bytes": (b"x" * 126,),
    }
)
def pong_of_ours(s: Session, arguments: tuple[Any, ...]) -> object:
    return s.attempt(s.connect().pong, *arguments)


@case
def pong_by_keyword(s: Session) -> object:
    return s.connect().pong(data=b"x")


@case
def keepalive(s: Session) -> object:
    ws = s.connect(pong, deaf_to_pings, text("then"), ping_interval=0.05)
    return ws.recv(), 0 < ws.latency < 5


@case
def keepalive_without_answer(s: Session) -> object:
    ws = s.connect(silent, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
    error: Any = s.attempt(ws.recv)
    return str(error), type(error).__name__, ws.state


@case
def keepalive_settings(s: Session) -> object:
    ws = s.connect(ping_interval=7, ping_timeout=8, close_timeout=9)
    return ws.ping_interval, ws.ping_timeout, ws.close_timeout


@case
def keepalive_without_time_out(s: Session) -> object:
    ws = s.connect(pong, pong, deaf_to_pings, text("then"), ping_interval=0.03, ping_timeout=None)
    return ws.recv()
