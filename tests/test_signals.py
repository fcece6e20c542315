"""Ctrl-C and signal handlers while a call waits."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from openline.exceptions import ConcurrencyError, ConnectionClosedOK
from openline.frames import Opcode
from openline.protocol import State
from openline.sync.client import ClientConnection, connect

from fixtures import handle_signals, peer, pool, server, ws  # noqa: F401  # pytest finds them by name
from peer import Peer, binary, close, frame, interrupt_later, text


class TestCtrlC:
    """Each wait is over at once, and the connection is usable afterwards or closed."""

    @staticmethod
    def interrupted(call: Callable[[], object]) -> None:
        timer = interrupt_later(0.2)
        start = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            call()
        assert time.monotonic() - start < 1
        timer.join()

    @pytest.mark.parametrize("timeout", [None, 20])
    def test_recv(self, ws: ClientConnection, timeout: float | None) -> None:
        self.interrupted(lambda: ws.recv(timeout))
        ws.send("usable")
        assert ws.recv() == "usable"

    def test_iteration(self, ws: ClientConnection) -> None:
        self.interrupted(lambda: next(ws))
        ws.send("usable")
        assert ws.recv() == "usable"

    def test_recv_into(self, ws: ClientConnection) -> None:
        self.interrupted(lambda: ws.recv_into(bytearray(9)))
        ws.send("usable")
        assert ws.recv() == "usable"

    def test_recv_many(self, ws: ClientConnection) -> None:
        self.interrupted(ws.recv_many)
        ws.send("usable")
        assert ws.recv() == "usable"

    def test_recv_within_a_large_message(self, peer: Peer) -> None:
        payload = os.urandom(500_000)
        message = binary(payload)
        with peer.connect() as ws:
            peer.send(message[:400_000])
            self.interrupted(ws.recv)
            peer.send(message[400_000:])
            assert ws.recv(10) == payload

    def test_streaming(self, peer: Peer) -> None:
        with peer.connect() as ws:
            peer.send(frame(Opcode.TEXT, b"a", fin=False))
            fragments = ws.recv_streaming()
            assert next(fragments) == "a"
            self.interrupted(lambda: next(fragments))
            peer.send(frame(Opcode.CONT, b"b"))
            assert list(fragments) == ["b"]

    @pytest.mark.parametrize("timeout", [None, 20])
    def test_send(self, peer: Peer, timeout: float | None) -> None:
        ws = peer.connect()

        def fill() -> None:
            while True:
                ws.send(b"x" * 1_000_000, timeout)

        self.interrupted(fill)
        assert ws.state is State.OPEN
        sender = threading.Thread(target=ws.send, args=("next",))
        sender.start()
        while (received := peer.expect_fast())[0] != 0x81:
            assert received == (0x82, 1_000_000)
        sender.join(10)
        ws.close()

    def test_send_many(self, peer: Peer) -> None:
        ws = peer.connect()
        self.interrupted(lambda: ws.send_many([b"x" * 100_000] * 1000))
        assert ws.state is State.OPEN
        ws.close()

    def test_send_fragments(self, peer: Peer) -> None:
        ws = peer.connect()
        self.interrupted(lambda: ws.send(b"x" * 1_000_000 for _ in range(1000)))
        # Half a message cannot be taken back.
        assert ws.state is not State.OPEN
        ws.close()

    def test_ping(self, peer: Peer, pool: ThreadPoolExecutor) -> None:
        with peer.connect() as ws:
            self.interrupted(lambda: ws.ping(b"x"))
            assert peer.expect() == (0x89, b"x")
            pong = pool.submit(ws.ping, b"x", 10)  # nobody waits for the other any more
            assert peer.expect() == (0x89, b"x")
            peer.send(frame(Opcode.PONG, b"x"), frame(Opcode.PONG, b"x"))
            pong.result(10)

    def test_ping_while_another_thread_receives(
        self, peer: Peer, pool: ThreadPoolExecutor
    ) -> None:
        with peer.connect() as ws:
            receiving = pool.submit(ws.recv)
            time.sleep(0.02)
            self.interrupted(ws.ping)
            peer.send(text("x"))
            assert receiving.result(10) == "x"

    def test_close(self, peer: Peer) -> None:
        ws = peer.connect(close_timeout=20)
        self.interrupted(ws.close)
        assert ws.state is State.CLOSING
        assert peer.expect() == (0x88, b"\x03\xe8")
        peer.send(close())
        peer.socket.shutdown(socket.SHUT_WR)
        ws.close()
        assert ws.close_code == 1000

    def test_wait_closed(self, ws: ClientConnection) -> None:
        self.interrupted(ws.wait_closed)
        assert not ws.closed

    def test_connect_to_a_silent_server(self) -> None:
        with Peer(response=None) as peer:
            self.interrupted(peer.connect)
            peer.expect_end()

    def test_connect_with_a_full_backlog(self) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            fillers = []
            for _ in range(3):
                filler = socket.socket()
                filler.setblocking(False)
                filler.connect_ex(listener.getsockname())
                fillers.append(filler)
            time.sleep(0.05)
            self.interrupted(lambda: connect(f"ws://127.0.0.1:{listener.getsockname()[1]}/"))
            for filler in fillers:
                filler.close()


class TestSignalHandlers:
    """A handler runs between two waits, with nothing held: it may use the connection."""

    def test_that_sends(
        self, ws: ClientConnection, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        handle_signals(lambda: ws.send("from the handler"))
        timer = interrupt_later(0.1, signal.SIGUSR1)
        assert ws.recv(10) == "from the handler"
        timer.join()

    def test_that_receives(
        self, peer: Peer, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        received = []
        with peer.connect() as ws:

            def handler() -> None:
                peer.send(text("a"), text("b"))
                received.append(ws.recv(10))

            handle_signals(handler)
            timer = interrupt_later(0.1, signal.SIGUSR1)
            assert ws.recv(10) == "b"
            assert received == ["a"]
            timer.join()

    def test_that_pings(
        self, ws: ClientConnection, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        def handler() -> None:
            ws.ping(timeout=5)
            ws.send("after the pong")

        handle_signals(handler)
        timer = interrupt_later(0.1, signal.SIGUSR1)
        assert ws.recv() == "after the pong"
        timer.join()

    def test_that_closes(
        self, ws: ClientConnection, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        handle_signals(ws.close)
        timer = interrupt_later(0.1, signal.SIGUSR1)
        with pytest.raises(ConnectionClosedOK):
            ws.recv(10)
        timer.join()

    def test_that_sends_within_a_fragment_that_waits(
        self, peer: Peer, pool: ThreadPoolExecutor, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        ws = peer.connect()
        size = 32 << 20
        reading: list[Future[list[tuple[int, int]]]] = []
        refused: list[str] = []

        def handler() -> None:
            for message in ("whole", ["in fragments"]):
                with pytest.raises(ConcurrencyError) as caught:
                    ws.send(message)
                refused.append(str(caught.value))
            with pytest.raises(ConcurrencyError):
                ws.send_many(["one of many"])
            ws.pong(b"of the handler")
            with pytest.raises(TimeoutError):
                ws.recv(0)
            reading.append(pool.submit(lambda: [peer.expect_fast() for _ in range(4)]))

        handle_signals(handler)
        timer = interrupt_later(0.3, signal.SIGUSR1)
        ws.send([bytes(size), b"rest"])
        assert refused == ["cannot send while this thread is already sending a fragmented message"] * 2
        frames = reading[0].result(20)
        assert (frames[0], frames[-1]) == ((0x02, size), (0x80, 0))
        assert sorted(frames[1:-1]) == [(0x00, 4), (0x8A, 14)]
        timer.join()
        ws.send("goes on")
        ws.close()

    def test_that_raises(
        self, ws: ClientConnection, handle_signals: Callable[[Callable[[], object]], None]
    ) -> None:
        def handler() -> None:
            raise KeyError("from the handler")

        handle_signals(handler)
        timer = interrupt_later(0.1, signal.SIGUSR1)
        with pytest.raises(KeyError, match="from the handler"):
            ws.recv()
        timer.join()
