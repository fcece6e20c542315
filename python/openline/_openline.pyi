from collections.abc import Callable, Iterable, Iterator
from socket import socket
from ssl import SSLContext
from typing import Any, Literal, Self, SupportsIndex, final, overload

from typing_extensions import Buffer, disjoint_base

from .typing import ConnectionOption, ExtensionHeader, Subprotocol, UpgradeProtocol

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
    "Client",
    "Handle",
    "Connection",
    "Deflate",
    "DeflateCodec",
    "EchoServer",
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
@final
class Client:
    def __new__(
        cls,
        *,
        tls: SSLContext | None,
        server_hostname: str | None,
        proxy: Callable[[bool, str, int], str | None] | None,
        proxy_tls: SSLContext | None,
        proxy_server_hostname: str | None,
        address: tuple[str, int] | None,
        local_addresses: list[tuple[str, int]],
        connect_timeout: float | None,
        max_redirects: int,
        origin: str | None,
        subprotocols: list[str],
        compression: bool,
        extensions: list[Any],
        headers: list[tuple[str, str]],
        user_agent: str | None,
        open_timeout: float | None,
        ping_interval: float | None,
        ping_timeout: float | None,
        close_timeout: float | None,
        max_size: int | None,
        max_fragment_size: int | None,
        max_queue_high: int | None,
        max_queue_low: int | None,
    ) -> Self: ...
    def connect(self, uri: str) -> Handle: ...
    def connect_unix(self, path: str | bytes, uri: str) -> Handle: ...
    def connect_over(self, sock: socket, uri: str) -> Handle: ...

@final
class Handle: ...

@disjoint_base
class Connection:
    def __new__(cls, handle: Handle, sock: Any = None) -> Self: ...
    def send(
        self,
        message: str | Buffer | Iterable[str | Buffer],
        timeout: float | None = None,
        *,
        text: bool | None = None,
        compress: bool | None = None,
    ) -> None: ...
    # Two forms for each `decode`: by position after `timeout`, or by name alone.
    @overload
    def recv(self, timeout: float | None, decode: Literal[True]) -> str: ...
    @overload
    def recv(self, timeout: float | None, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[True]) -> str: ...
    @overload
    def recv(self, timeout: float | None = None, *, decode: Literal[False]) -> bytes: ...
    @overload
    def recv(self, timeout: float | None = None, decode: bool | None = None) -> str | bytes: ...
    @overload
    def recv_streaming(self, decode: Literal[True]) -> Iterator[str]: ...
    @overload
    def recv_streaming(self, decode: Literal[False]) -> Iterator[bytes]: ...
    @overload
    def recv_streaming(self, decode: bool | None = None) -> Iterator[str | bytes]: ...
    def recv_into(self, buffer: Buffer, timeout: float | None = None) -> int: ...
    def recv_many(
        self, max: SupportsIndex | None = None, timeout: float | None = None
    ) -> list[str | bytes]: ...
    def send_many(
        self,
        messages: Iterable[str | Buffer],
        timeout: float | None = None,
        *,
        compress: bool | None = None,
    ) -> None: ...
    def ping(self, data: str | Buffer = b"", timeout: float | None = None) -> float: ...
    def pong(self, data: str | Buffer = b"") -> None: ...
    def close(self, code: int = 1000, reason: str = "") -> None: ...
    def wait_closed(self, timeout: float | None = None) -> bool: ...
    def abandon(self) -> None: ...
    def fileno(self) -> int: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> str | bytes: ...
    @property
    def closed(self) -> bool: ...
    @property
    def agreed_extensions(self) -> list[Any]: ...
    @property
    def subprotocol(self) -> str | None: ...
    @property
    def local_address(self) -> Any: ...
    @property
    def remote_address(self) -> Any: ...
    @property
    def close_code(self) -> int | None: ...
    @property
    def close_reason(self) -> str | None: ...
    @property
    def latency(self) -> float: ...
    @property
    def close_timeout(self) -> float | None: ...
    @close_timeout.setter
    def close_timeout(self, seconds: float | None, /) -> None: ...
    @property
    def opening_times(
        self,
    ) -> tuple[float | None, float | None, float | None, float | None, float | None]: ...
    @property
    def state_number(self) -> int: ...
    @property
    def handshake_request(self) -> tuple[str, list[tuple[str, str]]]: ...
    @property
    def handshake_response(self) -> tuple[int, str, list[tuple[str, str]], bytes]: ...

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
