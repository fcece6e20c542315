"""Pings, the closing handshake, the errors of a connection that ended, and what is left of it."""

from __future__ import annotations

import copy
import errno
import gc
import math
import os
import pickle
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from openline.exceptions import (
    CloseCause,
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    PayloadTooBig,
    ProtocolError,
)
from openline.frames import Close, CloseCode, Opcode
from openline.protocol import State
from openline.sync.client import ClientConnection, connect
from openline.testing import EchoServer

from fixtures import peer, pool, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, close, frame, text, wait_until


class TestPing:
    def test_round_trip(self, ws: ClientConnection) -> None:
        assert ws.latency == 0
        seconds = ws.ping()
        assert type(seconds) is float
        assert 0 < seconds < 10
        assert ws.latency == seconds

    @pytest.mark.parametrize("data", ["grün", "grün".encode(), bytearray("grün".encode())])
    def test_data(self, peer: Peer, pool: ThreadPoolExecutor, data: Any) -> None:
        with peer.connect() as ws:
            pong = pool.submit(ws.ping, data, timeout=10)
            assert peer.expect() == (0x89, "grün".encode())
            peer.send(frame(Opcode.PONG, "grün".encode()))
            assert pong.result(10) > 0

    @pytest.mark.parametrize("data", ["", b""])
    def test_empty_data_is_made_up(self, peer: Peer, pool: ThreadPoolExecutor, data: Any) -> None:
        with peer.connect() as ws:
            payloads = set()
            for _ in range(2):
                ping = pool.submit(ws.ping, data, 10)
                payload = peer.expect()[1]
                peer.send(frame(Opcode.PONG, payload))
                ping.result(10)
                payloads.add(payload)
            assert all(payloads)
            assert len(payloads) == 2

    def test_while_another_thread_receives(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(ws.recv)
        time.sleep(0.02)
        assert ws.ping(timeout=10) > 0
        ws.send("x")
        assert receiving.result(10) == "x"

    def test_messages_meanwhile_are_kept(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        with peer.connect() as ws:
            pong = pool.submit(ws.ping, b"x", 10)
            peer.expect()
            peer.send(text("a"), text("b"), frame(Opcode.PONG, b"x"), text("c"))
            pong.result(10)
            assert [ws.recv(10) for _ in range(3)] == ["a", "b", "c"]

    def test_the_same_data_twice(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        with peer.connect() as ws:
            pong = pool.submit(ws.ping, b"x", 10)
            peer.expect()
            with pytest.raises(ConcurrencyError, match="same data"):
                ws.ping(b"x")
            peer.send(frame(Opcode.PONG, b"x"))
            pong.result(10)

    def test_timeout(self, peer: Peer) -> None:
        with peer.connect() as ws:
            for _ in range(2):  # nobody waits for the first Pong any more
                with pytest.raises(TimeoutError, match="waiting for a pong"):
                    ws.ping(b"x", 0.02)

    def test_too_long(self, ws: ClientConnection) -> None:
        for call in (ws.ping, ws.pong):
            with pytest.raises(ProtocolError, match="125"):
                call("x" * 126)
        assert ws.ping("x" * 125) > 0

    def test_wrong_types(self, ws: ClientConnection) -> None:
        for call in (ws.ping, ws.pong):
            untyped: Any = call
            wrong: list[Any] = [5, ["a"], {}]
            for data in wrong:
                with pytest.raises(TypeError, match="data must be str or bytes-like, not"):
                    untyped(data)

    def test_the_connection_closes_first(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        ws = peer.connect()
        pong = pool.submit(ws.ping, b"x")
        peer.expect()
        peer.send(close())
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosed):
            pong.result(10)
        for call in (ws.ping, ws.pong):
            with pytest.raises(ConnectionClosedOK):
                call()

    def test_pong(self, peer: Peer) -> None:
        with peer.connect() as ws:
            ws.pong()
            ws.pong("grün")
            assert [peer.expect(), peer.expect()] == [(0x8A, b""), (0x8A, "grün".encode())]

    def test_keepalive_timeout(self, peer: Peer) -> None:
        ws = peer.connect(ping_interval=0.05, ping_timeout=0.05)
        with pytest.raises(ConnectionClosedError, match="keepalive ping timeout") as caught:
            ws.recv(10)
        assert type(caught.value.__cause__) is TimeoutError
        assert caught.value.sent == Close(1011, "keepalive ping timeout")

    def test_idle_timeout(self, peer: Peer) -> None:
        ws = peer.connect(idle_timeout=0.1)
        assert peer.expect() == (0x88, b"\x03\xf3idle timeout")
        peer.send(close(1011))
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        assert type(caught.value.__cause__) is TimeoutError
        assert str(caught.value.__cause__) == "idle timeout"
        assert caught.value.rcvd_then_sent is False
        assert caught.value.cause is CloseCause.IDLE_TIMEOUT

    def test_ping_behind_messages_that_nobody_receives(self, peer: Peer) -> None:
        with peer.connect(ping_interval=None, ping_timeout=0.2, max_queue=1) as ws:
            peer.send(text("one") + text("two"))
            expected = "timed out while waiting for a pong; 1 message waits to be received first"
            with pytest.raises(TimeoutError, match=expected):
                ws.ping()
            assert (ws.recv(), ws.recv()) == ("one", "two")
            peer.send(close())
            peer.socket.shutdown(socket.SHUT_WR)


class TestClose:
    @pytest.mark.parametrize("code", [1000, 1001, 1011, 3000, 4999, CloseCode.GOING_AWAY])
    def test_codes(self, peer: Peer, pool: ThreadPoolExecutor, code: int) -> None:
        ws = peer.connect()
        closing = pool.submit(ws.close, code, "grün")
        assert peer.expect() == (0x88, int(code).to_bytes(2, "big") + "grün".encode())
        peer.send(close(code))
        peer.socket.shutdown(socket.SHUT_WR)
        closing.result(10)
        assert (ws.close_code, ws.close_reason, ws.state, ws.closed) == (code, "", State.CLOSED, True)

    @pytest.mark.parametrize("code", [-1, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65536, 2**70])
    def test_illegal_codes(self, ws: ClientConnection, code: int) -> None:
        with pytest.raises(ProtocolError, match=f"close code {code} may not be sent"):
            ws.close(code)
        ws.send("nothing was sent")
        assert ws.recv() == "nothing was sent"

    def test_reasons(self, ws: ClientConnection) -> None:
        with pytest.raises(ProtocolError, match="123"):
            ws.close(1000, "ü" * 62)
        untyped: Any = ws
        with pytest.raises(TypeError, match="code must be int, not str"):
            untyped.close("1000")
        with pytest.raises(TypeError):
            untyped.close(1000, None)
        assert ws.state is State.OPEN
        ws.close(1000, "ü" * 61)
        assert ws.close_code == 1000

    def test_again(self, ws: ClientConnection) -> None:
        assert (ws.close_code, ws.close_reason) == (None, None)
        ws.close()
        ws.close(4000, "other")
        assert ws.close_code == 1000
        assert ws.wait_closed(0) is True

    def test_while_another_thread_receives(self, ws: ClientConnection, pool: ThreadPoolExecutor) -> None:
        receiving = pool.submit(ws.recv)
        time.sleep(0.02)
        ws.close()
        with pytest.raises(ConnectionClosedOK, match="sent 1000 .*; then received 1000"):
            receiving.result(10)

    def test_silent_peer(self, peer: Peer) -> None:
        ws = peer.connect(close_timeout=0.05)
        ws.close()
        assert (ws.close_code, ws.close_reason) == (1006, "")
        with pytest.raises(ConnectionClosedError, match="no close frame received") as caught:
            ws.recv()
        assert isinstance(caught.value.__cause__, TimeoutError)

    def test_close_timeout(self, peer: Peer) -> None:
        ws = peer.connect(close_timeout=10)
        assert ws.close_timeout == 10
        ws.close_timeout = None
        assert ws.close_timeout is None
        wrong: list[tuple[Any, type[Exception]]] = [
            (-1, ValueError),
            (math.nan, ValueError),
            ("1", TypeError),
            (True, TypeError),
        ]
        for value, error in wrong:
            with pytest.raises(error, match="close_timeout"):
                ws.close_timeout = value
        ws.close_timeout = 0.05
        start = time.monotonic()
        ws.close()
        assert time.monotonic() - start < 5

    def test_messages_before_it_are_delivered(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.send(text("a"), text("b"), close(4401, "token expired"))
        peer.socket.shutdown(socket.SHUT_WR)
        assert ws.wait_closed(10) is True
        assert [ws.recv(), ws.recv(0)] == ["a", "b"]
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv()
        assert str(caught.value) == (
            "received 4401 (private use) token expired; then sent 4401 (private use) token expired"
        )
        error = caught.value
        assert (error.code, error.reason, error.rcvd_then_sent) == (4401, "token expired", True)
        assert (ws.close_code, ws.close_reason) == (4401, "token expired")
        with pytest.raises(ConnectionClosedError):
            ws.send("x")

    def test_without_a_code(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.send(frame(Opcode.CLOSE))
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedOK) as caught:
            ws.recv(10)
        assert caught.value.rcvd == Close(1005, "")
        assert ws.close_code == 1005

    def test_wait_closed(self, ws: ClientConnection) -> None:
        assert ws.wait_closed(0) is False
        assert ws.wait_closed(timeout=0.02) is False

    def test_abort(self, ws: ClientConnection) -> None:
        ws.abort()
        assert ws.wait_closed(10)
        with pytest.raises(ConnectionClosed):
            ws.recv()


class TestErrors:
    def test_end_without_close_frame(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        assert str(caught.value) == "no close frame received or sent"
        assert type(caught.value.__cause__) is EOFError
        assert (caught.value.rcvd, caught.value.sent, caught.value.code) == (None, None, 1006)
        assert (ws.close_code, ws.close_reason) == (1006, "")

    def test_reset(self, peer: Peer) -> None:
        ws = peer.connect()
        linger = b"\1\0\0\0\0\0\0\0"
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.socket.close()
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        cause = caught.value.__cause__
        assert type(cause) is ConnectionResetError
        assert cause.errno == errno.ECONNRESET
        assert str(cause) == "[Errno 104] Connection reset by peer"

    @pytest.mark.parametrize(
        ("sent", "code", "kind", "words"),
        [
            (b"\x83\x00", 1002, ProtocolError, "reserved opcode 3"),
            (b"\xc1\x00", 1002, ProtocolError, "reserved bits must be 0"),
            (frame(Opcode.TEXT, b"\xff"), 1007, ProtocolError, "invalid UTF-8"),
            (frame(Opcode.BINARY, bytes(101)), 1009, PayloadTooBig, "exceeds max_size of 100 bytes"),
        ],
    )
    def test_faults_of_the_peer(
        self, peer: Peer, sent: bytes, code: int, kind: type[Exception], words: str
    ) -> None:
        ws = peer.connect(max_size=100)
        peer.send(sent)
        assert peer.expect()[1][:2] == code.to_bytes(2, "big")
        peer.socket.shutdown(socket.SHUT_WR)
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(10)
        assert caught.value.sent is not None
        assert caught.value.sent.code == code
        assert type(caught.value.__cause__) is kind
        assert words in str(caught.value.__cause__)
        if isinstance(caught.value.__cause__, PayloadTooBig):
            assert (caught.value.__cause__.size, caught.value.__cause__.max_size) == (101, 100)

    def test_max_size_of_fragments(self, peer: Peer) -> None:
        with peer.connect(max_size=(None, 10)) as ws:
            peer.send(frame(Opcode.TEXT, b"x" * 10, fin=False), frame(Opcode.CONT, b"y" * 10))
            assert ws.recv() == "x" * 10 + "y" * 10
            peer.send(frame(Opcode.TEXT, b"x" * 11))
            with pytest.raises(ConnectionClosedError) as caught:
                ws.recv(10)
            assert isinstance(caught.value.__cause__, PayloadTooBig)

    def test_can_be_pickled(self, peer: Peer) -> None:
        ws = peer.connect()
        ws.close()
        with pytest.raises(ConnectionClosed) as caught:
            ws.send("x")
        assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def ended(ws: ClientConnection) -> ConnectionClosed:
    with pytest.raises(ConnectionClosed) as caught:
        while True:
            ws.recv(10)
    return caught.value


class TestCause:
    def test_who_closed(self, peer: Peer, server: EchoServer) -> None:
        ws = peer.connect()
        peer.send(close(4401))
        assert ended(ws).cause is CloseCause.PEER
        ws = connect(server.uri)
        ws.close(4000)
        assert ended(ws).cause is CloseCause.LOCAL

    def test_the_end_of_the_stream(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.socket.shutdown(socket.SHUT_WR)
        assert ended(ws).cause is CloseCause.EOF

    def test_reset(self, peer: Peer) -> None:
        ws = peer.connect()
        peer.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        peer.socket.close()
        error = ended(ws)
        assert error.cause is CloseCause.RESET
        assert isinstance(error.__cause__, ConnectionResetError)

    def test_a_peer_that_does_not_answer(self, peer: Peer) -> None:
        ws = peer.connect(close_timeout=0.05)
        ws.close()
        error = ended(ws)
        assert error.cause is CloseCause.CLOSE_TIMEOUT
        assert isinstance(error.__cause__, TimeoutError)

    def test_no_pong(self, peer: Peer) -> None:
        error = ended(peer.connect(ping_interval=0.01, ping_timeout=0.05))
        assert error.cause is CloseCause.PING_TIMEOUT

    @pytest.mark.parametrize(
        ("sent", "cause"),
        [
            (b"\x83\x00", CloseCause.PROTOCOL_ERROR),
            (frame(Opcode.TEXT, b"\xff"), CloseCause.PROTOCOL_ERROR),
            (frame(Opcode.BINARY, bytes(101)), CloseCause.TOO_BIG),
        ],
    )
    def test_faults_of_the_peer(self, peer: Peer, sent: bytes, cause: CloseCause) -> None:
        ws = peer.connect(max_size=100)
        peer.send(sent)
        assert ended(ws).cause is cause

    def test_fragments_that_are_broken_off(self, peer: Peer) -> None:
        ws = peer.connect()
        with pytest.raises(TypeError, match="uniform"):
            ws.send(["a", b"b"])
        assert ended(ws).cause is CloseCause.BROKEN_OFF

    def test_copies_and_pickles_have_it(self, peer: Peer) -> None:
        ws = peer.connect()
        ws.abort()
        error = ended(ws)
        for again in (copy.copy(error), copy.deepcopy(error), pickle.loads(pickle.dumps(error))):
            assert again.cause is CloseCause.ABORTED
        assert ConnectionClosed(None, None).cause is None


class TestAbort:
    @pytest.mark.parametrize(
        "call",
        [
            lambda ws: ws.recv(),
            lambda ws: ws.send(bytes(2**25)),
            lambda ws: ws.send_many([bytes(2**25)]),
            lambda ws: ws.send(iter([bytes(2**25)])),
            lambda ws: ws.ping(),
            lambda ws: ws.recv_into(bytearray(9)),
            lambda ws: next(ws.recv_streaming()),
        ],
        ids=["recv", "send", "send_many", "fragments", "ping", "recv_into", "recv_streaming"],
    )
    def test_ends_a_call_of_another_thread(
        self, peer: Peer, pool: ThreadPoolExecutor, call: Callable[[ClientConnection], object]
    ) -> None:
        ws = peer.connect()
        waiting = pool.submit(call, ws)
        assert not ws.wait_closed(0.05)
        ws.abort()
        assert ws.wait_closed(10)
        error = waiting.exception(10)
        assert isinstance(error, ConnectionClosedError)
        assert error.cause is CloseCause.ABORTED
        assert error.__cause__ is None

    def test_ends_a_close_of_another_thread(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        ws = peer.connect(close_timeout=None)
        closing = pool.submit(ws.close)
        assert peer.expect()[0] == 0x88
        ws.abort()
        closing.result(10)
        assert ended(ws).cause is CloseCause.ABORTED

    def test_what_came_before_is_received(self, peer: Peer) -> None:
        ws = peer.connect(max_queue=1)
        peer.send(*(text(str(number)) for number in range(100)))
        assert ws.recv(10) == "0"
        ws.abort()
        assert list(ws) == [str(number) for number in range(1, 100)]
        assert peer.expect() == (0x88, b"\x03\xe9")
        peer.expect_end()

    def test_behind_half_a_frame_there_is_no_close_frame(self, peer: Peer) -> None:
        ws = peer.connect()
        with pytest.raises(TimeoutError):
            ws.send(bytes(2**25), timeout=0)
        ws.abort()
        with pytest.raises(AssertionError, match="the stream is over"):
            peer.expect()

    def test_of_a_closed_connection(self, ws: ClientConnection) -> None:
        ws.close()
        ws.abort()
        ws.abort()
        assert ended(ws).cause is CloseCause.LOCAL


class TestContext:
    def test_1000(self, server: EchoServer) -> None:
        with connect(server.uri) as ws:
            assert not ws.closed
        assert ws.closed
        assert ws.close_code == 1000

    def test_1011_after_an_exception(self, server: EchoServer) -> None:
        with pytest.raises(KeyError), connect(server.uri) as ws:
            raise KeyError
        assert ws.close_code == 1011

    def test_attributes_of_its_own(self, ws: ClientConnection) -> None:
        ws_any: Any = ws
        ws_any.attribute = 1
        assert repr(ws) == f"<ClientConnection OPEN to {ws.remote_address!r}>"
        assert ws.fileno() > 2


class TestForgotten:
    def test_resource_warning(self, server: EchoServer) -> None:
        ws = connect(server.uri)
        with pytest.warns(ResourceWarning, match="unclosed connection <ClientConnection OPEN"):
            del ws
            gc.collect()
        wait_until(lambda: server.connections == 0)

    def test_no_warning_after_close(self, server: EchoServer) -> None:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ws = connect(server.uri)
            ws.close()
            del ws
            gc.collect()
        assert not caught

    def test_descriptors_and_threads(self, server: EchoServer) -> None:
        def opened() -> int:
            return len(os.listdir("/proc/self/fd"))

        connect(server.uri).close()
        wait_until(lambda: server.connections == 0)
        before = opened()
        for _ in range(20):
            with connect(server.uri) as ws:
                ws.send("x")
                ws.recv()
        with pytest.raises(ConnectionRefusedError):
            connect("ws://127.0.0.1:1/")
        del ws
        wait_until(lambda: opened() <= before)

    @pytest.mark.parametrize("ending", ["pass", "threading.Thread(target=ws.recv, daemon=True).start()"])
    def test_interpreter_exit(self, ending: str) -> None:
        code = (
            "import threading\n"
            "from openline import connect\n"
            "from openline.testing import EchoServer\n"
            "server = EchoServer()\n"
            "ws = connect(server.uri)\n"
            "ws.send('x'); ws.recv()\n"
            f"{ending}\n"
            "print('end')\n"
        )
        run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=20)
        assert (run.returncode, run.stdout, run.stderr) == (0, "end\n", "")


class TestFork:
    @staticmethod
    def in_child(call: Callable[[], str]) -> str:
        """What `call` returns in a forked child."""
        reading, writing = os.pipe()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # 3.12+: there are other threads
            pid = os.fork()
        if pid == 0:
            try:
                signal.alarm(10)
                os.write(writing, call().encode())
            finally:
                os._exit(0)
        os.close(writing)
        with open(reading) as pipe:
            result = pipe.read()
        assert os.waitpid(pid, 0) == (pid, 0)
        return result

    def test_the_child_is_told_and_the_parent_goes_on(self, ws: ClientConnection) -> None:
        ws.send("for the parent")
        assert ws.wait_closed(0.05) is False  # reads it

        def child() -> str:
            texts = []
            for call in (ws.recv, lambda: ws.send("x"), ws.ping, ws.pong, ws.recv_many):
                try:
                    call()
                except ConnectionClosedError as error:
                    texts.append(f"{type(error.__cause__).__name__}: {error.__cause__}")
            return "\n".join(texts)

        expected = "RuntimeError: connection made in another process; connect again after fork"
        assert self.in_child(child).split("\n") == [expected] * 5
        assert ws.recv() == "for the parent"
        ws.send("x")
        assert ws.recv() == "x"

    def test_dropping_it_in_the_child_does_not_touch_the_parents(self, ws: ClientConnection) -> None:
        def child() -> str:
            ws.abort()
            return "aborted"

        assert self.in_child(child) == "aborted"
        assert not ws.wait_closed(0.05)
        ws.send("x")
        assert ws.recv() == "x"

    def test_the_child_can_connect(self, server: EchoServer, ws: ClientConnection) -> None:
        def child() -> str:
            with connect(server.uri) as mine:
                mine.send("from the child")
                return str(mine.recv(5))

        assert self.in_child(child) == "from the child"
