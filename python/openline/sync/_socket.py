"""What a program sees of a connection's socket: `connection.socket`.

The descriptor belongs to the engine. The view looks at it, sets its options, and can end the connection; it
reads and writes nothing.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, NoReturn, Self, overload

from .. import _openline
from .._made_once import made_once

if TYPE_CHECKING:
    import builtins
    import socket
    import ssl
    from types import TracebackType

    from typing_extensions import Buffer

__all__ = ["SocketView", "TlsSocketView", "view"]


def view(handle: _openline.Handle | _openline.Incoming, given: Any = None, context: ssl.SSLContext | None = None) -> SocketView:
    """Return a view of the socket of a connection.

    Args:
        handle: the connection, or a client on its way into one.
        given: the user's socket, under TLS of ours; closed with the view.
        context: the context of the TLS, if there is one.
    """
    kind = TlsSocketView if handle.is_secure else SocketView
    return kind(handle, given, context)


class SocketView:
    """A view of a connection's socket, with the methods of `socket.socket` that cannot disturb it.

    Time-outs are remembered and have no effect: the methods of the connection have time-outs of their own.
    """

    # Each connection has one, used or not.
    __slots__ = ("__weakref__", "_context", "_given", "_handle", "_timeout")

    def __init__(self, handle: _openline.Handle | _openline.Incoming, given: Any, context: ssl.SSLContext | None) -> None:
        self._handle = handle
        self._given = given
        self._context = context
        self._timeout: float | None = None

    def fileno(self) -> int:
        """Return the descriptor, to look at; -1 once the connection is closed."""
        return self._handle.fileno()

    @property
    def _closed(self) -> bool:
        return self.fileno() == -1

    # The address tells family and protocol, also when the connection is closed.

    @property
    def family(self) -> socket.AddressFamily:
        """The address family."""
        import socket

        address = self.getsockname()
        if not isinstance(address, tuple):
            return socket.AF_UNIX
        return socket.AF_INET if len(address) == 2 else socket.AF_INET6

    @property
    def type(self) -> socket.SocketKind:
        """The socket type: `SOCK_STREAM`."""
        import socket

        return socket.SOCK_STREAM

    @property
    def proto(self) -> int:
        """The protocol: that of TCP, or 0 for a Unix socket."""
        import socket

        return 0 if self.family == socket.AF_UNIX else socket.IPPROTO_TCP

    def getsockname(self) -> Any:
        """Return our address; known when the connection is closed, too."""
        return self._handle.addresses[0]

    def getpeername(self) -> Any:
        """Return the peer's address; known when the connection is closed, too."""
        return self._handle.addresses[1]

    def gettimeout(self) -> float | None:
        """Return the time-out that was set."""
        return self._timeout

    timeout = property(gettimeout, doc="The time-out that was set.")

    def settimeout(self, value: float | None, /) -> None:
        """Remember a time-out in seconds; it has no effect."""
        if value is not None:
            value = float(value)
            if value < 0:
                raise ValueError("Timeout value out of range")
        self._timeout = value

    def getblocking(self) -> bool:
        """Return whether the time-out that was set is not 0."""
        return self._timeout != 0

    def setblocking(self, flag: bool, /) -> None:
        """Remember a time-out of None, or 0 if `flag` is false; it has no effect."""
        self._timeout = None if flag else 0.0

    @overload
    def getsockopt(self, level: int, option: int, /) -> int: ...
    @overload
    def getsockopt(self, level: int, option: int, buflen: int, /) -> bytes: ...
    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> int | bytes:
        """Return an option of the socket, as `socket.getsockopt` does.

        Raises:
            OSError: there is no such option, or the connection is closed.
        """
        with self._duplicate() as sock:
            return sock.getsockopt(level, option, buflen) if buflen else sock.getsockopt(level, option)

    def setsockopt(self, level: int, option: int, value: int | Buffer | None, *optlen: int) -> None:
        """Set an option of the socket, as `socket.setsockopt` does.

        Raises:
            OSError: there is no such option, or the connection is closed.
        """
        with self._duplicate() as sock:
            sock.setsockopt(level, option, value, *optlen)

    def shutdown(self, how: int, /) -> None:
        """Shut one direction of the stream down, or both, which ends the connection without a close frame.

        Raises:
            OSError: the connection is closed.
        """
        self._handle.shutdown(how)

    def close(self) -> None:
        """End the connection at once, without waiting for the peer."""
        self._handle.abort()
        if self._given is not None:
            self._given.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: builtins.type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        closed = "[closed] " if self._closed else ""
        addresses = f"laddr={self.getsockname()!r}, raddr={self.getpeername()!r}"
        return f"<{type(self).__qualname__} {closed}fd={self.fileno()}, {addresses}>"

    def _duplicate(self) -> socket.socket:
        import socket

        # Closed again by the caller at once.
        return socket.socket(fileno=self._handle.dup())

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        """Raise: the stream belongs to the connection."""
        raise io.UnsupportedOperation(
            "the bytes of this socket are the connection's; use recv() and send() of the connection, or "
            "connect(sock=…) with a socket of your own"
        )

    recv = recv_into = recvfrom = recvfrom_into = recvmsg = recvmsg_into = read = _refuse
    send = sendall = sendfile = sendmsg = sendto = write = _refuse
    accept = bind = connect = connect_ex = listen = detach = dup = makefile = unwrap = _refuse


class TlsSocketView(SocketView):
    """A view of a socket with TLS of ours over it, with what `ssl.SSLSocket` tells of a session."""

    @made_once
    def _details(self) -> tuple[str, str | None, str | None, str | None, bytes | None] | None:
        """What rustls tells; None if the TLS is by Python's `ssl`."""
        return self._handle.tls_details()

    @property
    def context(self) -> ssl.SSLContext | None:
        """The `ssl` argument of `connect`; None if TLS is by the defaults."""
        return self._context

    @made_once
    def server_side(self) -> bool:
        """Whether this is the server's end."""
        return self._details is None and bool(self._handle.ask_ssl("server_side"))

    @made_once
    def server_hostname(self) -> str | None:
        """The server's name, as it was asked for."""
        if self._details is not None:
            return self._details[0]
        name: str | None = self._handle.ask_ssl("server_hostname")
        return name

    def version(self) -> str | None:
        """Return the version of TLS, such as "TLSv1.3"; None once the connection is closed."""
        if self._closed:
            return None
        if self._details is not None:
            return None if self._details[1] is None else self._details[1].replace("_", ".")
        version: str | None = self._handle.ask_ssl("version", ())
        return version

    def cipher(self) -> tuple[str, str, int] | None:
        """Return the cipher: its name as OpenSSL has it, the version of TLS that defines it, its secret bits.

        None once the connection is closed.
        """
        if self._closed:
            return None
        if self._details is not None:
            return _openssl_cipher(self._details[2])
        cipher: tuple[str, str, int] | None = self._handle.ask_ssl("cipher", ())
        return cipher

    def selected_alpn_protocol(self) -> str | None:
        """Return the protocol that the server chose by ALPN; None if none was."""
        if self._details is not None:
            return self._details[3]
        protocol: str | None = self._handle.ask_ssl("selected_alpn_protocol", ())
        return protocol

    def compression(self) -> None:
        """Return None: TLS is never compressed."""

    def getpeercert(self, binary_form: bool = False) -> Any:
        """Return the peer's certificate, as `ssl.SSLSocket.getpeercert` does.

        Args:
            binary_form: True for `bytes` of DER, False for a dict. Default: False, which needs a context of
                yours: `connect(ssl=…)`.

        Raises:
            NotImplementedError: `binary_form` is False and TLS is by the defaults.
        """
        if self._details is None:
            return self._handle.ask_ssl("getpeercert", (binary_form,))
        if not binary_form:
            raise NotImplementedError(
                "TLS without ssl= gives certificates in binary form only; "
                "pass binary_form=True, or an ssl.SSLContext to connect()"
            )
        return self._details[4]


def _openssl_cipher(suite: str | None) -> tuple[str, str, int] | None:
    """Return a cipher suite of rustls as `SSLSocket.cipher` gives it.

    >>> _openssl_cipher("TLS13_AES_256_GCM_SHA384")
    ('TLS_AES_256_GCM_SHA384', 'TLSv1.3', 256)
    >>> _openssl_cipher("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256")
    ('ECDHE-RSA-AES128-GCM-SHA256', 'TLSv1.2', 128)
    >>> _openssl_cipher("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256")
    ('ECDHE-ECDSA-CHACHA20-POLY1305', 'TLSv1.2', 256)
    """
    if suite is None:
        return None
    bits = 128 if "AES_128" in suite else 256
    if suite.startswith("TLS13_"):
        return suite.replace("TLS13_", "TLS_"), "TLSv1.3", bits
    name = suite.removeprefix("TLS_").replace("_WITH_", "_").replace("AES_", "AES").replace("_", "-")
    return name.replace("POLY1305-SHA256", "POLY1305"), "TLSv1.2", bits
