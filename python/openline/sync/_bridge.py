"""Sockets that are none for the system: objects with `recv` and `sendall`, such as a tunnel of another library.

Two threads copy between the object and one end of a socket pair, whose other end is the connection's. So
every feature works, waiting with a time-out too, for a copy and a change of threads more each way.
"""

from __future__ import annotations

import logging
import socket
import sys
import threading
from collections.abc import Callable
from typing import Any

__all__ = ["bridge"]


def bridge(stream: Any) -> socket.socket:
    """Return a socket that leads to `stream`, an object with blocking `recv` and `sendall`.

    `stream` is closed, if it has `close`, when the connection has ended.
    """
    if "gevent.monkey" in sys.modules:
        from .._gevent import refuse_patched_threads

        refuse_patched_threads()
    if hasattr(stream, "settimeout"):
        stream.settimeout(None)
    ours, inner = socket.socketpair()
    _start(_run, stream, inner)
    return ours


def _start(target: Callable[..., None], *args: Any) -> threading.Thread:
    # A daemon, since nothing can stop a `recv` of a stream unknown to us when the program ends.
    thread = threading.Thread(target=target, args=args, name="openline-bridge", daemon=True)
    thread.start()
    return thread


def _run(stream: Any, inner: socket.socket) -> None:
    with inner:
        reader = _start(_copy_in, stream, inner)
        _copy_out(stream, inner)
        # The connection has ended: `shutdown` wakes the reader where it can be woken.
        for method, args in [("shutdown", [socket.SHUT_RDWR]), ("close", [])]:
            if hasattr(stream, method):
                try:
                    getattr(stream, method)(*args)
                except Exception:
                    pass  # it is closed already, or cannot be shut down
        reader.join()


def _copy_in(stream: Any, inner: socket.socket) -> None:
    try:
        while data := stream.recv(_COPY_LEN):
            inner.sendall(data)
    except Exception as error:
        _log(stream, error)
    _shut_down(inner, socket.SHUT_WR)


def _copy_out(stream: Any, inner: socket.socket) -> None:
    try:
        while data := inner.recv(_COPY_LEN):
            stream.sendall(data)
    except Exception as error:
        _log(stream, error)
        # Its reader must not wait for a peer that is lost.
        _shut_down(inner, socket.SHUT_RDWR)


def _shut_down(inner: socket.socket, how: int) -> None:
    try:
        inner.shutdown(how)
    except OSError:
        pass  # the connection has ended


def _log(stream: Any, error: Exception) -> None:
    # To the connection an error is the end of the stream, so the reason can be found only here.
    logging.getLogger("openline.client").debug("stream %r failed: %r", stream, error)


_COPY_LEN = 65536
