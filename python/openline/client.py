"""What decides on connecting again: which errors may pass, and how long to wait."""

from __future__ import annotations

import os
from collections.abc import Generator

from .exceptions import InvalidMessage, InvalidProxyStatus, InvalidStatus

__all__ = ["backoff", "process_exception"]


def process_exception(exc: Exception) -> Exception | None:
    """Tell whether connecting again may help; the default of `reconnect`.

    That is so for `OSError`, which includes `TimeoutError`, errors of TLS and connections that cannot be
    made; for `InvalidMessage` when the server hung up; for `InvalidStatus` and `InvalidProxyStatus` with 500,
    502, 503 or 504.

    Args:
        exc: why the connection could not be opened.

    Returns:
        None to try again; an exception, `exc` or another one, to raise it.

    >>> process_exception(ConnectionRefusedError()) is None
    True
    >>> process_exception(ValueError("x"))
    ValueError('x')
    """
    if isinstance(exc, OSError):
        return None
    if isinstance(exc, InvalidMessage) and isinstance(exc.__cause__, EOFError):
        return None
    if isinstance(exc, (InvalidStatus, InvalidProxyStatus)) and exc.response.status_code in _BUSY:
        return None
    return exc


def backoff(
    initial_delay: float | None = None,
    min_delay: float | None = None,
    max_delay: float | None = None,
    factor: float | None = None,
) -> Generator[float]:
    """Generate the seconds to wait before each attempt; the default of `reconnect`.

    Args:
        initial_delay: the most seconds of the first wait, which is random, so that the clients of a server
            that restarts do not all come back at once (RFC 6455 §7.2.3). Default: 5.
        min_delay: seconds of the second wait. Default: 3.1.
        max_delay: the most seconds of any wait after the first. Default: 90.
        factor: by how much waits grow. Default: 1.618.

    The environment variables `OPENLINE_BACKOFF_INITIAL_DELAY`, `…_MIN_DELAY`, `…_MAX_DELAY` and `…_FACTOR`
    set other defaults.

    >>> from itertools import islice
    >>> list(islice(backoff(0, 1, 5, 2), 5))
    [0.0, 1, 2, 4, 5]
    """
    import random  # costs as much time as all of `import openline`

    initial_delay = _default("INITIAL_DELAY", 5.0) if initial_delay is None else initial_delay
    delay = _default("MIN_DELAY", 3.1) if min_delay is None else min_delay
    max_delay = _default("MAX_DELAY", 90.0) if max_delay is None else max_delay
    factor = _default("FACTOR", 1.618) if factor is None else factor
    yield random.random() * initial_delay
    while delay < max_delay:
        yield delay
        delay *= factor
    while True:
        yield max_delay


def _default(name: str, otherwise: float) -> float:
    return float(os.environ.get(f"OPENLINE_BACKOFF_{name}", otherwise))


# Server errors that pass (RFC 9110 §15.6): internal error, bad gateway, unavailable, gateway time-out.
_BUSY = (500, 502, 503, 504)
