from collections.abc import Callable, Iterable, Iterator, Sequence
from socket import socket
from ssl import SSLContext
from typing import Any, Literal, Self, SupportsIndex, final, overload

from typing_extensions import Buffer, disjoint_base

from .exceptions import ConnectionClosed
from .typing import ConnectionOption, ExtensionHeader, LoggerLike, ResponseParts, Subprotocol, UpgradeProtocol

__all__ = [
    "__version__",
    "MAX_BODY_SIZE",
    "MAX_LINE_LENGTH",
    "MAX_NUM_HEADERS",
    "accept_key",
    "apply_mask",
    "encode_frame",
    "parse_connection",
    "parse_extensions",
    "parse_subprotocols",
    "parse_upgrade",
    "parse_uri",
    "parse_proxy",
    "is_proxy_in_environment",
    "check_request",
    "Client",
    "Handle",
    "Incoming",
    "Lobby",
    "Connection",
    "broadcast",
    "Deflate",
    "DeflateCodec",
    "EchoServer",
    "FaultProxy",
]

__version__: str
MAX_BODY_SIZE: int
MAX_LINE_LENGTH: int
MAX_NUM_HEADERS: int

def accept_key(key: str) -> str: ...
def apply_mask(data: Buffer, key: bytes | bytearray) -> bytes: ...
def encode_frame(
    opcode: int, fin: bool, rsv: tuple[bool, bool, bool], payload: Buffer, key: bytes | None
) -> bytes: ...
def parse_connection(header: str) -> list[ConnectionOption]: ...
def parse_extensions(header: str) -> list[ExtensionHeader]: ...
def parse_subprotocols(header: str) -> list[Subprotocol]: ...
def parse_upgrade(header: str) -> list[UpgradeProtocol]: ...
def parse_uri(uri: str) -> tuple[bool, str, int, str, str, str | None, str | None]: ...
def parse_proxy(proxy: str) -> tuple[str, str, int, str | None, str | None]: ...
def is_proxy_in_environment() -> bool: ...
def check_request(
    method: str, path: str, version: str, headers: list[tuple[str, str]]
) -> tuple[Exception, ResponseParts] | None: ...
@final
class Client:
    def __new__(cls, **options: Any) -> Self: ...
    def connect(self, uri: str, log: tuple[LoggerLike, int] | None) -> Handle: ...
    def connect_unix(self, path: str | bytes, uri: str, log: tuple[LoggerLike, int] | None) -> Handle: ...
    def connect_over(
        self, sock: socket, uri: str, log: tuple[LoggerLike, int] | None, *, secured: bool = False
    ) -> Handle: ...
    def upgraded(
        self, sock: socket, is_server: bool, leftover: bytes, log: tuple[LoggerLike, int] | None
    ) -> Handle: ...
    def pair(self, uri: str, log: tuple[LoggerLike, int] | None) -> tuple[Handle, Handle]: ...

@final
class Handle:
    def abort(self) -> None: ...
    def fileno(self) -> int: ...
    def dup(self) -> int: ...
    def shutdown(self, how: int) -> None: ...
    def tls_details(self) -> tuple[str, str | None, str | None, str | None, bytes | None] | None: ...
    def ask_ssl(self, name: str, arguments: tuple[Any, ...] | None = None) -> Any: ...
    @property
    def is_secure(self) -> bool: ...
    @property
    def addresses(self) -> tuple[Any, Any]: ...
    @property
    def state_number(self) -> int: ...
    @property
    def subprotocol(self) -> str | None: ...
    @property
    def agreed_extensions(self) -> list[Any]: ...
    @property
    def close_exc(self) -> ConnectionClosed | None: ...

@final
class Incoming:
    def __new__(cls, sock: socket) -> Self: ...
    def abort(self) -> None: ...
    def fileno(self) -> int: ...
    def dup(self) -> int: ...
    def shutdown(self, how: int) -> None: ...
    @property
    def is_secure(self) -> bool: ...
    def tls_details(self) -> None: ...
    def ask_ssl(self, name: str, arguments: tuple[Any, ...] | None = None) -> Any: ...
    @property
    def addresses(self) -> tuple[Any, Any]: ...
    def time_left(self) -> float | None: ...
    def leave(self) -> None: ...
    def receive(
        self, timeout: float | None, log: tuple[LoggerLike, int] | None
    ) -> tuple[str, str, str, list[tuple[str, str]]]: ...
    def refuse(self, response: ResponseParts, timeout: float | None) -> None: ...
    def accept(
        self,
        client: Client,
        response: ResponseParts,
        subprotocol: str | None,
        extensions: list[tuple[str, Any, Any]],
        timeout: float | None,
    ) -> Handle: ...
    def give_up(self) -> None: ...

@final
class Lobby:
    def __new__(
        cls,
        sock: socket,
        context: SSLContext | None,
        open_timeout: float | None,
        max_handshakes: int | None,
        max_per_address: int | None,
    ) -> Self: ...
    def fileno(self) -> int: ...
    def turn(self) -> float | None: ...
    def next(self) -> Incoming | Exception | None: ...
    def turn_away(self, incoming: Incoming, text: str) -> None: ...
    def close(self) -> None: ...

def broadcast(
    connections: Sequence[Connection], message: str | Buffer, text: bool | None
) -> list[tuple[int, Exception]]: ...
@disjoint_base
class Connection:
    def __new__(cls, *args: Any, **kwargs: Any) -> Self: ...
    def _adopt(self, handle: Handle, sock: Any = None) -> None: ...
    def _give_up(self) -> None: ...
    def _start_close(self, code: int, reason: str) -> None: ...
    def _set_keepalive(self, ping_interval: float | None, ping_timeout: float | None) -> None: ...
    def send(
        self,
        message: str | Buffer | Iterable[str | Buffer],
        timeout: float | None = None,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> None:
        r"""Send a message.

        A `str` is sent as text. Bytes-like objects (`bytes`, `bytearray`, `memoryview`, any contiguous
        buffer) are sent as binary. An iterable of either is sent as one message whose fragments are
        its items, all of one kind; an empty one sends nothing.

        Example:
            websocket.send("hello")
            websocket.send(b"\x00\x01")
            websocket.send(["one message ", "in fragments"])
            websocket.send('{"large": true}', timeout=5)

        Args:
            message: the message.
            timeout: seconds to wait while the peer does not read; None waits as long as it shows signs
                of life, 0 does not wait. Default: None. For fragments it covers all of them.
            text: True sends text also for bytes, which must then be UTF-8 (they are not checked, and
                anything else makes the peer close); False sends binary also for a `str`. Default:
                None, as the type says.
            compress: on a connection with permessage-deflate, True compresses the message however short
                it is, and False does not. Default: None, compress unless it has less than 32 bytes, which
                cannot pay. Without permessage-deflate nothing is compressed.

        Raises:
            SendTimeout: `timeout` is over. It is a `TimeoutError` with an attribute `committed`: False if
                nothing was sent, and the message can be sent again; True if a part was, and the rest goes
                out first with the next call or the close. If a fragment was sent, the connection is failed.
                What the handler of a signal raises, such as `KeyboardInterrupt`, has that attribute too.
            ConnectionClosed: the connection is closed.
            ConcurrencyError: this thread is sending fragments of another message.
            TypeError: the message is none of these, such as a dict; or its fragments are of different
                kinds, which fails the connection with 1011, as does an exception from the iterable.
            BufferError: the buffer is not contiguous.
            UnicodeEncodeError: the string has lone surrogates.
        """
    # Two forms for each `decode`: by position after `timeout`, or by name alone.
    @overload
    def recv(self, timeout: float | None, decode: Literal[True]) -> str:
        """Receive the next message.

        Example:
            websocket.send("hello")
            print(websocket.recv())  # hello
            try:
                message = websocket.recv(timeout=0.1)
            except TimeoutError:
                print("nothing came, and nothing is lost")

        Args:
            timeout: seconds to wait; None waits for ever, 0 takes only what is there. Default: None.
            decode: True gives `str` and False gives `bytes`, whatever kind the message is. Default:
                None, `str` for text and `bytes` for binary.

        Returns:
            `str` for a text message, `bytes` for a binary one.

        Raises:
            TimeoutError: no message came in time. Nothing is lost.
            ConnectionClosed: the connection is closed, and all messages before that are received.
            ConcurrencyError: another thread is receiving.
            UnicodeDecodeError: with `decode=True`, a binary message is not UTF-8. It counts as
                received; `object` of the exception has its bytes.
        """
    @overload
    def recv(self, timeout: float | None, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[True]) -> str: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, decode: bool | None = None) -> str | bytes: ...
    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]:
        """Receive the next message fragment by fragment.

        No other call receives until the iterator has come to its end or is dropped, which skips the
        rest of the message.

        Example:
            websocket.send(["one message ", "in fragments"])
            for fragment in websocket.recv_streaming():
                print(fragment)

        Args:
            decode: True gives `str` and False gives `bytes`, whatever kind the message is. Default:
                None, `str` for text and `bytes` for binary.

        Returns:
            An iterator over the fragments, each as soon as it came. A character that is cut between
            two fragments comes with the second.

        Raises:
            ConcurrencyError: another thread is receiving, or fragments of another message are left.
                What the iterator raises is as in `recv`.
        """
    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...
    @overload
    def recv_streaming(self, decode: bool | None = None) -> Iterator[str | bytes]: ...
    def recv_into(self, buffer: Buffer, timeout: float | None = None) -> int:
        """Receive the next message into a buffer.

        Example:
            buffer = bytearray(2**20)
            websocket.send(b"hello")
            length = websocket.recv_into(buffer)
            print(bytes(buffer[:length]))  # b'hello'

        Args:
            buffer: a writable contiguous buffer, such as a `bytearray`. It cannot be resized meanwhile.
            timeout: seconds to wait; None waits for ever, 0 takes only what is there. Default: None.

        Returns:
            The length of the message in bytes, UTF-8 for text.

        Raises:
            ValueError: the buffer is too small. The message is kept.
            TypeError, BufferError: it is not a writable contiguous buffer.
            TimeoutError, ConnectionClosed, ConcurrencyError: as in `recv`.
        """
    def recv_many(
        self, max: SupportsIndex | None = None, timeout: float | None = None
    ) -> list[str | bytes]:
        """Receive all messages that are there, waiting for the first.

        Example:
            websocket.send_many(["one", "two", "three"])
            print(websocket.recv_many(timeout=5))  # ['one', …]: as many as have come

        Args:
            max: how many at most. Default: None, no limit.
            timeout: seconds to wait for the first; None waits for ever, 0 does not wait. Default: None.

        Returns:
            A list of at least one message, `str` for text and `bytes` for binary.

        Raises:
            ValueError: `max` is less than 1.
            TimeoutError, ConnectionClosed, ConcurrencyError: as in `recv`, without any message.
        """
    def send_many(
        self,
        messages: Iterable[str | Buffer],
        timeout: float | None = None,
        *,
        compress: bool | None = None,
    ) -> None:
        """Send messages in order, in as few system calls as possible.

        Example:
            websocket.send_many(f"line {number}" for number in range(1000))

        Args:
            messages: an iterable of `str` and bytes-like objects. All of them are taken before the
                first is sent.
            timeout: seconds to wait while the peer does not read; None waits as long as it shows signs
                of life. Default: None.
            compress: as in `send`, for each of them. Default: None.

        Raises:
            SendTimeout: `timeout` is over. It is a `TimeoutError` with an attribute `sent`: how many of the
                messages went out, counting one that is cut, whose rest goes out first with the next call or
                the close; `committed` is whether any did. What the handler of a signal raises, such as
                `KeyboardInterrupt`, has these attributes too.
            ConnectionClosed: the connection is closed.
            ConcurrencyError: this thread is sending fragments of another message.
            TypeError: `messages` is one message, or one of them is neither `str` nor bytes-like;
                nothing is sent.
        """
    def ping(self, data: str | Buffer = b"", timeout: float | None = None) -> float:
        """Send a Ping and wait for its Pong (RFC 6455 §5.5.2).

        It works with or without another thread in `recv`; messages that arrive meanwhile are kept.

        Example:
            print(f"the round trip took {websocket.ping(timeout=5):.6f} s")

        Args:
            data: `str` or bytes-like, at most 125 bytes. Default: empty, which sends a payload of its
                own that cannot be guessed.
            timeout: seconds to wait for the Pong; None waits as long as the connection lives, but not
                longer than `ping_timeout` while `max_queue` messages wait that nobody receives, since the
                Pong may be behind them. Default: None.

        Returns:
            The round trip in seconds.

        Raises:
            TimeoutError: no Pong came in time.
            ConnectionClosed: the connection closed first.
            ProtocolError: `data` has more than 125 bytes. Nothing is sent.
            ConcurrencyError: another ping with the same data waits for its Pong.
        """
    def send_ping(self, data: str | Buffer | None = None) -> int:
        """Send a Ping and go on (RFC 6455 §5.5.2).

        Args:
            data: `str` or bytes-like, at most 125 bytes. Default: None, a payload of its own that cannot
                be guessed.

        Returns:
            The number of the Ping, for `wait_answered`.

        Raises:
            ConnectionClosed: the connection is closed.
            ProtocolError: `data` has more than 125 bytes. Nothing is sent.
            ConcurrencyError: another ping with the same data waits for its Pong.
        """
    def wait_answered(self, number: int, timeout: float | None = None) -> bool:
        """Wait until a Ping of `send_ping` is answered, by its own Pong or by that of a later Ping.

        Args:
            number: what `send_ping` returned.
            timeout: seconds to wait; None waits for ever, 0 only looks. Default: None.

        Returns:
            Whether it is answered.

        Raises:
            ConnectionClosed: the connection closed first.
            ValueError: no Ping has that number.
        """
    def pong(self, data: str | Buffer = b"") -> None:
        """Send an unsolicited Pong, a sign of life that asks for no answer (RFC 6455 §5.5.3).

        Example:
            websocket.pong()

        Args:
            data: `str` or bytes-like, at most 125 bytes. Default: empty.

        Raises:
            ConnectionClosed: the connection is closed.
            ProtocolError: `data` has more than 125 bytes. Nothing is sent.
        """
    def close(self, code: int = 1000, reason: str = "") -> None:
        """Close the connection: the closing handshake (RFC 6455 §7), within `close_timeout`.

        Messages that came before can still be received. Closing again waits for the same end. A
        thread that is in `recv` meanwhile gets `ConnectionClosed`. In a forked child, which has a copy of
        its parent's connection, nothing is done.

        Example:
            websocket.close(4000, "that is all")
            print(websocket.close_code, websocket.close_reason)

        Args:
            code: 1000 to 1003, 1007 to 1014, or 3000 to 4999. Default: 1000, a normal closure.
            reason: a text for people, at most 123 bytes in UTF-8. Default: "".

        Raises:
            ProtocolError: the code may not be sent, or the reason is too long. Nothing is sent.
        """
    def wait_closed(self, timeout: float | None = None) -> bool:
        """Wait until the connection is closed, by whomever.

        Messages that come meanwhile are kept, up to `max_queue` of them: if the peer sends more and
        nobody receives, its close cannot be seen.

        Example:
            if not websocket.wait_closed(timeout=0.1):
                print("still open")

        Args:
            timeout: seconds to wait; None waits for ever, 0 only looks. Default: None.

        Returns:
            Whether it is closed.
        """
    def abort(self) -> None:
        """End the connection at once, from any thread, without waiting for anything.

        Neither the peer is waited for nor threads that send or receive: their calls end with
        `ConnectionClosed`, whose `cause` is `CloseCause.ABORTED`. Messages that came before can still be
        received. If there is room for it, and no part of another frame waits before it, the peer gets a
        Close frame with code 1001. In a forked child, which has a copy of its parent's connection, nothing
        is done.

        Example:
            websocket.abort()
            try:
                websocket.recv()
            except ConnectionClosed as error:
                print(error.cause)  # CloseCause.ABORTED
        """
    def fileno(self) -> int:
        """Return the socket's descriptor, to look at and not to read from or write to.

        Example:
            import os
            print(os.fstat(websocket.fileno()))

        Returns:
            The descriptor; -1 once the connection is closed, as sockets do.
        """
    def __iter__(self) -> Self: ...
    def __next__(self) -> str | bytes: ...
    @property
    def closed(self) -> bool:
        """Whether the connection has ended, by either side and for any cause."""
    @property
    def subprotocol(self) -> str | None:
        """The subprotocol that was agreed on; None if there is none."""
    @property
    def local_address(self) -> Any:
        """Our address, as `socket.getsockname` gives it. Still known when the connection is closed."""
    @property
    def remote_address(self) -> Any:
        """The peer's address, as `socket.getpeername` gives it. Still known when the connection is closed."""
    @property
    def close_code(self) -> int | None:
        """The code that the peer closed with: 1005 if it gave none, 1006 if the connection ended without
        a close frame of the peer's. None before the end.
        """
    @property
    def close_reason(self) -> str | None:
        """The reason that the peer closed with; empty if it gave none. None before the end."""
    @property
    def latency(self) -> float:
        """The round trip of the latest ping that was answered, in seconds; 0 before the first. Keepalive
        pings count too.
        """
    @property
    def close_timeout(self) -> float | None:
        """The seconds that closing may take, after which the line is cut; None is no limit. Setting it
        has no effect on a close that has begun.
        """
    @close_timeout.setter
    def close_timeout(self, seconds: float | None, /) -> None: ...
    @property
    def opening_times(
        self,
    ) -> tuple[float | None, float | None, float | None, float | None, float | None]:
        """The seconds that each step of opening took: dns, tcp, proxy, tls, http."""
    @property
    def state_number(self) -> int:
        """The state as the number of `openline.State`: 0 not open yet, 1 open, 2 closing, 3 closed."""
    @property
    def handshake_request(self) -> tuple[str, list[tuple[str, str]]]:
        """The request of the opening handshake: path, and headers as pairs."""
    @property
    def handshake_response(self) -> tuple[int, str, list[tuple[str, str]], bytes]:
        """The response of the opening handshake: status, reason phrase, headers as pairs, and body."""

@final
class Deflate:
    def __new__(
        cls,
        *,
        server_no_context_takeover: bool,
        client_no_context_takeover: bool,
        server_max_window_bits: int | None,
        client_max_window_bits: int | Literal[True] | None,
        require_client_max_window_bits: bool = False,
    ) -> Self: ...
    def offer(self) -> list[tuple[str, str | None]]: ...
    def accept(self, answer: list[tuple[str, str | None]]) -> tuple[bool, bool, int, int]: ...
    def answer(
        self, offer: list[tuple[str, str | None]]
    ) -> tuple[list[tuple[str, str | None]], tuple[bool, bool, int, int]]: ...

@final
class DeflateCodec:
    def __new__(cls, agreed: tuple[bool, bool, int, int], effort: tuple[int, int, int]) -> Self: ...
    def compress(self, payload: Buffer, fin: bool) -> bytes: ...
    def decompress(self, payload: Buffer, fin: bool, max_size: int | None) -> bytes: ...

@final
class EchoServer:
    def __new__(
        cls,
        *,
        host: str,
        port: int,
        path: str | bytes | None,
        certfile: str | None,
        keyfile: str | None,
        subprotocols: list[str],
        basic_auth: tuple[str, str] | None,
        welcome: list[str | bytes],
        close_after: int | None,
        close_code: int,
        close_reason: str,
    ) -> Self: ...
    def shutdown(self) -> None: ...
    def take_requests(self) -> list[tuple[str, list[tuple[str, str]]]]: ...
    @property
    def uri(self) -> str: ...
    @property
    def address(self) -> Any: ...
    @property
    def connections(self) -> int: ...

@final
class FaultProxy:
    def __new__(
        cls,
        *,
        uri: str | None,
        paths: tuple[str | bytes, str | bytes] | None,
        up: tuple[Any, ...],
        down: tuple[Any, ...],
        seed: int,
    ) -> Self: ...
    def stall(self, direction: str, connection: int | None) -> None: ...
    def resume(self, direction: str, connection: int | None) -> None: ...
    def half_close(self, direction: str, connection: int | None) -> None: ...
    def cut(self, connection: int | None) -> None: ...
    def reset(self, connection: int | None) -> None: ...
    def offline(self) -> None: ...
    def online(self) -> None: ...
    def shutdown(self) -> None: ...
    @property
    def uri(self) -> str: ...
    @property
    def address(self) -> Any: ...
    @property
    def connections(self) -> int: ...
    @property
    def injected(self) -> tuple[int, int, int, int, int, int, int]: ...
