"""How openline in drop-in mode may differ from `websockets`, and why.

A `Wording` is a text in other words. A `Row` is a difference in what happens: cases show it, and nothing
else differs in them. Rows that no case shows any more, and wordings that none uses, fail the tests. The page
tells them all.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cache

from parity.outcome import MISSING, Json

__all__ = ["ROWS", "WORDINGS", "Row", "Wording", "same_meaning"]


@dataclass(frozen=True)
class Wording:
    """The same said otherwise. `{}` stands for any text, and `{n}` for a number.

    Numbers must be the same on both sides, if both have as many.
    """

    theirs: str
    ours: str

    def in_theirs(self, text: str) -> str:
        """Put a mark where the text says it in the words of `websockets`."""
        return re.sub(_pattern(self.theirs), self._mark, text)

    def in_ours(self, text: str) -> str:
        return re.sub(_pattern(self.ours), self._mark, text)

    def _mark(self, found: re.Match[str]) -> str:
        are_as_many = self.theirs.count("{n}") == self.ours.count("{n}")
        return f"<{WORDINGS.index(self)} {found.groups() if are_as_many else ''}>"


@dataclass(frozen=True)
class Row:
    """A difference.

    Attributes:
        what: where it shows; a line of the support matrix, as are the next three.
        theirs: what `websockets` does.
        ours: what openline does.
        why: a reason that a user would accept.
        shown: the cases that show it, with the places in their outcomes; `*` stands for any text.
        worlds: where it shows.
        example: one of the cases, and what is at a place in its two outcomes.
        holds: what must be true of theirs and ours in all places. Default: nothing more.
    """

    what: str
    theirs: str
    ours: str
    why: str
    shown: dict[str, list[str]]
    worlds: tuple[str, ...] = ("alone", "beside")
    example: tuple[str, str, Json, Json] | None = None
    holds: Callable[[Json, Json], bool] = lambda theirs, ours: True

    def explains(self, case: str, place: str, theirs: Json, ours: Json) -> bool:
        """Whether this difference is shown at a place in the outcomes of a case."""
        shown = any(
            matches(case, cases) and any(matches(place, pattern) for pattern in places)
            for cases, places in self.shown.items()
        )
        return shown and self.holds(theirs, ours)


@cache
def matches(text: str, pattern: str) -> bool:
    """Whether a name matches, in which `*` is any text and brackets are themselves."""
    return fnmatchcase(text, re.sub(r"\[", "[[]", pattern))


def same_meaning(theirs: Json, ours: Json) -> set[Wording] | None:
    """The wordings by which two texts, or lists of texts, say the same; None if they do not."""
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        found: set[Wording] = set()
        for pair in zip(theirs, ours, strict=True):
            used = same_meaning(*pair)
            if used is None:
                return None
            found |= used
        return found
    if not isinstance(theirs, str) or not isinstance(ours, str):
        return set() if theirs == ours else None
    used = set()
    for wording in WORDINGS:
        marked = wording.in_theirs(theirs), wording.in_ours(ours)
        if marked[0] != theirs and marked[1] != ours:
            used.add(wording)
            theirs, ours = marked
    return used if theirs == ours else None


def _pattern(words: str) -> str:
    return re.escape(words).replace(r"\{\}", ".*").replace(r"\{n\}", r"(-?[\d.]+)")


WORDINGS: list[Wording] = [
    # Time-outs, and calls at the same time.
    Wording("timed out in {n}s", "timed out while waiting for a message"),
    Wording("timed out while waiting for handshake response", "timed out while opening the connection"),
    Wording(
        "cannot call recv while another thread is already running recv or recv_streaming",
        "cannot receive while another thread is already receiving",
    ),
    Wording(
        "cannot call send while another thread is already running send",
        "cannot send while this thread is already sending a fragmented message",
    ),
    Wording(
        "connect() isn't reentrant", "this context has been entered already; use one reconnect() for each"
    ),
    # Connections that cannot be made.
    Wording("Connection refused", "cannot connect to {}: Connection refused"),
    Wording("No such file or directory", "cannot connect to {}: No such file or directory"),
    Wording("seconds: websockets.exceptions.", "seconds: "),
    # Tracebacks.
    Wording("websockets.exceptions.", "openline.exceptions."),
    # Arguments.
    Wording("create_connection() got an unexpected", "connect() got an unexpected"),
    Wording(
        "invalid subprotocol: {}", "invalid subprotocol in subprotocols: {}; letters, digits and any of {}"
    ),
    Wording(
        "subprotocols must be a list, not a str",
        "subprotocols must be a sequence of subprotocols such as a list, not str",
    ),
    Wording(
        "subprotocols must be a list",
        "subprotocols must be a sequence of subprotocols such as a list, not int",
    ),
    Wording(
        "scheme ftp isn't supported",
        "scheme ftp isn't supported; expected http, https, socks4, socks4a, socks5 or socks5h",
    ),
    Wording(
        "high must be greater than or equal to low", "max_queue is (high, low) with low at most high, not {}"
    ),
    Wording(
        "low must be positive or equal to zero", "max_queue must be at least 0, not {n}; None means no limit"
    ),
    Wording(
        "proxy_ssl argument is incompatible with an http:// proxy",
        "proxy_ssl is for https:// proxies, not for http://; drop it",
    ),
    Wording("iterable must contain uniform types", "iterable must contain bytes or str"),
    Wording("expected comma at 9 in websocket/", "expected protocol version at 10 in websocket/"),
    Wording("data must be str or bytes-like", "data must be str or bytes-like, not {}"),
    # What we send, and what we receive.
    Wording("invalid status code", "close code {n} may not be sent; use 1000-1003, 1007-1014 or 3000-4999"),
    Wording("invalid status code", "close code {n} may not be sent"),
    Wording("control frame too long", "close reason of {n} bytes; at most 123 fit into a close frame"),
    Wording("control frame too long", "control frame with a payload over 125 bytes"),
    Wording(
        "close frame too short", "close frame with a payload of one byte; expected none or at least two"
    ),
    Wording("close frame too short", "close frame with a payload of one byte"),
    Wording("invalid opcode", "reserved opcode {n}"),
    Wording("incorrect masking", "masked frame from a server"),
    Wording("expected a continuation frame", "new message before the last fragment of the one before"),
    Wording("unexpected continuation frame", "continuation frame with no message to continue"),
    Wording("decompression failed", "decompression failed: invalid block type"),
    Wording("invalid start byte at position {n}", "invalid UTF-8"),
    Wording("invalid continuation byte at position {n}", "invalid UTF-8"),
    Wording("unexpected end of data at position {n}", "invalid UTF-8"),
    # Limits.
    Wording(
        "frame with {n} bytes exceeds limit of {n} bytes",
        "message of {n} bytes exceeds max_size of {n} bytes; raise max_size to accept it",
    ),
    Wording(
        "frame with {n} bytes exceeds limit of {n} bytes",
        "message of {n} bytes exceeds max_size of {n} bytes",
    ),
    Wording(
        "frame with {n} bytes after reading {n} bytes exceeds limit of {n} bytes",
        "message of {n} bytes exceeds max_size of {n} bytes; raise max_size to accept it",
    ),
    Wording(
        "frame with {n} bytes after reading {n} bytes exceeds limit of {n} bytes",
        "message of {n} bytes exceeds max_size of {n} bytes",
    ),
    Wording(
        "frame exceeds limit of {n} bytes",
        "decoded message of more than max_size of {n} bytes; raise max_size to accept it",
    ),
    Wording("frame exceeds limit of {n} bytes", "decoded message of more than max_size of {n} bytes"),
    Wording(
        "frame with {n} bytes exceeds limit of {n} bytes",
        "fragment of {n} bytes exceeds the limit of {n} bytes for one fragment; raise it to accept this",
    ),
    Wording(
        "frame with {n} bytes exceeds limit of {n} bytes",
        "fragment of {n} bytes exceeds the limit of {n} bytes for one fragment",
    ),
    # The causes of errors.
    Wording("unexpected end of stream", "stream ends after the last frame, without a close frame"),
    Wording(
        "stream ends after {n} bytes, expected {n} bytes",
        "stream ends after the last frame, without a close frame",
    ),
    Wording(
        "stream ends after {n} bytes, expected {n} bytes",
        "connection closed while reading HTTP body: {n} of {n} bytes",
    ),
    Wording(
        "unsupported protocol; expected HTTP/1.1: {}",
        "unsupported protocol; expected HTTP/1.1; got HTTP/1.0",
    ),
    Wording("unsupported protocol; expected HTTP/1.1: {}", "invalid HTTP status line: {}"),
    Wording("invalid status code; expected {}; got {}", "invalid HTTP status line: {}"),
    Wording("invalid status code; expected 100\u2013599", "invalid status code; expected 100-599"),
    Wording("invalid HTTP header name: {}", "invalid HTTP header line: {}"),
    Wording("invalid HTTP header value: {}", "invalid HTTP header line: {}"),
    Wording("read {n} bytes, expected no more than {n} bytes", "HTTP status line exceeds {n} bytes"),
    Wording("read {n} bytes, expected no more than {n} bytes", "HTTP header line exceeds {n} bytes"),
    Wording("body too large: {n} bytes", "response body of {n} bytes exceeds {n} bytes"),
    # Redirects.
    Wording(
        "cannot follow redirect to {} with a preexisting socket",
        "cannot follow redirect to {} over a stream that was given; connect to that URI anew",
    ),
    Wording(
        "cannot follow cross-origin redirect to {} with {}",
        "cannot follow redirect to {} of another origin with {}",
    ),
    Wording("more than {n} redirects", "more than {n} redirects, the last one to {}"),
    # Extensions.
    Wording("Unsupported extension: name = {}, params = []", "Unsupported extension: x-unknown"),
    Wording("Unsupported extension: name = {}, params = []", "received duplicate permessage-deflate"),
]

ROWS: list[Row] = [
    # Connecting.
    Row(
        what="bad values of headers, of `origin` and of `user_agent_header`",
        theirs="`InvalidHeaderValue`, once the connection is made",
        ours="`InvalidHeaderValue` that is a `ValueError`, too, before any connection",
        why="An argument is wrong, and no server has a part in it.",
        shown={
            "connecting/wrong_argument[header *]": ["raised.caught by", "raised.text"],
            "connecting/wrong_argument[user agent with CR LF]": ["raised.caught by", "raised.text"],
            "connecting/wrong_argument[origin with CR LF]": ["raised.caught by", "raised.text"],
        },
    ),
    Row(
        what="arguments of a wrong type",
        theirs="fail wherever they are used first, often with `AttributeError`",
        ours="`TypeError` that names the argument",
        why="It tells what to mend.",
        shown={"connecting/uri_not_a_str": ["raised.*"]},
        example=(
            "connecting/uri_not_a_str",
            "raised.text",
            "'int' object has no attribute 'decode'",
            "uri must be str, not int",
        ),
    ),
    Row(
        what="`Host` and `Authorization` in `additional_headers`",
        theirs="sent besides the library's own: two `Host` or two `Authorization` headers",
        ours="take the place of the library's own",
        why="A request with two of them is invalid (RFC 9112 §3.2).",
        shown={
            "connecting/additional_headers[host]": ["wire[0]"],
            "connecting/user_info_and_header": ["wire[0]"],
        },
    ),
    Row(
        what="URIs with a port that is none, a wrong IPv6 address, or user information that is not UTF-8",
        theirs="`ValueError` or `UnicodeDecodeError`",
        ours="`InvalidURI`",
        why="One exception for all wrong URIs.",
        shown={"connecting/wrong_uri[*]": ["raised.*"]},
    ),
    Row(
        what="URIs with blanks or control characters",
        theirs="a blank is sent, which makes a wrong request; others are left out",
        ours="`InvalidURI`",
        why="They do not belong into URIs (RFC 3986).",
        shown={"connecting/path[blank]": ["*"], "connecting/path[line feed]": ["*"]},
    ),
    Row(
        what="a colon in the user name of a URI",
        theirs="`AssertionError` from `connect`",
        ours="`InvalidURI`",
        why="Basic authentication cannot carry it (RFC 7617 §2).",
        shown={"connecting/user_info[m%3Ae:s%40cret]": ["raised.*"]},
        example=(
            "connecting/user_info[m%3Ae:s%40cret]",
            "raised.text",
            "",
            "ws://m%3Ae:***@127.0.0.1:PORT/ isn't a valid URI: colon in username",
        ),
    ),
    Row(
        what="blanks, tabs and line ends in URIs, and an empty fragment",
        theirs="sent, or left out: a line end behind the URI does no harm",
        ours="`InvalidURI`; `strip()` what you have read from a file",
        why="They do not belong into URIs (RFC 3986), and what one program drops another one reads.",
        shown={"connecting/strange_uri[*]": ["*"]},
    ),
    Row(
        what="a `?` with nothing behind it in a URI",
        theirs="left out",
        ours="sent",
        why="Path and query are sent as they are.",
        shown={"connecting/empty_query": ["*"]},
        example=("connecting/empty_query", "result", "'/'", "'/?'"),
    ),
    Row(
        what="`subprotocols=[]`",
        theirs="sends an empty `Sec-WebSocket-Protocol` header",
        ours="sends none",
        why="The header needs at least one value (RFC 6455 §4.1).",
        shown={"connecting/no_subprotocols": ["wire[0]"]},
    ),
    Row(
        what="`InvalidStatus.response.body`",
        theirs="a `bytearray`, or `bytes` when it is empty",
        ours="always `bytes`",
        why="That is the type that is documented.",
        shown={"*": ["*response.body"]},
        example=("connecting/answer[403]", "raised.response.body", "bytearray(b'no')", "b'no'"),
        holds=lambda theirs, ours: theirs == f"bytearray({ours})",
    ),
    Row(
        what="unusual responses: no reason phrase nor the blank before it, lines that end with LF, the same "
        "`Content-Length` twice, `100 Continue` before the response, an empty `Sec-WebSocket-Protocol`",
        theirs="`InvalidMessage`, `InvalidStatus` or `InvalidHeaderFormat`",
        ours="understood",
        why="RFC 9112 §2.2 and §4 and RFC 9110 §8.6 and §15.2 allow recipients to take them.",
        shown={
            "connecting/answer[no reason, no space]": ["*"],
            "connecting/answer[only line feeds]": ["raised*"],
            "connecting/answer[two lengths]": ["raised*"],
            "connecting/answer[100]": ["raised*"],
            "connecting/subprotocol[empty]": ["*"],
        },
        example=(
            "connecting/answer[two lengths]",
            "raised.text",
            "did not receive a valid HTTP response",
            "server rejected WebSocket connection: HTTP 403",
        ),
    ),
    Row(
        what="the cause of `InvalidMessage` for an unknown transfer coding",
        theirs="`NotImplementedError`",
        ours="`ValueError`",
        why="All faults of a response have the same class; the text is the same.",
        shown={"connecting/answer[another coding]": ["raised.cause"]},
        example=(
            "connecting/answer[another coding]",
            "raised.cause",
            "NotImplementedError: transfer coding gzip isn't supported",
            "ValueError: transfer coding gzip isn't supported",
        ),
    ),
    Row(
        what="an answer to the offer of compression that cannot be",
        theirs="`NegotiationError`",
        ours="one of its subclasses, `InvalidParameterName` and the like",
        why="It tells which parameter is wrong.",
        shown={"connecting/extension[permessage-deflate; *]": ["raised.*"]},
        example=("connecting/extension[permessage-deflate; nonsense]", "raised.name", MISSING, "'nonsense'"),
    ),
    Row(
        what="redirects to `http://` and `https://`, and to URIs with a fragment",
        theirs="`InvalidURI`",
        ours="followed as `ws://` and `wss://`, without the fragment",
        why="HTTP servers redirect like that, and a fragment stays with the client (RFC 9110 §10.2.2).",
        shown={
            "connecting/redirect_location[http://127.0.0.1:PORT/new]": ["*"],
            "connecting/redirect_location[ws://127.0.0.1:PORT/new?x#fragment]": ["*"],
        },
    ),
    Row(
        what="a redirect to `ws://` and nothing else",
        theirs="taken as one to the same URI",
        ours="`InvalidURI`",
        why="It names no host.",
        shown={"connecting/redirect_location[ws://]": ["*"]},
    ),
    Row(
        what="redirects without end",
        theirs="the 10th redirect fails",
        ours="the 11th fails",
        why="10 are followed, as is documented.",
        shown={"connecting/redirect_for_ever": ["wire"], "environment/redirects[*]": ["wire"]},
    ),
    Row(
        what="connections that cannot be made",
        theirs="`OSError` without a cause",
        ours="the same `OSError`, whose `__cause__` is openline's `ConnectError`",
        why="Its `attempts` has an exception for each address that was tried.",
        shown={"connecting/refused*": ["raised.cause"], "connecting/unix_missing": ["raised.cause"]},
    ),
    Row(
        what="errors of redirects that are not followed",
        theirs="have the `InvalidStatus` as `__cause__`",
        ours="have no `__cause__`",
        why="The text tells where the redirect went.",
        shown={"connecting/redirect_*": ["raised.cause"]},
        example=(
            "connecting/redirect_with_an_address",
            "raised.cause",
            "InvalidStatus: server rejected WebSocket connection: HTTP 302",
            MISSING,
        ),
    ),
    Row(
        what="`Host` of the request to a proxy",
        theirs="without the port if that is 80 or 443",
        ours="always with the port",
        why="It is what the request line has (RFC 9110 §9.3.6).",
        shown={
            "connecting/refusing_proxy[*]": ["wire[0][1]"],
            "connecting/user_agent_to_the_proxy[*]": ["wire[0][1]"],
            "connecting/proxy_of_the_environment": ["wire[0][1]"],
        },
        example=(
            "connecting/proxy_of_the_environment",
            "wire[0][1]",
            "Host: service.example",
            "Host: service.example:80",
        ),
    ),
    Row(
        what="`InvalidProxyStatus.response.body`",
        theirs="always empty",
        ours="what the proxy wrote",
        why="It often tells why.",
        shown={"connecting/refusing_proxy[403]": ["raised.response.body"]},
        example=("connecting/refusing_proxy[403]", "raised.response.body", "b''", "b'no'"),
    ),
    Row(
        what="`ssl.SSLCertVerificationError`, without `ssl=`",
        theirs="`verify_code` and `verify_message` of OpenSSL",
        ours="`verify_code` is 1, `verify_message` tells what rustls found and what helps",
        why="TLS is done by rustls, unless you pass a context.",
        shown={"connecting/tls_with_an_unknown_authority": ["result.tuple[1]", "result.tuple[2]"]},
        example=("connecting/tls_with_an_unknown_authority", "result.tuple[1]", 20, 1),
    ),
    Row(
        what="TLS that ends without notice",
        theirs="told as any end of the stream",
        ours="`__cause__` is the `ssl.SSLEOFError`",
        why="What came may have been cut by somebody (RFC 8446 §6.1).",
        shown={"connecting/tls_ends_without_notice": ["result.tuple[1].cause"]},
    ),
    # Messages.
    Row(
        what="text that is not UTF-8",
        theirs="`__cause__` is a `UnicodeDecodeError`",
        ours="`__cause__` is a `ProtocolError`",
        why="It is found while it arrives, before there is a message to decode.",
        shown={
            "limits/wrong_frame[*UTF-8]": ["result.tuple[1].cause"],
            "limits/wrong_frame[text *]": ["result.tuple[1].cause"],
            "messages/streamed_not_utf_8": ["result.tuple[1].cause"],
            "closing/by_the_server[*not UTF-8]": ["result.tuple[0].cause"],
        },
        example=(
            "limits/wrong_frame[text that is not UTF-8]",
            "result.tuple[1].cause",
            "UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 2: invalid start byte",
            "ProtocolError: invalid UTF-8",
        ),
        holds=lambda theirs, ours: (
            theirs.startswith("UnicodeDecodeError: ") and ours in ("ProtocolError: invalid UTF-8", MISSING)
        ),
    ),
    Row(
        what="text that is not UTF-8, with `recv(decode=False)`",
        theirs="returned",
        ours="the connection fails with 1007",
        why="It must (RFC 6455 §8.1).",
        shown={"messages/decoded[bad text, False]": ["*"]},
        example=(
            "messages/decoded[bad text, False]",
            "wire[0][8]",
            "CLOSE 1000",
            "CLOSE 1007 invalid UTF-8",
        ),
    ),
    Row(
        what="Binary that is not UTF-8, with `recv(decode=True)`",
        theirs="the connection fails with 1007",
        ours="`UnicodeDecodeError`; the connection goes on",
        why="The server has done nothing wrong.",
        shown={"messages/decoded[not UTF-8, True]": ["*"]},
        example=(
            "messages/decoded[not UTF-8, True]",
            "wire[0][8]",
            "CLOSE 1007 invalid start byte at position 0",
            "CLOSE 1000",
        ),
    ),
    Row(
        what="`recv_streaming` that is given up half-way",
        theirs="nothing can be received any more: `ConcurrencyError`",
        ours="the rest of the message is dropped",
        why="The connection is of use still.",
        shown={"messages/streaming_given_up_half_way": ["result*"]},
    ),
    Row(
        what="`ws.protocol`",
        theirs="a `ClientProtocol`",
        ours="an object with its attributes; an instance of it where `websockets` is not installed",
        why="That class is the whole of the protocol in Python; here it is in Rust.",
        shown={"customising/class_of_the_protocol": ["result"]},
        worlds=("beside",),
    ),
    Row(
        what="`ws.socket`",
        theirs="a `socket.socket`",
        ours="an object with its methods, for all but to read and write; no instance of it, unless it is yours",
        why="Who reads from it would take what the connection waits for.",
        shown={"customising/class_of_the_socket": ["result"]},
    ),
    Row(
        what="`ws.socket.getpeercert()`, without `ssl=`",
        theirs="a `dict`",
        ours="`NotImplementedError`; `getpeercert(binary_form=True)` works",
        why="TLS is done by rustls, unless you pass a context.",
        shown={"customising/certificate_with_the_default_context": ["result.tuple[1]*"]},
    ),
    Row(
        what="`next(ws)`",
        theirs="`TypeError`; only `iter(ws)` is an iterator",
        ours="the next message",
        why="The connection is its own iterator.",
        shown={"messages/next_of_the_connection": ["*"]},
        example=("messages/next_of_the_connection", "result", MISSING, "'a'"),
    ),
    Row(
        what="`send` of other buffers, such as `array.array`",
        theirs="`TypeError`, and the connection fails with 1011",
        ours="sent as Binary",
        why="Any contiguous buffer is bytes-like.",
        shown={"messages/sent[array]": ["*"]},
        example=("messages/sent[array]", "result.tuple[1]", "<State.CLOSED: 3>", "<State.OPEN: 1>"),
    ),
    Row(
        what="`send` of an iterable whose first item is wrong, and of a `str` that UTF-8 cannot carry",
        theirs="the connection is closed, too",
        ours="the error alone; the connection goes on",
        why="Nothing has been sent yet.",
        shown={"messages/sent[numbers]": ["*"], "messages/sent[lone surrogate]": ["*"]},
        example=("messages/sent[numbers]", "result.tuple[1]", "<State.CLOSED: 3>", "<State.OPEN: 1>"),
    ),
    Row(
        what="`send` of an iterable with a wrong item later on",
        theirs="returns when the connection is closed; the answer to our Close, 1011, is not read",
        ours="returns at once; the answer is read: `exc.rcvd` is set",
        why="Whoever handles the error need not wait for the server.",
        shown={
            "messages/sent[mixed*]": ["result.tuple[1]", "result.tuple[2].*"],
            "messages/sent[number later]": ["result.tuple[1]", "result.tuple[2].*"],
            "messages/an_iterator_that_raises": ["result.tuple[1].*"],
            "messages/an_iterator_that_closes": ["result.tuple[0].*"],
        },
        example=("messages/sent[mixed]", "result.tuple[1]", "<State.CLOSED: 3>", "<State.CLOSING: 2>"),
    ),
    Row(
        what="messages of a few bytes, with compression",
        theirs="compressed",
        ours="sent as they are",
        why="They would become larger.",
        shown={"messages/compressed[short]": ["wire[0]*"], "messages/compressed[empty]": ["wire[0]*"]},
        example=("messages/compressed[short]", "wire[0][8]", "TEXT compressed b'hello'", "TEXT b'hello'"),
    ),
    Row(
        what="`pong(None)`",
        theirs="`TypeError`",
        ours="a Pong without data",
        why="None is no data in `ping`, too.",
        shown={"pings/pong_of_ours[None]": ["*"]},
        example=(
            "pings/pong_of_ours[None]",
            "result",
            {"caught by": ["TypeError"], "text": "data must be str or bytes-like"},
            None,
        ),
    ),
    # Closing.
    Row(
        what="`close` with a code or a reason of a wrong type",
        theirs="nothing is raised, nothing sent; the connection is cut",
        ours="`TypeError`, or `UnicodeEncodeError` for a reason; the connection goes on",
        why="It is a mistake in the program, which should show.",
        shown={
            "closing/by_us_with_a_code_of_another_type[*]": ["*"],
            "closing/by_us_with_a_reason_of_another_type[*]": ["*"],
            "closing/by_us_with_reason[surrogate]": ["*"],
        },
        example=(
            "closing/by_us_with_a_code_of_another_type[str]",
            "result.tuple[0]",
            "'NoneType'",
            "'TypeError'",
        ),
    ),
    Row(
        what="a server that closes, but does not end the connection (RFC 6455 §7.1.1)",
        theirs="`recv` waits for as long as the server likes",
        ours="the connection is cut after `close_timeout`",
        why="A server that hangs cannot hold the client.",
        shown={"closing/close_time_out_after_their_close": ["result.tuple[0]*"]},
        example=(
            "closing/close_time_out_after_their_close",
            "result.tuple[0].text",
            "timed out in 1.0s",
            "received 4000 (private use); then sent 4000 (private use)",
        ),
    ),
    Row(
        what="codes that the library has chosen itself",
        theirs="members of `CloseCode`",
        ours="`int`, as are those of the server in both",
        why="`CloseCode` members are equal to their numbers.",
        shown={"closing/codes_as_objects": ["result.tuple[0][0]"]},
        example=("closing/codes_as_objects", "result.tuple[0][0]", "'CloseCode'", "'int'"),
    ),
    Row(
        what="a Close of the server between the fragments of a message",
        theirs="answered with 1002",
        ours="answered with its own code",
        why="Control frames may come between fragments (RFC 6455 §5.4).",
        shown={"closing/by_the_server_between_fragments": ["*"]},
        example=(
            "closing/by_the_server_between_fragments",
            "wire[0][8]",
            "CLOSE 1002 incomplete fragmented message",
            "CLOSE 1000",
        ),
    ),
    Row(
        what="a Close with a wrong code and a reason that is not UTF-8",
        theirs="1007, for the reason",
        ours="1002, for the code",
        why="The code comes first.",
        shown={"closing/by_the_server[wrong code, not UTF-8]": ["*"]},
    ),
    Row(
        what="`local_address` and `remote_address` once the connection is closed",
        theirs="`OSError`",
        ours="still known",
        why="Logs and errors want them then.",
        shown={"closing/addresses_once_closed": ["result.tuple[1]"]},
        example=("closing/addresses_once_closed", "result.tuple[1]", "'OSError'", "'tuple'"),
    ),
    Row(
        what="connections that are open when the program ends",
        theirs="are cut",
        ours="are closed with 1001",
        why="The server learns that the client has gone (RFC 6455 §7.4.1).",
        shown={"environment/a_connection_that_is_never_closed": ["wire[0]"]},
    ),
    # Limits.
    Row(
        what="lengths in more bytes than they need",
        theirs="accepted",
        ours="the connection fails with 1002",
        why="They must not be sent (RFC 6455 §5.2).",
        shown={"limits/wrong_frame[length in too many bytes]": ["*"]},
    ),
    Row(
        what="lengths of 2**63 and more",
        theirs="too much for `max_size`",
        ours="also, as a fault of the protocol",
        why="They must not be sent (RFC 6455 §5.2).",
        shown={"limits/wrong_frame[length beyond 2**63]": ["result.tuple[1].*", "wire[0][8]"]},
    ),
    Row(
        what="`max_size=0`",
        theirs="only empty messages are accepted",
        ours="`ValueError`",
        why="Nobody means that; None is no limit.",
        shown={"limits/max_size[*zero]": ["*"]},
    ),
    Row(
        what="`ping_interval=0`, `ping_timeout=0`, and times below zero",
        theirs="pings without end, pings that fail at once, and the like",
        ours="`ValueError`",
        why="Who writes 0 means none, most often, and that is None.",
        shown={"limits/times_that_are_none[*]": ["*"]},
    ),
    Row(
        what="messages of more than 4096 fragments",
        theirs="the connection fails with 1009, unless `WEBSOCKETS_MAX_FRAGMENTS` is higher",
        ours="received; `max_size` is the limit",
        why="Fragments are joined as they come, so that many cost no more than one.",
        shown={"limits/fragments[4097]": ["*"]},
        example=("limits/fragments[4097]", "wire[0][8]", "CLOSE 1009 too many fragments", "CLOSE 1000"),
    ),
    # Subclasses.
    Row(
        what="what `send`, `ping` and `ClientConnection` take",
        theirs="`send(message, text=)`, `ping(data, ack_on_close=)`",
        ours="also `timeout=` of both, `compress=` of `send` and `leftover=` of the class",
        why="They are ours, and by keyword only.",
        shown={
            "modules/parameters[ClientConnection]": ["result"],
            "modules/parameters[ClientConnection.send]": ["result"],
            "modules/parameters[ClientConnection.ping]": ["result"],
        },
    ),
    Row(
        what="the record `keepalive ping failed`, where the server does not answer our Close either",
        theirs="at `ERROR`, with a traceback",
        ours="none; `ConnectionClosedError` tells it",
        why="All failures are exceptions, and for the program to log.",
        shown={"logs/keepalive_that_fails_where_nobody_answers": ["result*"]},
    ),
    Row(
        what="the record `= connection is CONNECTING`",
        theirs="has no `websocket`",
        ours="has `websocket`, as all others",
        why="It can be told which connection it is of.",
        shown={"logs/*": ["log[0]"]},
        example=(
            "logs/a_conversation",
            "log[0]",
            "DEBUG = connection is CONNECTING",
            "DEBUG = connection is CONNECTING @",
        ),
        holds=lambda theirs, ours: ours == f"{theirs} @",
    ),
    Row(
        what="`create_connection`",
        theirs="the connection is made, then the handshake",
        ours="the handshake is made, then the connection",
        why="A line is opened in one go, in Rust; the object in Python is for what became of it.",
        shown={"customising/a_factory_that_raises": ["wire"]},
    ),
    Row(
        what="extensions of one's own that raise",
        theirs="1011 without a reason",
        ours='1011 with the reason "an extension failed"',
        why="Whoever runs the server learns on which side the fault is.",
        shown={
            "customising/a_broken_extension": ["result.tuple[0].text", "result.tuple[0].sent", "wire[0][8]"]
        },
        example=(
            "customising/a_broken_extension",
            "wire[0][8]",
            "CLOSE 1011",
            "CLOSE 1011 an extension failed",
        ),
    ),
    Row(
        what="`connect` without `with` and without `legacy=True`",
        theirs="a `DeprecationWarning` with the first call",
        ours="none",
        why="It is not deprecated here.",
        shown={"customising/warnings_of_a_connection_without_context": ["result"]},
    ),
    Row(
        what="log records of frames that are refused",
        theirs="the frame, then our Close",
        ours="our Close, whose reason tells what is wrong",
        why="A frame is refused while it arrives, before it is whole.",
        shown={"logs/the_end[not UTF-8]": ["log"], "logs/the_end[wrong code]": ["log"]},
    ),
    Row(
        what="log records of an end within a frame",
        theirs="no `< EOF`",
        ours="`< EOF`, as at any other end",
        why="It has been read.",
        shown={"logs/the_end[end within a frame]": ["log"]},
    ),
    Row(
        what="how long our Close is, in log records",
        theirs="as long as its reason",
        ours="the same, of a reason in other words: see below",
        why="The reason tells more.",
        shown={"logs/the_end[wrong frame]": ["log[14]"], "logs/a_message_too_large": ["log[14]"]},
    ),
    Row(
        what="leaving the loop of `reconnect`, by `break` or `return`",
        theirs="closes with 1011",
        ours="closes with 1000",
        why="It is no internal error.",
        shown={
            "customising/after_*": ["wire[1][8]", "wire[2][8]"],
            "customising/with_a_class_of_ones_own": ["wire[0][8]"],
            "logs/reconnecting": ["wire[1][8]"],
        },
        example=("customising/after_a_status[503]", "wire[1][8]", "CLOSE 1011", "CLOSE 1000"),
    ),
    Row(
        what="`handshake` a second time",
        theirs="waits for the end of the connection, then raises `ConnectionClosed`",
        ours="raises `InvalidState` at once",
        why="It is a mistake in the program.",
        shown={"customising/a_second_handshake": ["result.*"]},
    ),
    # Modules; with `websockets` installed, they are its own.
    Row(
        what="`parse_uri`: ports that are none, wrong IPv6 addresses, user information that is not UTF-8",
        theirs="`ValueError` or `UnicodeDecodeError`",
        ours="`InvalidURI`",
        why="One exception for all wrong URIs.",
        shown={"uris/bad[*]": ["raised.*"]},
        example=(
            "uris/bad[ws://localhost:65536/]",
            "raised.text",
            "Port out of range 0-65535",
            "ws://localhost:65536/ isn't a valid URI: port is out of range; expected 1-65535",
        ),
        worlds=("alone",),
    ),
    Row(
        what="`parse_uri`: blanks, control characters, backslashes, port 0, an empty port or fragment",
        theirs="accepted, or left out",
        ours="`InvalidURI`",
        why="They do not belong into URIs (RFC 3986), and what one program drops another one reads.",
        shown={
            "uris/strange[*]": ["result", "raised"],
            "uris/good[ws://example.com/caf\u00e9 au lait]": ["result", "raised"],
            "uris/good[ws://example.com:/]": ["result", "raised"],
            "uris/good[ws://us%3Aer:p%40ss@example.com/]": ["result", "raised"],
        },
        worlds=("alone",),
    ),
    Row(
        what='`parse_uri("ws://example.com").path`',
        theirs="empty",
        ours="`/`",
        why="It is what the request has.",
        shown={"uris/good[*]": ["result.tuple[0]"]},
        holds=lambda theirs, ours: ours == theirs.replace("path=''", "path='/'"),
        worlds=("alone",),
    ),
    Row(
        what="`Headers`: bad names and values",
        theirs="`InvalidHeaderValue` for values; names and types are not looked at",
        ours="`InvalidHeaderValue`, also a `ValueError`, for both; `TypeError` for what is no `str`",
        why="Nothing can break out of its header line.",
        shown={
            "datastructures/made[value *]": ["raised.caught by", "raised.text"],
            "datastructures/made[n*]": ["*"],
            "datastructures/made[None]": ["raised.text"],
            "datastructures/made[two]": ["raised.text"],
            "datastructures/made[str]": ["raised.*"],
            "datastructures/changed[item not a str]": ["*"],
        },
        example=("datastructures/made[number]", "result", "Headers([('A', 1)])", MISSING),
        worlds=("alone",),
    ),
    Row(
        what="exceptions made with arguments that do not fit",
        theirs="`AssertionError`",
        ours="`ValueError` or `TypeError`",
        why="Assertions vanish with `python -O`.",
        shown={
            "exceptions/both_frames_without_their_order": ["*"],
            "exceptions/an_order_without_both_frames": ["*"],
            "exceptions/a_payload_without_limit": ["*"],
            "headers/built_authorization[colon in the name]": ["raised.*"],
        },
        example=("exceptions/a_payload_without_limit", "raised.text", "", "PayloadTooBig needs max_size"),
        worlds=("alone",),
    ),
    Row(
        what="`websockets.exceptions`",
        theirs="the names that it has",
        ours="also `CloseCause`, `ConnectError` and `SendTimeout`",
        why="They are openline's own.",
        shown={
            "exceptions/all_names": ["result"],
            "exceptions/at_the_top_level": ["*"],
            "exceptions/all_are_raisable_as_their_bases": [
                "result.CloseCause",
                "result.ConnectError",
                "result.SendTimeout",
            ],
        },
        example=(
            "exceptions/all_are_raisable_as_their_bases",
            "result.ConnectError",
            MISSING,
            ["'WebSocketException'", "'ConnectionClosed'", "'ConnectionClosedError'", "'ConnectError'"],
        ),
        worlds=("alone",),
    ),
    Row(
        what="`TooManyFragments` and `pickle`",
        theirs="the text grows with each copy",
        ours="stays the same; its `args` are the number",
        why="Exceptions travel between processes.",
        shown={
            "exceptions/pickled[fragments]": ["result.text"],
            "exceptions/repr_and_args[fragments]": ["result.tuple[2]*"],
        },
        example=(
            "exceptions/repr_and_args[fragments]",
            "result.tuple[2].tuple[0]",
            "'fragmented message exceeds limit of 5 frames'",
            5,
        ),
        worlds=("alone",),
    ),
    Row(
        what="`repr` of `Request` and `Response`",
        theirs="ends with `_exception=None`",
        ours="does not",
        why="That attribute is deprecated there, and not offered here.",
        shown={
            "modules/re*": ["result.tuple[0]"],
            "exceptions/repr_and_args[*status]": ["result.tuple[2]*"],
        },
        worlds=("alone",),
        holds=lambda theirs, ours: theirs.replace(", _exception=None)", ")") == ours,
    ),
    Row(
        what="`process_exception` of an `InvalidProxyStatus` with 500, 502, 503 or 504",
        theirs="fatal",
        ours="tried again",
        why="A proxy that is down for a moment is as good a reason as a server.",
        shown={"modules/processed_proxy_status[*]": ["result"]},
        example=("modules/processed_proxy_status[502]", "result", False, True),
        worlds=("alone",),
    ),
]
