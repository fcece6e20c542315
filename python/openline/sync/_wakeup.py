"""What ends a `poll` of the main thread when a signal has come."""

from __future__ import annotations

import contextlib
import select
import signal
import socket
import threading
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["Wakeup"]


class Wakeup:
    """A context in which a poll ends for every signal that Python has a handler for.

    A signal by itself ends a wait that has begun. One that comes just before, or in another thread, does not, and its
    handler would run when the next client comes. Outside the main thread, where no handlers run, and where a
    descriptor for signals is set already (as by an event loop), there is nothing to do.

    Example:
        import select, signal
        from openline.sync._wakeup import Wakeup
        before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
        poll = select.poll()
        with Wakeup() as wakeup:
            wakeup.register(poll)
            signal.raise_signal(signal.SIGUSR1)
            assert poll.poll(0)  # the signal has come before
            wakeup.drain()
            assert not poll.poll(0)
        signal.signal(signal.SIGUSR1, before)
    """

    def __init__(self) -> None:
        self._sockets: tuple[socket.socket, socket.socket] | None = None

    def register(self, poll: select.poll) -> None:
        """Have `poll` wait for signals too."""
        if self._sockets is not None:
            poll.register(self._sockets[0], select.POLLIN)

    def drain(self) -> None:
        """Forget the signals that have come: the next poll is for others."""
        if self._sockets is not None:
            with contextlib.suppress(BlockingIOError):
                self._sockets[0].recv(4096)

    def __enter__(self) -> Self:
        if threading.current_thread() is not threading.main_thread():
            return self
        sockets = socket.socketpair()
        for sock in sockets:
            sock.setblocking(False)
        try:
            before = signal.set_wakeup_fd(sockets[1].fileno(), warn_on_full_buffer=False)
        except ValueError:  # a subinterpreter, which runs no handlers
            before = None
        if before == -1:
            self._sockets = sockets
            return self
        if before is not None:
            signal.set_wakeup_fd(before)
        for sock in sockets:
            sock.close()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._sockets is not None:
            signal.set_wakeup_fd(-1)
            for sock in self._sockets:
                sock.close()
            self._sockets = None
