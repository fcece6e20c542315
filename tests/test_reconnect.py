"""Connecting again: after losses, after failures, and when not to."""

from __future__ import annotations

import itertools
import logging
import pathlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from http_server import HttpServer, accepted
from openline import InvalidMessage, InvalidStatus, InvalidURI
from openline.client import backoff, process_exception
from openline.exceptions import ConnectionClosed, _connect_error, _invalid_proxy_status, _invalid_status
from openline.sync.client import ClientConnection, reconnect, unix_reconnect
from openline.testing import EchoServer


def at_once() -> Iterator[float]:
    return itertools.repeat(0.001)


def test_a_new_connection_after_each_loss() -> None:
    with EchoServer(close_after=1) as server:
        seen: list[ClientConnection] = []
        for ws in reconnect(server.uri):
            seen.append(ws)
            ws.send("hello")
            assert list(ws) == ["hello"]  # until the server closes
            if len(seen) == 3:
                break
        assert len(set(seen)) == 3
        assert all(ws.closed for ws in seen)


def test_each_connection_is_closed_at_the_end_of_its_turn() -> None:
    with EchoServer() as server:
        previous: ClientConnection | None = None
        for ws in itertools.islice(reconnect(server.uri), 3):
            assert previous is None or previous.closed
            assert not ws.closed
            previous = ws


def test_an_exception_of_the_body_comes_through() -> None:
    with EchoServer() as server:
        with pytest.raises(ConnectionClosed):
            for ws in reconnect(server.uri):
                ws.close()
                ws.recv()
        with pytest.raises(ZeroDivisionError):
            for ws in reconnect(server.uri):
                raise ZeroDivisionError
        assert ws.closed


def test_failures_that_pass_are_logged_and_waited_for(caplog: pytest.LogCaptureFixture) -> None:
    busy = b"HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n"
    responses = iter([busy, b"", busy])
    with HttpServer(lambda head: next(responses, None) or accepted(head)) as server:
        with caplog.at_level(logging.INFO, "openline.client"):
            for ws in reconnect(server.uri(), reconnect_delays=at_once):
                break
        assert len(server.requests) == 2  # an empty answer is a correct one
    assert [record.getMessage() for record in caplog.records] == [
        "connect failed; reconnecting in 0.0 seconds: InvalidStatus: server rejected WebSocket connection: HTTP 503"
    ]


def test_a_server_that_comes_later() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    server: list[EchoServer] = []
    waits = 0

    def delays() -> Iterator[float]:
        nonlocal waits
        for waits in itertools.count(1):
            if waits == 3:
                server.append(EchoServer(port=port))
            yield 0.001

    for ws in reconnect(f"ws://127.0.0.1:{port}/", reconnect_delays=delays):
        ws.send("hello")
        assert ws.recv() == "hello"
        break
    assert waits == 3
    server[0].close()


def test_other_failures_are_raised() -> None:
    with EchoServer(basic_auth=("ada", "secret")) as server:
        with pytest.raises(InvalidStatus, match="401"):
            next(iter(reconnect(server.uri)))
    with pytest.raises(InvalidURI):
        reconnect("http://localhost/").__enter__()


def test_when_the_delays_end_the_failure_is_raised() -> None:
    with pytest.raises(ConnectionRefusedError):
        next(iter(reconnect("ws://127.0.0.1:1/", reconnect_delays=lambda: iter([0.001, 0.001]))))


class TestProcessException:
    def test_another_exception(self) -> None:
        def process(exc: Exception) -> Exception:
            return RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough") as caught:
            next(iter(reconnect("ws://127.0.0.1:1/", process_exception=process)))
        assert isinstance(caught.value.__cause__, ConnectionRefusedError)

    def test_raising(self) -> None:
        def process(exc: Exception) -> Exception:
            raise RuntimeError("enough")

        with pytest.raises(RuntimeError, match="enough"):
            next(iter(reconnect("ws://127.0.0.1:1/", process_exception=process)))

    def test_retrying_what_is_fatal(self) -> None:
        attempts: list[Exception] = []

        def process(exc: Exception) -> Exception | None:
            attempts.append(exc)
            return exc if len(attempts) == 3 else None

        with EchoServer(basic_auth=("ada", "secret")) as server, pytest.raises(InvalidStatus):
            next(iter(reconnect(server.uri, process_exception=process, reconnect_delays=at_once)))
        assert len(attempts) == 3

    @pytest.mark.parametrize(
        ("exc", "is_transient"),
        [
            (ConnectionRefusedError(), True),
            (TimeoutError(), True),
            (_connect_error(111, "", "tcp"), True),
            (_invalid_status(503, "", [], b""), True),
            (_invalid_status(404, "", [], b""), False),
            (_invalid_proxy_status(502, "", [], b""), True),
            (_invalid_proxy_status(407, "", [], b""), False),
            (InvalidMessage("x"), False),
            (ValueError(), False),
        ],
    )
    def test_default(self, exc: Exception, is_transient: bool) -> None:
        assert process_exception(exc) is (None if is_transient else exc)

    def test_server_that_hangs_up(self) -> None:
        error = InvalidMessage("x")
        error.__cause__ = EOFError()
        assert process_exception(error) is None


class TestBackoff:
    def test_default(self) -> None:
        delays = list(itertools.islice(backoff(), 12))
        assert 0 <= delays[0] <= 5
        assert delays[1] == 3.1
        assert all(
            later == pytest.approx(min(90, earlier * 1.618))
            for earlier, later in itertools.pairwise(delays[1:])
        )
        assert delays[-1] == 90
        assert len({next(backoff()) for _ in range(8)}) > 1

    def test_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in [("INITIAL_DELAY", "0"), ("MIN_DELAY", "1"), ("MAX_DELAY", "3"), ("FACTOR", "2")]:
            monkeypatch.setenv(f"OPENLINE_BACKOFF_{name}", value)
        assert list(itertools.islice(backoff(), 5)) == [0, 1, 2, 3, 3]


class TestArguments:
    @pytest.mark.parametrize(
        ("arguments", "error", "text"),
        [
            ({"nope": 1}, TypeError, r"reconnect\(\) got an unexpected keyword argument 'nope'"),
            ({"process_exception": None}, TypeError, "process_exception must be callable, not NoneType"),
            ({"reconnect_delays": 5}, TypeError, "reconnect_delays must be callable, not int"),
            ({"open_timeout": -1}, ValueError, "open_timeout must be positive"),
        ],
    )
    def test_wrong(self, arguments: dict[str, Any], error: type[Exception], text: str) -> None:
        with pytest.raises(error, match=text):
            reconnect("ws://localhost/", **arguments)

    def test_sock(self) -> None:
        sock: Any = socket.socket()
        with sock, pytest.raises(ValueError, match=r"reconnect\(\) makes new sockets"):
            reconnect("ws://localhost/", sock=sock)


class TestContextManager:
    def test_connects_once(self) -> None:
        with EchoServer() as server, reconnect(server.uri) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
        assert ws.closed

    def test_is_entered_once_at_a_time(self) -> None:
        with EchoServer() as server:
            context = reconnect(server.uri)
            with context, pytest.raises(RuntimeError, match="entered already"), context:
                pass
            with context as ws:
                ws.send("hello")


def test_over_a_unix_socket(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "sock"
    with EchoServer(path=path, close_after=1):
        for number, ws in enumerate(unix_reconnect(uri=f"unix://{path}")):
            ws.send(f"{number}")
            assert list(ws) == [f"{number}"]
            if number == 2:
                break
    with pytest.raises(TypeError, match=r"unix_reconnect\(\) got an unexpected keyword argument 'nope'"):
        unix_reconnect(path, nope=1)  # type: ignore[call-arg]
    with pytest.raises(ValueError, match="the socket's path is missing"):
        unix_reconnect()


def test_the_wait_can_be_interrupted() -> None:
    from peer import interrupt_later

    timer = interrupt_later(0.3)
    with pytest.raises(KeyboardInterrupt):
        next(iter(reconnect("ws://127.0.0.1:1/", reconnect_delays=lambda: iter([60]))))
    timer.join()


def test_many_in_a_row_leave_nothing() -> None:
    import os

    with EchoServer(close_after=1) as server:

        def some(count: int) -> None:
            for ws in itertools.islice(reconnect(server.uri), count):
                ws.send("x")
                list(ws)

        some(20)
        descriptors, threads = len(os.listdir("/proc/self/fd")), threading.active_count()
        some(300)
        assert len(os.listdir("/proc/self/fd")) <= descriptors + 2
        assert threading.active_count() <= threads
