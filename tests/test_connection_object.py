"""What `ClientConnection` and `EchoServer` add in Python, on stand-ins for what the binding gives."""

from __future__ import annotations

import logging
import threading
import uuid
from typing import Any

import pytest

from openline.datastructures import Headers
from openline.http11 import Request, Response
from openline.protocol import Protocol, Side, State
from openline.sync.client import ClientConnection
from openline.testing import EchoServer


class StandIn:
    """The part of the binding's connection that the Python layer reads and calls."""

    handshake_request = ("/chat?a=b", [("Host", "localhost")])
    handshake_response = (101, "Switching Protocols", [("Upgrade", "websocket")], b"")
    remote_address = ("127.0.0.1", 9)
    state_number = 1

    # From the class under test: these need nothing but the above.
    id: Any = ClientConnection.id
    logger: Any = ClientConnection.logger
    request: Any = ClientConnection.request
    response: Any = ClientConnection.response
    state: Any = ClientConnection.state
    __enter__: Any = ClientConnection.__enter__
    __exit__: Any = ClientConnection.__exit__
    __repr__: Any = ClientConnection.__repr__

    def __init__(self, error: BaseException | None = None) -> None:
        self.protocol = Protocol(Side.CLIENT)
        self.calls: list[Any] = []
        self.error = error

    def close(self, code: int = 1000, reason: str = "") -> None:
        self.calls.append(int(code))
        if self.error is not None:
            raise self.error

    def abort(self) -> None:
        self.calls.append("abort")


def test_id_is_made_once() -> None:
    connection = StandIn()
    assert isinstance(connection.id, uuid.UUID)
    assert connection.id is connection.id
    assert connection.id != StandIn().id


def test_id_is_the_same_in_threads_that_race() -> None:
    connection = StandIn()
    barrier = threading.Barrier(8)
    seen: list[object] = []

    def look() -> None:
        barrier.wait()
        seen.append(connection.id)

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(seen) == 8
    assert len(set(seen)) == 1


def test_handshake() -> None:
    connection = StandIn()
    assert connection.request == Request("/chat?a=b", Headers(Host="localhost"))
    assert connection.response == Response(101, "Switching Protocols", Headers(Upgrade="websocket"))
    assert connection.request is connection.request
    assert connection.response is connection.response


@pytest.mark.parametrize("state", list(State)[1:])
def test_state_and_repr(state: State) -> None:
    connection = StandIn()
    connection.state_number = int(state)
    assert connection.state is state
    to = "" if state is State.CONNECTING else " to ('127.0.0.1', 9)"
    assert repr(connection) == f"<StandIn {state.name}{to}>"


def test_logger() -> None:
    connection = StandIn()
    assert connection.logger.logger is logging.getLogger("openline.client")
    assert connection.logger.extra["websocket"].remote_address == ("127.0.0.1", 9)
    assert connection.logger is connection.logger


def test_attributes_can_be_assigned() -> None:
    connection = StandIn()
    connection.id = 7
    connection.request = None
    assert (connection.id, connection.request) == (7, None)


class TestContext:
    def test_leaves_with_close(self) -> None:
        connection = StandIn()
        with connection as entered:
            assert entered is connection
        assert connection.calls == [1000]

    @pytest.mark.parametrize("error", [KeyError("x"), KeyboardInterrupt(), SystemExit(1)])
    def test_leaves_with_1011_after_an_exception(self, error: BaseException) -> None:
        connection = StandIn()
        with pytest.raises(type(error)) as caught, connection:
            raise error
        assert caught.value is error
        assert connection.calls == [1011]

    def test_never_hides_the_exception_of_the_body(self) -> None:
        connection = StandIn(OSError("close failed too"))
        with pytest.raises(KeyError), connection:
            raise KeyError("x")

    def test_ctrl_c_while_closing_gets_through(self) -> None:
        connection = StandIn(KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt), connection:
            raise KeyError("x")


class TestForgotten:
    def test_warns_and_aborts(self) -> None:
        connection = StandIn()
        with pytest.warns(ResourceWarning, match="unclosed connection <StandIn OPEN to .*>") as warned:
            ClientConnection.__del__(connection)  # type: ignore[arg-type]
        assert connection.calls == ["abort"]
        assert warned[0].source is connection

    def test_aborts_even_when_the_warning_is_an_error(self, recwarn: pytest.WarningsRecorder) -> None:
        import warnings

        connection = StandIn()
        warnings.simplefilter("error")
        with pytest.raises(ResourceWarning):
            ClientConnection.__del__(connection)  # type: ignore[arg-type]
        assert connection.calls == ["abort"]

    def test_closed_is_quiet(self, recwarn: pytest.WarningsRecorder) -> None:
        connection = StandIn()
        connection.state_number = State.CLOSED
        ClientConnection.__del__(connection)  # type: ignore[arg-type]
        assert connection.calls == ["abort"]
        assert len(recwarn) == 0


class ServerStandIn:
    """The binding's server."""

    uri = "ws://127.0.0.1:9/"
    address = ("127.0.0.1", 9)
    connections = 2

    def __init__(self, **kwargs: Any) -> None:
        self.pending = [("/a", [("Host", "localhost")])]
        self.shutdowns = 0

    def take_requests(self) -> list[tuple[str, list[tuple[str, str]]]]:
        taken, self.pending = self.pending, []
        return taken

    def shutdown(self) -> None:
        self.shutdowns += 1


def test_echo_server(monkeypatch: pytest.MonkeyPatch) -> None:
    from openline import _openline

    monkeypatch.setattr(_openline, "EchoServer", ServerStandIn)
    with EchoServer() as server:
        binding: Any = server._server
        assert (server.uri, server.address, server.connections) == ("ws://127.0.0.1:9/", ("127.0.0.1", 9), 2)
        assert repr(server) == "<EchoServer at ('127.0.0.1', 9)>"
        assert server.requests == [Request("/a", Headers(Host="localhost"))]
        server.requests.clear()
        binding.pending = [("/b", [])]
        assert [request.path for request in server.requests] == ["/a", "/b"]
    assert binding.shutdowns == 1
    server.close()
    assert [request.path for request in server.requests] == ["/a", "/b"]
