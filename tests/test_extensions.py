"""Extensions written in Python, alone and beside compression."""

from __future__ import annotations

import dataclasses
import gc
import signal
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from openline.exceptions import (
    ConcurrencyError,
    ConnectionClosedError,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
)
from openline.extensions.base import ClientExtensionFactory, Extension
from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from openline.frames import CTRL_OPCODES, Frame, Opcode
from openline.sync.client import connect
from openline.typing import ExtensionName, ExtensionParameter

from peer import RSV1, RSV2, RSV3, Peer, close, frame, text, wait_until

LONG = "hello " * 50


class Factory(ClientExtensionFactory):
    """Offers an extension that is made by a function."""

    def __init__(self, make: Callable[[], Any], name: str = "x-test", **params: str | None) -> None:
        self.name = ExtensionName(name)
        self.make = make
        self.params = params
        self.answers: list[tuple[Sequence[ExtensionParameter], Sequence[Extension]]] = []

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        return list(self.params.items())

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        self.answers.append((params, accepted_extensions))
        made: Extension = self.make()
        return made


class Marked(Extension):
    """Marks all frames with RSV2, and keeps those it saw."""

    name = ExtensionName("x-test")

    def __init__(self) -> None:
        self.seen: list[tuple[str, Frame, int | None]] = []

    def encode(self, frame: Frame) -> Frame:
        self.seen.append(("encode", frame, None))
        assert not frame.rsv2
        return dataclasses.replace(frame, rsv2=True)

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        self.seen.append(("decode", frame, max_size))
        if not frame.rsv2:
            raise ProtocolError("not marked")
        return dataclasses.replace(frame, rsv2=False)


class Plain(Extension):
    """Does nothing, but for what a test replaces."""

    name = ExtensionName("x-test")

    def encode(self, frame: Frame) -> Frame:
        return frame

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return frame


def extended(answer: str = "x-test") -> Peer:
    return Peer(extensions=answer)


def with_methods(**methods: Any) -> Factory:
    return Factory(lambda: type("Made", (Plain,), methods)())


def test_negotiation() -> None:
    factory = Factory(Marked, a=None, b="1")
    deflate = ClientPerMessageDeflateFactory()
    with extended("permessage-deflate, x-test; c=2; d") as peer:
        with peer.connect(extensions=[factory, deflate]) as ws:
            offered = ws.request.headers["Sec-WebSocket-Extensions"]
            assert offered == "x-test; a; b=1, permessage-deflate; client_max_window_bits"
            ((params, accepted),) = factory.answers
            assert params == [("c", "2"), ("d", None)]
            assert [type(extension) for extension in accepted] == [PerMessageDeflate]
            assert [type(extension) for extension in ws.extensions] == [PerMessageDeflate, Marked]


def test_frames_in_both_directions() -> None:
    marked = Marked()
    with extended() as peer, peer.connect(extensions=[Factory(lambda: marked)], compression=None) as ws:
        ws.send("hello")
        assert peer.expect() == (0x80 | RSV2 | Opcode.TEXT, b"hello")
        ws.send([b"a", b"b"])
        expected = [(RSV2 | Opcode.BINARY, b"a"), (RSV2, b"b"), (0x80 | RSV2, b"")]
        assert [peer.expect() for _ in range(3)] == expected
        peer.send(frame(Opcode.TEXT, "Ünï".encode(), fin=False, rsv=RSV2), frame(0, b"x", rsv=RSV2))
        assert ws.recv() == "Ünïx"
        peer.send(frame(Opcode.PING, b"p", rsv=RSV2))
        assert peer.expect() == (0x80 | RSV2 | Opcode.PONG, b"p")
        threading.Thread(
            target=lambda: peer.send(frame(Opcode.PONG, peer.expect()[1], rsv=RSV2))
        ).start()
        assert ws.ping(timeout=10) > 0
        peer.send(frame(Opcode.CLOSE, close()[2:], rsv=RSV2))
        assert ws.wait_closed(10)
        assert ws.close_code == 1000
        assert peer.expect()[0] == 0x80 | RSV2 | Opcode.CLOSE
    limits = [max_size for which, _, max_size in marked.seen if which == "decode"]
    assert limits == [2**20, 2**20 - 5, None, None, None]
    frames = [seen for which, seen, _ in marked.seen if which == "decode"]
    assert all(type(seen.data) is bytes and isinstance(seen.opcode, Opcode) for seen in frames)


@pytest.mark.parametrize("answer", ["x-test, permessage-deflate", "permessage-deflate, x-test"])
def test_beside_compression_in_any_order(answer: str) -> None:
    class Seal(Plain):
        def encode(self, frame: Frame) -> Frame:
            if frame.opcode in CTRL_OPCODES:
                return frame
            return dataclasses.replace(frame, data=bytes(frame.data) + b"<", rsv3=True)

        def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
            if frame.opcode in CTRL_OPCODES:
                return frame
            assert frame.rsv3 and bytes(frame.data[-1:]) == b"<"
            return dataclasses.replace(frame, data=frame.data[:-1], rsv3=False)

    theirs = PerMessageDeflate(False, False, 15, 15)
    sealed_first = answer.startswith("x-test")
    with extended(answer) as peer, peer.connect(extensions=[Factory(Seal)]) as ws:
        for message in [LONG, "short", LONG, ""]:
            ws.send(message)
            first, payload = peer.expect()
            assert first & RSV3
            assert bool(first & RSV1) == (len(message) >= 32)
            if not sealed_first:
                assert payload.endswith(b"<")
                payload = payload[:-1]
            got = theirs.decode(Frame(Opcode.TEXT, payload, rsv1=bool(first & RSV1)))
            assert bytes(got.data).decode() == message + ("<" if sealed_first else "")
            # And back, as the server would send it.
            data = message.encode() + (b"<" if sealed_first else b"")
            data = bytes(theirs.encode(Frame(Opcode.TEXT, data)).data) + (b"" if sealed_first else b"<")
            peer.send(frame(Opcode.TEXT, data, rsv=RSV1 | RSV3))
            assert ws.recv() == message


def test_large_messages_come_whole() -> None:
    marked = Marked()
    payload = bytes(range(256)) * 2000
    with extended() as peer, peer.connect(extensions=[Factory(lambda: marked)], compression=None) as ws:
        peer.send(frame(Opcode.BINARY, payload, rsv=RSV2))
        assert ws.recv() == payload
        ws.send(payload)
        assert peer.expect_fast() == (0x80 | RSV2 | Opcode.BINARY, len(payload))
    assert [len(seen.data) for _, seen, _ in marked.seen[:2]] == [len(payload)] * 2


def test_the_thread_of_openline_decodes_while_nobody_receives() -> None:
    threads = []

    class Noting(Plain):
        def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
            threads.append(threading.get_ident())
            return frame

    with extended() as peer, peer.connect(extensions=[Factory(Noting)]) as ws:
        peer.send(frame(Opcode.PING, b"x"))
        assert peer.expect() == (0x80 | Opcode.PONG, b"x")  # while this thread was here
        assert threads and threading.get_ident() not in threads
        peer.send(text("hello"))
        assert ws.recv() == "hello"


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        (ProtocolError("wrong seal"), 1002, "wrong seal"),
        (PayloadTooBig(None, 5), 1009, "frame exceeds limit of 5 bytes"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "wrong"), 1007, None),
        (KeyError("oops"), 1011, "an extension failed"),
    ],
)
def test_what_decode_raises(error: Exception, code: int, reason: str | None) -> None:
    def decode(self: Any, frame: Frame, *, max_size: int | None = None) -> Frame:
        raise error

    with extended() as peer, peer.connect(extensions=[with_methods(decode=decode)]) as ws:
        peer.send(text("x"))
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(timeout=10)
        assert caught.value.__cause__ is error
        assert caught.value.sent is not None and caught.value.sent.code == code
        assert reason is None or caught.value.sent.reason == reason


def test_what_encode_raises_is_raised_by_send_and_nothing_is_sent() -> None:
    def encode(self: Any, frame: Frame) -> Frame:
        if frame.data == b"bad":
            raise KeyError("oops")
        return frame

    with extended() as peer, peer.connect(extensions=[with_methods(encode=encode)]) as ws:
        with pytest.raises(KeyError, match="oops"):
            ws.send(b"bad")
        with pytest.raises(KeyError, match="oops"):
            ws.send_many([b"good", b"bad", b"never"])
        ws.send(b"after")
        assert [peer.expect()[1] for _ in range(2)] == [b"good", b"after"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"fin": False}, "changed the opcode or the end"),
        ({"opcode": Opcode.BINARY}, "changed the opcode or the end"),
        ({"rsv1": True}, "reserved bits must be 0"),
        ({"data": b"\xff"}, "invalid UTF-8"),
        ({"data": b"x" * 11}, "more than max_size of 10 bytes"),
    ],
)
def test_what_decode_leaves_is_judged(change: dict[str, Any], words: str) -> None:
    def decode(self: Any, frame: Frame, *, max_size: int | None = None) -> Frame:
        return dataclasses.replace(frame, **change)

    with extended() as peer, peer.connect(extensions=[with_methods(decode=decode)], max_size=10) as ws:
        peer.send(text("x"))
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(timeout=10)
        assert words in str(caught.value.__cause__)


@pytest.mark.parametrize("made", [None, object(), "frame"])
def test_what_is_not_a_frame(made: Any) -> None:
    def encode(self: Any, frame: Frame) -> Any:
        return frame if frame.opcode in CTRL_OPCODES else made

    with extended() as peer, peer.connect(extensions=[with_methods(encode=encode)]) as ws:
        with pytest.raises(AttributeError):
            ws.send("x")


def test_what_a_factory_raises() -> None:
    class Unwilling(Factory):
        def process_response_params(self, params: Any, accepted_extensions: Any) -> Extension:
            raise error

    for error in (NegotiationError("no"), KeyError("oops")):
        with extended() as peer, pytest.raises(type(error)) as caught:
            peer.connect(extensions=[Unwilling(Plain)])
        assert caught.value is error

    class Silent(Factory):
        def get_request_params(self) -> Sequence[ExtensionParameter]:
            raise KeyError("oops")

    with pytest.raises(KeyError, match="oops"):
        connect("ws://localhost:1/", extensions=[Silent(Plain)])


@pytest.mark.parametrize("params", [5, [5], [("a", 5)], [("a",)]])
def test_parameters_that_are_none(params: Any) -> None:
    class Odd(Factory):
        def get_request_params(self) -> Any:
            return params

    with pytest.raises(TypeError, match="get_request_params of x-test must return pairs"):
        connect("ws://localhost:1/", extensions=[Odd(Plain)])


@pytest.mark.parametrize("made", [None, object(), Plain])
def test_what_is_no_extension(made: Any) -> None:
    with extended() as peer:
        with pytest.raises(TypeError, match="process_response_params of x-test must return an extension"):
            peer.connect(extensions=[Factory(lambda: made)])


def test_connections_cannot_be_used_inside() -> None:
    errors: list[Exception] = []

    def encode(self: Any, frame: Frame) -> Frame:
        if not errors and frame.opcode == Opcode.TEXT:
            try:
                ws.send("from inside")
            except Exception as error:
                errors.append(error)
        return frame

    with extended() as peer, peer.connect(extensions=[with_methods(encode=encode)]) as ws:
        ws.send("x")
        assert peer.expect()[1] == b"x"
        assert isinstance(errors[0], ConcurrencyError)


def test_each_frame_is_encoded_once() -> None:
    # The peer does not read, signals come, and time-outs: what was encoded is sent, and in order.
    numbers = iter(range(10**6))

    def encode(self: Any, frame: Frame) -> Frame:
        if frame.opcode in CTRL_OPCODES:
            return frame
        return dataclasses.replace(frame, data=b"%6d" % next(numbers) + bytes(frame.data))

    before = signal.signal(signal.SIGALRM, lambda *args: None)
    try:
        with extended() as peer, peer.connect(extensions=[with_methods(encode=encode)]) as ws:
            signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)
            for attempt in range(1000):
                try:
                    if attempt % 2:
                        ws.send(bytes(50_000), timeout=0.05)
                    else:
                        ws.send_many([bytes(20_000)] * 5, timeout=0.05)
                except TimeoutError:
                    break
            signal.setitimer(signal.ITIMER_REAL, 0)
            sender = threading.Thread(target=ws.send, args=(b"last",))
            sender.start()
            seen: list[bytes] = []
            while not seen or not seen[-1].endswith(b"last"):
                seen.append(peer.expect()[1])
            sender.join(10)
            assert [int(payload[:6]) for payload in seen] == list(range(len(seen)))
    finally:
        signal.signal(signal.SIGALRM, before)


def test_half_read_messages_may_be_dropped_anywhere() -> None:
    errors: list[Exception] = []
    dropped: list[Any] = []

    def decode(self: Any, frame: Frame, *, max_size: int | None = None) -> Frame:
        if frame.opcode == Opcode.PONG:
            dropped.clear()  # the reader of another message's fragments
        if frame.data == b"look":
            try:
                list(ws.recv_streaming())
            except Exception as error:
                errors.append(error)
        return frame

    with extended() as peer, peer.connect(extensions=[with_methods(decode=decode)]) as ws:
        peer.send(frame(Opcode.TEXT, b"a", fin=False))
        dropped.append(ws.recv_streaming())
        next(dropped[0])
        peer.send(frame(Opcode.PONG, b""), frame(Opcode.CONT, b"never seen"), text("next"))
        wait_until(lambda: not dropped)
        assert ws.recv(timeout=10) == "next"
        peer.send(text("look"))
        assert ws.recv(timeout=10) == "look"
        assert [type(error) for error in errors] == [ConcurrencyError]


def test_keyboard_interrupt_in_encode_is_raised_once() -> None:
    def encode(self: Any, frame: Frame) -> Frame:
        if frame.opcode == Opcode.TEXT:
            raise KeyboardInterrupt
        return frame

    with extended() as peer, peer.connect(extensions=[with_methods(encode=encode)]) as ws:
        for _ in range(3):
            try:
                ws.send("x")
            except KeyboardInterrupt:
                for _ in range(1000):
                    pass  # where a second one would be raised


def test_extensions_written_for_websockets() -> None:
    from websockets.exceptions import ProtocolError as TheirError
    from websockets.extensions.permessage_deflate import PerMessageDeflate as Theirs

    class Loud(Theirs):
        def decode(self, frame: Any, *, max_size: int | None = None) -> Any:
            if frame.data == b"bad":
                raise TheirError("too quiet")
            return super().decode(frame, max_size=max_size)

    ours = PerMessageDeflate(False, False, 15, 15)
    answer = "permessage-deflate"
    made: Any = lambda: Loud(False, False, 15, 15)
    with extended(answer) as peer, peer.connect(extensions=[Factory(made, answer)]) as ws:
        ws.send(["a", "b"])
        frames = [peer.expect() for _ in range(3)]
        assert [first & RSV1 for first, _ in frames] == [RSV1, 0, 0]
        start = bytes(ours.encode(Frame(Opcode.TEXT, b"c", fin=False)).data)
        end = bytes(ours.encode(Frame(Opcode.CONT, b"d")).data)
        peer.send(frame(Opcode.TEXT, start, fin=False, rsv=RSV1), frame(Opcode.CONT, end))
        assert ws.recv() == "cd"
        peer.send(text("bad"))
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv()
        assert caught.value.sent is not None and caught.value.sent.code == 1002


def test_nothing_is_kept_alive() -> None:
    marked = Marked()
    made: list[Marked] = [marked]
    with extended() as peer:
        ws = peer.connect(extensions=[Factory(made.pop)])
        ws.close()
        del ws
        gc.collect()
        wait_until(lambda: len(gc.get_referrers(marked)) <= 1)


def test_a_factory_of_websockets() -> None:
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Theirs

    factory: Any = Theirs(compress_settings={"memLevel": 5})
    with extended("permessage-deflate") as peer, peer.connect(extensions=[factory]) as ws:
        ws.send(LONG)
        first, payload = peer.expect()
        assert first == 0x80 | RSV1 | Opcode.TEXT
        theirs = PerMessageDeflate(False, False, 15, 15)
        assert theirs.decode(Frame(Opcode.TEXT, payload, rsv1=True)).data == LONG.encode()
        assert [type(extension).__name__ for extension in ws.extensions] == ["PerMessageDeflate"]


def test_a_subclass_of_permessage_deflate_is_asked() -> None:
    class Loud(PerMessageDeflate):
        def encode(self, frame: Frame) -> Frame:
            if frame.opcode in CTRL_OPCODES:
                return frame
            return super().encode(dataclasses.replace(frame, data=bytes(frame.data).upper()))

    class LoudFactory(ClientPerMessageDeflateFactory):
        def process_response_params(self, params: Any, accepted_extensions: Any) -> PerMessageDeflate:
            return Loud(False, False, 15, 15)

    with extended("permessage-deflate") as peer, peer.connect(extensions=[LoudFactory()]) as ws:
        ws.send("hello")
        first, payload = peer.expect()
        theirs = PerMessageDeflate(False, False, 15, 15)
        assert theirs.decode(Frame(Opcode.TEXT, payload, rsv1=bool(first & RSV1))).data == b"HELLO"
