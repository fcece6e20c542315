"""Typical uses of openline, for checkers of types: `make types` runs mypy and pyright on it, nobody runs it.

`assert_type` says which type an expression has. What must not pass is in wrong_uses.py.
"""

from __future__ import annotations

import logging
import pathlib
import socket
import ssl
import uuid
from collections.abc import Iterator
from typing import Any, assert_type

import openline
from openline import exceptions
from openline.client import ClientProtocol, backoff, process_exception
from openline.datastructures import Headers
from openline.extensions import ClientExtensionFactory, Extension
from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory
from openline.frames import Close, CloseCode, Frame, Opcode
from openline.headers import parse_extension, parse_subprotocol
from openline.http11 import Request, Response
from openline.protocol import State
from openline.sync.client import (
    ClientConnection,
    Timings,
    connect,
    reconnect,
    unix_connect,
    unix_reconnect,
)
from openline.testing import EchoServer
from openline.typing import BytesLike, Data, ExtensionHeader, ExtensionName, ExtensionParameter, Subprotocol
from openline.uri import WebSocketURI, parse_uri


def connecting() -> None:
    assert_type(connect("ws://localhost:8765"), ClientConnection)
    assert_type(openline.connect("ws://localhost:8765"), ClientConnection)
    with connect("wss://localhost:8765") as websocket:
        assert_type(websocket, ClientConnection)
    assert_type(unix_connect("/run/app.sock"), ClientConnection)
    assert_type(unix_connect(pathlib.Path("/run/app.sock"), "ws://localhost/chat"), ClientConnection)
    assert_type(unix_connect(b"/run/app.sock", open_timeout=5), ClientConnection)
    assert_type(unix_connect(uri="unix:///run/app.sock"), ClientConnection)


def every_argument(sock: socket.socket, wrapped: ssl.SSLSocket) -> None:
    connect(
        "wss://localhost:8765",
        ssl=ssl.create_default_context(),
        server_hostname="example.com",
        origin="https://example.com",
        extensions=[ClientPerMessageDeflateFactory(client_max_window_bits=12), ReversedFactory()],
        subprotocols=["chat", Subprotocol("superchat")],
        compression=None,
        additional_headers={"Authorization": "Bearer secret"},
        user_agent_header="app/1.0",
        proxy="socks5h://localhost:1080",
        proxy_ssl=ssl.create_default_context(),
        proxy_server_hostname="proxy.example.com",
        open_timeout=2.5,
        ping_interval=None,
        ping_timeout=None,
        close_timeout=1,
        max_size=None,
        max_queue=(32, 8),
        logger=logging.getLogger("app"),
        timeout=1.5,
        source_address=("127.0.0.1", 0),
        all_errors=True,
        address=("127.0.0.1", 8765),
    )
    connect("ws://localhost", sock=sock, proxy=None, compression="deflate", max_size=(2**20, 2**16))
    connect("ws://localhost", sock=wrapped, proxy=True, user_agent_header=None)
    connect("ws://localhost", additional_headers=[("Cookie", "a=1"), ("Cookie", "b=2")])
    connect("ws://localhost", additional_headers=Headers(Host="localhost"), max_queue=None)
    connect("ws://localhost", logger=logging.LoggerAdapter(logging.getLogger("app"), {}))


class Chat(ClientConnection):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.received = 0

    # pyright does not see that a parameter by position and name serves for one by name alone.
    def recv(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, timeout: float | None = None, decode: bool | None = None
    ) -> Any:
        message = super().recv(timeout, decode)
        self.received += 1
        return message

    def say(self, text: str) -> None:
        self.send(text)


class Loud(ClientConnection):
    def send(self, message: Any, *args: Any, **kwargs: Any) -> None:
        super().send(message.upper() if isinstance(message, str) else message, *args, **kwargs)

    def close(self, code: int = 1000, reason: str = "") -> None:
        super().close(code, reason or "that is all")


def make_chat(sock: socket.socket, protocol: ClientProtocol, **options: Any) -> Chat:
    return Chat(sock, protocol, **options)


def classes_of_ones_own(chosen: type[ClientConnection] | None) -> None:
    with connect("ws://localhost:8765", create_connection=Chat) as chat:
        assert_type(chat, Chat)
        chat.say("hello")
        assert_type(chat.received, int)
    assert_type(connect("ws://localhost:8765", create_connection=make_chat), Chat)
    assert_type(connect("ws://localhost:8765", create_connection=chosen), ClientConnection)
    assert_type(connect("ws://localhost:8765", create_connection=None), ClientConnection)
    assert_type(unix_connect("/run/app.sock", create_connection=Loud, open_timeout=1), Loud)
    for chat in reconnect("ws://localhost:8765", create_connection=Chat):
        assert_type(chat, Chat)
    with unix_reconnect("/run/app.sock", create_connection=Loud) as loud:
        assert_type(loud, Loud)


def protocols(websocket: ClientConnection, sock: socket.socket) -> None:
    assert_type(websocket.protocol, ClientProtocol)
    assert_type(websocket.protocol.state, State)
    assert_type(websocket.protocol.uri, WebSocketURI)
    assert_type(websocket.protocol.close_exc, exceptions.ConnectionClosed)
    protocol = ClientProtocol("ws://localhost/", subprotocols=["chat"], max_size=None)
    by_hand = ClientConnection(sock, protocol, ping_interval=None)
    by_hand.handshake(additional_headers={"Cookie": "a=1"}, user_agent_header=None, timeout=10)
    assert_type(by_hand.request, Request)
    assert_type(protocol.handshake_exc, Exception | None)


def in_place_of_websockets() -> None:
    openline.install()
    openline.uninstall()


def receiving(websocket: ClientConnection) -> None:
    assert_type(websocket.recv(), str | bytes)
    assert_type(websocket.recv(0.5), str | bytes)
    assert_type(websocket.recv(timeout=0.5), str | bytes)
    assert_type(websocket.recv(decode=True), str)
    assert_type(websocket.recv(decode=False), bytes)
    assert_type(websocket.recv(None, False), bytes)
    assert_type(websocket.recv(timeout=1, decode=True), str)
    assert_type(websocket.recv_many(), list[str | bytes])
    assert_type(websocket.recv_many(max=10, timeout=0), list[str | bytes])
    assert_type(websocket.recv_into(bytearray(1024)), int)
    for fragment in websocket.recv_streaming():
        assert_type(fragment, str | bytes)
    assert_type(websocket.recv_streaming(decode=True), Iterator[str])
    assert_type(websocket.recv_streaming(decode=False), Iterator[bytes])
    for message in websocket:
        assert_type(message, str | bytes)
        if isinstance(message, str):
            assert_type(message, str)
        else:
            assert_type(message, bytes)
    assert_type(next(websocket), str | bytes)


def sending(websocket: ClientConnection, data: Data, bytes_like: BytesLike) -> None:
    websocket.send("hello")
    websocket.send(b"hello")
    websocket.send(bytearray(5))
    websocket.send(memoryview(b"hello"))
    websocket.send(data)
    websocket.send(bytes_like)
    websocket.send(["one message ", "in fragments"])
    websocket.send(chunk for chunk in (b"one message ", bytearray(3)))
    websocket.send("hello", 1.5)
    websocket.send("hello", timeout=1.5, text=False, compress=False)
    websocket.send_many(["a", b"b", memoryview(b"c")], timeout=3)
    assert_type(websocket.ping(), float)
    assert_type(websocket.ping(b"data", timeout=2), float)
    websocket.pong()
    websocket.pong("text")
    websocket.close()
    websocket.close(CloseCode.GOING_AWAY, "bye")
    websocket.close(code=4000, reason="bye")
    assert_type(websocket.wait_closed(timeout=1), bool)


def attributes(websocket: ClientConnection) -> None:
    assert_type(websocket.closed, bool)
    assert_type(websocket.id, uuid.UUID)
    assert_type(websocket.state, State)
    assert_type(websocket.subprotocol, str | None)
    assert_type(websocket.close_code, int | None)
    assert_type(websocket.close_reason, str | None)
    assert_type(websocket.latency, float)
    assert_type(websocket.extensions, list[Extension])
    assert_type(websocket.timings, Timings)
    assert_type(websocket.timings.tls, float | None)
    assert_type(websocket.fileno(), int)
    websocket.close_timeout = 0
    websocket.close_timeout = None
    host, port = websocket.remote_address[:2]
    print(host, port, websocket.local_address)


def handshakes(request: Request, response: Response) -> None:
    assert_type(request.path, str)
    assert_type(request.headers["Host"], str)
    assert_type(response.status_code, int)
    assert_type(response.body, bytes | bytearray)
    assert_type(response.headers.get("Retry-After"), str | None)
    assert_type(response.headers.get_all("Set-Cookie"), list[str])
    assert_type(list(response.headers.raw_items()), list[tuple[str, str]])
    assert_type(request.serialize() + response.serialize(), bytes)


def failing() -> None:
    try:
        with connect("ws://localhost:8765") as websocket:
            websocket.recv(timeout=1)
    except TimeoutError:
        pass
    except exceptions.InvalidStatus as error:
        assert_type(error.response, Response)
        if error.response.status_code == 401:
            print(error.response.headers.get("WWW-Authenticate"), error.response.body)
    except exceptions.ConnectError as error:
        assert_type(error.errno, int | None)
        assert_type(error.attempts, list[exceptions.ConnectError])
    except exceptions.ConnectionClosedError as error:
        assert_type(error.rcvd, Close | None)
        assert_type(error.rcvd_then_sent, bool | None)
        assert_type(error.code, int)
        assert_type(error.reason, str)
        if error.rcvd is not None and error.rcvd.code == CloseCode.POLICY_VIOLATION:
            print(error.rcvd.reason)
    except (openline.InvalidURI, openline.InvalidHandshake, OSError) as error:
        print(error)
    except openline.WebSocketException:
        raise exceptions.ConnectionClosedOK(
            Close(1000, ""), Close(CloseCode.NORMAL_CLOSURE, ""), True
        ) from None


def connecting_again() -> None:
    for websocket in reconnect("ws://localhost:8765", reconnect_delays=lambda: backoff(max_delay=10)):
        assert_type(websocket, ClientConnection)
        websocket.send("hello")
        break
    with unix_reconnect("/run/app.sock", process_exception=only_refused) as websocket:
        assert_type(websocket, ClientConnection)


def only_refused(error: Exception) -> Exception | None:
    return process_exception(error) if isinstance(error, ConnectionRefusedError) else error


class Reversed(Extension):
    name = ExtensionName("x-reversed")

    def encode(self, frame: Frame) -> Frame:
        if frame.opcode is Opcode.TEXT:
            frame.data = bytes(frame.data)[::-1]
        return frame

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        return self.encode(frame)


class ReversedFactory(ClientExtensionFactory):
    name = ExtensionName("x-reversed")

    def get_request_params(self) -> list[ExtensionParameter]:
        return [("version", "1"), ("fast", None)]

    def process_response_params(self, params: Any, accepted_extensions: Any) -> Reversed:
        return Reversed()


def values(frame: Frame) -> None:
    assert_type(parse_uri("ws://localhost/"), WebSocketURI)
    assert_type(parse_uri("ws://localhost/").user_info, tuple[str, str] | None)
    assert_type(parse_extension("x-test; a=1"), list[ExtensionHeader])
    assert_type(parse_subprotocol("chat"), list[Subprotocol])
    assert_type(frame.opcode, Opcode)
    assert_type(frame.serialize(mask=True, extensions=[Reversed()]), bytes)
    assert_type(Close.parse(b"\x03\xe8"), Close)
    headers = Headers({"Accept": "*/*"}, Host="localhost")
    headers["Cookie"] = "a=1"
    headers.update([("Cookie", "b=2")])
    assert_type(headers.copy(), Headers)
    match Close(1000, "bye"):
        case Close(code, reason):
            assert_type(code, int)
            assert_type(reason, str)


def a_server_for_tests() -> None:
    with EchoServer() as server:
        assert_type(server, EchoServer)
        assert_type(server.uri, str)
