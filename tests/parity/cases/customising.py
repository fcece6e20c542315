"""Subclasses, `create_connection`, attributes, handshakes by hand, and `reconnect`."""

from __future__ import annotations

import inspect
import os
import socket
import ssl
import threading
import uuid
import weakref
from typing import Any

from websockets.client import ClientProtocol
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.extensions import Extension
from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate
from websockets.protocol import Side, State
from websockets.sync.client import ClientConnection, connect, reconnect, unix_reconnect
from websockets.uri import parse_uri

from parity import case, each
from parity.script import close, text
from parity.server import REFUSED, Response, http, wait
from parity.session import Session


class Counting(ClientConnection):
    """Counts its messages, and tells apart what it was made with."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.made_with = [type(argument).__name__ for argument in args], dict(sorted(kwargs.items()))
        self.count = 0

    def recv(self, *args: Any, **kwargs: Any) -> Any:
        message = super().recv(*args, **kwargs)
        self.count += 1
        return message

    def send(self, message: Any, **kwargs: Any) -> None:
        super().send(f"<{message}>", **kwargs)

    def close(self, code: int = 4000, reason: str = "counted") -> None:
        super().close(code, reason)


@case
def a_subclass(s: Session) -> object:
    ws = s.connect(text("a"), text("b"), create_connection=Counting)
    ws.send("x")
    return ws.recv(), ws.recv(), ws.count, type(ws).__name__, isinstance(ws, ClientConnection)


@case
def what_a_subclass_is_made_with(s: Session) -> object:
    ws = s.connect(create_connection=Counting, ping_timeout=3, max_queue=5)
    names, kwargs = ws.made_with
    return names[1:], kwargs  # the first is the socket


@case
def iteration_calls_recv(s: Session) -> object:
    ws = s.connect(text("a"), text("b"), close(), create_connection=Counting)
    return list(ws), ws.count


@case
def leaving_the_context_calls_close(s: Session) -> object:
    with s.connect(create_connection=Counting) as ws:
        pass
    return ws.close_code


@case
def a_factory(s: Session) -> object:
    def make(*args: Any, **kwargs: Any) -> ClientConnection:
        ws: Any = ClientConnection(*args, **kwargs)
        ws.label = "mine"
        return ws  # type: ignore[no-any-return]

    return s.connect(create_connection=make).label


@case
def a_factory_that_raises(s: Session) -> object:
    def make(*args: Any, **kwargs: Any) -> ClientConnection:
        raise ValueError("not today")

    return type(s.attempt(s.connect, create_connection=make)).__name__


@case
def a_subclass_with_another_ping(s: Session) -> object:
    class Named(ClientConnection):
        def ping(self, data: Any = b"named", **kwargs: Any) -> Any:
            return super().ping(data, **kwargs)

    s.connect(create_connection=Named).ping()
    return None


@case
def attributes_of_ones_own(s: Session) -> object:
    ws = s.connect()
    ws.user = {"id": 1}
    return ws.user, "user" in vars(ws)


@case
def hashable_and_equal_to_itself(s: Session) -> object:
    ws, other = s.connect(), s.connect()
    return {ws: 1}[ws], ws == other, ws in {other}


@case
def weak_references(s: Session) -> object:
    ws = s.connect()
    return weakref.ref(ws)() is ws


@case
def truth(s: Session) -> object:
    return bool(s.connect())


@case
def identities(s: Session) -> object:
    ws, other = s.connect(), s.connect()
    return isinstance(ws.id, uuid.UUID), ws.id == ws.id, ws.id == other.id, ws.id == ws.protocol.id


@case
def the_protocol(s: Session) -> object:
    ws = s.connect(
        subprotocols=["chat"], response=Response(headers="Sec-WebSocket-Protocol: chat"), origin="http://a"
    )
    protocol = ws.protocol
    open_state = protocol.state is State.OPEN
    ws.close(4000, "why")
    return {
        "open": open_state,
        "closed": protocol.state is State.CLOSED,
        "subprotocol": protocol.subprotocol,
        "extensions": protocol.extensions,
        "side": protocol.side,
        "code": int(protocol.close_code),
        "reason": protocol.close_reason,
        "received": protocol.close_rcvd,
        "sent": protocol.close_sent,
        "order": protocol.close_rcvd_then_sent,
        "exception": str(protocol.close_exc),
        "handshake": protocol.handshake_exc,
        "limits": (protocol.max_message_size, protocol.max_fragment_size),
        "origin": protocol.origin,
        "offered": protocol.available_subprotocols,
        "resource": protocol.uri.resource_name,
    }


@case
def the_extensions_of_the_protocol(s: Session) -> object:
    answer = Response(headers="Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10")
    extensions = s.connect(response=answer).protocol.extensions
    return (
        [type(extension).__name__ for extension in extensions],
        [extension.name for extension in extensions],
        extensions,
    )


@case
def the_request(s: Session) -> object:
    ws = s.connect(additional_headers=[("X", "1"), ("x", "2")])
    return list(ws.request.headers.raw_items()), ws.request.path, ws.request.headers.get_all("X")


@case
def the_socket(s: Session) -> object:
    ws = s.connect()
    sock = ws.socket
    facts = [sock.fileno() > 0, sock.family, sock.getpeername() == ws.remote_address, sock.type]
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    facts.append(sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0)
    ws.close()
    return facts, sock.fileno()


@case
def class_of_the_protocol(s: Session) -> object:
    return isinstance(s.connect().protocol, ClientProtocol)


@case
def classes_of_what_it_has(s: Session) -> object:
    answer = Response(headers="Sec-WebSocket-Extensions: permessage-deflate")
    protocol = s.connect(response=answer).protocol
    (extension,) = protocol.extensions
    return (
        protocol.side is Side.CLIENT,
        isinstance(extension, Extension),
        isinstance(extension, PerMessageDeflate),
        repr(extension),
    )


@case
def class_of_the_socket(s: Session) -> object:
    return isinstance(s.connect().socket, socket.socket)


@case
def certificate_with_a_context(s: Session) -> object:
    sock = s.connect(tls=True, ssl=ssl.create_default_context(cafile=s.authority)).socket
    return sock.getpeercert()["subjectAltName"]


@case(alone=True)
def certificate_with_the_default_context(s: Session) -> object:
    os.environ["SSL_CERT_FILE"] = str(s.authority)
    try:
        sock = s.connect(tls=True).socket
        return len(sock.getpeercert(binary_form=True)) > 100, s.attempt(sock.getpeercert)
    finally:
        del os.environ["SSL_CERT_FILE"]


@case
def closing_the_socket(s: Session) -> object:
    ws = s.connect()
    ws.socket.shutdown(socket.SHUT_RDWR)
    return s.attempt(ws.recv, timeout=5), ws.state


@case
def read_only_attributes(s: Session) -> object:
    ws = s.connect()
    names = ["state", "subprotocol", "local_address", "remote_address", "close_code", "close_reason"]
    return [type(s.attempt(setattr, ws, name, 1)).__name__ for name in names]


# Handshakes by hand.


def by_hand(s: Session, *steps: Any, response: Any = Response(), **kwargs: Any) -> Any:
    server = s.server(*steps, response=response)
    sock = socket.create_connection(("127.0.0.1", server.port))
    return ClientConnection(sock, ClientProtocol(parse_uri(server.uri), **kwargs), ping_interval=None)


@case
def handshake(s: Session) -> object:
    ws = s.closing(by_hand(s, text("hello")))
    before = ws.state, ws.request, ws.response
    ws.handshake()
    return before, ws.state, ws.response.status_code, ws.recv()


@case
def handshake_with_headers(s: Session) -> object:
    ws = s.closing(by_hand(s))
    ws.handshake({"X": "y"}, None, 5)
    return list(ws.request.headers)


@case
def handshake_by_keywords(s: Session) -> object:
    ws = s.closing(by_hand(s, subprotocols=["chat"], origin="http://a", max_size=10))
    ws.handshake(additional_headers=[("X", "1")], user_agent_header="mine", timeout=5)
    return ws.subprotocol


@case
def handshake_with_compression(s: Session) -> object:
    answer = Response(headers="Sec-WebSocket-Extensions: permessage-deflate")
    ws = s.closing(by_hand(s, response=answer, extensions=[ClientPerMessageDeflateFactory()]))
    ws.handshake()
    ws.send("hello " * 20)
    return ws.protocol.extensions


@case
def closed_before_the_handshake(s: Session) -> object:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ws = ClientConnection(ours, ClientProtocol(parse_uri("ws://localhost/")), close_timeout=0.1)
        ws.close()
        return ws.state, ours.fileno(), theirs.recv(100)


@each({"403": http("403 Forbidden", "no"), "nothing": REFUSED, "wrong accept": Response(accept="x")})
def handshake_that_fails(s: Session, response: Any) -> object:
    ws = by_hand(s, response=response)
    error = s.attempt(ws.handshake)
    ws.socket.close()
    return error, ws.protocol.handshake_exc is error


@case
def before_the_handshake(s: Session) -> object:
    ws = by_hand(s)
    facts = ws.state, ws.protocol.state, ws.close_code, ws.subprotocol, ws.latency
    ws.handshake()
    ws.close()
    return facts


@case
def a_protocol_without_connection(s: Session) -> object:
    offered: Any = ["chat"]
    protocol = ClientProtocol(parse_uri("ws://example.com/chat"), subprotocols=offered, max_size=(None, 5))
    return {
        "state": protocol.state,
        "side": protocol.side,
        "host": protocol.uri.host,
        "offered": protocol.available_subprotocols,
        "extensions": protocol.extensions,
        "subprotocol": protocol.subprotocol,
        "limits": (protocol.max_message_size, protocol.max_fragment_size),
        "code": (protocol.close_code, protocol.close_reason),
        "id": isinstance(protocol.id, uuid.UUID),
        "handshake": protocol.handshake_exc,
    }


# Reconnecting.


def quickly() -> Any:
    """Wait hardly at all."""
    while True:
        yield 0.001


def again(s: Session, *steps: Any, responses: Any = None, uri: str = "", **kwargs: Any) -> Any:
    server = s.server(*steps, responses=responses or [Response()])
    return reconnect(uri or server.uri, proxy=None, ping_interval=None, reconnect_delays=quickly, **kwargs)


@case
def connections_one_after_the_other(s: Session) -> object:
    messages = []
    for ws in again(s, text("hello"), close(1001)):
        messages.append(ws.recv())
        try:
            ws.recv()
        except ConnectionClosed:
            if len(messages) == 3:
                break
            continue
    return messages


@case
def a_body_that_lets_the_close_out(s: Session) -> object:
    seen = []

    def loop() -> None:
        for ws in again(s, text("hello"), close(1001)):
            seen.append(ws.recv())
            ws.recv()

    return s.attempt(loop), seen


@each([500, 502, 503, 504])
def after_a_status(s: Session, status: int) -> object:
    for ws in again(s, text("hello"), responses=[http(f"{status} Later"), Response()]):
        return ws.recv()
    return None


@each([400, 401, 403, 404, 429, 501])
def fatal_status(s: Session, status: int) -> object:
    return s.attempt(next, iter(again(s, responses=[http(f"{status} No")])))


@case
def after_a_server_that_hangs_up(s: Session) -> object:
    for ws in again(s, text("hello"), responses=[REFUSED, REFUSED, Response()]):
        return ws.recv()
    return None


@case
def a_fatal_error(s: Session) -> object:
    return s.attempt(next, iter(again(s, responses=[Response(accept="wrong")])))


@case
def processing_of_ones_own(s: Session) -> object:
    seen = []

    def process(error: Exception) -> Exception | None:
        seen.append(error)
        return None if len(seen) < 2 else KeyError("enough")

    return s.attempt(next, iter(again(s, responses=[http("403 No")], process_exception=process))), seen


@case
def processing_that_raises(s: Session) -> object:
    def process(error: Exception) -> Exception | None:
        raise KeyError("mine") from None

    return s.attempt(next, iter(again(s, responses=[http("403 No")], process_exception=process)))


@case
def by_connect_with_legacy_false(s: Session) -> object:
    server = s.server(text("hello"))
    connecter: Any = connect(server.uri, legacy=False, proxy=None)
    with connecter as ws:
        return type(connecter).__name__, ws.recv()


@case
def as_a_context_manager(s: Session) -> object:
    with again(s, text("hello")) as ws:
        return ws.recv(), type(ws).__name__


@case
def as_a_context_manager_twice(s: Session) -> object:
    manager = again(s, text("hello"))
    messages = []
    for _ in range(2):
        with manager as ws:
            messages.append(ws.recv())
    return messages


@case
def as_a_context_manager_within_itself(s: Session) -> object:
    manager = again(s, text("hello"))
    with manager:
        return s.attempt(manager.__enter__)


@case
def a_wrong_argument(s: Session) -> object:
    return s.attempt(reconnect, "http://localhost/"), s.attempt(unix_reconnect)


@case
def by_unix_socket(s: Session) -> object:
    server = s.unix_server(text("hello"), close())
    messages = []
    for ws in unix_reconnect(server.address, ping_interval=None, reconnect_delays=quickly):
        messages.append(ws.recv())
        if len(messages) == 2:
            break
    return messages


@case
def with_a_class_of_ones_own(s: Session) -> object:
    for ws in again(s, text("hello"), create_connection=Counting):
        return ws.recv(), ws.count
    return None


@case
def without_the_network(s: Session) -> object:
    tries = []

    def process(error: Exception) -> Exception | None:
        tries.append(isinstance(error, ConnectionRefusedError))
        return None if len(tries) < 3 else error

    uri = f"ws://127.0.0.1:{s.refusing_port()}/"
    never = reconnect(uri, proxy=None, process_exception=process, reconnect_delays=quickly)
    return isinstance(s.attempt(next, iter(never)), OSError), tries


# Extensions of one's own.


class Shouting:
    """An extension in Python: text is sent in capitals."""

    name = "x-shout"
    rsv1 = rsv2 = rsv3 = False

    def decode(self, received: Any, *, max_size: int | None = None) -> Any:
        return received

    def encode(self, sending: Any) -> Any:
        import dataclasses

        if sending.opcode == 1:
            return dataclasses.replace(sending, data=bytes(sending.data).upper())
        return sending


class ShoutingFactory:
    name = "x-shout"

    def get_request_params(self) -> list[tuple[str, str | None]]:
        return [("loud", None), ("level", "9")]

    def process_response_params(self, params: Any, accepted: Any) -> Shouting:
        return Shouting()


@case
def an_extension_in_python(s: Session) -> object:
    answer = Response(headers="Sec-WebSocket-Extensions: x-shout; loud")
    ws = s.connect(text("hello"), response=answer, extensions=[ShoutingFactory()], compression=None)
    ws.send("quiet")
    ws.send(b"quiet")
    return ws.recv(), [type(extension).__name__ for extension in ws.protocol.extensions]


@case
def an_extension_and_compression(s: Session) -> object:
    return s.connect(extensions=[ShoutingFactory()]).protocol.extensions


@case
def a_broken_extension(s: Session) -> object:
    class Broken(Shouting):
        def decode(self, received: Any, *, max_size: int | None = None) -> Any:
            raise RuntimeError("broken")

    class BrokenFactory(ShoutingFactory):
        def process_response_params(self, params: Any, accepted: Any) -> Shouting:
            return Broken()

    answer = Response(headers="Sec-WebSocket-Extensions: x-shout")
    ws = s.connect(text("hello"), response=answer, extensions=[BrokenFactory()], compression=None)
    error: Any = s.attempt(ws.recv)
    return error, type(error.__cause__).__name__


# Threads.


@case
def sending_from_many_threads(s: Session) -> object:
    ws = s.connect()
    threads = [threading.Thread(target=ws.send, args=("x",)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return ws.state


@case
def a_send_wakes_with_the_close(s: Session) -> object:
    ws = s.connect(wait, close(4001))
    s.servers[0].go()
    ws.wait_closed(5)
    return s.attempt(ws.send, "x")


@case
def status_errors_by_their_response(s: Session) -> object:
    try:
        s.connect(response=http("429 Too Many Requests", "slow", "Retry-After: 7"))
    except InvalidStatus as error:
        response = error.response
        return (
            response.status_code,
            response.headers["retry-after"],
            bytes(response.body),
            response.reason_phrase,
        )
    return None


@case(alone=True)
def warnings_of_a_connection_without_context(s: Session) -> object:
    import warnings

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        server = s.server(text("hello"))
        ws = s.closing(connect(server.uri, proxy=None, ping_interval=None))
        ws.recv()
        ws.close()
    return [(warning.category.__name__, str(warning.message)) for warning in caught]


@case
def a_second_handshake(s: Session) -> object:
    ws = s.connect()
    ws.close(1001, "bye")
    return s.attempt(ws.handshake)


@case
def parameters_of_handshake(s: Session) -> object:
    return [str(parameter) for parameter in inspect.signature(ClientConnection.handshake).parameters]
