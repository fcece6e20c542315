"""What ends a `poll` of the main thread when a signal has come."""

from __future__ import annotations

import contextlib
import signal
import socket
import threading
from collections.abc import Iterator

__all__ = ["signals"]


@contextlib.contextmanager
def signals() -> Iterator[socket.socket | None]:
    """Give a socket from which can be read, without blocking, once a signal has come that Python has a handler for.

    A signal by itself ends a wait that has begun. One that comes just before, or in another thread, does not, and its
    handler would run when the next client comes. It is None outside the main thread, where no handlers run, and where
    a descriptor for signals is set already (as by an event loop).

    Example:
        import select, signal
        from openline.sync._wakeup import signals
        before = signal.signal(signal.SIGUSR1, lambda number, frame: None)
        with signals() as signalled:
            signal.raise_signal(signal.SIGUSR1)
            assert select.select([signalled], [], [], 0) == ([signalled], [], [])
        signal.signal(signal.SIGUSR1, before)
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    signalled, writes = socket.socketpair()
    with signalled, writes:
        signalled.setblocking(False)
        writes.setblocking(False)
        try:
            before = signal.set_wakeup_fd(writes.fileno(), warn_on_full_buffer=False)
        except ValueError:  # a subinterpreter, which runs no handlers
            yield None
            return
        try:
            if before == -1:
                yield signalled
                return
        finally:
            signal.set_wakeup_fd(before)
        yield None
