"""Keys, masks and the names of sockets."""

from __future__ import annotations

import binascii
import os
from typing import TYPE_CHECKING

from . import _openline
from .typing import BytesLike

if TYPE_CHECKING:
    import socket

__all__ = ["accept_key", "apply_mask", "get_socket_name"]

GUID = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
"""What `accept_key` puts behind the key (RFC 6455 §1.3)."""


def generate_key() -> str:
    """Generate a `Sec-WebSocket-Key` (RFC 6455 §4.1): 16 random bytes in base64.

    >>> len(generate_key())
    24
    """
    return binascii.b2a_base64(os.urandom(16), newline=False).decode()


def accept_key(key: str) -> str:
    """Compute the `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key` (RFC 6455 §4.2.2).

    Args:
        key: the key, as it stands in the request.

    >>> accept_key("dGhlIHNhbXBsZSBub25jZQ==")
    's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
    """
    return _openline.accept_key(key)


def apply_mask(data: BytesLike, mask: bytes | bytearray) -> bytes:
    """Mask the payload of a frame, or unmask it (RFC 6455 §5.3).

    Args:
        data: the payload.
        mask: the four bytes of the key.

    Raises:
        ValueError: `mask` has another length.
        TypeError: `data` is not bytes-like.

    >>> apply_mask(b"Hello", b"\\x37\\xfa\\x21\\x3d").hex()
    '7f9f4d5158'
    """
    if len(mask) != 4:
        raise ValueError("mask must contain 4 bytes")
    if isinstance(data, memoryview) and not data.c_contiguous:
        data = bytes(data)
    return _openline.apply_mask(data, mask)


def get_socket_name(sock: socket.socket) -> str:
    """Return a socket's own address, as a text for people.

    Args:
        sock: an IPv4, IPv6 or Unix socket.

    Raises:
        AssertionError: it is a socket of another kind.

    >>> import socket
    >>> with socket.create_server(("127.0.0.1", 0)) as server:
    ...     get_socket_name(server).startswith("127.0.0.1:")
    True
    """
    import socket

    name = sock.getsockname()
    match sock.family:
        case socket.AF_INET:
            return f"{name[0]}:{name[1]}"
        case socket.AF_INET6:
            return f"[{name[0]}]:{name[1]}"
        case socket.AF_UNIX:
            return str(name)
        case _:
            raise AssertionError("unsupported socket family")
