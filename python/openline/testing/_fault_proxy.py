"""A network that fails on command, or by itself from a seed."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from .. import _arguments as arguments
from .. import _openline
from ._listener import Listener

if TYPE_CHECKING:
    from ..typing import PathLike


@dataclass(frozen=True, kw_only=True)
class Faults:
    """What happens to the bytes of one direction of a connection through a `FaultProxy`.

    Bytes are counted from the connection's first, the handshake included, and each direction for itself.
    Where a number of bytes is asked for, a pair `(first, last)` will do, of which each connection takes one
    by chance. Whatever happens, what arrives was sent, in that order; only `corrupt_at` and
    `corrupt_per_mib` change a byte.

    Example:
        slow = Faults(delay=0.01, jitter=0.005, split=50)
        with EchoServer() as server, FaultProxy(server.uri, slow) as proxy:
            with connect(proxy.uri) as websocket:
                assert websocket.ping() >= 0.02  # there and back

    Args:
        delay: seconds that bytes are on their way. Default: 0.
        jitter: seconds that each piece is longer on its way at most, by chance; none overtakes another.
            Default: 0.
        split: the most bytes of a piece; how many it has is left to chance, at least 1. Each piece is
            written by itself; a receiver that is slower may find several at once. Default: None, 64 KiB and
            no chance.
        rate: how many bytes per second are passed on at most. Default: None, no limit.
        corrupt_at: a bit of the byte after that many is flipped. Default: None, of none.
        corrupt_per_mib: how many bytes of a MiB have a bit flipped on average, by chance. Default: 0.
        stall_after: after that many bytes nothing is passed on, until `FaultProxy.resume`. Default: None,
            never.
        cut_after: after that many bytes the connection ends, in both directions, as if the process at the
            other end had died: each side sees the end of the stream. Default: None, never.
        half_close_after: after that many bytes this direction ends, and not the other. Default: None, never.
        reset_after: after that many bytes both sides get a TCP RST. Over Unix sockets, which have none, the
            connection ends. Default: None, never.

    Raises:
        TypeError, ValueError: an argument cannot be used.

    >>> Faults(split=3, cut_after=(1000, 2000)).split
    3
    """

    delay: float = 0
    jitter: float = 0
    split: int | None = None
    rate: int | None = None
    corrupt_at: int | tuple[int, int] | None = None
    corrupt_per_mib: float = 0
    stall_after: int | tuple[int, int] | None = None
    cut_after: int | tuple[int, int] | None = None
    half_close_after: int | tuple[int, int] | None = None
    reset_after: int | tuple[int, int] | None = None

    def __post_init__(self) -> None:
        for name in ("delay", "jitter", "corrupt_per_mib"):
            value = getattr(self, name)
            if not isinstance(value, (int, float)) or isinstance(value, bool):
                raise TypeError(f"{name} must be a number, not {type(value).__name__}")
            if not 0 <= value < _TOO_MANY:
                raise ValueError(f"{name} must be 0 or more, and finite, not {value}")
        for name in ("split", "rate"):
            value = getattr(self, name)
            if value is not None and not arguments.is_integer(value):
                raise TypeError(f"{name} must be int or None, not {type(value).__name__}")
            if value is not None and not 1 <= value < _TOO_MANY:
                raise ValueError(f"{name} must be 1 or more, and below 2**63, not {value}")
        self._values()

    def _values(self) -> tuple[Any, ...]:
        """Return what the binding takes."""
        return (
            float(self.delay),
            float(self.jitter),
            self.split,
            self.rate,
            _place("corrupt_at", self.corrupt_at),
            float(self.corrupt_per_mib),
            _place("stall_after", self.stall_after),
            _place("cut_after", self.cut_after),
            _place("half_close_after", self.half_close_after),
            _place("reset_after", self.reset_after),
        )


class FaultCounts(NamedTuple):
    """How often something was done to the connections of a `FaultProxy`.

    >>> FaultCounts(cuts=1)._asdict()["cuts"]
    1
    """

    delays: int = 0
    """Pieces that were delayed."""
    splits: int = 0
    """Pieces, where `split` is set."""
    stalls: int = 0
    """Directions that were stalled."""
    cuts: int = 0
    """Connections that were cut."""
    half_closes: int = 0
    """Directions that were ended alone."""
    resets: int = 0
    """Connections that were reset, those refused while offline included."""
    corruptions: int = 0
    """Bytes that had a bit flipped."""


class FaultProxy(Listener):
    """A proxy between a client and a server of the same machine that does what networks do: it delays,
    splits, stalls, cuts, resets and corrupts what it passes on. It runs in a thread until it is closed.

    It passes on bytes and knows nothing of WebSockets: TLS goes through it, too, and any client and any
    server will do. `Faults` happen by themselves on each connection; the methods are for the moment when a
    test wants one.

    What is left to chance on a connection is decided by the seed, the number of the connection, the
    direction and the place in the stream, and by nothing else: a test that fails, fails again.

    Example:
        with EchoServer() as server, FaultProxy(server.uri) as proxy:
            for attempt, websocket in enumerate(reconnect(proxy.uri)):
                websocket.send("hello")
                assert websocket.recv() == "hello"
                if attempt == 1:
                    break
                proxy.reset()  # and the next connection takes its place
                with pytest.raises(ConnectionClosedError):
                    websocket.recv()

    Args:
        server: the `ws://` or `wss://` URI of the server, or the path of its Unix socket: `EchoServer.uri`,
            or `EchoServer.address`. A certificate is checked by the client as ever: the proxy's URI has the
            name `localhost` if the server's has.
        faults: what happens in both directions, with chances of their own. Default: None, nothing.
        up: what happens on the way to the server, in place of `faults`. Default: None, `faults`.
        down: what happens on the way to the client, in place of `faults`. Default: None, `faults`.
        path: the path of the Unix socket to listen on, for a server on one. Default: None, that of the
            server with `.proxy` behind it.
        seed: what decides on all that is left to chance, from 0 to 2**64 - 1. Default: 0.

    Raises:
        TypeError, ValueError: an argument cannot be used, such as the URI of a server elsewhere, whom no
            test should disturb; nothing has been opened.
        InvalidURI: `server` is neither a path nor a WebSocket URI.
        OSError: the proxy cannot listen.
    """

    def __init__(
        self,
        server: PathLike,
        faults: Faults | None = None,
        *,
        up: Faults | None = None,
        down: Faults | None = None,
        path: PathLike | None = None,
        seed: int = 0,
    ) -> None:
        target = arguments.socket_path("server", server)
        uri = target if isinstance(target, str) and "://" in target else None
        for name, value in [("faults", faults), ("up", up), ("down", down)]:
            if value is not None and not isinstance(value, Faults):
                raise TypeError(f"{name} must be Faults or None, not {type(value).__name__}")
        paths = None
        if uri is None:
            own = os.fsencode(target) + b".proxy" if path is None else arguments.socket_path("path", path)
            paths = target, own
        elif path is not None:
            raise ValueError("path is for a server on a Unix socket; leave it out")
        if not arguments.is_integer(seed):
            raise TypeError(f"seed must be int, not {type(seed).__name__}")
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed must be from 0 to 2**64 - 1, not {seed}")
        faults = faults or Faults()
        self._proxy = _openline.FaultProxy(
            uri=uri,
            paths=paths,
            up=(up or faults)._values(),
            down=(down or faults)._values(),
            seed=seed,
        )

    @property
    def uri(self) -> str:
        """Where clients connect to: the server's URI with the proxy's host and port.

        For a Unix socket it is the URI for the request; the path is `address`.

        >>> from openline.testing import EchoServer
        >>> with EchoServer() as server, FaultProxy(server.uri + "feed?from=7") as proxy:
        ...     proxy.uri == f"ws://127.0.0.1:{proxy.address[1]}/feed?from=7"
        True
        """
        return self._proxy.uri

    @property
    def address(self) -> Any:
        """Where the proxy listens: `(host, port)`, or the path of the Unix socket."""
        return self._proxy.address

    @property
    def connections(self) -> int:
        """For how many connections something is passed on, in one direction at least."""
        return self._proxy.connections

    @property
    def injected(self) -> FaultCounts:
        """How often something was done so far, by `Faults` or by these methods."""
        return FaultCounts(*self._proxy.injected)

    def stall(
        self, direction: Literal["up", "down", "both"] = "both", *, connection: int | None = None
    ) -> None:
        """Stop passing on, as a network that drops every packet.

        Neither side can tell that from a peer that is silent; who sends on has to wait as soon as some
        buffers are full.

        Example:
            with EchoServer() as server, FaultProxy(server.uri) as proxy:
                with connect(proxy.uri) as websocket:
                    proxy.stall("down")
                    websocket.send("hello")
                    with pytest.raises(TimeoutError):
                        websocket.recv(timeout=0.05)
                    proxy.resume()
                    assert websocket.recv() == "hello"

        Args:
            direction: "up" to the server, "down" to the client. Default: "both".
            connection: the number of a connection, from 0 as they came. Default: None, all that are open.
        """
        self._proxy.stall(_direction(direction), _connection(connection))

    def resume(
        self, direction: Literal["up", "down", "both"] = "both", *, connection: int | None = None
    ) -> None:
        """Go on after a stall, with everything that has come meanwhile.

        Args:
            direction: as for `stall`. Default: "both".
            connection: as for `stall`. Default: None.
        """
        self._proxy.resume(_direction(direction), _connection(connection))

    def cut(self, *, connection: int | None = None) -> None:
        """End connections as if both sides had died.

        Each sees the end of the stream, without a close frame, after what was passed on before. What is on
        its way is lost.

        Example:
            with EchoServer() as server, FaultProxy(server.uri) as proxy:
                with connect(proxy.uri) as websocket:
                    proxy.cut()
                    with pytest.raises(ConnectionClosedError, match="no close frame received"):
                        websocket.recv()

        Args:
            connection: as for `stall`. Default: None.
        """
        self._proxy.cut(_connection(connection))

    def half_close(self, direction: Literal["up", "down"], *, connection: int | None = None) -> None:
        """End one direction, and let the other go on.

        Args:
            direction: as for `stall`.
            connection: as for `stall`. Default: None.
        """
        self._proxy.half_close(_direction(direction), _connection(connection))

    def reset(self, *, connection: int | None = None) -> None:
        """Reset connections: both sides get a TCP RST. Over Unix sockets, which have none, they end.

        Args:
            connection: as for `stall`. Default: None.
        """
        self._proxy.reset(_connection(connection))

    def offline(self) -> None:
        """Reset all connections, and new ones as soon as they come, until `online`.

        Example:
            with EchoServer() as server, FaultProxy(server.uri) as proxy:
                proxy.offline()
                with pytest.raises((ConnectionError, InvalidMessage)):
                    connect(proxy.uri)
                proxy.online()
                connect(proxy.uri).close()
        """
        self._proxy.offline()

    def online(self) -> None:
        """Let connections pass again after `offline`."""
        self._proxy.online()

    def close(self) -> None:
        """End all connections and stop listening. Closing again does nothing."""
        self._proxy.shutdown()


def _place(name: str, value: int | tuple[int, int] | None) -> tuple[int, int] | None:
    """Check a number of bytes, or a range of them; return the range."""
    if value is None:
        return None
    first, last = value if isinstance(value, tuple) and len(value) == 2 else (value, value)
    if not arguments.is_integer(first) or not arguments.is_integer(last):
        raise TypeError(f"{name} must be an int, a pair (first, last) of them, or None, not {value!r}")
    if not 0 <= first <= last < _TOO_MANY:
        raise ValueError(f"{name} must be 0 or more, and a pair in order, not {value!r}")
    return first, last


def _direction(value: str) -> str:
    if value not in ("up", "down", "both"):
        raise ValueError(f"direction must be 'up', 'down' or 'both', not {value!r}")
    return value


def _connection(value: int | None) -> int | None:
    if value is None:
        return None
    if not arguments.is_integer(value):
        raise TypeError(f"connection must be an int or None, not {type(value).__name__}")
    if not 0 <= value < _TOO_MANY:
        raise ValueError(f"connection must be 0 or more, not {value}")
    return value


_TOO_MANY = 2**63
