"""The protocol of `websockets` without I/O, driven as its own connections drive it."""

from __future__ import annotations

import codecs
import contextlib
import logging
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions import ClientExtensionFactory, ServerExtensionFactory
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.frames import CLOSE, CONT, DATA_OPCODES, PING, TEXT, Frame
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from differential import KEY, Case, Negotiation, Outcome, agreed

_SILENT = logging.getLogger("differential")
_SILENT.disabled = True  # it would log each of thousands of wrong handshakes


class Websockets:
    """`ClientProtocol` and `ServerProtocol`."""

    name = "websockets"

    def takes(self, case: Case) -> bool:
        return True

    def run(self, case: Case) -> Outcome:
        peer = _Peer(case)
        parts = [peer.receive(read) for read in case.all_reads]
        if case.eof:
            parts.append(peer.receive_eof())
        return Outcome.of(case, parts)


class _Peer:
    def __init__(self, case: Case) -> None:
        state = OPEN if case.start == "open" else CONNECTING
        max_size = (case.max_message, case.max_fragment)
        self._negotiates = case.negotiation is not None
        self._subprotocols = [Subprotocol(name) for name in case.subprotocols]
        self._protocol: ClientProtocol | ServerProtocol
        if case.role == "client":
            self._protocol = ClientProtocol(
                parse_uri("ws://a.example/"),
                subprotocols=self._subprotocols or None,
                extensions=_offered(case.negotiation),
                state=state,
                max_size=max_size,
                logger=_SILENT,
            )
            self._protocol.key = KEY
        else:
            # A function: it would bind a method a second time.
            self._protocol = ServerProtocol(
                select_subprotocol=lambda _, offered: self._select(offered),
                extensions=_supported(case.negotiation),
                state=state,
                max_size=max_size,
                logger=_SILENT,
            )
        if case.deflate is not None:
            takeover = case.deflate.takeover
            self._protocol.extensions = [PerMessageDeflate(not takeover, False, case.deflate.bits, 15)]
        self._is_open = case.start == "open"
        self._over = False
        self._is_text = False
        self._message = b""
        # Its connections decode the fragments of a text one by one, in `recv_streaming`.
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def receive(self, data: bytes) -> list[str]:
        if not self._over:
            # What comes after its refusal it discards.
            self._protocol.receive_data(data)
        return self._events()

    def receive_eof(self) -> list[str]:
        if self._over or self._is_open:
            return []
        self._protocol.receive_eof()
        return self._events()

    def _events(self) -> list[str]:
        words: list[str] = []
        if self._over:
            return words
        for event in self._protocol.events_received():
            if isinstance(event, Frame):
                words += self._frame(event)
            elif isinstance(event, Request):
                words += self._request(event)
            else:
                words += self._response(event)
            if self._over:
                return words
        if self._protocol.parser_exc is not None:
            self._over = True
            close = self._protocol.close_sent
            # A server that failed before it had answered the request sends none.
            code = 1006 if close is None else int(close.code)
            words.append(f"failed:{code}:{type(self._protocol.parser_exc).__name__}")
        elif self._protocol.handshake_exc is not None:
            self._over = True
            words.append(f"failed:{self._status()}:{_fault(self._protocol.handshake_exc)}")
        return words

    def _frame(self, frame: Frame) -> list[str]:
        data = bytes(frame.data)
        if frame.opcode is CLOSE:
            self._over = True
            close = self._protocol.close_rcvd
            assert close is not None
            return [f"close:{int(close.code)}:{close.reason.encode().hex()}"]
        if frame.opcode not in DATA_OPCODES:
            return [f"{'ping' if frame.opcode is PING else 'pong'}:{data.hex()}"]
        if frame.opcode is not CONT:
            self._is_text = frame.opcode is TEXT
            self._message = b""
        self._message += data
        if self._is_text:
            try:
                self._decoder.decode(data, final=frame.fin)
            except UnicodeDecodeError:
                self._over = True
                return ["failed:1007:UnicodeDecodeError"]
        return [f"{'text' if self._is_text else 'binary'}:{self._message.hex()}"] if frame.fin else []

    def _request(self, request: Request) -> list[str]:
        assert isinstance(self._protocol, ServerProtocol)
        response = self._protocol.accept(request)
        if response.status_code != 101:
            self._over = True
            assert self._protocol.handshake_exc is not None
            return [f"failed:{response.status_code}:{_fault(self._protocol.handshake_exc)}"]
        self._protocol.send_response(response)
        self._is_open = True
        subprotocol = self._protocol.subprotocol or ""
        key = response.headers["Sec-WebSocket-Accept"]
        words = [f"accepted:{request.path.encode().hex()}:{subprotocol.encode().hex()}:{key}"]
        if self._negotiates:
            words.append(f"answered:{response.headers.get('Sec-WebSocket-Extensions', '').encode().hex()}")
        return words + self._agreed()

    def _response(self, response: Response) -> list[str]:
        error = self._protocol.handshake_exc
        self._over = error is not None
        if isinstance(error, InvalidStatus):
            return [f"refused:{response.status_code}:{bytes(response.body).hex()}"]
        if error is not None:
            return [f"failed:0:{_fault(error)}"]
        self._is_open = True
        return [f"opened:{(self._protocol.subprotocol or '').encode().hex()}", *self._agreed()]

    def _agreed(self) -> list[str]:
        if not self._negotiates:
            return []
        for deflate in self._protocol.extensions:
            assert isinstance(deflate, PerMessageDeflate)
            remote = deflate.remote_max_window_bits, not deflate.remote_no_context_takeover
            local = deflate.local_max_window_bits, not deflate.local_no_context_takeover
            return [agreed(remote, local)]
        return [agreed()]

    def _status(self) -> int:
        """Of the answer of a server that refuses what is not even a request; 0 if there is none."""
        for data in self._protocol.data_to_send():
            if data:
                with contextlib.suppress(ValueError):
                    return int(data.split(b" ")[1])
        return 0

    def _select(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in self._subprotocols if name in offered), None)


def _offered(negotiation: Negotiation | None) -> list[ClientExtensionFactory] | None:
    if negotiation is None:
        return None
    return [
        ClientPerMessageDeflateFactory(
            not negotiation.server_takeover,
            not negotiation.client_takeover,
            negotiation.server_bits,
            True if negotiation.client_bits == "any" else negotiation.client_bits,
        )
    ]


def _supported(negotiation: Negotiation | None) -> list[ServerExtensionFactory] | None:
    if negotiation is None:
        return None
    assert negotiation.client_bits != "any"
    return [
        ServerPerMessageDeflateFactory(
            not negotiation.server_takeover,
            not negotiation.client_takeover,
            negotiation.server_bits,
            negotiation.client_bits,
            require_client_max_window_bits=negotiation.require,
        )
    ]


def _fault(error: BaseException) -> str:
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__}.{type(cause).__name__}"
