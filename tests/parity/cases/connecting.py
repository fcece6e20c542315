"""`connect`: its arguments, what it sends, and what it makes of responses."""

from __future__ import annotations

import os
import socket
import ssl
import threading
from typing import Any

from websockets.datastructures import Headers
from websockets.sync.client import connect, unix_connect

from parity import case, each
from parity.script import close, text
from parity.server import REFUSED, Connection, Response, http
from parity.session import Session


def opened(ws: Any) -> object:
    response = ws.response
    return {
        "state": ws.state,
        "subprotocol": ws.subprotocol,
        "path": ws.request.path,
        "status": response.status_code,
        "reason": response.reason_phrase,
        "body": response.body,
    }


# Arguments.

WRONG: dict[str, dict[str, Any]] = {
    "unknown": {"extra_headers": {}},
    "ssl with ws": {"ssl": ssl.create_default_context()},
    "compression": {"compression": "gzip"},
    "subprotocols str": {"subprotocols": "chat"},
    "subprotocols number": {"subprotocols": 1},
    "subprotocol with a space": {"subprotocols": ["a b"]},
    "subprotocol empty": {"subprotocols": [""]},
    "header with CR LF": {"additional_headers": {"A": "b\r\nC: d"}},
    "header value beyond Latin-1": {"additional_headers": {"A": "\u20ac"}},
    "user agent with CR LF": {"user_agent_header": "a\r\nb"},
    "origin with CR LF": {"origin": "http://a\r\nb"},
    "low above high": {"max_queue": (1, 2)},
    "low below zero": {"max_queue": (1, -1)},
    "proxy scheme": {"proxy": "ftp://localhost/"},
    "proxy path": {"proxy": "http://localhost/path"},
    "proxy query": {"proxy": "http://localhost/?a"},
    "proxy without host": {"proxy": "http://"},
    "proxy user without password": {"proxy": "http://me@localhost"},
    "proxy_ssl with http": {"proxy": "http://localhost", "proxy_ssl": ssl.create_default_context()},
}


@each(WRONG)
def wrong_argument(s: Session, kwargs: dict[str, Any]) -> object:
    server = s.server()
    return s.open(server, **kwargs)


WRONG_URIS = [
    "",
    "http://localhost/",
    "ws://",
    "ws://localhost/#a",
    "ws://me@localhost/",
    "localhost:8000",
    "ws://localhost:port/",
    "ws://localhost:65536/",
    "ws://[::1/",
    "ws://[nonsense]/",
    "ws://me:%FF@localhost/",
]


@each(WRONG_URIS)
def wrong_uri(s: Session, uri: str) -> object:
    return connect(uri)


@each({"line end": "{}\n", "tab": "{}a\tb", "blank before": " {}", "blank": "{}a b", "fragment": "{}#"})
def strange_uri(s: Session, form: str) -> object:
    server = s.server()
    return opened(s.open(server, form.format(server.uri)))


@each(["\u00e9", "?q=\u00e9", "?q=%zz", '?q={"a":[1]}', "a\\b", ";a?b=|^`<>"])
def unusual_path(s: Session, path: str) -> object:
    server = s.server()
    return opened(s.open(server, server.uri + path))


@case
def empty_query(s: Session) -> object:
    server = s.server()
    return s.open(server, server.uri + "?").request.path


@case
def uri_not_a_str(s: Session) -> object:
    uri: Any = 1
    return connect(uri)


@case
def more_than_the_uri_by_position(s: Session) -> object:
    anything: Any = connect
    return anything("ws://localhost/", None)


@each(
    {
        "None": None,
        "dict": {"X-A": "1", "x-b": "2"},
        "pairs": [("X", "1"), ("X", "2")],
        "Headers": Headers(X="1"),
        "Headers with a name twice": Headers([("X", "1"), ("x", "2")]),
        "empty": {},
        "Latin-1": {"X": "caf\u00e9"},
        "tab": {"X": "a\tb"},
        "user agent": {"User-Agent": "mine"},
        "empty value": {"X": ""},
        "spaces": {"X": " a "},
        "cookie": {"Cookie": "a=b; c=d"},
        "authorization": {"Authorization": "Bearer token"},
        "host": {"Host": "other"},
        "origin": {"Origin": "null"},
    }
)
def additional_headers(s: Session, headers: Any) -> object:
    return opened(s.connect(additional_headers=headers))


@each(
    {
        "None": {"user_agent_header": None},
        "own": {"user_agent_header": "mine/1"},
        "empty": {"user_agent_header": ""},
        "default": {},
        "both": {"user_agent_header": "x", "additional_headers": {"user-agent": "y"}},
    }
)
def user_agent(s: Session, kwargs: dict[str, Any]) -> object:
    ws = s.connect(**kwargs)
    return ws.request.headers.get_all("User-Agent")


@each(["http://localhost", "null", ""])
def origin(s: Session, origin: str) -> object:
    return opened(s.connect(origin=origin))


@each(
    {
        "path": "/chat",
        "query": "/chat?a=b&c",
        "escapes": "/%C3%A9%20",
        "empty": "",
        "only a query": "?a=b",
        "beyond ASCII": "/caf\u00e9?\u00fc",
        "odd characters": "/a'b(c)*d;e,f=g$h!i@j:k",
        "double slash": "//a//",
        "dots": "/a/../b/./c",
        "blank": "/a b",
        "line feed": "/a\nb",
    }
)
def path(s: Session, path: str) -> object:
    server = s.server()
    return opened(s.open(server, f"ws://127.0.0.1:{server.port}{path}"))


@each(["me:secret", "me:", "m%3Ae:s%40cret", "%C3%BC:%E2%82%AC"])
def user_info(s: Session, user_info: str) -> object:
    server = s.server()
    return opened(s.open(server, f"ws://{user_info}@127.0.0.1:{server.port}/"))


@case
def user_info_and_header(s: Session) -> object:
    server = s.server()
    uri = f"ws://me:secret@127.0.0.1:{server.port}/"
    return opened(s.open(server, uri, additional_headers={"Authorization": "Bearer token"}))


@case
def host_name(s: Session) -> object:
    server = s.server()
    return opened(s.open(server, f"ws://LocalHost:{server.port}/"))


@case
def address(s: Session) -> object:
    server = s.server()
    return opened(s.open(server, "ws://service.example/x", address=("127.0.0.1", server.port)))


@case
def source_address(s: Session) -> object:
    ws = s.connect(source_address=("127.0.0.1", 0))
    return ws.local_address[0]


@case
def given_socket(s: Session) -> object:
    server = s.server(text("hello"))
    sock = socket.create_connection(("127.0.0.1", server.port))
    ws = s.open(server, "ws://service.example/x", sock=sock)
    return ws.recv(), opened(ws)


@case
def given_socket_is_closed_after_the_server(s: Session) -> object:
    server = s.server(close(4001))
    sock = socket.create_connection(("127.0.0.1", server.port))
    ws = s.open(server, sock=sock)
    error = s.attempt(ws.recv, timeout=5)
    ws.close()
    return error, sock.fileno()


@case
def given_socket_is_closed_on_failure(s: Session) -> object:
    server = s.server(response=http("400 Bad Request"))
    sock = socket.create_connection(("127.0.0.1", server.port))
    error = s.attempt(s.open, server, sock=sock)
    return error, sock.fileno()


@case
def socket_pair(s: Session) -> object:
    ours, theirs = socket.socketpair()
    request: list[bytes] = []

    def refuse() -> None:
        request.extend(theirs.recv(4096).split(b"\r\n")[:2])
        theirs.sendall(http("403 Forbidden", "no"))
        theirs.close()

    refusing = threading.Thread(target=refuse)
    refusing.start()
    error = s.attempt(connect, "ws://localhost/", sock=ours, proxy=None)
    refusing.join()
    return error, request, ours.fileno()


@case
def refused(s: Session) -> object:
    return connect(f"ws://127.0.0.1:{s.refusing_port()}/", proxy=None)


@case
def refused_by_all_addresses(s: Session) -> object:
    error: Any = s.attempt(connect, f"ws://localhost:{s.refusing_port()}/", proxy=None, all_errors=True)
    return (
        type(error).__name__,
        str(error).partition(" (")[0],
        {type(each).__name__ for each in error.exceptions},
    )


@case
def refused_by_the_proxy(s: Session) -> object:
    return connect("ws://service.example/", proxy=f"http://127.0.0.1:{s.refusing_port()}")


@case
def name_that_is_not_known(s: Session) -> object:
    error: Any = s.attempt(connect, "ws://nowhere.invalid/", proxy=None, open_timeout=10)
    return isinstance(error, socket.gaierror), error.errno


@case
def time_out_of_the_handshake(s: Session) -> object:
    return s.connect(response=unanswered, open_timeout=0.2)


def unanswered(connection: Connection) -> None:
    """Wait for the end."""
    connection.read_end()


@each({"True": True, "None": None})
def legacy(s: Session, legacy: bool | None) -> object:
    return opened(s.connect(legacy=legacy))


@case
def context_manager(s: Session) -> object:
    with s.connect(text("hello")) as ws:
        message = ws.recv()
    return message, ws.state


# Unix sockets.


@case
def unix(s: Session) -> object:
    return opened(s.open(s.unix_server()))


@case
def unix_with_uri(s: Session) -> object:
    return opened(s.open(s.unix_server(), "ws://service.example:8000/path"))


@case
def unix_path_like(s: Session) -> object:
    server = s.unix_server()
    ws = s.closing(unix_connect(s.directory / "socket", legacy=True, ping_interval=None))
    return opened(ws), server.address == ws.remote_address


@case
def unix_path_bytes(s: Session) -> object:
    s.unix_server()
    return opened(s.closing(unix_connect(bytes(s.directory / "socket"), legacy=True, ping_interval=None)))


@case
def unix_without_path(s: Session) -> object:
    return unix_connect()


@case
def unix_with_path_and_socket(s: Session) -> object:
    with socket.socket(socket.AF_UNIX) as sock:
        return unix_connect("/nowhere", sock=sock)


@case
def unix_missing(s: Session) -> object:
    return unix_connect(s.directory / "missing")


# Responses.

CHUNKED = b"HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n"

ANSWERS: dict[str, Response | bytes] = {
    "right": Response(),
    "other headers": Response(headers="Server: x\r\nSet-Cookie: a=b\r\nset-cookie: c=d"),
    "other reason": Response(status="HTTP/1.1 101 Web Socket Protocol Handshake"),
    "no reason": Response(status="HTTP/1.1 101 "),
    "no reason, no space": Response(status="HTTP/1.1 101"),
    "Latin-1 in a header": Response(headers="X: caf\u00e9"),
    "empty header": Response(headers="X:"),
    "no upgrade": Response(without="Upgrade"),
    "no connection": Response(without="Connection"),
    "no accept": Response(without="Sec-WebSocket-Accept"),
    "wrong accept": Response(accept="AAAAAAAAAAAAAAAAAAAAAAAAAAA="),
    "two accepts": Response(headers="Sec-WebSocket-Accept: x"),
    "upgrade in other case": Response(without="Upgrade", headers="upgrade: WebSocket"),
    "upgrade to another": Response(without="Upgrade", headers="Upgrade: h2c"),
    "two upgrades": Response(headers="Upgrade: h2c"),
    "several connection options": Response(without="Connection", headers="Connection: keep-alive, upgrade"),
    "connection without upgrade": Response(without="Connection", headers="Connection: close"),
    "connection that cannot be parsed": Response(without="Connection", headers="Connection: a b"),
    "upgrade that cannot be parsed": Response(without="Upgrade", headers="Upgrade: ="),
    "HTTP/1.0": Response(status="HTTP/1.0 101 Switching Protocols"),
    "HTTP/2": Response(status="HTTP/2 101 Switching Protocols"),
    "200": http("200 OK", "hello"),
    "204": http("204 No Content"),
    "301 without location": http("301 Moved Permanently"),
    "304": http("304 Not Modified"),
    "400": http("400 Bad Request"),
    "401": http("401 Unauthorized", "who are you?", "WWW-Authenticate: Basic realm=x"),
    "403": http("403 Forbidden", "no", "X-Reason: blocked"),
    "404": http("404 Not Found"),
    "426": http("426 Upgrade Required", "", "Upgrade: websocket"),
    "429": http("429 Too Many Requests", "slow down", "Retry-After: 5"),
    "500": http("500 Internal Server Error", "oops"),
    "503": http("503 Service Unavailable"),
    "body up to the end": b"HTTP/1.1 403 Forbidden\r\n\r\nall of this",
    "body in chunks": CHUNKED + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    "chunk with an extension": CHUNKED + b"3;a=b\r\nabc\r\n0\r\nX: y\r\n\r\n",
    "chunk of a wrong size": CHUNKED + b"x\r\nabc\r\n0\r\n\r\n",
    "another coding": b"HTTP/1.1 403 F\r\nTransfer-Encoding: gzip\r\n\r\nabc",
    "body shorter than told": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\n\r\nabc",
    "wrong length of the body": b"HTTP/1.1 403 Forbidden\r\nContent-Length: abc\r\n\r\nabc",
    "body too large": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 1048577\r\n\r\nabc",
    "body in bytes": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\n\r\n\x00\xff\x80",
    "nothing": REFUSED,
    "nonsense": b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
    "end in the status line": b"HTTP/1.1 101",
    "end in the headers": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: web",
    "only line feeds": b"HTTP/1.1 403 Forbidden\nContent-Length: 0\n\n",
    "status not a number": b"HTTP/1.1 abc Forbidden\r\n\r\n",
    "status too small": b"HTTP/1.1 99 Low\r\nContent-Length: 0\r\n\r\n",
    "status too large": b"HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n",
    "header without colon": b"HTTP/1.1 403 Forbidden\r\nnonsense\r\n\r\n",
    "header name with a space": b"HTTP/1.1 403 Forbidden\r\nX y: z\r\n\r\n",
    "space before the colon": b"HTTP/1.1 403 Forbidden\r\nX : z\r\n\r\n",
    "header value with NUL": b"HTTP/1.1 403 Forbidden\r\nX: a\0b\r\n\r\n",
    "folded header": b"HTTP/1.1 403 Forbidden\r\nX: a\r\n b\r\n\r\n",
    "status line too long": b"HTTP/1.1 403 " + b"x" * 9000 + b"\r\n\r\n",
    "header line too long": b"HTTP/1.1 403 Forbidden\r\nX: " + b"x" * 9000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 403 Forbidden\r\n" + b"X: y\r\n" * 128 + b"\r\n",
    "too many headers": b"HTTP/1.1 403 Forbidden\r\n" + b"X: y\r\n" * 129 + b"\r\n",
    "two lengths": b"HTTP/1.1 403 Forbidden\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "100": b"HTTP/1.1 100 Continue\r\n\r\n",
}


@each(ANSWERS)
def answer(s: Session, response: Response | bytes) -> object:
    ws = s.connect(text("hello"), response=response)
    return opened(ws), list(ws.response.headers.raw_items()), ws.recv()


# Subprotocols and extensions.


@each(
    {
        "none": "",
        "first": "Sec-WebSocket-Protocol: chat",
        "second": "Sec-WebSocket-Protocol: superchat",
        "unknown": "Sec-WebSocket-Protocol: other",
        "other case": "Sec-WebSocket-Protocol: CHAT",
        "two": "Sec-WebSocket-Protocol: chat, superchat",
        "wrong": "Sec-WebSocket-Protocol: a b",
        "two headers": "Sec-WebSocket-Protocol: chat\r\nSec-WebSocket-Protocol: superchat",
        "the same twice": "Sec-WebSocket-Protocol: chat, chat",
        "empty": "Sec-WebSocket-Protocol:",
    }
)
def subprotocol(s: Session, headers: str) -> object:
    return opened(s.connect(subprotocols=["chat", "superchat"], response=Response(headers=headers)))


@case
def subprotocol_that_nobody_wanted(s: Session) -> object:
    return s.connect(response=Response(headers="Sec-WebSocket-Protocol: chat"))


@case
def no_subprotocols(s: Session) -> object:
    return opened(s.connect(subprotocols=[]))


@case
def a_tuple_of_subprotocols(s: Session) -> object:
    return opened(s.connect(subprotocols=("a", "b")))


@each(
    [
        "permessage-deflate",
        "permessage-deflate; server_no_context_takeover",
        "permessage-deflate; nonsense",
        "permessage-deflate; client_max_window_bits=10",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate, permessage-deflate",
        "x-unknown",
        "permessage-deflate; client_no_context_takeover",
        "permessage-deflate; a=1; a=2",
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate;",
        "=",
    ]
)
def extension(s: Session, answer: str) -> object:
    ws = s.connect(response=Response(headers=f"Sec-WebSocket-Extensions: {answer}"))
    return [repr(extension) for extension in ws.protocol.extensions]


@case
def extension_that_nobody_wanted(s: Session) -> object:
    return s.connect(
        response=Response(headers="Sec-WebSocket-Extensions: permessage-deflate"), compression=None
    )


@case
def no_compression(s: Session) -> object:
    return opened(s.connect(compression=None))


@case
def two_offers(s: Session) -> object:
    from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory

    offers = [
        ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=True),
        ClientPerMessageDeflateFactory(client_no_context_takeover=True),
    ]
    return opened(s.connect(extensions=offers))


# Redirects.


def moved(location: str, status: int = 302) -> bytes:
    return http(f"{status} Moved", "", f"Location: {location}")


@each([300, 301, 302, 303, 307, 308, 304, 305])
def redirect(s: Session, status: int) -> object:
    server = s.server(responses=[moved("/new", status), Response()])
    return opened(s.open(server, server.uri + "old?a=b"))


@each(
    [
        "new",
        "/a/../new",
        "?only=query",
        "",
        "//127.0.0.1:PORT/new",
        "ws://127.0.0.1:PORT/new?x#fragment",
        "http://127.0.0.1:PORT/new",
        "ftp://127.0.0.1/",
        "ws://",
        "/caf\u00e9",
    ]
)
def redirect_location(s: Session, location: str) -> object:
    listener = socket.create_server(("127.0.0.1", 0))
    location = location.replace("PORT", str(listener.getsockname()[1]))
    server = s.server(responses=[moved(location), Response()], listener=listener)
    return opened(s.open(server, server.uri + "dir/old"))


@case
def redirect_for_ever(s: Session) -> object:
    return s.connect(response=moved("/again"))


@case
def redirect_to_another_origin(s: Session) -> object:
    target = s.server()
    server = s.server(response=moved(f"ws://localhost:{target.port}/new"))
    secrets = {
        "Authorization": "Bearer 1",
        "Cookie": "a=b",
        "Proxy-Authorization": "Basic x",
        "X-Trace": "7",
    }
    return opened(s.open(server, additional_headers=secrets))


@case
def redirect_to_the_same_origin(s: Session) -> object:
    server = s.server(responses=[moved("/new"), Response()])
    return opened(s.open(server, additional_headers={"Authorization": "Bearer 1", "X-Trace": "7"}))


@case
def redirect_with_user_info(s: Session) -> object:
    server = s.server(responses=[moved("/new"), Response()])
    return opened(s.open(server, f"ws://me:secret@127.0.0.1:{server.port}/"))


@case
def redirect_with_a_given_socket(s: Session) -> object:
    server = s.server(response=moved("/new"))
    return s.open(server, sock=socket.create_connection(("127.0.0.1", server.port)))


@case
def redirect_with_an_address(s: Session) -> object:
    server = s.server(response=moved("ws://other.example/new"))
    return s.open(server, "ws://service.example/", address=("127.0.0.1", server.port))


@case
def redirect_on_a_unix_socket(s: Session) -> object:
    return opened(s.open(s.unix_server(responses=[moved("/new"), Response()])))


@case
def redirect_from_a_unix_socket_elsewhere(s: Session) -> object:
    return s.open(s.unix_server(response=moved("ws://other.example/new")))


@case
def redirect_then_refused(s: Session) -> object:
    return s.open(s.server(responses=[moved("/new"), http("403 Forbidden", "no")]))


# Proxies.


def proxy(connection: Connection) -> None:
    """Agree, and be the server behind the proxy, too."""
    connection.socket.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
    connection.socket.sendall(Response().to(connection.read_request()))


@each({"plain": "", "user": "me:secret@", "escapes": "m%40e:s%3Acret@"})
def http_proxy(s: Session, user_info: str) -> object:
    server = s.server(text("hello"), response=proxy)
    ws = s.open(server, "ws://service.example:81/path", proxy=f"http://{user_info}127.0.0.1:{server.port}")
    return ws.recv(), opened(ws)


@each({"None": None, "own": "mine/1"})
def user_agent_to_the_proxy(s: Session, user_agent: str | None) -> object:
    server = s.server(response=proxy)
    proxied = f"http://127.0.0.1:{server.port}"
    return opened(s.open(server, "ws://service.example/", proxy=proxied, user_agent_header=user_agent))


@each(
    {
        "407": http("407 Proxy Authentication Required"),
        "403": http("403 Forbidden", "no"),
        "nothing": REFUSED,
        "nonsense": b"nonsense\r\n\r\n",
        "302": http("302 Found", "", "Location: /"),
    }
)
def refusing_proxy(s: Session, answer: bytes) -> object:
    server = s.server(response=answer)
    return s.open(server, "ws://service.example/", proxy=f"http://127.0.0.1:{server.port}")


@case
def proxy_with_a_given_socket(s: Session) -> object:
    server = s.server()
    sock = socket.create_connection(("127.0.0.1", server.port))
    return opened(s.open(server, sock=sock, proxy=True))


@case(alone=True)
def proxy_of_the_environment(s: Session) -> object:
    server = s.server(response=proxy)
    os.environ["http_proxy"] = f"http://127.0.0.1:{server.port}"
    try:
        return opened(s.open(server, "ws://service.example/", proxy=True))
    finally:
        del os.environ["http_proxy"]


@case(alone=True)
def no_proxy_of_the_environment(s: Session) -> object:
    server = s.server()
    os.environ.update(http_proxy="http://127.0.0.1:9", no_proxy="127.0.0.1")
    try:
        return opened(s.open(server, proxy=True))
    finally:
        del os.environ["http_proxy"], os.environ["no_proxy"]


# TLS.


def trusting(s: Session) -> Any:
    return ssl.create_default_context(cafile=str(s.authority))


@case
def tls(s: Session) -> object:
    ws = s.connect(text("hello"), tls=True, ssl=trusting(s))
    return ws.recv(), opened(ws)


@case
def tls_with_an_unknown_authority(s: Session) -> object:
    error: Any = s.attempt(s.connect, tls=True)
    return isinstance(error, ssl.SSLCertVerificationError), error.verify_code, error.verify_message


@case
def tls_with_another_name(s: Session) -> object:
    error: Any = s.attempt(s.connect, tls=True, ssl=trusting(s), server_hostname="other.example")
    return isinstance(error, ssl.SSLCertVerificationError), error.verify_code


@case
def tls_without_check(s: Session) -> object:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return opened(s.connect(tls=True, ssl=context))


@case
def tls_to_a_server_without(s: Session) -> object:
    server = s.server(response=b"HTTP/1.1 400 Bad Request\r\n\r\n")
    error = s.attempt(s.open, server, f"wss://localhost:{server.port}/", ssl=trusting(s), open_timeout=1)
    return isinstance(error, (ssl.SSLError, OSError))


@case
def tls_ends_without_notice(s: Session) -> object:
    def cut(connection: Connection) -> None:
        connection.socket.close()
        connection.ended = True

    ws = s.connect(text("hello"), cut, tls=True, ssl=trusting(s))
    return ws.recv(), s.attempt(ws.recv)


@case
def wrapped_socket(s: Session) -> object:
    server = s.server(text("hello"), tls=True)
    raw = socket.create_connection(("127.0.0.1", server.port))
    wrapped = trusting(s).wrap_socket(raw, server_hostname="localhost")
    ws = s.open(server, "ws://localhost/", sock=wrapped)
    return ws.recv(), opened(ws)


@case
def many_at_once(s: Session) -> object:
    servers = [s.server(text(f"hello {number}")) for number in range(5)]
    received: dict[int, object] = {}

    def run(number: int) -> None:
        received[number] = s.open(servers[number]).recv()

    threads = [threading.Thread(target=run, args=(number,)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return received
