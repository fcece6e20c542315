"""Sending and receiving with a `ClientConnection`, against the echo server and scripted peers."""

from __future__ import annotations

import array
import math
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openline.exceptions import ConcurrencyError, ConnectionClosed, ConnectionClosedError
from openline.frames import Opcode
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import handle_signals, peer, pool, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, binary, close, frame, interrupt_later, text

SIZES = [0, 1, 125, 126, 127, 65535, 65536, 131071, 131072, 131073, 2**20, 2**24]


class TestMessages:
    @pytest.mark.parametrize("size", SIZES)
    def test_text(self, ws: ClientConnection, size: int) -> None:
        message = "é€𝄞x"[: size % 4] + "t" * (size - size % 4)
        ws.send(message)
        received = ws.recv()
        assert type(received) is str
        assert received == message

    @pytest.mark.parametrize("size", SIZES)
    @pytest.mark.parametrize("timeout", [None, 10])
    def test_binary(self, ws: ClientConnection, size: int, timeout: float | None) -> None:
        message = (bytes(range(256)) * (size // 256 + 1))[:size]
        ws.send(message, timeout)
        received = ws.recv(timeout)
        assert type(received) is bytes
        assert received == message

    @pytest.mark.parametrize(
        "message",
        [
            bytearray(b"some bytes"),
            memoryview(b"some bytes"),
            memoryview(b"xsome bytesx")[1:-1],
            array.array("H", b"some bytes"),
            memoryview(array.array("H", b"some bytes")),
            memoryview(b"some bytes").cast("B", (2, 5)),
        ],
        ids=["bytearray", "view", "part of a view", "array", "view of an array", "two dimensions"],
    )
    def test_bytes_like(self, ws: ClientConnection, message: Any) -> None:
        ws.send(message)
        assert ws.recv() == b"some bytes"
        ws.send([message, message])
        assert ws.recv() == b"some bytes" * 2
        ws.send(message, text=True)
        assert ws.recv() == "some bytes"

    def test_empty_buffers(self, ws: ClientConnection) -> None:
        empty: list[Any] = [bytearray(), memoryview(b""), array.array("d")]
        for message in empty:
            ws.send(message)
            assert ws.recv() == b""

    def test_subclasses(self, ws: ClientConnection) -> None:
        class Text(str):
            pass

        class Bytes(bytes):
            pass

        ws.send(Text("text"))
        assert ws.recv() == "text"
        ws.send(Bytes(b"bytes"))
        assert ws.recv() == b"bytes"

    @pytest.mark.parametrize("message", ["text", b"text"])
    @pytest.mark.parametrize(("forced", "opcode"), [(None, None), (True, Opcode.TEXT), (False, Opcode.BINARY)])
    def test_opcode(self, peer: Peer, message: str | bytes, forced: bool | None, opcode: int | None) -> None:
        if opcode is None:
            opcode = Opcode.TEXT if isinstance(message, str) else Opcode.BINARY
        with peer.connect() as ws:
            ws.send(message, text=forced)
            assert peer.expect() == (0x80 | opcode, b"text")
            ws.send([message], text=forced)
            assert peer.expect() == (opcode, b"text")
            assert peer.expect() == (0x80 | Opcode.CONT, b"")

    @pytest.mark.parametrize("sent", ["grün", "grün".encode()])
    @pytest.mark.parametrize(("decode", "kind"), [(True, str), (False, bytes), (None, None)])
    def test_decode(
        self, ws: ClientConnection, sent: str | bytes, decode: bool | None, kind: type | None
    ) -> None:
        ws.send(sent)
        received = ws.recv(decode=decode)
        assert type(received) is (kind or type(sent))
        assert received in ("grün", "grün".encode())

    def test_decode_large(self, ws: ClientConnection) -> None:
        ws.send(b"x" * 2**20)
        assert ws.recv(None, True) == "x" * 2**20
        ws.send("x" * 2**20)
        assert ws.recv(None, False) == b"x" * 2**20

    def test_binary_that_is_not_utf8(self, ws: ClientConnection) -> None:
        ws.send(b"\xff\xfe")
        with pytest.raises(UnicodeDecodeError) as caught:
            ws.recv(decode=True)
        assert caught.value.object == b"\xff\xfe"
        ws.send("next")
        assert ws.recv() == "next"

    @pytest.mark.parametrize(
        ("message", "error", "words"),
        [
            ({"a": 1}, TypeError, "dict-like"),
            (5, TypeError, "data must be str, bytes, or iterable"),
            (None, TypeError, "data must be str, bytes, or iterable"),
            ([5], TypeError, "iterable must contain bytes or str"),
            ("\ud800", UnicodeEncodeError, "surrogates"),
            (memoryview(b"abcd")[::2], BufferError, "contiguous"),
        ],
    )
    def test_what_cannot_be_sent(
        self, ws: ClientConnection, message: Any, error: type[Exception], words: str
    ) -> None:
        with pytest.raises(error, match=words):
            ws.send(message)
        ws.send("still usable")
        assert ws.recv() == "still usable"

    def test_unknown_arguments(self, ws: ClientConnection) -> None:
        untyped: Any = ws
        with pytest.raises(TypeError):
            untyped.send("x", txt=True)
        with pytest.raises(TypeError):
            untyped.recv(wait=1)

    def test_large_message_in_dribbles(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        payload = os.urandom(300_000)
        message = binary(payload)
        with peer.connect() as ws:
            received = pool.submit(ws.recv)
            for start in range(0, len(message), 10_000):
                peer.send(message[start : start + 10_000])
                if start % 50_000 == 0:
                    time.sleep(0.002)
            peer.send(text("behind it"))
            assert received.result(10) == payload
            assert ws.recv() == "behind it"

    @pytest.mark.parametrize("claimed", [2**27, 2**40, 2**62])
    def test_a_header_that_claims_too_much_is_only_a_claim(self, peer: Peer, claimed: int) -> None:
        with peer.connect(max_size=None) as ws:
            peer.send(b"\x82\x7f" + claimed.to_bytes(8, "big") + bytes(200_000))
            with pytest.raises(TimeoutError):
                ws.recv(0.05)


class TestFragments:
    def test_on_the_wire_as_websockets_sends_them(self, peer: Peer) -> None:
        with peer.connect() as ws:
            ws.send(iter(["a", "b"]))
            assert [peer.expect() for _ in range(3)] == [(0x01, b"a"), (0x00, b"b"), (0x80, b"")]

    def test_an_empty_iterable_sends_nothing(self, peer: Peer) -> None:
        with peer.connect() as ws:
            ws.send([])
            ws.send("next")
            assert peer.expect() == (0x81, b"next")

    @pytest.mark.parametrize("fragments", [["a", b"b"], [b"a", "b"], ["a", 5]])
    def test_mixed_types_fail_the_connection(self, peer: Peer, fragments: list[Any]) -> None:
        ws = peer.connect()
        with pytest.raises(TypeError, match="iterable must contain"):
            ws.send(fragments)
        assert peer.expect()[0] == (0x01 if isinstance(fragments[0], str) else 0x02)
        assert peer.expect() == (0x88, b"\x03\xf3error in fragmented message")
        peer.send(close(1011))
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(5)
        assert type(caught.value.__cause__) is RuntimeError
        ws.close()

    def test_an_exception_of_the_iterator_fails_the_connection(self, peer: Peer) -> None:
        def fragments() -> Iterator[str]:
            yield "a"
            raise KeyError("mine")

        ws = peer.connect()
        with pytest.raises(KeyError, match="mine"):
            ws.send(fragments())
        assert peer.expect() == (0x01, b"a")
        assert peer.expect()[1][:2] == b"\x03\xf3"
        ws.close()

    def test_an_exception_before_the_first_fragment_does_no_harm(self, ws: ClientConnection) -> None:
        def fragments() -> Iterator[str]:
            raise KeyError("mine")
            yield "a"

        with pytest.raises(KeyError):
            ws.send(fragments())
        ws.send("usable")
        assert ws.recv() == "usable"

    def test_sending_between_its_own_fragments_is_refused(self, ws: ClientConnection) -> None:
        refused = []

        def fragments() -> Iterator[str]:
            yield "a"
            with pytest.raises(ConcurrencyError) as caught:
                ws.send("x")
            refused.append(caught.value)
            with pytest.raises(ConcurrencyError) as caught:
                ws.send_many(["x"])
            refused.append(caught.value)
            yield "b"

        ws.send(fragments())
        assert ws.recv() == "ab"
        assert len(refused) == 2
        ws.send("later")
        assert ws.recv() == "later"

    def test_other_threads_wait_for_the_end_of_the_message(
        self, ws: ClientConnection, pool: ThreadPoolExecutor
    ) -> None:
        others = []

        def fragments() -> Iterator[str]:
            yield "a"
            others.append(pool.submit(ws.send, "other"))
            time.sleep(0.02)
            yield "b"

        ws.send(fragments())
        others[0].result(10)
        assert [ws.recv(), ws.recv()] == ["ab", "other"]


class TestStreaming:
    def test_fragments_as_they_come(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(frame(Opcode.TEXT, b"a", fin=False))
            fragments = ws.recv_streaming()
            assert iter(fragments) is fragments
            assert next(fragments) == "a"
            peer.send(frame(Opcode.CONT, b"b", fin=False), frame(Opcode.CONT, b"c"), text("next"))
            assert list(fragments) == ["b", "c"]
            assert list(fragments) == []
            assert ws.recv() == "next"

    def test_a_message_in_one_frame(self, ws: ClientConnection) -> None:
        ws.send(b"whole")
        assert list(ws.recv_streaming()) == [b"whole"]

    def test_text_is_cut_between_characters(self, peer: Peer) -> None:
        with peer.connect() as ws:
            start, end = frame(Opcode.TEXT, b"caf\xc3", fin=False), frame(Opcode.CONT, b"\xa9!")
            peer.send(start, end, start, end)
            assert "".join(ws.recv_streaming()) == "café!"  # type: ignore[arg-type]
            assert b"".join(ws.recv_streaming(decode=False)) == "café!".encode()

    def test_binary_as_text(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(frame(Opcode.BINARY, b"caf\xc3", fin=False), frame(Opcode.CONT, b"\xa9!"))
            assert list(ws.recv_streaming(decode=True)) == ["caf", "é!"]

    @pytest.mark.parametrize("payload", [b"ab\xff", b"ab\xc3"])
    def test_binary_as_text_that_it_is_not(self, peer: Peer, payload: bytes) -> None:
        with peer.connect() as ws:
            peer.send(frame(Opcode.BINARY, b"ok", fin=False), frame(Opcode.CONT, payload), text("next"))
            fragments = ws.recv_streaming(decode=True)
            assert next(fragments) == "ok"
            with pytest.raises(UnicodeDecodeError):
                list(fragments)
            del fragments
            assert ws.recv() == "next"

    def test_dropped_early_it_skips_the_rest(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(frame(Opcode.TEXT, b"a", fin=False))
            fragments = ws.recv_streaming()
            assert next(fragments) == "a"
            with pytest.raises(ConcurrencyError):
                ws.recv(0)
            del fragments
            peer.send(frame(Opcode.CONT, b"b"), text("next"))
            assert ws.recv() == "next"

    def test_the_end_within_a_message(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.send(frame(Opcode.TEXT, b"a", fin=False))
        fragments = ws.recv_streaming()
        assert next(fragments) == "a"
        peer.close()
        with pytest.raises(ConnectionClosedError):
            next(fragments)
        assert list(fragments) == []

    def test_two_threads(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        with peer.connect() as ws:
            fragments = ws.recv_streaming()
            waiting = pool.submit(next, fragments)
            time.sleep(0.05)
            with pytest.raises(ConcurrencyError):
                next(fragments)
            peer.send(text("x"))
            assert waiting.result(10) == "x"


class TestRecvInto:
    @pytest.mark.parametrize("size", [0, 5, 300_000])
    def test_message(self, ws: ClientConnection, size: int) -> None:
        ws.send(b"x" * size)
        buffer = bytearray(size + 3)
        assert ws.recv_into(buffer) == size
        assert buffer == b"x" * size + bytes(3)

    def test_kinds_of_buffers(self, ws: ClientConnection) -> None:
        numbers = array.array("H", [0, 0])
        ws.send(b"\1\0\2\0")
        assert ws.recv_into(numbers, timeout=10) == 4
        assert numbers == array.array("H", b"\1\0\2\0")
        buffer = bytearray(9)
        ws.send("grün")
        assert ws.recv_into(memoryview(buffer)[2:]) == 5
        assert buffer == b"\0\0gr\xc3\xbcn\0\0"
        buffer.extend(b"can be resized again")

    @pytest.mark.parametrize("size", [6, 300_000])
    def test_too_small(self, ws: ClientConnection, size: int) -> None:
        ws.send(b"x" * size)
        words = rf"message of {size} bytes does not fit into a buffer of 5; it is kept"
        for _ in range(2):
            with pytest.raises(ValueError, match=words):
                ws.recv_into(bytearray(5))
        assert ws.recv() == b"x" * size

    def test_not_a_writable_buffer(self, ws: ClientConnection) -> None:
        wrong: list[tuple[Any, type[Exception]]] = [
            (b"abc", BufferError),
            ("abc", TypeError),
            (None, TypeError),
            (memoryview(bytearray(8))[::2], BufferError),
        ]
        ws.send("x")
        for buffer, error in wrong:
            with pytest.raises(error):
                ws.recv_into(buffer)
        assert ws.recv() == "x"

    def test_timeout(self, ws: ClientConnection) -> None:
        with pytest.raises(TimeoutError):
            ws.recv_into(bytearray(5), 0)


class TestMany:
    def test_all_that_are_there(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(text("a"), binary(b"b"), text("c"))
            received = ws.recv_many(timeout=10)
            while len(received) < 3:
                received += ws.recv_many(timeout=10)
            assert received == ["a", b"b", "c"]
            with pytest.raises(TimeoutError):
                ws.recv_many(timeout=0)

    def test_at_most(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(*map(text, "abcd"))
            assert ws.recv_many(1) == ["a"]
            assert ws.recv_many(2) == ["b", "c"]
            assert ws.recv_many(2**100) == ["d"]

    @pytest.mark.parametrize("most", [0, -1, -(2**100)])
    def test_less_than_one(self, ws: ClientConnection, most: int) -> None:
        with pytest.raises(ValueError, match=f"max must be at least 1, not {most}"):
            ws.recv_many(most)

    def test_not_a_number(self, ws: ClientConnection) -> None:
        untyped: Any = ws
        with pytest.raises(TypeError, match="max must be int or None, not str"):
            untyped.recv_many("1")

    def test_messages_before_the_close(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.send(text("a"), text("b"), close())
        received: list[str | bytes] = []
        with pytest.raises(ConnectionClosed):
            while True:
                received += ws.recv_many()
        assert received == ["a", "b"]

    def test_send(self, ws: ClientConnection) -> None:
        messages: list[Any] = ["text", b"bytes", bytearray(b"more"), "", "x" * 70_000, b"y" * 300_000, "end"]
        ws.send_many(iter(messages))
        received = [ws.recv() for _ in messages]
        assert received == ["text", b"bytes", b"more", "", "x" * 70_000, b"y" * 300_000, "end"]
        ws.send_many([])

    @pytest.mark.parametrize("messages", ["abc", b"abc", {"a": 1}, 5, ["a", 5], [["a"]]])
    def test_what_cannot_be_sent(self, ws: ClientConnection, messages: Any) -> None:
        with pytest.raises(TypeError):
            ws.send_many(messages)
        ws.send("next")
        assert ws.recv() == "next"

    def test_timeout_tells_how_many(self, peer: Peer) -> None:
        ws = peer.connect()
        with pytest.raises(TimeoutError, match=r"; \d+ of 200 messages are sent") as caught:
            ws.send_many([b"x" * 100_000] * 200, 0.1)
        sent = int(str(caught.value).split("; ")[-1].split()[0])
        assert 0 < sent < 200
        reader = threading.Thread(target=read_all, args=(peer,))
        reader.start()
        ws.close()
        reader.join(10)


def read_all(peer: Peer) -> None:
    """Read and drop whatever comes, until the end."""
    try:
        while peer.socket.recv(2**20):
            pass
    except OSError:
        pass


class TestTimeouts:
    @pytest.mark.parametrize("timeout", [0, -1, 0.0, -math.inf, -(10**400)])
    def test_polls(self, peer: Peer, timeout: float) -> None:
        with peer.connect() as ws:
            with pytest.raises(TimeoutError, match="timed out while waiting for a message"):
                ws.recv(timeout)
            peer.send(text("in the socket"))
            time.sleep(0.05)
            assert ws.recv(timeout) == "in the socket"

    @pytest.mark.parametrize("timeout", [None, math.inf, 1e300, 10**400, 5, 5.5, True])
    def test_waits(self, ws: ClientConnection, timeout: float | None) -> None:
        ws.send("x", timeout)
        assert ws.recv(timeout) == "x"
        assert ws.ping(b"", timeout) > 0

    def test_not_times(self, ws: ClientConnection) -> None:
        untyped: Any = ws
        with pytest.raises(ValueError, match="timeout must be a number of seconds or None, not nan"):
            ws.recv(math.nan)
        wrong: list[Any] = ["1", [], b"1"]
        for timeout in wrong:
            with pytest.raises(TypeError, match="timeout must be a number of seconds or None, not"):
                untyped.recv(timeout)

    def test_receiving_loses_nothing(self, peer: Peer) -> None:
        payload = os.urandom(200_000)
        message = binary(payload)
        with peer.connect() as ws:
            for start in range(0, len(message), 40_000):
                with pytest.raises(TimeoutError):
                    ws.recv(0.01)
                peer.send(message[start : start + 40_000])
            assert ws.recv(10) == payload

    def test_sending_to_who_does_not_read(self, peer: Peer) -> None:
        ws = peer.connect()
        with pytest.raises(TimeoutError, match="waiting for room to send; the peer does not read"):
            while True:
                ws.send(b"x" * 1_000_000, 0.05)
        # What is left of the message goes out before the next: the stream is not torn.
        sender = threading.Thread(target=ws.send, args=("next",))
        sender.start()
        while (received := peer.expect_fast())[0] != 0x81:
            assert received == (0x82, 1_000_000)
        sender.join(10)
        ws.close()

    def test_signals_do_not_prolong(
        self, peer: Peer, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        seen: list[int] = []
        handle_signals(lambda: seen.append(1))
        timers = [interrupt_later(0.05 * n, signal.SIGUSR1) for n in range(1, 5)]
        with peer.connect() as ws:
            start = time.monotonic()
            with pytest.raises(TimeoutError):
                ws.recv(0.3)
            assert 0.3 <= time.monotonic() - start < 1
        for timer in timers:
            timer.join()
        assert len(seen) >= 3


class TestThreads:
    def test_two_receivers(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(ws.recv)
        time.sleep(0.05)
        untyped: Any = ws
        for call in (ws.recv, ws.recv_many, ws.recv_streaming, lambda: untyped.recv_into(bytearray(1))):
            with pytest.raises(ConcurrencyError, match="already receiving"):
                call()
        ws.send("x")
        assert receiving.result(10) == "x"

    def test_many_senders(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        messages = [f"{n}" * 100 for n in range(200)]
        sending = [pool.submit(ws.send, message) for message in messages]
        received = [ws.recv(10) for _ in messages]
        for each in sending:
            each.result(10)
        assert sorted(received) == sorted(messages)

    def test_waiting_lets_other_threads_run(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(ws.recv)
        count = 0
        deadline = time.monotonic() + 0.05
        while time.monotonic() < deadline:
            count += 1
        assert count > 100
        ws.send("x")
        receiving.result(10)


class TestIteration:
    def test_messages_until_the_close(self) -> None:
        with EchoServer(welcome=["a", b"b"], close_after=0, close_code=4000, close_reason="bye") as server:
            ws = connect(server.uri)
            assert iter(ws) is ws
            assert list(ws) == ["a", b"b"]
            assert list(ws) == []
            assert (ws.close_code, ws.close_reason) == (4000, "bye")

    def test_next_is_recv(self, ws: ClientConnection) -> None:
        ws.send("a")
        ws.send("b")
        assert [next(ws), ws.recv()] == ["a", "b"]

    def test_an_abnormal_end_ends_it_too(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.send(text("a"))
        peer.socket.shutdown(socket.SHUT_WR)
        assert list(ws) == ["a"]
        assert ws.close_code == 1006

    def test_other_errors_are_raised(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(ws.recv)
        time.sleep(0.05)
        with pytest.raises(ConcurrencyError):
            next(ws)
        ws.send("x")
        receiving.result(10)
