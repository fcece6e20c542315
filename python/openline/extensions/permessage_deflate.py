"""permessage-deflate: messages compressed with DEFLATE (RFC 7692).

`connect` offers it by default. To choose its parameters, pass a factory:

    from openline import connect
    from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory

    factory = ClientPerMessageDeflateFactory(client_no_context_takeover=True, compress_settings={"level": 1})
    connect("ws://localhost:8765", extensions=[factory]).close()

Negotiation and compression are done by the Rust core, for connections as well as for these classes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from .. import _openline
from ..exceptions import NegotiationError, ProtocolError
from ..frames import CTRL_OPCODES, Frame, Opcode
from ..typing import ExtensionName, ExtensionParameter
from .base import ClientExtensionFactory, Extension, ServerExtensionFactory

__all__ = [
    "PerMessageDeflate",
    "ClientPerMessageDeflateFactory",
    "enable_client_permessage_deflate",
    "ServerPerMessageDeflateFactory",
    "enable_server_permessage_deflate",
]


class PerMessageDeflate(Extension):
    """permessage-deflate as it was agreed on for one connection.

    Args:
        remote_no_context_takeover: whether the peer compresses each message by itself.
        local_no_context_takeover: whether we compress each message by itself.
        remote_max_window_bits: the peer's window in bits, 8 to 15.
        local_max_window_bits: our window in bits, 9 to 15.
        compress_settings: as for the factories. Default: None.

    >>> PerMessageDeflate(False, False, 15, 12)  # doctest: +NORMALIZE_WHITESPACE
    PerMessageDeflate(remote_no_context_takeover=False, local_no_context_takeover=False,
        remote_max_window_bits=15, local_max_window_bits=12)
    """

    name: ExtensionName = ExtensionName("permessage-deflate")

    def __init__(
        self,
        remote_no_context_takeover: bool,
        local_no_context_takeover: bool,
        remote_max_window_bits: int,
        local_max_window_bits: int,
        compress_settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.remote_no_context_takeover = remote_no_context_takeover
        self.local_no_context_takeover = local_no_context_takeover
        self.remote_max_window_bits = remote_max_window_bits
        self.local_max_window_bits = local_max_window_bits
        self.compress_settings: Mapping[str, Any] = {} if compress_settings is None else compress_settings
        self._codec = _openline.DeflateCodec(
            (
                remote_no_context_takeover,
                local_no_context_takeover,
                remote_max_window_bits,
                local_max_window_bits,
            ),
            _effort(compress_settings),
        )
        # Only the first frame of a message says whether it is compressed.
        self._decodes_continuation = False

    def __repr__(self) -> str:
        return (
            "PerMessageDeflate("
            f"remote_no_context_takeover={self.remote_no_context_takeover}, "
            f"local_no_context_takeover={self.local_no_context_takeover}, "
            f"remote_max_window_bits={self.remote_max_window_bits}, "
            f"local_max_window_bits={self.local_max_window_bits})"
        )

    def decode(self, frame: Frame, *, max_size: int | None = None) -> Frame:
        """Decompress the payload of a data frame that is compressed.

        Args:
            frame: the frame.
            max_size: bytes that the result may have at most. Default: None, no limit.

        Raises:
            ProtocolError: it cannot be decompressed, or RSV1 stands on a continuation frame.
            PayloadTooBig: it has more than `max_size`; at most one byte more is made to see that.
        """
        if frame.opcode in CTRL_OPCODES:
            return frame
        if frame.opcode == Opcode.CONT:
            if not self._decodes_continuation:
                return frame
            if frame.rsv1:
                raise ProtocolError("RSV1 bit set in continuation frame")
        elif not frame.rsv1:
            return frame
        self._decodes_continuation = not frame.fin
        data = self._codec.decompress(frame.data, frame.fin, max_size)
        return Frame(frame.opcode, data, frame.fin, False, frame.rsv2, frame.rsv3)

    def encode(self, frame: Frame) -> Frame:
        """Compress the payload of a data frame.

        Args:
            frame: the frame. A control frame is returned as it is.

        >>> extension = PerMessageDeflate(True, True, 15, 15)
        >>> compressed = extension.encode(Frame(Opcode.TEXT, b"hello " * 10))
        >>> compressed.rsv1, len(compressed.data) < 20
        (True, True)
        >>> bytes(extension.decode(compressed).data) == b"hello " * 10
        True
        """
        if frame.opcode in CTRL_OPCODES:
            return frame
        data = self._codec.compress(frame.data, frame.fin)
        is_first = frame.opcode != Opcode.CONT
        return Frame(frame.opcode, data, frame.fin, is_first, frame.rsv2, frame.rsv3)


class ClientPerMessageDeflateFactory(ClientExtensionFactory):
    """What a client offers (RFC 7692 §7.1).

    Args:
        server_no_context_takeover: whether the server is to compress each message by itself, which spares the
            client some 45 KiB. Default: False.
        client_no_context_takeover: whether the client compresses each message by itself, which spares it some
            270 KiB between messages. Default: False.
        server_max_window_bits: the server's window in bits at most, 8 to 15. Default: None, not mentioned.
        client_max_window_bits: the client's window in bits at most, 9 to 15, or True to let the server choose.
            Default: True. None does not mention it.
        compress_settings: how to compress, as `zlib.compressobj` takes it: `level` (0 to 9, default 4), `memLevel`
            (1 to 9, default 5), `strategy`. Default: None.

    Raises:
        ValueError: a number is out of range, or `compress_settings` has `wbits`.
        TypeError: `compress_settings` has another key.

    >>> ClientPerMessageDeflateFactory(server_max_window_bits=10).get_request_params()
    [('server_max_window_bits', '10'), ('client_max_window_bits', None)]
    """

    name: ExtensionName = ExtensionName("permessage-deflate")

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | Literal[True] | None = True,
        compress_settings: Mapping[str, Any] | None = None,
    ) -> None:
        _check_bits("server_max_window_bits", server_max_window_bits, 8)
        if client_max_window_bits is not True:
            _check_bits("client_max_window_bits", client_max_window_bits, 9)
        _effort(compress_settings, "client_max_window_bits")
        self.server_no_context_takeover = server_no_context_takeover
        self.client_no_context_takeover = client_no_context_takeover
        self.server_max_window_bits = server_max_window_bits
        self.client_max_window_bits = client_max_window_bits
        self.compress_settings = compress_settings

    def get_request_params(self) -> Sequence[ExtensionParameter]:
        """Return the parameters to offer, as pairs of a name and a value or None."""
        return self._deflate().offer()

    def process_response_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> PerMessageDeflate:
        """Return the extension for the parameters that the server answered with.

        Args:
            params: the parameters, as pairs of a name and a value or None.
            accepted_extensions: the extensions that stand before it in the answer.

        Raises:
            NegotiationError: they are none, or not what was offered.

        >>> factory = ClientPerMessageDeflateFactory()
        >>> factory.process_response_params([("server_max_window_bits", "10")], []).remote_max_window_bits
        10
        """
        _check_once(self.name, "received", accepted_extensions)
        return PerMessageDeflate(*self._deflate().accept(list(params)), self.compress_settings)

    def _deflate(self) -> _openline.Deflate:
        # Made when it is needed, since the attributes may be changed.
        return _openline.Deflate(
            server_no_context_takeover=self.server_no_context_takeover,
            client_no_context_takeover=self.client_no_context_takeover,
            server_max_window_bits=self.server_max_window_bits,
            client_max_window_bits=self.client_max_window_bits,
        )


class ServerPerMessageDeflateFactory(ServerExtensionFactory):
    """What a server answers (RFC 7692 §7.1).

    Args:
        server_no_context_takeover: whether the server compresses each message by itself. Default: False.
        client_no_context_takeover: whether the client is to. Default: False.
        server_max_window_bits: the server's window in bits at most, 9 to 15. Default: None, what the client wants.
        client_max_window_bits: the client's window in bits at most, 8 to 15. Default: None, no wish.
        compress_settings: as for `ClientPerMessageDeflateFactory`.
        require_client_max_window_bits: whether to decline a client that does not let its window be limited.
            Default: False.

    Raises:
        ValueError: a number is out of range; `compress_settings` has `wbits`; or a limit is required and none is
            given.
        TypeError: `compress_settings` has another key.

    >>> factory = ServerPerMessageDeflateFactory(server_max_window_bits=12)
    >>> params, extension = factory.process_request_params([], [])
    >>> params
    [('server_max_window_bits', '12')]
    """

    name: ExtensionName = ExtensionName("permessage-deflate")

    def __init__(
        self,
        server_no_context_takeover: bool = False,
        client_no_context_takeover: bool = False,
        server_max_window_bits: int | None = None,
        client_max_window_bits: int | None = None,
        compress_settings: Mapping[str, Any] | None = None,
        require_client_max_window_bits: bool = False,
    ) -> None:
        _check_bits("server_max_window_bits", server_max_window_bits, 9)
        _check_bits("client_max_window_bits", client_max_window_bits, 8)
        _effort(compress_settings, "server_max_window_bits")
        if client_max_window_bits is None and require_client_max_window_bits:
            raise ValueError(
                "require_client_max_window_bits is enabled, but client_max_window_bits isn't configured"
            )
        self.server_no_context_takeover = server_no_context_takeover
        self.client_no_context_takeover = client_no_context_takeover
        self.server_max_window_bits = server_max_window_bits
        self.client_max_window_bits = client_max_window_bits
        self.compress_settings = compress_settings
        self.require_client_max_window_bits = require_client_max_window_bits

    def process_request_params(
        self, params: Sequence[ExtensionParameter], accepted_extensions: Sequence[Extension]
    ) -> tuple[list[ExtensionParameter], PerMessageDeflate]:
        """Return the parameters to answer with, and the extension.

        Args:
            params: the parameters of the offer, as pairs of a name and a value or None.
            accepted_extensions: the extensions that were accepted before it.

        Raises:
            NegotiationError: the offer is to be declined.
        """
        _check_once(self.name, "skipped", accepted_extensions)
        deflate = _openline.Deflate(
            server_no_context_takeover=self.server_no_context_takeover,
            client_no_context_takeover=self.client_no_context_takeover,
            server_max_window_bits=self.server_max_window_bits,
            client_max_window_bits=self.client_max_window_bits,
            require_client_max_window_bits=self.require_client_max_window_bits,
        )
        answer, agreed = deflate.answer(list(params))
        return answer, PerMessageDeflate(*agreed, self.compress_settings)


def enable_client_permessage_deflate(
    extensions: Sequence[ClientExtensionFactory] | None,
) -> Sequence[ClientExtensionFactory]:
    """Return the extensions with permessage-deflate, which is added at the end unless it is there.

    Args:
        extensions: factories of the extensions to offer; None for no others.

    >>> [factory.name for factory in enable_client_permessage_deflate(None)]
    ['permessage-deflate']
    """
    factories = list(extensions or ())
    if all(factory.name != ClientPerMessageDeflateFactory.name for factory in factories):
        factories.append(ClientPerMessageDeflateFactory(compress_settings={"memLevel": 5}))
    return factories


def enable_server_permessage_deflate(
    extensions: Sequence[ServerExtensionFactory] | None,
) -> Sequence[ServerExtensionFactory]:
    """Return the extensions with permessage-deflate, which is added at the end unless it is there.

    Its windows have 12 bits, which bounds the memory of a server's many connections.

    Args:
        extensions: factories of the extensions to accept; None for no others.

    >>> [factory.server_max_window_bits for factory in enable_server_permessage_deflate([])]
    [12]
    """
    factories = list(extensions or ())
    if all(factory.name != ServerPerMessageDeflateFactory.name for factory in factories):
        factories.append(
            ServerPerMessageDeflateFactory(
                server_max_window_bits=12, client_max_window_bits=12, compress_settings={"memLevel": 5}
            )
        )
    return factories


def _check_bits(name: str, bits: int | None, least: int) -> None:
    if bits is not None and not least <= bits <= 15:
        raise ValueError(f"{name} must be between {least} and 15")


def _check_once(name: str, done: str, accepted_extensions: Sequence[Extension]) -> None:
    if any(other.name == name for other in accepted_extensions):
        raise NegotiationError(f"{done} duplicate {name}")


def _effort(settings: Mapping[str, Any] | None, instead: str = "a window") -> tuple[int, int, int]:
    """Return level, memory level and strategy for the core.

    Args:
        settings: keyword arguments of `zlib.compressobj`, or None.
        instead: the argument to be used in place of `wbits`.
    """
    rest = dict(settings or ())
    if "wbits" in rest:
        raise ValueError(f"compress_settings must not include wbits, set {instead} instead")
    level = rest.pop("level", -1)
    mem_level = rest.pop("memLevel", 5)
    strategy = rest.pop("strategy", 0)
    if rest.pop("method", 8) != 8:
        raise ValueError("compress_settings: the only method is 8, zlib.DEFLATED")
    if rest:
        raise TypeError(
            f"compress_settings: {', '.join(map(repr, rest))} cannot be used; "
            "use level, memLevel and strategy"
        )
    limits = [("level", level, -1, 9), ("memLevel", mem_level, 1, 9), ("strategy", strategy, 0, 4)]
    for name, value, least, most in limits:
        if not isinstance(value, int):
            raise TypeError(f"compress_settings: {name} must be int, not {type(value).__name__}")
        if not least <= value <= most:
            raise ValueError(
                f"compress_settings: {name} must be between {least} and {most}, not {value}"
            )
    # Messages are as small as with zlib's own default of 6, within 3 %, in less than half of the time.
    return 4 if level == -1 else level, mem_level, strategy
