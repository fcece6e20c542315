"""The server itself: what accepts clients, and what ends when it is told to."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import select
import socket
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

from ..frames import CloseCode
from ..protocol import OPEN
from ..utils import get_socket_name
from ._wakeup import signals

if TYPE_CHECKING:
    from types import TracebackType

    from ..typing import LoggerLike
    from ._service import Service
    from .server import ServerConnection

__all__ = ["Server"]


class Server:
    """A server that `serve` has made. It accepts clients while somebody is in `serve_forever`.

    Example:
        with serve(handler, "localhost", 8765) as server:
            server.serve_forever()

    As a context manager it calls `shutdown()` at the end. All methods may be called from any thread, from
    handlers and from signal handlers too.

    Args:
        sock: a socket that listens.
        handler: called in a thread of its own for each client, with the socket and the address that
            `socket.accept` gives.
        logger: the logger. Default: None, `logging.getLogger("openline.server")`.

    Attributes:
        socket: the socket that listens.
        handler: `handler`.
        logger: the logger.
    """

    _logger_name = "openline.server"

    def __init__(
        self,
        sock: socket.socket,
        handler: Callable[[socket.socket, Any], None],
        logger: LoggerLike | None = None,
    ) -> None:
        self.socket = sock
        self.handler = handler
        self.logger: LoggerLike = logging.getLogger(self._logger_name) if logger is None else logger
        # What makes connections of clients, if `serve` has made this.
        self._service: Service | None = None
        # Removed at the end: the path of a Unix socket that was made for this server.
        self._path: str | bytes | None = None
        # Notified when one of the sets below loses a member.
        self._changed = threading.Condition()
        self._serving: set[threading.Thread] = set()
        self._handling: set[threading.Thread] = set()
        # In `shutdown`: they do not wait for each other.
        self._ending: set[threading.Thread] = set()
        self._arriving: set[ServerConnection] = set()
        self._connections: set[ServerConnection] = set()
        self._max_connections: int | None = None
        self._is_closing = False
        # Code and reason that connections are closed with, once they are.
        self._close: tuple[int, str] | None = None
        self._wakes, self._woken = socket.socketpair()

    @property
    def connections(self) -> set[ServerConnection]:
        """The connections that are open, made anew."""
        with self._changed:
            connections = list(self._connections)
        return {connection for connection in connections if connection.state == OPEN}

    def fileno(self) -> int:
        """Return the descriptor of the socket that listens; -1 after `shutdown`."""
        return self.socket.fileno()

    def serve_forever(self) -> None:
        """Accept clients, until `shutdown` is called from a handler, another thread or a signal handler.

        Where there are too many open files, or too little memory, for a moment, the client waits.

        Example:
            with serve(handler, "localhost", 8765) as server:
                server.serve_forever()
        """
        this = threading.current_thread()
        with self._changed:
            if self._is_closing:
                return
            self._serving.add(this)
        try:
            self.logger.info("server listening on %s", get_socket_name(self.socket))
            with signals() as signalled:
                if self._service is None:
                    self._serve_sockets(signalled)
                else:
                    self._serve_requests(signalled, self._service)
        except (OSError, ValueError):
            # `shutdown` may have closed the socket before it was waited for.
            if not self._is_closing:
                raise
        finally:
            with self._changed:
                self._serving.discard(this)
                self._close_wakes()
                self._changed.notify_all()

    def _serve_requests(self, signalled: socket.socket | None, service: Service) -> None:
        lobby = service.lobby(self.socket)
        try:
            poll = self._poll(signalled, lobby.fileno())
            left = None
            while not self._is_closing:
                # Rounded up, or it would come back too early, again and again.
                poll.poll(None if left is None else math.ceil(left * 1000))
                _drain(signalled)
                left = lobby.turn()
                while (arrival := lobby.next()) is not None:
                    if isinstance(arrival, Exception):
                        self.logger.info("opening handshake failed: %s", arrival)
                    elif not self._start(service.welcome, arrival):
                        lobby.turn_away(arrival, "There are no more threads.\n")
        finally:
            lobby.close()

    def _serve_sockets(self, signalled: socket.socket | None) -> None:
        # Another process, or thread, may have been faster to accept the client that was announced.
        self.socket.setblocking(False)
        poll = self._poll(signalled, self.socket.fileno())
        while not self._is_closing:
            poll.poll()
            _drain(signalled)
            self._accept()

    def _poll(self, signalled: socket.socket | None, fileno: int) -> select.poll:
        """What waits for clients, for `shutdown`, and for signals."""
        poll = select.poll()
        poll.register(fileno, select.POLLIN)
        poll.register(self._woken, select.POLLIN)
        if signalled is not None:
            poll.register(signalled, select.POLLIN)
        return poll

    def _accept(self) -> None:
        try:
            sock, address = self.socket.accept()
        except BlockingIOError:
            return
        except OSError as error:
            if not self._is_closing:
                # A client that left already, or no descriptors: some may be free soon.
                self.logger.warning("cannot accept a client: %s", error)
                time.sleep(_PAUSE)
            return
        if not self._start(self.handler, sock, address):
            sock.close()

    def _start(self, handle: Callable[..., None], *client: Any) -> bool:
        """Handle a client in a thread of its own; whether there is one."""
        thread = threading.Thread(target=self._handle, args=(handle, *client))
        with self._changed:
            self._handling.add(thread)
        try:
            thread.start()
        except RuntimeError as error:  # no more threads
            self.logger.warning("cannot serve a client: %s", error)
            self._forget(thread)
            return False
        return True

    def _handle(self, handle: Callable[..., None], *client: Any) -> None:
        try:
            handle(*client)
        finally:
            self._forget(threading.current_thread())

    def _forget(self, thread: threading.Thread) -> None:
        with self._changed:
            self._handling.discard(thread)
            self._changed.notify_all()

    def shutdown(
        self,
        close_connections: bool = True,
        code: CloseCode | int = CloseCode.GOING_AWAY,
        reason: str = "",
        *,
        timeout: float | None = None,
    ) -> None:
        """End the server: accept no more clients, close the connections, and wait for the handlers.

        Clients that are not connected yet get status 503, unless TLS is in the way. Calling it again waits for the
        same end. A handler that calls it, and `serve_forever` in the thread that calls it, are not waited for.

        Example:
            server.shutdown(code=1012, reason="restart")

        Args:
            close_connections: False leaves connections open, and waits until their clients close them.
                Default: True.
            code: the code that connections are closed with. Default: 1001, going away.
            reason: the reason for it. Default: "".
            timeout: seconds to wait for the handlers; those that have not ended then go on. Default: None,
                as long as it takes.

        Raises:
            ProtocolError: `code` or `reason` may not be sent.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        this = threading.current_thread()
        self.logger.info("server closing")
        with self._changed:
            self._is_closing = True
            if close_connections and self._close is None:
                self._close = int(code), reason
            self._ending.add(this)
            self._changed.notify_all()
            arriving, connections = list(self._arriving), list(self._connections)
        try:
            self._stop_listening()
            for connection in arriving:
                connection._stop_waiting()
            if close_connections:
                for connection in connections:
                    if connection.state == OPEN:  # or `_close_late` sees to it
                        connection._start_close(int(code), reason)
            with self._changed:
                while self._others_at_work():
                    left = None if deadline is None else deadline - time.monotonic()
                    if left is not None and left <= 0:
                        return
                    self._changed.wait(left)
        finally:
            with self._changed:
                self._ending.discard(this)
        self.logger.info("server closed")

    def _others_at_work(self) -> bool:
        """Whether there are threads to wait for. Those in `shutdown` are not: they wait here, too."""
        return bool((self._serving | self._handling) - self._ending)

    def _stop_listening(self) -> None:
        self.socket.close()
        with self._changed:
            if self._serving:
                self._wakes.shutdown(socket.SHUT_WR)  # whoever polls is told, however often
            self._close_wakes()
            path, self._path = self._path, None
        if path is not None:
            try:
                os.unlink(path)
            except FileNotFoundError:
                pass  # somebody has removed it already

    def _close_wakes(self) -> None:
        if self._is_closing and not self._serving:
            self._wakes.close()
            self._woken.close()

    # What a connection tells: it arrives, opens, and is over.

    def _arrive(self, connection: ServerConnection) -> None:
        with self._changed:
            self._arriving.add(connection)
            is_closing = self._is_closing
        if is_closing:
            connection._stop_waiting()

    def _admit(self, connection: ServerConnection) -> str | None:
        """Count a connection that is about to open; why it may not, if so."""
        with self._changed:
            if self._is_closing:
                return "The server is shutting down.\n"
            limit = self._max_connections
            if limit is not None and len(self._connections) >= limit:
                return "The server has as many connections as it may.\n"
            self._connections.add(connection)
        return None

    def _close_late(self, connection: ServerConnection) -> None:
        """Close a connection that has opened after all others were closed."""
        with self._changed:
            self._arriving.discard(connection)
            close = self._close
        if close is not None:
            connection._start_close(*close)

    def _leave(self, connection: ServerConnection) -> None:
        with self._changed:
            self._arriving.discard(connection)
            self._connections.discard(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.shutdown()

    def __repr__(self) -> str:
        state = "closed" if self._is_closing else f"on {get_socket_name(self.socket)}"
        return f"<{type(self).__qualname__} {state}>"


def _drain(signalled: socket.socket | None) -> None:
    """The handlers of the signals have run, and the next poll is for others."""
    if signalled is not None:
        with contextlib.suppress(BlockingIOError):
            signalled.recv(4096)


# Seconds to wait when there are no descriptors, say: handlers that end give some back.
_PAUSE = 0.05
