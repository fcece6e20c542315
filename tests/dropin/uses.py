"""What programs do with `websockets.sync.client`: a function for each use, which asserts what it relies on.

This program does not know of openline, but for the test servers it talks to. It prints, as JSON, the uses
that went wrong, each with its traceback. Its argument tells more, as JSON: the paths of a certificate and of
the authority behind it, and whether the client is openline's.
"""

from __future__ import annotations

import contextlib
import inspect
import json
import logging
import pathlib
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import traceback
import uuid
import warnings
import weakref
from collections.abc import Callable, Iterator
from typing import Any

import websockets
import websockets.exceptions
import websockets.sync.client
from websockets.datastructures import Headers
from websockets.exceptions import (
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidStatus,
    InvalidURI,
    WebSocketException,
)
from websockets.frames import Close, CloseCode, Opcode
from websockets.protocol import State
from websockets.sync.client import ClientConnection

from openline.testing import EchoServer
from peer import Peer, close, frame, text, wait_until

# Without their types: some of what is used here is openline's alone.
connect: Any = websockets.sync.client.connect
unix_connect: Any = websockets.sync.client.unix_connect
reconnect: Any = getattr(websockets.sync.client, "reconnect", None)


@contextlib.contextmanager
def echo(**kwargs: Any) -> Iterator[Any]:
    """A connection to an echo server."""
    with EchoServer() as server, connect(server.uri, **kwargs) as ws:
        yield ws


@contextlib.contextmanager
def raises(kind: type[BaseException], part: str = "") -> Iterator[Any]:
    """The block must raise an exception of the kind, with this in its text."""
    caught = Caught()
    try:
        yield caught
    except kind as error:
        assert part in str(error), str(error)
        caught.error = error
        return
    raise AssertionError(f"{kind.__name__} was not raised")


class Caught:
    error: Any = None


def ours(use: Callable[[], None]) -> Callable[[], None]:
    """Mark a use of what `websockets` does not have."""
    use.__dict__["is_ours"] = True
    return use


# 1. With nobody in `recv`.


def use_pings_are_answered_and_closes_too() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None)
        peer.send(frame(Opcode.PING, b"are you there"))
        assert peer.expect() == (0x8A, b"are you there")
        peer.send(close(1001, "bye"))
        assert peer.expect() == (0x88, b"\x03\xe9bye")
        peer.close()
        wait_until(lambda: ws.state is State.CLOSED)
        assert (ws.close_code, ws.close_reason) == (1001, "bye")


def use_keepalive_runs() -> None:
    with echo(ping_interval=0.05) as ws:
        wait_until(lambda: ws.latency > 0)


def use_keepalive_gives_up() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=0.05, ping_timeout=0.05, close_timeout=0.1)
        with raises(ConnectionClosedError, "keepalive ping timeout"):
            ws.recv()


# 2. Threads.


def use_three_threads() -> None:
    with echo() as ws:
        received: list[Any] = []

        def receive() -> None:
            try:
                while True:
                    received.append(ws.recv())
            except ConnectionClosedOK as error:
                received.append(error)

        reader = threading.Thread(target=receive)
        reader.start()
        senders = [threading.Thread(target=ws.send, args=(f"message {n}",)) for n in range(8)]
        for sender in senders:
            sender.start()
        for sender in senders:
            sender.join()
        wait_until(lambda: len(received) == 8)
        closer = threading.Thread(target=ws.close)
        closer.start()
        closer.join()
        reader.join()
        assert isinstance(received.pop(), ConnectionClosedOK)
        assert sorted(received) == [f"message {n}" for n in range(8)]


# 3. Receiving.


def use_time_outs_of_recv() -> None:
    with echo() as ws:
        with raises(TimeoutError):
            ws.recv(1e-2)
        with raises(TimeoutError):
            ws.recv(timeout=0.01)
        with raises(TimeoutError):
            ws.recv(timeout=0)
        ws.send("text")
        assert ws.recv(decode=False, timeout=5) == b"text"
        ws.send(b"data")
        assert ws.recv(5, True) == "data"
        assert ws.recv_streaming is not None


def use_recv_streaming() -> None:
    with Peer(frame(Opcode.TEXT, b"one ", fin=False) + frame(Opcode.CONT, b"two")) as peer:
        ws = connect(peer.uri, close_timeout=0.1)
        assert list(ws.recv_streaming()) == ["one ", "two"]
        peer.send(close())
        ws.close()


def use_recv_in_two_threads() -> None:
    with echo() as ws:
        first = threading.Thread(target=lambda: ws.recv())
        first.start()
        time.sleep(0.05)
        with raises(websockets.exceptions.ConcurrencyError):
            ws.recv()
        ws.send("for the other thread")
        first.join()


# 4. Iterating.


def use_iteration_ends_well() -> None:
    for code in (1000, 1001):
        with EchoServer(welcome=["a", "b"], close_after=0, close_code=code) as server:
            with connect(server.uri) as ws:
                assert list(ws) == ["a", "b"]
                assert ws.close_code == code


def use_iteration_ends_badly() -> None:
    with EchoServer(welcome=["a"], close_after=0, close_code=4401, close_reason="token expired") as server:
        ws = connect(server.uri)
        messages = iter(ws)
        assert next(messages) == "a"
        with raises(ConnectionClosedError, "received 4401 (private use) token expired") as caught:
            next(messages)
        assert caught.error.rcvd.code == 4401


def use_iteration_is_abandoned() -> None:
    with echo() as ws:
        for number in range(3):
            ws.send(f"message {number}")
        for message in ws:
            assert message == "message 0"
            break
        messages = (message for message in ws)
        assert next(messages) == "message 1"
        del messages
        assert ws.recv() == "message 2"


@ours
def use_next() -> None:
    with EchoServer(welcome=["a"], close_after=0) as server, connect(server.uri) as ws:
        assert next(ws) == "a"
        with raises(StopIteration):
            next(ws)


# 5. Beginning and ending.


def use_without_with() -> None:
    with EchoServer() as server:
        ws = connect(server.uri, legacy=True) if "legacy" in PARAMETERS else connect(server.uri)
        ws.send("hello")
        assert ws.recv() == "hello"
        ws.close()
        ws.close()


def use_enter_and_exit_by_hand() -> None:
    with EchoServer() as server:
        manager = connect(server.uri)
        ws = manager.__enter__()
        assert isinstance(ws, ClientConnection)
        manager.__exit__(None, None, None)
        assert ws.close_code == 1000


def use_closing() -> None:
    with EchoServer() as server, contextlib.closing(connect(server.uri)) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"


def use_exception_in_with() -> None:
    with EchoServer() as server:
        with raises(ZeroDivisionError), connect(server.uri) as ws:
            _ = 1 // 0
        assert ws.close_code == 1011


def use_close_at_exit() -> None:
    program = "import atexit, sys\nfrom websockets.sync.client import connect\n"
    program += "atexit.register(connect(sys.argv[1]).close)"
    with EchoServer() as server, tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "program.py"
        path.write_text(program)
        done = subprocess.run([*sys.orig_argv[: sys.orig_argv.index(sys.argv[0])], str(path), server.uri])
        assert done.returncode == 0


@ours
def use_no_deprecation_warning() -> None:
    with warnings.catch_warnings(), EchoServer() as server:
        warnings.simplefilter("error")
        ws = connect(server.uri)
        ws.send("hello")
        ws.recv()
        ws.ping().wait(5)
        ws.close()
        assert (error := ws.protocol.close_exc).code == 1000 and error.reason == ""


@ours
def use_legacy_false() -> None:
    with EchoServer(close_after=1) as server:
        with connect(server.uri, legacy=False) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
        count = 0
        for ws in connect(server.uri, legacy=False):
            assert isinstance(ws, ClientConnection)
            count += 1
            if count == 2:
                break


def use_reconnect() -> None:
    if reconnect is None:
        return  # an older release
    with EchoServer(close_after=1) as server:
        count = 0
        for ws in reconnect(server.uri, reconnect_delays=lambda: iter([0.0])):
            ws.send("hello")
            assert ws.recv() == "hello"
            count += 1
            if count == 3:
                break
        with reconnect(server.uri) as ws:
            assert ws.state is State.OPEN


# 6. Closing.


def use_close_timeout() -> None:
    for seconds in (0, 0.01):
        with Peer() as peer:
            ws = connect(peer.uri, close_timeout=seconds)
            ws.close()
            assert ws.close_code == 1006
    with Peer() as peer:
        ws = connect(peer.uri)
        ws.close_timeout = 0
        assert ws.close_timeout == 0
        ws.close()


def use_close_with_code() -> None:
    with EchoServer() as server:
        ws = connect(server.uri)
        ws.close(code=4000, reason="done")
        with raises(ConnectionClosedError) as caught:
            ws.recv()
        assert caught.error.sent == Close(4000, "done")
        ws = connect(server.uri)
        ws.close(CloseCode.GOING_AWAY)
        with raises(ConnectionClosedOK):
            ws.send("too late")


# 7. Headers.


def use_additional_headers() -> None:
    kinds: list[Any] = [
        {"X-Token": "42"},
        [("X-Token", "42")],
        Headers([("X-Token", "42")]),
        Headers({"X-Token": "42"}),
    ]
    with EchoServer() as server:
        for headers in kinds:
            with connect(server.uri, additional_headers=headers) as ws:
                assert ws.request.headers["x-token"] == "42"
            assert server.requests[-1].headers["X-Token"] == "42"
        with connect(server.uri, additional_headers=None):
            pass
        twice = Headers([("Cookie", "a=1"), ("Cookie", "b=2")])
        with connect(server.uri, additional_headers=twice) as ws:
            assert ws.request.headers.get_all("cookie") == ["a=1", "b=2"]


def use_user_agent() -> None:
    with EchoServer() as server:
        with connect(server.uri):
            assert " websockets/" in server.requests[-1].headers["User-Agent"]
            assert server.requests[-1].headers["User-Agent"].startswith("Python/3.")
        with connect(server.uri, user_agent_header=None):
            assert "User-Agent" not in server.requests[-1].headers
        with connect(server.uri, user_agent_header="mine"):
            assert server.requests[-1].headers["User-Agent"] == "mine"
        with connect(server.uri, additional_headers={"User-Agent": "other"}, user_agent_header="mine"):
            assert server.requests[-1].headers.get_all("User-Agent") == ["other"]


# 8. Exceptions.


def use_connection_closed() -> None:
    with EchoServer(close_after=0, close_code=4401, close_reason="token expired") as server:
        ws = connect(server.uri)
        with raises(ConnectionClosed) as caught:
            ws.recv()
    error: Any = caught.error
    assert isinstance(error, ConnectionClosedError) and isinstance(error, WebSocketException)
    assert isinstance(error, websockets.ConnectionClosed)
    assert error.rcvd == Close(4401, "token expired") and Close(4401, "token expired") == error.rcvd
    assert isinstance(error.rcvd, Close) and error.rcvd != Close(4401, "")
    assert error.sent == Close(4401, "token expired") and error.rcvd_then_sent is True
    assert str(error).startswith("received 4401 (private use) token expired; then sent 4401")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert (error.code, error.reason) == (4401, "token expired")


def use_exceptions_of_ones_own() -> None:
    error = ConnectionClosedOK(Close(1000, ""), Close(1000, ""), True)
    assert str(error) == "received 1000 (OK); then sent 1000 (OK)"
    assert str(ConnectionClosedError(None, None)) == "no close frame received or sent"
    with raises(ConnectionClosed):
        raise error

    class Mine(ConnectionClosedError):
        pass

    with raises(websockets.exceptions.ConnectionClosed):
        raise Mine(None, None)


def use_rejected_handshake() -> None:
    with EchoServer(basic_auth=("user", "password")) as server:
        with raises(InvalidStatus, "server rejected WebSocket connection: HTTP 401") as caught:
            connect(server.uri)
    response = caught.error.response
    assert (response.status_code, response.reason_phrase) == (401, "Unauthorized")
    assert response.headers.get("www-authenticate").startswith("Basic ")
    assert response.headers.get("X-None") is None
    assert isinstance(bytes(response.body), bytes) and response.body
    assert isinstance(response.headers, Headers)
    assert Headers(response.headers) == response.headers == Headers(response.headers)
    assert isinstance(response, websockets.Response)
    assert isinstance(caught.error, InvalidHandshake) and isinstance(caught.error, websockets.InvalidStatus)


def use_nobody_listens() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with raises(ConnectionRefusedError, "Connection refused") as caught:
        connect(f"ws://127.0.0.1:{port}/")
    assert type(caught.error) is ConnectionRefusedError
    with raises(FileNotFoundError, "No such file or directory") as caught:
        unix_connect("/nowhere/a.sock")
    assert type(caught.error) is FileNotFoundError
    with raises(socket.gaierror) as caught:
        connect("ws://name.invalid/")
    assert type(caught.error) is socket.gaierror
    with raises(ExceptionGroup, "create_connection failed") as caught:
        connect(f"ws://127.0.0.1:{port}/", all_errors=True)
    assert [type(error) for error in caught.error.exceptions] == [ConnectionRefusedError]


def use_bad_arguments() -> None:
    with raises(InvalidURI, "https://example.com isn't a valid URI"):
        connect("https://example.com")
    with raises(ValueError, "ssl argument is incompatible with a ws:// URI"):
        connect("ws://localhost/", ssl=ssl.create_default_context())
    with raises(ValueError, "unsupported compression: gzip"):
        connect("ws://localhost/", compression="gzip")
    with raises(ValueError, "missing path argument"):
        unix_connect()
    with socket.socket() as sock, raises(ValueError, "path is incompatible with sock"):
        unix_connect("/tmp/a.sock", sock=sock)
    with raises(TypeError):
        connect("ws://localhost/", subprotocols="chat")


def use_open_timeout() -> None:
    with Peer(response=None) as peer, raises(TimeoutError):
        connect(peer.uri, open_timeout=0.05)


# 9. Attributes.


def use_attributes() -> None:
    with EchoServer(subprotocols=["chat"]) as server, connect(server.uri, subprotocols=["chat"]) as ws:
        assert ws.state is State.OPEN and ws.protocol.state is State.OPEN
        assert isinstance(ws.id, uuid.UUID) and ws.id == ws.id
        assert isinstance(ws.latency, float)
        assert ("Upgrade", "websocket") in list(ws.request.headers.raw_items())
        assert ws.response.status_code == 101 and ws.response.headers["upgrade"].lower() == "websocket"
        assert isinstance(ws.request, websockets.Request) and isinstance(ws.request.headers, Headers)
        assert [type(extension).__name__ for extension in ws.protocol.extensions] == ["PerMessageDeflate"]
        assert ws.subprotocol == ws.protocol.subprotocol == "chat"
        assert isinstance(ws.logger, logging.LoggerAdapter)
        assert ws.local_address[0] == ws.remote_address[0] == "127.0.0.1"
        assert ws.close_code is None and ws.close_reason is None
        assert ws.protocol.state.name == "OPEN"
    closed: Any = ws
    assert closed.state is State.CLOSED and closed.protocol.state is State.CLOSED
    assert ws.protocol.close_code == ws.close_code == 1000


@ours
def use_what_openline_has_besides() -> None:
    from websockets.sync import connect as same  # type: ignore[attr-defined]

    assert same is connect and websockets.TimeoutError is TimeoutError  # type: ignore[attr-defined]
    with echo() as ws:
        assert not ws.closed
        assert 0 < ws.ping(timeout=5) < 5
        ws.send("hello", timeout=5)
        assert ws.recv_many() == ["hello"]
    assert ws.closed
    assert ws.remote_address[0] == "127.0.0.1"


def use_timeout_of_send_by_position() -> None:
    with echo() as ws, raises(TypeError):
        ws.send("hello", 5)


# 10. The socket.


def use_socket() -> None:
    with echo() as ws:
        sock = ws.socket
        assert sock.fileno() >= 0
        assert sock.getsockname() == ws.local_address and sock.getpeername() == ws.remote_address
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
        sock.settimeout(None)
        assert not sock._closed
        ws.send("hello")
        assert ws.recv() == "hello"


def use_socket_of_tls() -> None:
    context = ssl.create_default_context(cafile=SETTINGS["authority"])
    with EchoServer(certfile=SETTINGS["certificate"]) as server:
        with connect(server.uri, ssl=context, server_hostname="localhost") as ws:
            assert ws.socket.version().startswith("TLS")
            assert ws.socket.server_hostname == "localhost"


# 11. Objects.


def use_as_a_key() -> None:
    with EchoServer() as server, connect(server.uri) as one, connect(server.uri) as two:
        rooms = {one: "a", two: "b"}
        assert rooms[one] == "a" and {one, two} == set(rooms) and one != two
        assert weakref.ref(one)() is one


def use_attributes_of_ones_own() -> None:
    with echo() as ws:
        ws.user = "ada"
        assert ws.user == "ada"
        changed: Any = ClientConnection
        changed.greet = lambda self: f"hello {self.user}"
        try:
            assert ws.greet() == "hello ada"
        finally:
            del changed.greet


def use_subclass() -> None:
    class Chat(ClientConnection):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.count = 0

        def recv(self, *args: Any, **kwargs: Any) -> Any:
            message = super().recv(*args, **kwargs)
            self.count += 1
            return message

        def send(self, message: Any, **kwargs: Any) -> None:
            super().send(message.upper(), **kwargs)

    with EchoServer(close_after=2) as server:
        with connect(server.uri, create_connection=Chat) as ws:
            assert type(ws) is Chat
            ws.send("a")
            ws.send("b")
            assert [message for message in ws] == ["A", "B"]
            assert ws.count == 2

        def make(*args: Any, **kwargs: Any) -> Chat:
            return Chat(*args, **kwargs)

        with connect(server.uri, create_connection=make) as ws:
            assert type(ws) is Chat


# 12. A handshake by hand.


def use_handshake() -> None:
    from websockets.client import ClientProtocol
    from websockets.uri import parse_uri

    with EchoServer() as server:
        sock = socket.create_connection(server.address)
        uri = parse_uri(server.uri)
        ws: Any = ClientConnection(sock, ClientProtocol(uri))
        ws.handshake()
        assert ws.state is State.OPEN and ws.protocol.state is State.OPEN
        ws.send("hello")
        assert ws.recv() == "hello"
        ws.close()
        sock = socket.create_connection(server.address)
        ws = ClientConnection(sock, ClientProtocol(uri), ping_interval=None, close_timeout=1)
        ws.handshake(additional_headers={"X-Token": "42"}, user_agent_header="mine", timeout=5)
        assert server.requests[-1].headers["X-Token"] == "42"
        ws.close()


# 13. Arguments.


def use_signature() -> None:
    names = {"uri", "sock", "ssl", "origin", "extensions", "subprotocols", "compression"}
    names |= {"additional_headers", "user_agent_header", "proxy"}
    names |= {"open_timeout", "ping_interval", "ping_timeout", "close_timeout"}
    names |= {"max_size", "max_queue", "logger", "create_connection", "kwargs", "server_hostname"}
    assert names <= PARAMETERS.keys()
    assert PARAMETERS["max_size"].default == 2**20
    assert " websockets/" in PARAMETERS["user_agent_header"].default


def use_unknown_argument() -> None:
    with raises(TypeError, "extra_headers"):
        connect("ws://localhost:1/", extra_headers={})


# 14. TLS.


def use_context_with_its_own_class() -> None:
    class Socket(ssl.SSLSocket):
        pass

    context = ssl.create_default_context(cafile=SETTINGS["authority"])
    context.sslsocket_class = Socket
    with EchoServer(certfile=SETTINGS["certificate"]) as server, connect(server.uri, ssl=context) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"


def use_ssl_context() -> None:
    """As the argument was called once."""
    context = ssl.create_default_context(cafile=SETTINGS["authority"])
    with EchoServer(certfile=SETTINGS["certificate"]) as server:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            connect(server.uri, ssl_context=context).close()
    assert "ssl_context was renamed to ssl" in [str(warning.message) for warning in caught]


def use_trust_from_the_environment() -> None:
    with EchoServer(certfile=SETTINGS["certificate"]) as server, connect(server.uri) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"


def use_certificate_that_is_not_trusted() -> None:
    with EchoServer(certfile=SETTINGS["certificate"]) as server:
        with raises(ssl.SSLCertVerificationError):
            connect(server.uri, ssl=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))


# 15. Messages.


def use_large_messages() -> None:
    with echo(max_size=None, max_queue=(4, 1), compression=None) as ws:
        large = bytes(range(256)) * (2**22 // 256)
        ws.send(large)
        assert ws.recv() == large
        ws.send("")
        assert ws.recv() == ""
        ws.send(b"")
        assert ws.recv() == b""


def use_message_over_the_limit() -> None:
    with echo(max_size=100, compression=None) as ws:
        ws.send("x" * 101)
        with raises(ConnectionClosedError, "1009"):
            ws.recv()


def use_fragments() -> None:
    with echo() as ws:
        ws.send(word for word in ["one ", "two"])
        assert ws.recv() == "one two"
        with raises(TypeError):
            ws.send({"a": "dict"})
        with raises(TypeError):
            ws.send(42)


# 16. Pings.


def use_ping_event() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None, close_timeout=0.1)
        pong = ws.ping("probe")
        assert isinstance(pong, threading.Event)
        assert not pong.is_set() and not pong.wait(0.01)
        assert peer.expect() == (0x89, b"probe")
        with raises(websockets.exceptions.ConcurrencyError, "already waiting for a pong with the same data"):
            ws.ping("probe")
        peer.send(frame(Opcode.PONG, b"probe"))
        assert pong.wait(5) and pong.wait() and pong.is_set()
        assert ws.latency > 0
        pong.clear()
        assert not pong.is_set()
        threading.Thread(target=pong.set).start()
        assert pong.wait(5)
        ws.ping(b"probe")
        assert peer.expect() == (0x89, b"probe")
        ws.ping(b"")
        assert peer.expect() == (0x89, b"")
        ws.ping()
        assert len(peer.expect()[1]) == 4
        with raises(TypeError):
            ws.ping(42)
        ws.close()


def use_ping_acknowledged_by_a_later_pong() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None, close_timeout=0.1)
        pings = [ws.ping(data) for data in ("1", "2", "3")]
        peer.send(frame(Opcode.PONG, b"2"))
        assert pings[1].wait(5)
        assert [ping.is_set() for ping in pings] == [True, True, False]
        ws.close()


def use_ping_of_several_threads() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None, close_timeout=0.1)
        pong = ws.ping("probe")
        waiters = [threading.Thread(target=pong.wait) for _ in range(3)]
        for waiter in waiters:
            waiter.start()
        peer.send(frame(Opcode.PONG, b"probe"))
        for waiter in waiters:
            waiter.join()
        ws.close()


def use_ping_when_the_connection_closes() -> None:
    if "ack_on_close" not in inspect.signature(ClientConnection.ping).parameters:
        return  # an older release
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None, close_timeout=0.1)
        lost, acknowledged = ws.ping(), ws.ping(ack_on_close=True)
        peer.close()
        assert acknowledged.wait(5)
        assert not lost.wait(0.01) and not lost.is_set()
        with raises(ConnectionClosedError):
            ws.ping()


def use_pong() -> None:
    with Peer() as peer:
        ws = connect(peer.uri, ping_interval=None, close_timeout=0.1)
        ws.pong()
        assert peer.expect() == (0x8A, b"")
        ws.pong("alive")
        assert peer.expect() == (0x8A, b"alive")
        ws.close()


# 17. Logging.


def use_logging() -> None:
    records: list[logging.LogRecord] = []
    handler: Any = logging.Handler()
    handler.emit = records.append
    logger = logging.getLogger("websockets.client")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        with echo(compression=None) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"
            ws.logger.info("mine")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    messages = [record.getMessage() for record in records]
    assert "> TEXT 'hello' [5 bytes]" in messages and "< TEXT 'hello' [5 bytes]" in messages
    assert "= connection is OPEN" in messages and "= connection is CLOSED" in messages
    assert all(record.name == "websockets.client" for record in records)
    assert records[messages.index("mine")].__dict__["websocket"] == ws


def use_unix_socket() -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = pathlib.Path(directory) / "server.sock"
        with EchoServer(path=path):
            for kind in (path, str(path)):
                with unix_connect(kind) as ws:
                    ws.send("hello")
                    assert ws.recv() == "hello"
            with unix_connect(path, "ws://example.com/chat") as ws:
                assert ws.request.path == "/chat" and ws.request.headers["Host"] == "example.com"


def use_socket_of_ones_own() -> None:
    with EchoServer() as server:
        with connect("ws://example.com/", sock=socket.create_connection(server.address)) as ws:
            assert ws.request.headers["Host"] == "example.com"
            ws.send("hello")
            assert ws.recv() == "hello"
        with connect("ws://example.com/", address=server.address) as ws:
            assert ws.request.headers["Host"] == "example.com"


def use_socket_of_ones_own_where_the_server_closes() -> None:
    with EchoServer(close_after=0) as server:
        sock = socket.create_connection(server.address)
        with connect(server.uri, sock=sock) as ws:
            assert list(ws) == []
        wait_until(lambda: sock.fileno() == -1)


USES = {name.removeprefix("use_"): use for name, use in list(globals().items()) if name.startswith("use_")}

PARAMETERS = inspect.signature(connect).parameters

SETTINGS: dict[str, Any] = {}


def main() -> None:
    SETTINGS.update(json.loads(sys.argv[1]))
    failed = {}
    for name, use in USES.items():
        if "is_ours" in vars(use) and not SETTINGS["ours"]:
            continue
        try:
            use()
        except Exception:
            failed[name] = traceback.format_exc()
    print(json.dumps(failed))


if __name__ == "__main__":
    main()
