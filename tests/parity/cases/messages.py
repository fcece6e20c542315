"""Sending and receiving: types, fragments, iteration, time-outs, threads."""

from __future__ import annotations

import array
import collections
import threading
from collections.abc import Callable
from typing import Any

from parity import case, each
from parity.script import BINARY, CONT, TEXT, binary, close, frame, text
from parity.server import Response, end, expect, wait
from parity.session import Session

DEFLATE = Response(headers="Sec-WebSocket-Extensions: permessage-deflate")


# Receiving.


@each(
    {
        "text": text("hello"),
        "empty text": text(""),
        "binary": binary(b"\0\xff"),
        "empty binary": binary(b""),
        "beyond ASCII": text("caf\u00e9 \U0001f600"),
        "126 bytes": text("a" * 126),
        "65536 bytes": binary(b"a" * 65536),
    }
)
def received(s: Session, data: bytes) -> object:
    message = s.connect(data).recv()
    return type(message).__name__, len(message), message[:20]


@each(
    {
        "text, None": (text("hi"), None),
        "text, True": (text("hi"), True),
        "text, False": (text("hi"), False),
        "binary, None": (binary(b"hi"), None),
        "binary, True": (binary(b"hi"), True),
        "binary, False": (binary(b"hi"), False),
        "not UTF-8, True": (binary(b"\xff"), True),
        "bad text, False": (frame(TEXT, b"\xff"), False),
    }
)
def decoded(s: Session, pair: tuple[bytes, bool | None]) -> object:
    return s.connect(pair[0]).recv(decode=pair[1])


@case
def decode_by_position(s: Session) -> object:
    return s.connect(text("hi")).recv(1, False)


@case
def several_in_order(s: Session) -> object:
    ws = s.connect(text("a"), binary(b"b"), text("c"))
    return [ws.recv() for _ in range(3)]


@case
def fragments_become_one(s: Session) -> object:
    return s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b", fin=False), frame(CONT, b"c")).recv()


@case
def fragments_within_a_character(s: Session) -> object:
    return s.connect(frame(TEXT, b"caf\xc3", fin=False), frame(CONT, b"\xa9")).recv()


@case
def empty_fragments(s: Session) -> object:
    return s.connect(frame(BINARY, b"", fin=False), frame(CONT, b"", fin=False), frame(CONT, b"x")).recv()


@each([0, 0.05, -1])
def time_out(s: Session, timeout: float) -> object:
    ws = s.connect()
    return s.attempt(ws.recv, timeout=timeout)


@case
def time_out_by_position(s: Session) -> object:
    return s.connect().recv(0.01)


@case
def time_out_then_a_message(s: Session) -> object:
    ws = s.connect(wait, text("late"))
    server = s.servers[0]
    error = s.attempt(ws.recv, timeout=0.05)
    server.go()
    return error, ws.recv(timeout=5)


@case
def time_out_between_fragments(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"a", fin=False), wait, frame(CONT, b"b"))
    error = s.attempt(ws.recv, timeout=0.1)
    s.servers[0].go()
    return error, ws.recv(timeout=5)


@case
def messages_before_a_close_come_first(s: Session) -> object:
    ws = s.connect(text("a"), text("b"), close(1001, "bye"))
    return ws.recv(), ws.recv(), s.attempt(ws.recv), s.attempt(ws.recv)


@case
def messages_before_an_end_come_first(s: Session) -> object:
    ws = s.connect(text("a"), end)
    return ws.recv(), s.attempt(ws.recv)


@case
def two_in_recv(s: Session) -> object:
    ws = s.connect(expect, wait, text("done"))
    outcome: list[object] = []

    def receive() -> None:
        while isinstance(message := s.attempt(ws.recv), RuntimeError):
            pass  # the other was first
        outcome.append(message)

    receiving = threading.Thread(target=receive)
    receiving.start()
    ws.send("go")
    while not isinstance(error := s.attempt(ws.recv, timeout=0), RuntimeError):
        pass  # it is not in `recv` yet
    s.servers[0].go()
    receiving.join()
    return error, outcome


@case
def send_while_another_receives(s: Session) -> object:
    ws = s.connect(expect, text("answer"))
    outcome: list[object] = []
    receiving = threading.Thread(target=lambda: outcome.append(ws.recv()))
    receiving.start()
    ws.send("question")
    receiving.join()
    return outcome


@case
def close_while_another_receives(s: Session) -> object:
    ws = s.connect()
    outcome: list[object] = []
    receiving = threading.Thread(target=lambda: outcome.append(s.attempt(ws.recv)))
    receiving.start()
    ws.close()
    receiving.join()
    return outcome


# Streaming.


@case
def streamed_text(s: Session) -> object:
    ws = s.connect(
        frame(TEXT, b"caf\xc3", fin=False), frame(CONT, b"\xa9!", fin=False), frame(CONT, b""), text("x")
    )
    return list(ws.recv_streaming()), ws.recv()


@case
def streamed_binary(s: Session) -> object:
    return list(s.connect(frame(BINARY, b"a", fin=False), frame(CONT, b"b")).recv_streaming())


@case
def streamed_without_decoding(s: Session) -> object:
    return list(s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b")).recv_streaming(decode=False))


@case
def streamed_with_decoding(s: Session) -> object:
    return list(s.connect(frame(BINARY, b"a", fin=False), frame(CONT, b"b")).recv_streaming(decode=True))


@case
def streamed_single_frame(s: Session) -> object:
    return list(s.connect(text("all")).recv_streaming())


@case
def streamed_not_utf_8(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"ok", fin=False), frame(CONT, b"\xff"))
    stream = ws.recv_streaming()
    return next(stream), s.attempt(next, stream)


@case
def streaming_left_half_way(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b"), text("c"))
    stream = ws.recv_streaming()
    first = next(stream)
    error = s.attempt(ws.recv, timeout=1)
    del stream
    return first, error


@case
def streaming_given_up_before_it_starts(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b"), text("c"))
    stream = ws.recv_streaming()
    stream.close()
    return ws.recv()


@case
def streaming_given_up_half_way(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"a", fin=False), frame(CONT, b"b"), text("c"))
    stream = ws.recv_streaming()
    next(stream)
    stream.close()
    return s.attempt(ws.recv, timeout=5)


@case
def streaming_until_a_close(s: Session) -> object:
    ws = s.connect(frame(TEXT, b"a", fin=False), end)
    stream = ws.recv_streaming()
    return next(stream), s.attempt(next, stream)


@case
def streaming_after_a_close(s: Session) -> object:
    ws = s.connect(close())
    return s.attempt(list, ws.recv_streaming())


# Iteration.


@each(
    {
        "1000": close(1000),
        "1001": close(1001, "bye"),
        "no code": close(None),
        "4000": close(4000, "why"),
        "1011": close(1011),
        "end": end,
    }
)
def iteration(s: Session, last: Any) -> object:
    ws = s.connect(text("a"), binary(b"b"), last)
    messages: list[object] = []

    def loop() -> None:
        for message in ws:
            messages.append(message)

    error = s.attempt(loop)
    return messages, error, ws.close_code, ws.close_reason


@case
def iteration_left_and_resumed(s: Session) -> object:
    ws = s.connect(text("a"), text("b"), text("c"))
    first = []
    for message in ws:
        first.append(message)
        break
    return first, ws.recv(), next(iter(ws))


@case
def an_iterator_of_messages(s: Session) -> object:
    ws = s.connect(text("a"), close())
    messages = iter(ws)
    return next(messages), next(messages, "over"), next(messages, "over")


@case
def next_of_the_connection(s: Session) -> object:
    return next(s.connect(text("a")))


# Sending.

SENT: dict[str, Any] = {
    "str": "hello",
    "empty str": "",
    "beyond ASCII": "caf\u00e9 \U0001f600",
    "bytes": b"\0\xff",
    "empty bytes": b"",
    "bytearray": bytearray(b"ab"),
    "memoryview": memoryview(b"ab"),
    "part of a memoryview": memoryview(b"abcdef")[1:3],
    "strided memoryview": memoryview(b"abcdef")[::2],
    "array": array.array("H", [1, 2]),
    "list of str": ["a", "b"],
    "list of bytes": [b"a", bytearray(b"b"), memoryview(b"c")],
    "tuple": ("a",),
    "generator": (part for part in ["a", "b", "c"]),
    "empty list": [],
    "list of empty": [""],
    "mixed": ["a", b"b"],
    "mixed the other way": [b"a", "b"],
    "numbers": [1, 2],
    "number later": ["a", 2],
    "number": 1,
    "None": None,
    "dict": {"a": 1},
    "OrderedDict": collections.OrderedDict(a=1),
    "dict keys": {"a": 1, "b": 2}.keys(),
    "lone surrogate": "\ud800",
    "str of 126": "a" * 126,
    "bytes of 65536": b"a" * 65536,
    "str subclass": type("Mine", (str,), {})("mine"),
}


@each(SENT)
def sent(s: Session, message: Any) -> object:
    ws = s.connect()
    outcome = s.attempt(ws.send, message)
    return outcome, ws.state, s.attempt(ws.send, "after")


@each(
    {
        "str as binary": ("hi", False),
        "bytes as text": (b"hi", True),
        "str as text": ("hi", True),
        "bytes as binary": (b"hi", False),
        "not UTF-8 as text": (b"\xff", True),
        "fragments as text": ([b"a", b"b"], True),
        "fragments as binary": (["a", "b"], False),
    }
)
def sent_as(s: Session, pair: tuple[Any, bool]) -> object:
    ws = s.connect()
    return s.attempt(ws.send, pair[0], text=pair[1])


@case
def text_by_position(s: Session) -> object:
    return s.attempt(s.connect().send, b"hi", True)


@case
def an_iterator_that_raises(s: Session) -> object:
    def parts() -> Any:
        yield "a"
        raise ValueError("no more")

    ws = s.connect()
    return s.attempt(ws.send, parts()), s.attempt(ws.send, "after")


@case
def an_iterator_that_raises_at_once(s: Session) -> object:
    def parts() -> Any:
        raise ValueError("none")
        yield "a"

    ws = s.connect()
    return s.attempt(ws.send, parts()), s.attempt(ws.send, "after")


@case
def an_iterator_that_sends(s: Session) -> object:
    ws = s.connect()

    def parts() -> Any:
        yield "a"
        yield repr(s.attempt(ws.send, "b"))

    return s.attempt(ws.send, parts()), s.attempt(ws.send, "after")


@case
def a_ping_between_fragments(s: Session) -> object:
    ws = s.connect()

    def parts() -> Any:
        yield "a"
        ws.ping(b"between")
        yield "b"

    ws.send(parts())
    return ws.state


@case
def an_iterator_that_closes(s: Session) -> object:
    ws = s.connect()

    def parts() -> Any:
        yield "a"
        ws.close()
        yield "b"

    return s.attempt(ws.send, parts()), ws.state


CLOSED: dict[str, Callable[[Any], object]] = {
    "send": lambda ws: ws.send("x"),
    "send nothing": lambda ws: ws.send([]),
    "send a number": lambda ws: ws.send(1),
    "send fragments": lambda ws: ws.send(["x", "y"]),
    "recv": lambda ws: ws.recv(),
    "recv with a time-out": lambda ws: ws.recv(timeout=0),
    "recv_streaming": lambda ws: list(ws.recv_streaming()),
    "ping": lambda ws: ws.ping(),
    "pong": lambda ws: ws.pong(),
    "close": lambda ws: ws.close(),
    "close with a wrong code": lambda ws: ws.close(1),
    "iteration": list,
    "wait_closed": lambda ws: ws.wait_closed(),
    "state": lambda ws: ws.state,
    "repr is a str": lambda ws: isinstance(repr(ws), str),
}


@each(CLOSED)
def once_closed(s: Session, use: Callable[[Any], object]) -> object:
    ws = s.connect()
    ws.close(1001, "bye")
    return use(ws)


@each(["send", "recv", "ping", "pong", "iteration", "close"])
def once_closed_badly(s: Session, use: str) -> object:
    ws = s.connect(close(4000, "go away"))
    ws.wait_closed()
    return CLOSED[use](ws)


@each(["send", "recv", "ping", "pong"])
def once_cut(s: Session, use: str) -> object:
    ws = s.connect(end)
    ws.wait_closed()
    return CLOSED[use](ws)


# Compression.


@each(
    {
        "short": "hello",
        "long": "hello " * 100,
        "empty": "",
        "bytes": b"hello " * 100,
        "fragments": ["hello " * 50] * 3,
    }
)
def compressed(s: Session, message: Any) -> object:
    ws = s.connect(response=DEFLATE)
    ws.send(message)
    ws.send(message)
    return ws.state


@case
def received_compressed(s: Session) -> object:
    hello = bytes.fromhex("f248cdc9c90700")  # RFC 7692 §7.2.3.1
    ws = s.connect(
        frame(TEXT, hello, rsv=0x40), frame(TEXT, hello, rsv=0x40), text("plain"), response=DEFLATE
    )
    return ws.recv(), ws.recv(), ws.recv()


@case
def received_compressed_fragments(s: Session) -> object:
    first, second = (
        frame(TEXT, bytes.fromhex("f248cd"), rsv=0x40, fin=False),
        frame(CONT, bytes.fromhex("c9c90700")),
    )
    return s.connect(first, second, response=DEFLATE).recv()


@case
def received_compressed_nonsense(s: Session) -> object:
    return s.attempt(s.connect(frame(TEXT, b"\xff\xff\xff", rsv=0x40), response=DEFLATE).recv)


@case
def large_messages(s: Session) -> object:
    ws = s.connect(binary(b"x" * 5_000_000), expect, max_size=None, compression=None)
    message = ws.recv()
    ws.send(message)
    return len(message), type(message).__name__
