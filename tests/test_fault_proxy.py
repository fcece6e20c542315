"""`openline.testing.FaultProxy`: what it does to connections, over TCP, TLS and Unix sockets."""

from __future__ import annotations

import contextlib
import os
import pathlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme
import websockets.sync.client

from openline import ConnectionClosedError, InvalidMessage, InvalidURI, connect, reconnect
from openline.sync.client import unix_connect
from openline.testing import EchoServer, FaultCounts, FaultProxy, Faults

from fixtures import server

__all__ = ["server"]


@contextlib.contextmanager
def receiver(**arguments: Any) -> Iterator[tuple[FaultProxy, Callable[[], socket.socket]]]:
    """A proxy to a plain listening socket, and what accepts the server's end of its next connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener, contextlib.ExitStack() as stack:
        listener.settimeout(10)
        proxy = stack.enter_context(FaultProxy(f"ws://127.0.0.1:{listener.getsockname()[1]}", **arguments))

        def accept() -> socket.socket:
            accepted = stack.enter_context(listener.accept()[0])
            accepted.settimeout(10)
            return accepted

        yield proxy, accept


def dial(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(proxy.address, timeout=10)


def read_all(sock: socket.socket) -> bytes:
    return b"".join(iter(lambda: sock.recv(65536), b""))


DATA = bytes(range(256)) * 400


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.mark.parametrize(
    "faults",
    [
        None,
        Faults(split=7),
        Faults(delay=0.01, jitter=0.005, split=5000),
        Faults(rate=2_000_000),
    ],
    ids=["none", "split", "delay", "rate"],
)
def test_bytes_and_their_order_stay(faults: Faults | None) -> None:
    with receiver(faults=faults) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        for source, target in [(client, accepted), (accepted, client)]:
            sender = threading.Thread(target=source.sendall, args=(DATA,))
            sender.start()
            with contextlib.closing(target.makefile("rb")) as file:
                assert file.read(len(DATA)) == DATA
            sender.join()
        client.shutdown(socket.SHUT_WR)
        assert accepted.recv(1) == b""  # the end is passed on, and that of one side alone
        accepted.sendall(b"last")
        accepted.close()
        assert read_all(client) == b"last"
    assert proxy.connections == 0


def test_counts(server: EchoServer) -> None:
    with FaultProxy(server.uri, Faults(split=10, delay=0.001)) as proxy, connect(proxy.uri) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"
        counts = proxy.injected
    assert counts.splits == counts.delays > 50
    assert counts[2:] == (0, 0, 0, 0, 0)


def test_faults_of_one_direction(server: EchoServer) -> None:
    with FaultProxy(server.uri, Faults(delay=0.05), up=Faults()) as proxy:
        assert proxy.injected.delays == 0
        with connect(proxy.uri) as ws:
            assert ws.ping() >= 0.05
            assert 0 < proxy.injected.delays < 10


def test_cut_after() -> None:
    with receiver(up=Faults(cut_after=1000)) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        accepted.sendall(b"before")
        assert client.recv(6) == b"before"
        client.sendall(DATA)
        assert read_all(accepted) == DATA[:1000]
        assert client.recv(1) == b""  # in order, though the client sends on
        client.sendall(DATA)
        assert proxy.connections == 0
        assert proxy.injected == FaultCounts(cuts=1)


def test_half_close_after() -> None:
    with receiver(up=Faults(half_close_after=1000)) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        client.sendall(DATA)
        assert read_all(accepted) == DATA[:1000]
        accepted.sendall(b"and back")
        assert client.recv(8) == b"and back"
        assert proxy.connections == 1
        assert proxy.injected == FaultCounts(half_closes=1)


def test_reset_after() -> None:
    with receiver(up=Faults(reset_after=1000)) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        client.sendall(DATA[:2000])
        with pytest.raises(ConnectionResetError):
            client.recv(1)
        with pytest.raises(ConnectionResetError):
            read_all(accepted)
        assert proxy.injected == FaultCounts(resets=1)


def test_stall_after() -> None:
    with receiver(up=Faults(stall_after=1000)) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        client.sendall(DATA[:2000])
        client.shutdown(socket.SHUT_WR)
        received = b""
        while len(received) < 1000:
            received += accepted.recv(65536)
        accepted.settimeout(0.05)
        with pytest.raises(TimeoutError):
            accepted.recv(1)
        accepted.settimeout(10)
        proxy.resume("down")  # not this one
        proxy.resume("up")
        assert received + read_all(accepted) == DATA[:2000]
        assert proxy.injected == FaultCounts(stalls=1)


def test_a_stalled_sender_has_to_wait() -> None:
    with receiver() as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        proxy.stall()
        client.settimeout(0.2)
        with pytest.raises(TimeoutError):
            client.sendall(bytes(64 << 20))
        proxy.reset()
        with pytest.raises(ConnectionResetError):
            read_all(accepted)


def test_corruption_is_a_bit_where_it_is_said() -> None:
    with receiver(up=Faults(corrupt_at=777)) as (proxy, accept), dial(proxy) as client:
        accepted = accept()
        client.sendall(DATA)
        client.shutdown(socket.SHUT_WR)
        received = read_all(accepted)
        different = [place for place, pair in enumerate(zip(received, DATA, strict=True)) if pair[0] != pair[1]]
        assert different == [777]
        assert (received[777] ^ DATA[777]).bit_count() == 1
        assert proxy.injected == FaultCounts(corruptions=1)


def test_the_seed_decides() -> None:
    def received(seed: int) -> list[bytes]:
        """What arrives over two connections, one after the other."""
        texts = []
        faults = Faults(corrupt_per_mib=1000, cut_after=(50_000, 100_000))
        with receiver(up=faults, seed=seed) as (proxy, accept):
            for _ in range(2):
                with dial(proxy) as client:
                    accepted = accept()
                    client.sendall(DATA)
                    texts.append(read_all(accepted))
        return texts

    first, second = received(1)
    assert [first, second] == received(1)
    assert first != second
    assert received(2) != [first, second]


def test_commands_to_one_connection(server: EchoServer) -> None:
    with (
        FaultProxy(server.uri) as proxy,
        connect(proxy.uri) as first,
        connect(proxy.uri) as second,
        connect(proxy.uri) as third,
    ):
        proxy.stall(connection=0)
        proxy.cut(connection=1)
        proxy.reset(connection=2)
        proxy.reset(connection=3)  # there is none, or not any more
        with pytest.raises(ConnectionClosedError):
            second.recv()
        with pytest.raises(ConnectionClosedError):
            third.recv()
        first.send("still there")
        with pytest.raises(TimeoutError):
            first.recv(timeout=0.05)
        proxy.resume(connection=0)
        assert first.recv() == "still there"
        assert proxy.connections == 1
        proxy.half_close("up", connection=0)
        with pytest.raises(ConnectionClosedError):
            first.recv()
        assert proxy.injected == FaultCounts(stalls=2, cuts=1, resets=1, half_closes=1)


def test_offline(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        with connect(proxy.uri) as ws:
            proxy.offline()
            with pytest.raises(ConnectionClosedError):
                ws.recv()
        with pytest.raises((ConnectionError, InvalidMessage)):
            connect(proxy.uri)
        proxy.online()
        connect(proxy.uri).close()


def test_a_client_that_reconnects(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        for number, ws in enumerate(reconnect(proxy.uri, reconnect_delays=lambda: iter([0.01] * 50))):
            ws.send("hello")
            assert ws.recv() == "hello"
            if number == 3:
                break
            proxy.reset() if number % 2 else proxy.cut()
            assert list(ws) == []
        assert len(server.requests) == 4


def test_a_server_that_is_not_there() -> None:
    with EchoServer() as server:
        pass
    with FaultProxy(server.uri) as proxy, pytest.raises((ConnectionError, InvalidMessage)):
        connect(proxy.uri)


def test_many_connections_at_once(server: EchoServer) -> None:
    with FaultProxy(server.uri, Faults(split=100)) as proxy, contextlib.ExitStack() as stack:
        lines = [stack.enter_context(connect(proxy.uri)) for _ in range(50)]
        for number, line in enumerate(lines):
            line.send(str(number) * 100)
        for number, line in enumerate(lines):
            assert line.recv() == str(number) * 100
        assert proxy.connections == server.connections == 50


def test_with_tls(
    authority_file: pathlib.Path, certificate: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    with EchoServer(certfile=certificate) as server, FaultProxy(server.uri, Faults(split=100)) as proxy:
        assert proxy.uri == f"wss://localhost:{proxy.address[1]}/"
        with connect(proxy.uri) as ws:
            ws.send(DATA)
            assert ws.recv() == DATA


def test_corruption_under_tls_is_noticed(
    authority_file: pathlib.Path, certificate: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    faults = Faults(corrupt_at=20_000)
    with EchoServer(certfile=certificate) as server, FaultProxy(server.uri, down=faults) as proxy:
        with connect(proxy.uri, compression=None) as ws:
            with pytest.raises(ConnectionClosedError):
                for _ in range(10):
                    ws.send(DATA[:10_000])
                    assert ws.recv() == DATA[:10_000]


def test_unix_socket(tmp_path: pathlib.Path) -> None:
    with EchoServer(path=tmp_path / "echo.sock") as server:
        with FaultProxy(server.address) as proxy:
            assert proxy.address == f"{server.address}.proxy"
            with unix_connect(proxy.address, proxy.uri) as ws:
                ws.send("hello")
                assert ws.recv() == "hello"
                proxy.cut()
                with pytest.raises(ConnectionClosedError):
                    ws.recv()
        assert not pathlib.Path(proxy.address).exists()
        with FaultProxy(tmp_path / "echo.sock", path=tmp_path / "other") as proxy:
            unix_connect(tmp_path / "other").close()


def test_the_client_of_websockets(server: EchoServer) -> None:
    with FaultProxy(server.uri, Faults(split=3)) as proxy:
        with websockets.sync.client.connect(proxy.uri, proxy=None) as ws:
            ws.send("hello")
            assert ws.recv(timeout=10) == "hello"
            proxy.reset()
            with pytest.raises(websockets.exceptions.ConnectionClosedError):
                ws.recv(timeout=10)


def test_close(server: EchoServer) -> None:
    proxy = FaultProxy(server.uri)
    with connect(proxy.uri) as ws:
        proxy.close()
        proxy.close()
        with pytest.raises(ConnectionClosedError):
            ws.recv()
    assert proxy.connections == 0
    proxy.reset()  # nobody is there
    with pytest.raises(ConnectionRefusedError):
        connect(proxy.uri)
    wait_until(lambda: server.connections == 0)


def test_what_was_done_can_be_read_after_the_end(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        with connect(proxy.uri):
            proxy.stall("up")
            proxy.cut()
    assert (proxy.injected, proxy.connections) == (FaultCounts(stalls=1, cuts=1), 0)
    proxy.reset()
    assert proxy.injected == FaultCounts(stalls=1, cuts=1)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("call", ["close", "cut", "injected", "drop"])
def test_a_forked_child_does_nothing(call: str, capfd: pytest.CaptureFixture[str]) -> None:
    server = EchoServer()
    proxy = FaultProxy(server.uri)
    with connect(proxy.uri) as websocket:
        child = os.fork()
        if child == 0:
            status = 1
            try:
                if call == "drop":
                    del proxy, server
                elif call == "injected":
                    assert (proxy.injected, proxy.connections) == (FaultCounts(), 0)
                    assert server.connections == 0
                else:
                    getattr(proxy, call)()
                    server.close()
                status = 0
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
        websocket.send("the parent's")
        assert websocket.recv(timeout=10) == "the parent's"
    proxy.close()
    server.close()
    assert capfd.readouterr().err == ""


def test_a_server_whose_backlog_is_full(tmp_path: pathlib.Path) -> None:
    """The proxy waits for it, and does what it is told meanwhile."""
    path = str(tmp_path / "server")
    with socket.socket(socket.AF_UNIX) as listener, contextlib.ExitStack() as stack:
        listener.bind(path)
        listener.listen(0)
        listener.settimeout(10)
        proxy = stack.enter_context(FaultProxy(path))
        clients = [stack.enter_context(socket.socket(socket.AF_UNIX)) for _ in range(4)]
        for number, client in enumerate(clients):
            client.connect(proxy.address)
            client.sendall(bytes([number]))
        wait_until(lambda: proxy.connections == 1)
        accepted = [stack.enter_context(listener.accept()[0]) for _ in clients]
        assert [sock.recv(1) for sock in accepted] == [b"\x00", b"\x01", b"\x02", b"\x03"]
        assert proxy.connections == 4


def test_it_ends_with_its_last_reference(server: EchoServer) -> None:
    proxy = FaultProxy(server.uri)
    uri = proxy.uri
    del proxy
    with pytest.raises(ConnectionRefusedError):
        connect(uri)


def test_repr(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        assert repr(proxy) == f"<FaultProxy at {proxy.address!r}>"


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"server": 5}, TypeError, "server must be str, bytes or os.PathLike, not int"),
        ({"server": "http://localhost/"}, InvalidURI, "scheme isn't ws or wss"),
        ({"server": "ws://example.com/"}, ValueError, "not to example.com"),
        ({"faults": 0.5}, TypeError, "faults must be Faults or None, not float"),
        ({"up": {}}, TypeError, "up must be Faults or None, not dict"),
        ({"path": "/tmp/x"}, ValueError, "path is for a server on a Unix socket"),
        ({"seed": "7"}, TypeError, "seed must be int, not str"),
        ({"seed": -1}, ValueError, "seed must be from 0 to"),
    ],
)
def test_arguments(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        FaultProxy(**{"server": "ws://localhost:1/", **arguments})


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ({"delay": None}, TypeError, "delay must be a number, not NoneType"),
        ({"jitter": -1}, ValueError, "jitter must be 0 or more, and finite, not -1"),
        ({"delay": float("nan")}, ValueError, "delay must be 0 or more"),
        ({"corrupt_per_mib": float("inf")}, ValueError, "corrupt_per_mib must be 0 or more"),
        ({"split": 0}, ValueError, "split must be 1 or more, and below"),
        ({"rate": 1.5}, TypeError, "rate must be int or None, not float"),
        ({"cut_after": -1}, ValueError, "cut_after must be 0 or more, and a pair in order, not -1"),
        ({"reset_after": (5, 4)}, ValueError, r"reset_after must be .* not \(5, 4\)"),
        ({"stall_after": (5,)}, TypeError, r"stall_after must be an int, a pair .* not \(5,\)"),
        ({"corrupt_at": True}, TypeError, "corrupt_at must be an int"),
    ],
)
def test_arguments_of_faults(arguments: dict[str, Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        Faults(**arguments)


def test_arguments_of_commands(server: EchoServer) -> None:
    with FaultProxy(server.uri) as proxy:
        for command in (proxy.stall, proxy.resume, proxy.half_close):
            with pytest.raises(ValueError, match="direction must be 'up', 'down' or 'both', not 'left'"):
                command("left")  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="direction must be 'up', 'down' or 'both', not 5"):
                command(5)  # type: ignore[arg-type]
            with pytest.raises(ValueError, match="connection must be 0 or more, not -1"):
                command("up", connection=-1)
        for end in (proxy.cut, proxy.reset):
            with pytest.raises(TypeError, match="connection must be an int or None, not str"):
                end(connection="0")  # type: ignore[arg-type]
            with pytest.raises(TypeError, match="connection must be an int or None, not bool"):
                end(connection=True)
