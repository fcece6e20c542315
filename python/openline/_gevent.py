"""What programs are told that `gevent` has patched.

gevent puts cooperative sockets, threads and locks in the place of Python's. The engine is not written in
Python, and waits as it does everywhere else: the whole thread, with all greenlets in it.
"""

from __future__ import annotations

import sys
import warnings
from typing import Any

__all__ = ["refuse_patched_threads", "warn_if_patched"]


def warn_if_patched() -> None:
    """Warn if greenlets would stand still while this thread waits, where sockets are patched.

    Not in gevent's thread pool: there a call has a thread of its own.
    """
    monkey: Any = sys.modules["gevent.monkey"]
    gevent: Any = sys.modules["gevent"]
    if not monkey.is_module_patched("socket"):
        return
    if type(gevent.getcurrent()).__module__ == "gevent.threadpool":
        return
    warnings.warn(
        "gevent has patched sockets, but openline waits without it, and no greenlet runs meanwhile: use "
        "connections in gevent.get_hub().threadpool, as docs/gevent.md tells, or ignore this",
        RuntimeWarning,
        stacklevel=_users_level(),
    )


def refuse_patched_threads() -> None:
    """Refuse a stream that is no socket where the threads that copy for it would be greenlets.

    Raises:
        RuntimeError: gevent has patched threads.
    """
    monkey: Any = sys.modules["gevent.monkey"]
    if monkey.is_module_patched("threading"):
        raise RuntimeError(
            "gevent has patched threads, and for a sock that is no socket two threads copy, which as "
            "greenlets do not run while openline waits; pass a socket"
        )


def _users_level() -> int:
    """How many calls of openline's are between `warn_if_patched` and the user's program, as `stacklevel`."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == "openline":
        level, frame = level + 1, frame.f_back
    return level
