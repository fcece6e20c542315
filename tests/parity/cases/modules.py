"""The names that programs import, `http11`, `utils`, `protocol`, `client` and `typing`."""

from __future__ import annotations

import importlib
import inspect
import itertools
import operator
from typing import Any

import websockets
from websockets.client import backoff, process_exception
from websockets.datastructures import Headers
from websockets.exceptions import InvalidMessage, InvalidProxyStatus, InvalidStatus, SecurityError
from websockets.http11 import Request, Response
from websockets.protocol import Side, State
from websockets.sync import client
from websockets.utils import accept_key, apply_mask, get_socket_name

from parity import case, each
from parity.session import Session

NAMES = {
    "websockets.client": ["ClientProtocol", "backoff", "process_exception"],
    "websockets.datastructures": ["Headers", "HeadersLike", "MultipleValuesError"],
    "websockets.extensions": ["ClientExtensionFactory", "Extension", "ServerExtensionFactory"],
    "websockets.extensions.base": ["ClientExtensionFactory", "Extension", "ServerExtensionFactory"],
    "websockets.extensions.permessage_deflate": [
        "ClientPerMessageDeflateFactory",
        "PerMessageDeflate",
        "enable_client_permessage_deflate",
    ],
    "websockets.frames": ["Close", "CloseCode", "Frame", "Opcode", "OP_CONT"],
    "websockets.http11": ["Request", "Response", "SERVER", "USER_AGENT"],
    "websockets.protocol": ["Protocol", "Side", "State", "SEND_EOF", "OPEN", "CLOSED", "CLIENT", "SERVER"],
    "websockets.sync.client": ["ClientConnection", "Connection", "connect", "reconnect", "unix_connect"],
    "websockets.sync.connection": ["Connection"],
    "websockets.sync.server": ["Server", "ServerConnection", "basic_auth", "serve", "unix_serve"],
    "websockets.sync.router": ["route", "unix_route"],
    "websockets.typing": [
        "BytesLike",
        "Data",
        "DataLike",
        "ExtensionName",
        "ExtensionParameter",
        "LoggerLike",
        "Origin",
        "StatusLike",
        "Subprotocol",
    ],
    "websockets.uri": ["WebSocketURI", "parse_uri"],
    "websockets.utils": ["accept_key", "apply_mask", "generate_key", "get_socket_name"],
    "websockets.version": ["commit", "released", "tag", "version"],
    "websockets": [
        "Close",
        "CloseCode",
        "ConnectionClosed",
        "Data",
        "Frame",
        "Headers",
        "InvalidURI",
        "Opcode",
        "Origin",
        "Request",
        "Response",
        "Side",
        "State",
        "Subprotocol",
        "__version__",
    ],
    "websockets.nonsense": ["anything"],
}


@each(NAMES)
def names(s: Session, module: str) -> object:
    imported = importlib.import_module(module)
    return [name for name in NAMES[module] if not hasattr(imported, name)]


@case
def versions(s: Session) -> object:
    from websockets import version

    top: Any = websockets
    return top.__version__, version.version, version.tag, version.released


@case
def a_name_that_is_not_there(s: Session) -> object:
    return getattr(websockets, "nonsense")  # noqa: B009


@each(
    [
        "connect",
        "unix_connect",
        "reconnect",
        "unix_reconnect",
        "ClientConnection",
        "ClientConnection.recv",
        "ClientConnection.recv_streaming",
        "ClientConnection.send",
        "ClientConnection.ping",
        "ClientConnection.pong",
        "ClientConnection.close",
        "ClientConnection.wait_closed",
    ]
)
def parameters(s: Session, name: str) -> object:
    function = operator.attrgetter(name)(client)
    parameters = [each for each in inspect.signature(function).parameters.values() if each.name != "self"]
    return [
        f"{parameter.name} {parameter.kind.description} {_default(parameter.default)}"
        for parameter in parameters
    ]


def _default(default: Any) -> object:
    if callable(default):
        return default.__name__
    return int(default) if isinstance(default, int) and not isinstance(default, bool) else repr(default)


@case
def public_members_of_a_connection(s: Session) -> object:
    wanted = [
        "close",
        "close_code",
        "close_reason",
        "local_address",
        "ping",
        "pong",
        "recv",
        "recv_streaming",
        "remote_address",
        "send",
        "state",
        "subprotocol",
        "wait_closed",
    ]
    return [name for name in wanted if not hasattr(client.ClientConnection, name)]


@each(
    {
        "OSError": OSError(5, "x"),
        "refused": ConnectionRefusedError(),
        "TimeoutError": TimeoutError(),
        "ValueError": ValueError("x"),
        "security": SecurityError("x"),
        "message": InvalidMessage("x"),
    }
)
def processed(s: Session, error: Exception) -> object:
    return process_exception(error)


@each([400, 401, 429, 500, 501, 502, 503, 504, 505])
def processed_status(s: Session, status: int) -> object:
    return process_exception(InvalidStatus(Response(status, "", Headers()))) is None


@each([500, 502, 407])
def processed_proxy_status(s: Session, status: int) -> object:
    return process_exception(InvalidProxyStatus(Response(status, "", Headers()))) is None


@case
def processed_end_of_stream(s: Session) -> object:
    error = InvalidMessage("x")
    error.__cause__ = EOFError()
    return process_exception(error)


@case
def delays(s: Session) -> object:
    first, *rest = itertools.islice(backoff(), 12)
    return 0 <= first <= 5, rest


@case
def delays_of_ones_own(s: Session) -> object:
    return list(itertools.islice(backoff(0, 1, 5, 2), 6)), list(
        itertools.islice(backoff(initial_delay=0), 2)
    )


@case
def state_and_side(s: Session) -> object:
    return list(State), list(Side), State.OPEN < State.CLOSED


@case
def keys(s: Session) -> object:
    return accept_key("dGhlIHNhbXBsZSBub25jZQ==")


@each(
    {
        "nothing": b"",
        "short": b"abc",
        "long": b"abcdefghij",
        "bytearray": bytearray(b"abcde"),
        "memoryview": memoryview(b"abcdefgh"),
    }
)
def mask(s: Session, data: Any) -> object:
    return apply_mask(data, b"\x01\x02\x03\x04")


@each([b"", b"abc", b"abcde"])
def mask_of_another_length(s: Session, key: bytes) -> object:
    return apply_mask(b"data", key)


@case
def socket_name(s: Session) -> object:
    return get_socket_name(s.server().listener)


@case
def request(s: Session) -> object:
    made = Request("/chat?a=b", Headers({"Host": "a", "X": "caf\u00e9"}))
    return (
        made,
        made.serialize(),
        made.path,
        made.method,
        made.protocol,
        made == Request("/chat?a=b", made.headers),
    )


@case
def request_by_keywords(s: Session) -> object:
    return Request(path="/", headers=Headers(), method="POST", protocol="HTTP/1.0").serialize()


@case
def request_beyond_ascii(s: Session) -> object:
    return Request("/caf\u00e9", Headers()).serialize()


@case
def response(s: Session) -> object:
    made = Response(404, "Not Found", Headers({"Content-Length": "2"}), b"no")
    return made, made.serialize(), made.status_code, made.reason_phrase, made.headers, made.body


@case
def response_without_body(s: Session) -> object:
    return Response(204, "", Headers()).serialize(), Response(204, "", Headers()) == Response(
        204, "", Headers(), b""
    )
