"""`wsproto`, which reads HTTP with `h11`."""

from __future__ import annotations

from unittest import mock

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import (
    AcceptConnection,
    BytesMessage,
    CloseConnection,
    Event,
    Ping,
    Pong,
    RejectConnection,
    RejectData,
    Request,
    TextMessage,
)
from wsproto.extensions import Extension, PerMessageDeflate
from wsproto.handshake import H11Handshake
from wsproto.utilities import RemoteProtocolError

from differential import KEY, Case, Deflate, Negotiation, Outcome, agreed

_ROLES = {"client": ConnectionType.CLIENT, "server": ConnectionType.SERVER}


class Wsproto:
    """`H11Handshake` and `Connection`. It has no limits, and leaves the answer to a wrong request to its user."""

    name = "wsproto"

    def takes(self, case: Case) -> bool:
        # It does not hold offers and answers against settings of its own.
        plain = Negotiation(client_bits="any") if case.role == "client" else Negotiation()
        return case.negotiation in (None, plain)

    def run(self, case: Case) -> Outcome:
        peer = _Peer(case)
        parts = [peer.receive(read) for read in case.all_reads]
        if case.eof:
            parts.append(peer.receive(None))
        return Outcome.of(case, parts)


def _extensions(deflate: Deflate | None) -> list[Extension]:
    if deflate is None:
        return []
    # It has no window of 8 bits. One of 9 understands all that one of 8 does.
    bits = max(deflate.bits, 9)
    extension = PerMessageDeflate(not deflate.takeover, bits, not deflate.takeover, bits)
    extension.finalize(PerMessageDeflate.name)
    return [extension]


class _Peer:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._connection: Connection | None = None
        self._extensions = [] if case.negotiation is None else [PerMessageDeflate()]
        if case.start == "open":
            self._connection = Connection(_ROLES[case.role], _extensions(case.deflate))
        else:
            self._handshake = H11Handshake(_ROLES[case.role])
            if case.role == "client":
                request = Request(
                    host="a.example",
                    target="/",
                    subprotocols=list(case.subprotocols),
                    extensions=list(self._extensions),
                )
                with mock.patch("wsproto.handshake.generate_nonce", lambda: KEY.encode()):
                    self._handshake.send(request)
        self._over = False
        self._message = b""
        self._status = 0
        self._body = b""

    def receive(self, data: bytes | None) -> list[str]:
        if self._over or data == b"":
            # To h11 an empty read is the end of the stream.
            return []
        if self._connection is not None:
            if data is None:
                return []
            self._connection.receive_data(data)
            return self._messages(self._connection)
        failed = []
        try:
            self._handshake.receive_data(data)
        except (RemoteProtocolError, ValueError, IndexError) as error:
            # It lets the others through: what is not ASCII, and windows that it does not understand.
            failed = [f"failed:0:{type(error).__name__}"]
        words = []
        try:
            words = [word for event in self._handshake.events() for word in self._opening(event)]
        except ValueError as error:
            failed = [f"failed:0:{type(error).__name__}"]
        if failed:
            self._over = True
        elif self._connection is not None:
            words += self._messages(self._connection)
        return words + failed

    def _opening(self, event: Event) -> list[str]:
        match event:
            case AcceptConnection():
                self._connection = self._handshake.connection
                return [f"opened:{(event.subprotocol or '').encode().hex()}", *self._agreed()]
            case RejectConnection():
                self._status = event.status_code
                if event.has_body:
                    return []
            case RejectData():
                self._body += event.data
                if not event.body_finished:
                    return []
            case Request():
                chosen = next((name for name in self._case.subprotocols if name in event.subprotocols), None)
                accept = AcceptConnection(subprotocol=chosen, extensions=list(self._extensions))
                response = self._handshake.send(accept)
                self._connection = self._handshake.connection
                key = response.partition(b"\r\nSec-WebSocket-Accept: ")[2].split(b"\r\n")[0].decode()
                accepted = f"accepted:{event.target.encode().hex()}:{(chosen or '').encode().hex()}:{key}"
                return [accepted, *self._agreed()]
            case _:
                raise AssertionError(event)
        self._over = True
        return [f"refused:{self._status}:{self._body.hex()}"]

    def _agreed(self) -> list[str]:
        for deflate in self._extensions:
            if not deflate.enabled():
                return [agreed()]
            server = deflate.server_max_window_bits, not deflate.server_no_context_takeover
            client = deflate.client_max_window_bits, not deflate.client_no_context_takeover
            return [agreed(server, client) if self._case.role == "client" else agreed(client, server)]
        return []

    def _messages(self, connection: Connection) -> list[str]:
        words = []
        for event in connection.events():
            match event:
                case TextMessage() | BytesMessage():
                    self._message += event.data.encode() if isinstance(event, TextMessage) else event.data
                    if event.message_finished:
                        kind = "text" if isinstance(event, TextMessage) else "binary"
                        words.append(f"{kind}:{self._message.hex()}")
                        self._message = b""
                case Ping():
                    words.append(f"ping:{event.payload.hex()}")
                case Pong():
                    words.append(f"pong:{event.payload.hex()}")
                case CloseConnection():
                    self._over = True
                    # It tells of a failure of its own by the same event.
                    if connection.state is ConnectionState.REMOTE_CLOSING:
                        words.append(f"close:{int(event.code)}:{(event.reason or '').encode().hex()}")
                    else:
                        words.append(f"failed:{int(event.code)}:{type(event).__name__}")
                case _:
                    raise AssertionError(event)
        return words
