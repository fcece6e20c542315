"""What an extension written in Python implements: a factory that negotiates it, and the extension itself.

    import dataclasses

    from openline import connect
    from openline.extensions import ClientExtensionFactory, Extension
    from openline.frames import CTRL_OPCODES

    class Reversed(Extension):
        name = "x-reversed"

        def encode(self, frame):
            if frame.opcode in CTRL_OPCODES:
                return frame
            return dataclasses.replace(frame, data=bytes(frame.data)[::-1])

        def decode(self, frame, *, max_size=None):
            return self.encode(frame)

    class ReversedFactory(ClientExtensionFactory):
        name = "x-reversed"

        def get_request_params(self):
            return []

        def process_response_params(self, params, accepted_extensions):
            return Reversed()

    connect("ws://localhost:8765", extensions=[ReversedFactory()]).close()

`encode` and `decode` see whole frames, control frames too. They run in whichever thread sends or reads, also in
openline's own while nobody else does; one thread at a time is in `encode`, and one in `decode`. There they
cannot use connections (`ConcurrencyError`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..typing import ExtensionName, ExtensionParameter

if TYPE_CHECKING:
    from ..frames import Frame

__all__ = ["Extension", "ClientExtensionFactory", "ServerExtensionFactory"]


class Extension:
    """An extension of one connection.

    >>> class Nothing(Extension):
    ...     name = ExtensionName("x-nothing")
    ...     def encode(self, frame):
    ...         return frame
    ...     def decode(self, frame, *, max_size=None):
    ...         return frame
    """

    name: ExtensionName
    """Its name in `Sec-WebSocket-Extensions`."""

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Decode a frame that came in.

        Args:
            frame: the frame; it may be changed and returned.
            max_size: bytes that the result may have at most: what is left of the limit of its message.
                Default: None, for no limit and for control frames.

        Returns:
            The frame with another payload or other reserved bits. The opcode and `fin` stay.

        Raises:
            ProtocolError: the frame cannot be decoded; the connection is closed with code 1002.
            PayloadTooBig: it would have more than `max_size`; 1009. Any other exception: 1011. Each becomes the
                `__cause__` of `ConnectionClosedError`.
        """
        raise NotImplementedError

    def encode(self, frame: Frame) -> Frame:
        """Encode a frame that goes out.

        Args:
            frame: the frame; it may be changed and returned.

        Returns:
            The frame with another payload or other reserved bits. The opcode and `fin` stay.

        Raises:
            Exception: `send` raises it, and nothing is sent. For a control frame, the connection ends.
        """
        raise NotImplementedError


class ClientExtensionFactory:
    """Negotiates an extension for a client; for the `extensions` argument of `connect`.

    >>> class NothingFactory(ClientExtensionFactory):
    ...     name = ExtensionName("x-nothing")
    ...     def get_request_params(self):
    ...         return []
    ...     def process_response_params(self, params, accepted_extensions):
    ...         return Extension()
    """

    name: ExtensionName
    """Its name in `Sec-WebSocket-Extensions`."""

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """Return the parameters to offer, as pairs of a name and a value or None."""
        raise NotImplementedError

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> Extension:
        """Return the extension for the parameters that the server answered with.

        Args:
            params: the parameters, as pairs of a name and a value or None.
            accepted_extensions: the extensions that stand before it in the answer.

        Raises:
            NegotiationError: the parameters cannot be accepted; the handshake fails with it.
        """
        raise NotImplementedError


class ServerExtensionFactory:
    """Negotiates an extension for a server.

    >>> class NothingFactory(ServerExtensionFactory):
    ...     name = ExtensionName("x-nothing")
    ...     def process_request_params(self, params, accepted_extensions):
    ...         return [], Extension()
    """

    name: ExtensionName
    """Its name in `Sec-WebSocket-Extensions`."""

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], Extension]:
        """Return the parameters to answer a client's offer with, and the extension.

        Args:
            params: the parameters of the offer, as pairs of a name and a value or None.
            accepted_extensions: the extensions that were accepted before it.

        Raises:
            NegotiationError: the offer is to be declined.
        """
        raise NotImplementedError
