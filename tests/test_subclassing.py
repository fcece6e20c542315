"""Connections of classes that programs write themselves."""

from __future__ import annotations

import contextlib
import gc
import logging
import pathlib
import socket
import weakref
from collections.abc import Callable
from typing import Any

import pytest

from openline import ConnectionClosedError, InvalidState, State
from openline.client import ClientProtocol
from openline.protocol import Protocol, Side
from openline.sync.client import ClientConnection, connect, reconnect, unix_connect, unix_reconnect
from openline.sync.connection import Connection
from openline.testing import EchoServer

from fixtures import server, ws
from peer import Peer, text

__all__ = ["server", "ws"]


class Logged(ClientConnection):
    """Notes every call."""

    label = "of the class"

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.calls: list[str] = []
        self.state_in_init = self.state
        self.options = kwargs

    def recv(self, timeout: float | None = None, decode: bool | None = None) -> Any:
        self.calls.append("recv")
        return super().recv(timeout, decode)

    def send(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append("send")
        super().send(*args, **kwargs)

    def ping(self, *args: Any, **kwargs: Any) -> float:
        self.calls.append("ping")
        return super().ping(*args, **kwargs)

    def pong(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append("pong")
        super().pong(*args, **kwargs)

    def close(self, *args: Any, **kwargs: Any) -> None:
        self.calls.append("close")
        super().close(*args, **kwargs)


def test_overridden_methods(server: EchoServer) -> None:
    with connect(server.uri, create_connection=Logged) as ws:
        assert isinstance(ws, Logged)
        ws.send("hello")
        assert ws.recv(1) == "hello"
        assert ws.ping(timeout=5) < 5
        ws.pong()
    assert ws.calls == ["send", "recv", "ping", "pong", "close"]
    assert ws.state is State.CLOSED


def test_the_connection_is_open_in_init(server: EchoServer) -> None:
    with connect(server.uri, create_connection=Logged, ping_interval=7, max_queue=(4, 2)) as ws:
        assert isinstance(ws, Logged)
        assert ws.state_in_init is State.OPEN
        assert (ws.label, repr(ws)) == ("of the class", f"<Logged OPEN to {ws.remote_address!r}>")
        expected = {"ping_interval": 7, "ping_timeout": 20, "close_timeout": 10, "max_queue": (4, 2)}
        assert ws.options == expected
        assert (ws.ping_interval, ws.ping_timeout, ws.close_timeout) == (7, 20, 10)


def test_iteration_calls_recv() -> None:
    with EchoServer(welcome=["a", "b", "c"], close_after=0) as server:
        with connect(server.uri, create_connection=Logged) as ws:
            assert next(ws) == "a"
            assert list(ws) == ["b", "c"]
            assert isinstance(ws, Logged)
            assert ws.calls == ["recv"] * 4


def test_iteration_calls_recv_of_the_object() -> None:
    with EchoServer(welcome=["a", "b"], close_after=0) as server:
        with connect(server.uri) as ws:
            own = ws.recv
            ws.recv = lambda *args: f"<{own(*args)!r}>"  # type: ignore[method-assign, assignment]
            assert list(ws) == ["<'a'>", "<'b'>"]


def test_iteration_calls_recv_put_on_the_class(monkeypatch: pytest.MonkeyPatch) -> None:
    own = ClientConnection.recv
    with EchoServer(welcome=["a", "b"], close_after=0) as server:
        with connect(server.uri) as ws:
            changed = lambda self, *args: f"<{own(self, *args)!r}>"  # noqa: E731
            with monkeypatch.context() as patch:
                patch.setattr(ClientConnection, "recv", changed)
                for message in ws:
                    assert message == "<'a'>"
                    break
            assert list(ws) == ["b"]


def test_exceptions_of_recv_pass_through_iteration(server: EchoServer) -> None:
    class Picky(ClientConnection):
        def recv(self, *args: Any, **kwargs: Any) -> Any:
            raise LookupError("none of these")

    with connect(server.uri, create_connection=Picky) as ws:
        with pytest.raises(LookupError, match="none of these"):
            next(ws)


def test_leaving_with_calls_close(server: EchoServer) -> None:
    with pytest.raises(KeyError):
        with connect(server.uri, create_connection=Logged) as ws:
            raise KeyError("x")
    assert isinstance(ws, Logged)
    assert ws.calls == ["close"]
    assert ws.close_code == 1011


def test_reconnect_makes_and_closes_them(server: EchoServer) -> None:
    for ws in reconnect(server.uri, create_connection=Logged):
        assert isinstance(ws, Logged)
        seen = ws
        break
    assert seen.calls == ["close"]
    with reconnect(server.uri, create_connection=Logged) as entered:
        assert isinstance(entered, Logged)


def test_unix(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "echo.sock"
    with EchoServer(path=path):
        with unix_connect(path, create_connection=Logged) as ws:
            assert isinstance(ws, Logged)
        for ws in unix_reconnect(path, create_connection=Logged):
            assert isinstance(ws, Logged)
            break


def test_a_factory_is_called_as_the_class(server: EchoServer) -> None:
    seen: dict[str, Any] = {}

    def create(sock: Any, protocol: ClientProtocol, **kwargs: Any) -> ClientConnection:
        seen.update(kwargs, protocol=protocol)
        return ClientConnection(sock, protocol, **kwargs)

    with connect(server.uri, create_connection=create, close_timeout=3) as ws:
        assert seen["protocol"] is ws.protocol
        assert seen.keys() == {"protocol", "ping_interval", "ping_timeout", "close_timeout", "max_queue"}
        assert seen["close_timeout"] == ws.close_timeout == 3


def test_what_the_factory_returns_is_returned(server: EchoServer) -> None:
    class Wrapper:
        def __init__(self, ws: ClientConnection) -> None:
            self.ws = ws

    create: Any = lambda *args, **kwargs: Wrapper(ClientConnection(*args, **kwargs))  # noqa: E731
    wrapper: Any = connect(server.uri, create_connection=create)
    assert isinstance(wrapper, Wrapper)
    wrapper.ws.close()


class TestErrors:
    def check_nothing_is_left(self, server: EchoServer, peer: socket.socket | None = None) -> None:
        while server.connections:
            pass  # the server hears of the end at once, in a thread of its own
        if peer is not None:
            assert peer.fileno() == -1

    def before(*args: Any, **kwargs: Any) -> Any:
        raise LookupError("before")

    def after(*args: Any, **kwargs: Any) -> Any:
        made = ClientConnection(*args, **kwargs)
        raise LookupError(f"after {made}")

    class Failing(ClientConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            raise LookupError("in the end of __init__")

    @pytest.mark.parametrize("create", [before, after, Failing])
    def test_nothing_is_left_open(self, server: EchoServer, create: Callable[..., Any]) -> None:
        with pytest.raises(LookupError) as caught:
            connect(server.uri, create_connection=create)
        self.check_nothing_is_left(server)  # though the exception has the frames, and they the objects
        assert caught.value

    @pytest.mark.parametrize("create", [before, after, Failing])
    def test_the_given_socket_is_closed(self, server: EchoServer, create: Callable[..., Any]) -> None:
        sock = socket.create_connection(server.address)
        with pytest.raises(LookupError):
            connect(server.uri, sock=sock, create_connection=create)
        self.check_nothing_is_left(server, sock)

    def test_without_super_init(self, server: EchoServer) -> None:
        class Forgetful(ClientConnection):
            def __init__(self, *args: Any, **kwargs: Any) -> None:
                pass

        ws = connect(server.uri, create_connection=Forgetful)
        with pytest.raises(InvalidState, match=r"call its handshake\(\), and super\(\).__init__"):
            ws.recv()
        with pytest.raises(InvalidState):
            ws.send("x")
        assert repr(ws).endswith("Forgetful CONNECTING>")
        with pytest.raises(KeyError), ws:
            raise KeyError("what happened")

    def test_a_second_connection_of_one_protocol(self, ws: ClientConnection) -> None:
        with pytest.raises(InvalidState, match="has a connection already"):
            ClientConnection(None, ws.protocol)
        ws.send("still there")
        assert ws.recv(5) == "still there"


def test_a_state_of_ones_own_is_not_what_repr_tells(server: EchoServer) -> None:
    class Mine(ClientConnection):
        state = "mine"  # type: ignore[assignment]

    with connect(server.uri, create_connection=Mine) as ws:
        assert repr(ws) == f"<{Mine.__qualname__} OPEN to {ws.remote_address!r}>"
        assert ws.state == "mine"


class TestObjects:
    def test_attributes_of_their_own(self, ws: ClientConnection) -> None:
        ws.room = "blue"  # type: ignore[attr-defined]
        ws.id = "mine"  # type: ignore[assignment]
        assert ws.__dict__["room"] == "blue"
        assert ws.id == "mine"

    def test_new_attributes_of_the_class(
        self, ws: ClientConnection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        shout = lambda self, word: self.send(word.upper())  # noqa: E731
        monkeypatch.setattr(ClientConnection, "shout", shout, raising=False)
        ws.shout("hello")  # type: ignore[attr-defined]
        assert ws.recv(5) == "HELLO"

    def test_as_keys(self, server: EchoServer) -> None:
        with connect(server.uri) as one, connect(server.uri) as other:
            names = {one: "one", other: "other"}
            assert (names[one], names[other], one == other) == ("one", "other", False)

    def test_weak_references(self, server: EchoServer) -> None:
        ws = connect(server.uri, create_connection=Logged)
        seen = weakref.WeakSet([ws])
        reference = weakref.ref(ws)
        assert ws.logger is not None and ws in seen  # the logger's view of the connection is weak too
        ws.close()
        del ws
        gc.collect()
        assert reference() is None and not seen

    def test_closing(self, server: EchoServer) -> None:
        with contextlib.closing(connect(server.uri, create_connection=Logged)) as ws:
            pass
        assert ws.closed

    def test_several_bases(self, server: EchoServer) -> None:
        class Named:
            def __init__(self, *args: Any, name: str = "anonymous", **kwargs: Any) -> None:
                super().__init__(*args, **kwargs)
                self.name = name

        class Both(Named, ClientConnection):
            pass

        with connect(server.uri, create_connection=lambda *a, **k: Both(*a, name="ada", **k)) as ws:
            assert isinstance(ws, Both)
            assert ws.name == "ada"


class TestProtocol:
    def test_is_a_live_view(self, server: EchoServer) -> None:
        with connect(server.uri, max_size=(1000, 100), origin="https://app.example") as ws:
            protocol = ws.protocol
            assert isinstance(protocol, ClientProtocol) and isinstance(protocol, Protocol)
            assert (protocol.state, protocol.side) == (State.OPEN, Side.CLIENT)
            assert (protocol.max_message_size, protocol.max_fragment_size) == (1000, 100)
            assert protocol.origin == "https://app.example"
            assert protocol.uri.port == server.address[1]
            assert protocol.extensions is ws.extensions is protocol.extensions
            assert [extension.name for extension in protocol.extensions] == ["permessage-deflate"]
            assert protocol.id is ws.id
            assert (protocol.close_code, protocol.close_reason, protocol.close_rcvd) == (None, None, None)
            assert protocol.handshake_exc is None
            with pytest.raises(InvalidState, match="connection is open, not closed"):
                protocol.close_exc
        assert protocol.state is State.CLOSED
        assert (protocol.close_code, protocol.close_reason) == (1000, "")
        assert protocol.close_rcvd == protocol.close_sent
        assert protocol.close_rcvd_then_sent is False
        assert str(protocol.close_exc) == "sent 1000 (OK); then received 1000 (OK)"

    def test_subprotocol(self) -> None:
        with EchoServer(subprotocols=["chat"]) as server:
            with connect(server.uri, subprotocols=["chat"]) as ws:
                assert ws.protocol.subprotocol == ws.subprotocol == "chat"
                assert ws.protocol.available_subprotocols == ["chat"]

    def test_after_a_connection_lost(self) -> None:
        with contextlib.closing(Peer(first=text("hello"))) as peer:
            ws = peer.connect()
            assert ws.recv(5) == "hello"
            peer.socket.close()
            with pytest.raises(ConnectionClosedError):
                ws.recv(5)
            assert (ws.protocol.close_code, ws.protocol.close_reason) == (1006, "")
            assert isinstance(ws.protocol.close_exc, ConnectionClosedError)

    def test_has_none_of_the_methods_for_bytes(self, ws: ClientConnection) -> None:
        assert not hasattr(ws.protocol, "receive_data")
        with pytest.raises(AttributeError, match="no attribute 'send_text'; it tells settings and state"):
            ws.protocol.send_text  # type: ignore[attr-defined]

    def test_arguments(self) -> None:
        with pytest.raises(TypeError, match="logger must be logging.Logger"):
            ClientProtocol("ws://localhost/", logger="app")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="max_size must be at least 1"):
            ClientProtocol("ws://localhost/", max_size=0)


def test_logger(server: EchoServer) -> None:
    logger = logging.getLogger("app.lines")
    with connect(server.uri, logger=logger) as ws:
        assert isinstance(ws.logger, logging.LoggerAdapter)
        assert ws.logger.logger is logger
        assert ws.protocol.logger is logger
        assert ws.debug is ws.protocol.debug is False
    with connect(server.uri) as ws:
        assert ws.protocol.logger is logging.getLogger("openline.client")


def test_the_shared_class() -> None:
    assert issubclass(ClientConnection, Connection)
