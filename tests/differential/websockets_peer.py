"""The protocol of `websockets` without I/O, driven as its own connections drive it."""

from __future__ import annotations

import codecs
import contextlib
import logging
from collections.abc import Sequence

from websockets.client import ClientProtocol
from websockets.exceptions import InvalidStatus
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import CLOSE, CONT, DATA_OPCODES, PING, TEXT, Frame
from websockets.http11 import Request, Response
from websockets.protocol import CONNECTING, OPEN
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol
from websockets.uri import parse_uri

from differential import KEY, Case, Outcome

_SILENT = logging.getLogger("differential")
_SILENT.disabled = True  # it would log each of thousands of wrong handshakes


class Websockets:
    """`ClientProtocol` and `ServerProtocol`."""

    name = "websockets"

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
        self._subprotocols = [Subprotocol(name) for name in case.subprotocols]
        self._protocol: ClientProtocol | ServerProtocol
        if case.role == "client":
            self._protocol = ClientProtocol(
                parse_uri("ws://a.example/"),
                subprotocols=self._subprotocols or None,
                state=state,
                max_size=max_size,
                logger=_SILENT,
            )
            self._protocol.key = KEY
        else:
            # A function: it would bind a method a second time.
            self._protocol = ServerProtocol(
                select_subprotocol=lambda _, offered: self._select(offered),
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
        return [f"accepted:{request.path.encode().hex()}:{subprotocol.encode().hex()}:{key}"]

    def _response(self, response: Response) -> list[str]:
        error = self._protocol.handshake_exc
        self._over = error is not None
        if isinstance(error, InvalidStatus):
            return [f"refused:{response.status_code}:{bytes(response.body).hex()}"]
        if error is not None:
            return [f"failed:0:{_fault(error)}"]
        self._is_open = True
        return [f"opened:{(self._protocol.subprotocol or '').encode().hex()}"]

    def _status(self) -> int:
        """Of the answer of a server that refuses what is not even a request; 0 if there is none."""
        for data in self._protocol.data_to_send():
            if data:
                with contextlib.suppress(ValueError):
                    return int(data.split(b" ")[1])
        return 0

    def _select(self, offered: Sequence[Subprotocol]) -> Subprotocol | None:
        return next((name for name in self._subprotocols if name in offered), None)


def _fault(error: BaseException) -> str:
    cause = error.__cause__
    return type(error).__name__ if cause is None else f"{type(error).__name__}.{type(cause).__name__}"
