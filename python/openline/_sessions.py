"""TLS sessions of `ssl.SSLContext`s, kept for the next connection to the same server.

To resume a session saves a round trip or the exchange of certificates. Sessions are kept no longer than their
context, and only for the settings of verification that they were made with.
"""

from __future__ import annotations

import ssl
import sys
import time
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["recall", "remember"]


def recall(context: ssl.SSLContext, server_name: str) -> ssl.SSLSession | None:
    """Return the session to offer, if there is one."""
    session, _ = _sessions.get(context, {}).get(_key(context, server_name), (None, 0.0))
    return session


def remember(context: ssl.SSLContext, server_name: str, connection: Any) -> None:
    """Keep the session of an `ssl.SSLObject`."""
    sessions = _sessions.setdefault(context, {})
    key = _key(context, server_name)
    kept, since = sessions.get(key, (None, 0.0))
    # One without a ticket may be from before the ticket came.
    if kept is not None and kept.has_ticket and time.monotonic() < since + _PAUSE:
        return
    session = connection.session
    if session is None:
        return
    sessions[key] = session, time.monotonic()
    if len(sessions) > _MOST:
        del sessions[next(iter(sessions))]  # the server that was met first


def _key(context: ssl.SSLContext, server_name: str) -> tuple[Any, ...]:
    return server_name, context.verify_mode, context.check_hostname, context.verify_flags


# With when they were taken.
_sessions: WeakKeyDictionary[ssl.SSLContext, dict[tuple[Any, ...], tuple[ssl.SSLSession, float]]]
_sessions = WeakKeyDictionary()

# Seconds before the session of a server is taken anew. In these versions each that is taken costs some
# kilobytes that are never given back (https://github.com/python/cpython/issues/116810).
_LEAKS = sys.version_info < (3, 12, 8) or (3, 13) <= sys.version_info < (3, 13, 1)
_PAUSE = 600.0 if _LEAKS else 0.0

# Servers of one context whose sessions are kept.
_MOST = 256
