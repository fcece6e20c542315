"""The protocol object of a server: which requests it agrees to, and with what."""

from __future__ import annotations

import email.utils
import http
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from . import _arguments as arguments
from . import _openline
from .datastructures import Headers, MultipleValuesError
from .exceptions import InvalidHandshake, InvalidHeader, InvalidOrigin, NegotiationError
from .headers import build_extension
from .http11 import Request, Response
from .protocol import CONNECTING, SERVER, Protocol, State

if TYPE_CHECKING:
    import ssl as ssl_module

    from .extensions.base import Extension, ServerExtensionFactory
    from .typing import LoggerLike, ResponseParts, StatusLike

__all__ = ["ServerProtocol"]


class ServerProtocol(Protocol):
    """Settings of a server's connection, and a live view of it: `connection.protocol`.

    Args:
        origins: the values of the `Origin` header that are accepted: texts, compiled patterns that must match
            all of it, and None for requests without one. Default: None, all.
        extensions: factories of the extensions to accept, best first. Default: None; compression too is
            accepted only by `ServerPerMessageDeflateFactory` here.
        subprotocols: the subprotocols that are spoken, best first. Default: None.
        select_subprotocol: called with this object and the subprotocols that the client offers, to return one
            of them, or None for none. Default: None, as the method `select_subprotocol` says.
        state: the state to begin with. Default: `CONNECTING`.
        max_size: as for `serve`. Default: 2**20.
        logger: the logger. Default: None, `logging.getLogger("openline.server")`.

    Attributes:
        origins: `origins`.
        available_extensions: `extensions`.
        available_subprotocols: `subprotocols`.

    Raises:
        TypeError, ValueError: an argument cannot be used.

    >>> protocol = ServerProtocol(subprotocols=["v2", "v1"])
    >>> protocol.select_subprotocol(["v1", "v2"])
    'v2'
    """

    # What says that a request, or an offer, cannot be agreed to; in drop-in mode also those of `websockets`.
    _refuses: tuple[type[Exception], ...] = (InvalidHandshake,)
    _declines: tuple[type[Exception], ...] = (NegotiationError,)

    def __init__(
        self,
        *,
        origins: Sequence[str | re.Pattern[str] | None] | None = None,
        extensions: Sequence[ServerExtensionFactory] | None = None,
        subprotocols: Sequence[str] | None = None,
        select_subprotocol: Callable[[ServerProtocol, Sequence[str]], str | None] | None = None,
        state: State = CONNECTING,
        max_size: int | None | tuple[int | None, int | None] = 2**20,
        logger: LoggerLike | None = None,
    ) -> None:
        super().__init__(SERVER, state=state, max_size=max_size, logger=logger)
        self.origin: str | None = None
        self.handshake_exc: Exception | None = None
        self.origins = origins
        self.available_extensions = extensions
        self.available_subprotocols = subprotocols
        self._select_subprotocol = select_subprotocol
        # The client on its way in; None if there is only a socket.
        self._incoming: _openline.Incoming | None = None
        self._context: ssl_module.SSLContext | None = None
        # For `select_subprotocol` of `serve`.
        self._connection: Any = None
        self._idle_timeout: float | None = None
        # What was agreed on: name, parameters and object of each extension.
        self._accepted: list[tuple[str, Any, Extension]] = []
        self._subprotocol: str | None = None
        # What is wrong with the request, and the parts of the response that says so.
        self._problem: tuple[Exception, ResponseParts] | None = None
        # Whether the answer is about a WebSocket.
        self._is_accept_called = False

    @property
    def extensions(self) -> list[Extension]:
        """The extensions that were agreed on, in the order of the answer; empty before the handshake."""
        return [extension for _, _, extension in self._accepted]

    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on; None if there is none."""
        return self._subprotocol

    def accept(self, request: Request) -> Response:
        """Return the response to a request: with status 101 if it can be agreed to.

        Otherwise the response tells what is wrong, and `handshake_exc` is the exception. The response may be
        changed before it is sent, as `process_request` of `serve` may do.

        Args:
            request: the request.

        >>> response = ServerProtocol().accept(Request("/", Headers(Host="localhost")))
        >>> response.status_code, response.headers["Upgrade"]
        (426, 'websocket')
        """
        self._is_accept_called = True
        try:
            key, extensions, subprotocol = self.process_request(request)
        except self._refuses as error:
            self.handshake_exc = error
            if self.debug:
                self.logger.debug("! opening handshake failed", exc_info=True)
            return self._refusal(error)
        except Exception as error:
            self.handshake_exc = error
            self.logger.error("opening handshake failed", exc_info=True)
            return self.reject(http.HTTPStatus.INTERNAL_SERVER_ERROR, INTERNAL_ERROR)
        headers = Headers()
        headers["Date"] = email.utils.formatdate(usegmt=True)
        headers["Upgrade"] = "websocket"
        headers["Connection"] = "Upgrade"
        headers["Sec-WebSocket-Accept"] = key
        if extensions is not None:
            headers["Sec-WebSocket-Extensions"] = extensions
        if subprotocol is not None:
            headers["Sec-WebSocket-Protocol"] = subprotocol
        return Response(101, "Switching Protocols", headers)

    def reject(self, status: StatusLike, text: str) -> Response:
        """Return a response with a text for a person.

        Args:
            status: the status code.
            text: the body.

        Raises:
            ValueError: there is no such status code.

        >>> ServerProtocol().reject(404, "No such room.").body
        b'No such room.'
        """
        code = http.HTTPStatus(status)
        body = text.encode()
        headers = Headers()
        headers["Date"] = email.utils.formatdate(usegmt=True)
        headers["Connection"] = "close"
        headers["Content-Length"] = str(len(body))
        headers["Content-Type"] = "text/plain; charset=utf-8"
        return Response(code.value, code.phrase, headers, body)

    def process_request(self, request: Request) -> tuple[str, str | None, str | None]:
        """Check a request, and choose extensions and a subprotocol.

        Args:
            request: the request.

        Returns:
            `Sec-WebSocket-Accept`, `Sec-WebSocket-Extensions` and `Sec-WebSocket-Protocol` of the response.

        Raises:
            InvalidHandshake: it cannot be agreed to.
        """
        headers = request.headers
        problem = _openline.check_request(
            request.method, request.path, request.protocol, list(headers.raw_items())
        )
        if problem is not None:
            self._problem = problem
            raise problem[0]
        self.origin = self.process_origin(headers)
        extensions, _ = self.process_extensions(headers)
        self._subprotocol = self.process_subprotocol(headers)
        return _openline.accept_key(headers["Sec-WebSocket-Key"]), extensions, self._subprotocol

    def process_origin(self, headers: Headers) -> str | None:
        """Return the `Origin` of a request.

        Args:
            headers: the headers of the request.

        Raises:
            InvalidOrigin: it is not among `origins`.
        """
        try:
            origin = headers.get("Origin")
        except MultipleValuesError:
            raise InvalidHeader("Origin", "multiple values") from None
        if self.origins is not None and not any(_is_allowed(origin, allowed) for allowed in self.origins):
            raise InvalidOrigin(origin)
        return origin

    def process_extensions(self, headers: Headers) -> tuple[str | None, list[Extension]]:
        """Choose among the extensions that a client offers.

        Each offer is shown to the factories of that name, until one takes it.

        Args:
            headers: the headers of the request.

        Returns:
            `Sec-WebSocket-Extensions` of the response, None for none; and the extensions.
        """
        offers = [
            offer
            for value in headers.get_all("Sec-WebSocket-Extensions")
            for offer in _openline.parse_extensions(value)
        ]
        self._accepted = []
        for name, offered in offers if self.available_extensions else ():
            for factory in self.available_extensions or ():
                if factory.name != name:
                    continue
                try:
                    answered, extension = factory.process_request_params(offered, self.extensions)
                except self._declines:
                    continue
                self._accepted.append((name, list(answered), extension))
                break
        if not self._accepted:
            return None, []
        header: list[Any] = [(name, answered) for name, answered, _ in self._accepted]
        return build_extension(header), self.extensions

    def process_subprotocol(self, headers: Headers) -> str | None:
        """Choose among the subprotocols that a client offers.

        Args:
            headers: the headers of the request.

        Raises:
            NegotiationError: there is none in common.
            ValueError: `select_subprotocol` returned one that was not offered.
        """
        offered: list[str] = [
            name
            for value in headers.get_all("Sec-WebSocket-Protocol")
            for name in _openline.parse_subprotocols(value)
        ]
        select = self._select_subprotocol
        chosen = self.select_subprotocol(offered) if select is None else select(self, offered)
        if chosen is not None and chosen not in offered:  # RFC 6455 §4.2.2
            raise ValueError(f"select_subprotocol returned {chosen!r}, which the client did not offer")
        return chosen

    def select_subprotocol(self, subprotocols: Sequence[str]) -> str | None:
        """Return the first of ours that the client offers; None if we have none.

        Args:
            subprotocols: what the client offers.

        Raises:
            NegotiationError: the client offers none, or none of ours.
        """
        if not self.available_subprotocols:
            return None
        if not subprotocols:
            raise NegotiationError("missing subprotocol")
        for name in self.available_subprotocols:
            if name in subprotocols:
                return name
        ours = ", ".join(self.available_subprotocols)
        raise NegotiationError(f"invalid subprotocol; expected one of {ours}")

    def _refusal(self, error: Exception) -> Response:
        """Return the response that tells what is wrong with a request."""
        if self._problem is None or self._problem[0] is not error:
            forbidden = isinstance(error, InvalidOrigin)
            status = http.HTTPStatus.FORBIDDEN if forbidden else http.HTTPStatus.BAD_REQUEST
            return self.reject(status, f"Failed to open a WebSocket connection: {_chain(error)}.\n")
        response = Response._received(*self._problem[1])
        response.headers["Date"] = email.utils.formatdate(usegmt=True)
        return response

    @classmethod
    def _of(cls, protocol: Any) -> Any:
        """Return a protocol object of openline's for one that may be of `websockets`."""
        if isinstance(protocol, Protocol):
            return protocol
        made = cls(
            origins=protocol.origins,
            extensions=protocol.available_extensions,
            subprotocols=protocol.available_subprotocols,
            select_subprotocol=lambda _, names: protocol.select_subprotocol(names),
            state=State(protocol.state),
            max_size=(protocol.max_message_size, protocol.max_fragment_size),
            logger=protocol.logger,
        )
        made.id = protocol.id
        return made


def checked_origins(name: str, value: Any) -> list[Any] | None:
    """Check the origins that are accepted; None for all."""
    if value is None:
        return None
    return arguments.listed(name, value, "texts, compiled patterns or None", _is_origin)


def _is_origin(value: Any) -> bool:
    return value is None or isinstance(value, (str, re.Pattern))


def _is_allowed(origin: str | None, allowed: str | re.Pattern[str] | None) -> bool:
    if isinstance(allowed, re.Pattern):
        return origin is not None and allowed.fullmatch(origin) is not None
    return origin == allowed


def _chain(error: BaseException) -> str:
    """Return the texts of an error and of what caused it."""
    texts = [str(error)]
    while (cause := error.__cause__) is not None:
        texts.append(str(cause))
        error = cause
    return "; ".join(texts)


INTERNAL_ERROR = "Failed to open a WebSocket connection.\nThe log of the server tells why.\n"
"""The body of a response with status 500."""
