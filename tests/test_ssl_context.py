"""`ssl.SSLContext` in full: what it is set to holds, both directions run at once, and nothing is lost."""

from __future__ import annotations

import gc
import os
import pathlib
import signal
import ssl
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import pytest
import trustme

import peers
from fixtures import handle_signals, pool
from openline import ConcurrencyError, ConnectionClosedError, ConnectionClosedOK
from openline.sync.client import connect, unix_connect
from openline.testing import EchoServer

from peer import wait_until

__all__ = ["handle_signals", "pool"]


@pytest.fixture
def context(authority_file: pathlib.Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority_file))


@pytest.fixture
def server(certificate: pathlib.Path) -> Iterator[EchoServer]:
    with EchoServer(certfile=certificate) as server:
        yield server


class TlsServer:
    """Accepts one connection after another, shakes hands and notes what was agreed on."""

    def __init__(self, certificate: pathlib.Path) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.context.load_cert_chain(certificate)
        self.names: list[str | None] = []
        self.context.sni_callback = lambda tls, name, context: self.names.append(name)
        self.reused: list[bool | None] = []

    @contextmanager
    def running(self) -> Iterator[str]:
        from websockets.sync.server import ServerConnection, serve

        def echo(ws: ServerConnection) -> None:
            assert isinstance(ws.socket, ssl.SSLSocket)
            self.reused.append(ws.socket.session_reused)
            for message in ws:
                ws.send(message)

        with serve(echo, "127.0.0.1", 0, ssl=self.context, max_size=None) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"wss://localhost:{server.socket.getsockname()[1]}/"
            server.shutdown()
            thread.join()


@pytest.fixture
def tls_server(certificate: pathlib.Path) -> TlsServer:
    return TlsServer(certificate)


def echoes(uri: str, **kwargs: Any) -> None:
    with connect(uri, **kwargs) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"
    assert ws.close_code == 1000


class TestSettings:
    def test_no_check_of_the_name(self, server: EchoServer, context: ssl.SSLContext) -> None:
        uri = server.uri.replace("localhost", "127.0.0.1")
        context.check_hostname = False
        echoes(uri, ssl=context, server_hostname="other.example")

    def test_no_check_at_all(self, server: EchoServer) -> None:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        echoes(server.uri, ssl=context)

    def test_sni(self, tls_server: TlsServer, context: ssl.SSLContext) -> None:
        context.check_hostname = False
        with tls_server.running() as uri:
            echoes(uri, ssl=context)
            echoes(uri, ssl=context, server_hostname="other.example")
        assert tls_server.names == ["localhost", "other.example"]

    def test_alpn(self, tls_server: TlsServer, context: ssl.SSLContext) -> None:
        tls_server.context.set_alpn_protocols(["http/1.1"])
        context.set_alpn_protocols(["h2", "http/1.1"])
        with tls_server.running() as uri:
            echoes(uri, ssl=context)

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_versions(self, tls_server: TlsServer, context: ssl.SSLContext, version: ssl.TLSVersion) -> None:
        context.minimum_version = context.maximum_version = version
        with tls_server.running() as uri:
            echoes(uri, ssl=context)

    def test_versions_that_do_not_meet(self, tls_server: TlsServer, context: ssl.SSLContext) -> None:
        tls_server.context.maximum_version = ssl.TLSVersion.TLSv1_2
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        with (
            tls_server.running() as uri,
            pytest.raises(ssl.SSLError, match="(?i)TLS with localhost: .*version"),
        ):
            connect(uri, ssl=context)

    def test_key_log(self, server: EchoServer, context: ssl.SSLContext, tmp_path: pathlib.Path) -> None:
        context.keylog_filename = str(tmp_path / "keys")
        echoes(server.uri, ssl=context)
        assert "CLIENT_TRAFFIC_SECRET_0" in (tmp_path / "keys").read_text()

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_sessions_are_resumed(
        self, tls_server: TlsServer, context: ssl.SSLContext, version: ssl.TLSVersion
    ) -> None:
        context.maximum_version = version
        with tls_server.running() as uri:
            for _ in range(3):
                echoes(uri, ssl=context)
            context.check_hostname = False  # what was not checked so is not resumed either
            echoes(uri, ssl=context)
        assert tls_server.reused == [False, True, True, False]

    def test_class_of_sockets(self, server: EchoServer, context: ssl.SSLContext) -> None:
        class Socket(ssl.SSLSocket):
            handshakes = 0

            def do_handshake(self, block: bool = False) -> None:
                Socket.handshakes += 1
                super().do_handshake(block)

        context.sslsocket_class = Socket
        before = len(os.listdir("/proc/self/fd"))
        with connect(server.uri, ssl=context, max_size=None) as ws:
            ws.send(bytes(2**20))
            assert ws.recv() == bytes(2**20)
        assert Socket.handshakes
        del ws
        gc.collect()
        # The server's end is in this process, too.
        wait_until(lambda: len(os.listdir("/proc/self/fd")) <= before)

    def test_over_a_unix_socket(
        self, certificate: pathlib.Path, context: ssl.SSLContext, tmp_path: pathlib.Path
    ) -> None:
        with EchoServer(path=tmp_path / "sock", certfile=certificate):
            with unix_connect(tmp_path / "sock", ssl=context) as ws:
                ws.send("hello")
                assert ws.recv() == "hello"


class TestStream:
    def test_many_threads_send(
        self, server: EchoServer, context: ssl.SSLContext, pool: ThreadPoolExecutor
    ) -> None:
        with connect(server.uri, ssl=context, max_queue=None) as ws:

            def send(number: int) -> None:
                for i in range(200):
                    ws.send(f"{number} {i}")

            list(pool.map(send, range(6)))
            received = [ws.recv(timeout=30) for _ in range(1200)]
        assert sorted(received) == sorted(f"{n} {i}" for n in range(6) for i in range(200))

    def test_pings_are_answered_while_nobody_receives(
        self, websockets_server: peers.Server, context: ssl.SSLContext
    ) -> None:
        with connect(f"wss://localhost:{websockets_server.ports['wss']}/ping", ssl=context) as ws:
            time.sleep(0.5)  # so that the driver does it
            assert ws.recv(timeout=10) == "pong are you there"

    def test_the_peer_that_hangs_up_without_a_goodbye(
        self, websockets_server: peers.Server, context: ssl.SSLContext
    ) -> None:
        ws = connect(f"wss://localhost:{websockets_server.ports['wss']}/abort?count=2", ssl=context)
        assert [ws.recv(timeout=10), ws.recv(timeout=10)] == ["message 0", "message 1"]
        with pytest.raises(ConnectionClosedError) as caught:
            ws.recv(timeout=10)
        assert isinstance(caught.value.__cause__, OSError)

    def test_the_peer_that_closes(self, websockets_server: peers.Server, context: ssl.SSLContext) -> None:
        ws = connect(f"wss://localhost:{websockets_server.ports['wss']}/send?count=1000", ssl=context)
        received = [ws.recv(timeout=10) for _ in range(1000)]
        assert received == [f"message {n}" for n in range(1000)]
        with pytest.raises(ConnectionClosedOK):
            ws.recv(timeout=10)

    def test_time_outs_lose_nothing(self, server: EchoServer, context: ssl.SSLContext) -> None:
        with connect(server.uri, ssl=context) as ws:
            for n in range(200):
                ws.send(f"{n}")
                while True:
                    try:
                        assert ws.recv(timeout=0.00001) == f"{n}"
                        break
                    except TimeoutError:
                        pass


class Raised(TimeoutError):
    """What a signal handler raises: an `OSError`, as those of TLS are."""


@contextmanager
def shooting() -> Iterator[None]:
    """Send SIGUSR1 to the main thread, again and again."""
    main = threading.main_thread().ident
    assert main is not None
    stop = threading.Event()

    def shoot() -> None:
        while not stop.wait(0.001):
            signal.pthread_kill(main, signal.SIGUSR1)

    shooter = threading.Thread(target=shoot)
    shooter.start()
    try:
        yield
    finally:
        stop.set()
        shooter.join()


class TestSignals:
    def test_handlers_that_raise_do_not_tear_the_stream(
        self,
        server: EchoServer,
        context: ssl.SSLContext,
        handle_signals: Callable[[Callable[[], object]], None],
    ) -> None:
        """A byte that is lost inside OpenSSL would show as a broken frame, and end the connection."""
        is_armed = False

        def handle() -> None:
            nonlocal is_armed
            if is_armed:
                is_armed = False
                raise Raised

        handle_signals(handle)
        count, raised = 3000, 0
        payload = "x" * 20000  # two records each
        received: list[str | bytes] = []
        with connect(server.uri, ssl=context, max_queue=None) as ws:
            messages = [f"{n} {payload}" for n in range(count)]
            sender = threading.Thread(target=ws.send_many, args=(messages,))
            sender.start()
            with shooting():
                while len(received) < count // 2:
                    try:
                        is_armed = True
                        message = ws.recv(timeout=10)
                        is_armed = False
                        received.append(message)
                    except Raised:
                        raised += 1
                is_armed = False
            while not (received and str(received[-1]).startswith(f"{count - 1} ")):
                received.append(ws.recv(timeout=10))
            sender.join()
        numbers = [int(str(message).split()[0]) for message in received]
        assert raised > 10
        assert numbers == sorted(set(numbers)), "twice, or out of order"
        # Python itself can raise between the return of a call and what follows.
        assert count - len(numbers) <= raised
        assert ws.close_code == 1000

    def test_where_handlers_cannot_send_they_are_told(
        self,
        server: EchoServer,
        context: ssl.SSLContext,
        handle_signals: Callable[[Callable[[], object]], None],
    ) -> None:
        """Signals that are noticed inside of TLS: nothing hangs, and nothing is torn."""
        sent, is_sending, refused = 0, False, 0
        with connect(server.uri, ssl=context, max_queue=None) as ws:

            def handle() -> None:
                nonlocal sent, is_sending, refused
                if is_sending:
                    return
                is_sending = True
                try:
                    ws.send("signal")
                    sent += 1
                except ConcurrencyError as error:
                    assert "have it set a flag" in str(error)
                    refused += 1
                is_sending = False

            handle_signals(handle)
            with shooting():
                for _ in range(3000):
                    ws.send("x" * 1000)
                    ws.recv(timeout=10)
            received = 3000
            while received < 3000 + sent:
                received += len(ws.recv_many(timeout=10))
        assert sent + refused > 10


@pytest.mark.parametrize(
    "end",
    ["", "threading.Thread(target=ws.recv, daemon=True).start(); time.sleep(0.2)", "ws.close()", "del ws"],
)
def test_exit(end: str, server: EchoServer, authority_file: pathlib.Path) -> None:
    program = f"""
        import ssl, threading, time, openline
        context = ssl.create_default_context(cafile={str(authority_file)!r})
        ws = openline.connect({server.uri!r}, ssl=context, ping_interval=0.01)
        ws.send("hello"); assert ws.recv() == "hello"
        time.sleep(0.3)
        {end}
    """
    start = time.monotonic()
    outcome = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=20
    )
    assert (outcome.returncode, outcome.stderr) == (0, "")
    assert time.monotonic() - start < 10


def test_a_forked_child_lets_go(server: EchoServer, context: ssl.SSLContext) -> None:
    ws = connect(server.uri, ssl=context)
    child = os.fork()
    if child == 0:
        del ws
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    ws.send("hello")
    assert ws.recv(timeout=10) == "hello"
    ws.close()


class Session:
    has_ticket = True


def test_sessions_of_few_servers_are_kept(context: ssl.SSLContext) -> None:
    from openline import _sessions

    class Connection:
        session = Session()

    for number in range(300):
        _sessions.remember(context, f"host{number}", Connection())
    kept: list[object] = [_sessions.recall(context, f"host{number}") for number in range(300)]
    assert kept == [None] * 44 + [Connection.session] * 256


@pytest.mark.parametrize("leaks", [True, False])
def test_sessions_are_taken_rarely_where_that_leaks(
    context: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch, leaks: bool
) -> None:
    from openline import _sessions

    taken = []

    class Connection:
        @property
        def session(self) -> Session:
            taken.append(Session())
            taken[-1].has_ticket = len(taken) > 1  # it comes after the handshake
            return taken[-1]

    monkeypatch.setattr(_sessions, "_PAUSE", 600.0 if leaks else 0.0)
    for _ in range(5):
        _sessions.remember(context, "host", Connection())
    assert len(taken) == (2 if leaks else 5)
    kept: object = _sessions.recall(context, "host")
    assert kept is taken[-1]
