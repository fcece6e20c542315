"""TLS sessions of `ssl.SSLContext`s, kept for the next connection to the same server.

To resume a session saves a round trip or the exchange of certificates. Sessions are kept no longer than their
context, and only for the settings of verification that they were made with.
"""

from __future__ import annotations

import ssl
from typing import Any
from weakref import WeakKeyDictionary

__all__ = ["recall", "remember"]


def recall(context: ssl.SSLContext, server_name: str) -> ssl.SSLSession | None:
    """Return the session to offer, if there is one."""
    return _sessions.get(context, {}).get(_key(context, server_name))


def remember(context: ssl.SSLContext, server_name: str, connection: Any) -> None:
    """Keep the session of an `ssl.SSLObject`."""
    session = connection.session
    if session is None:
        return
    sessions = _sessions.setdefault(context, {})
    sessions[_key(context, server_name)] = session
    if len(sessions) > _MOST:
        del sessions[next(iter(sessions))]  # the server that was met first


def _key(context: ssl.SSLContext, server_name: str) -> tuple[Any, ...]:
    return server_name, context.verify_mode, context.check_hostname, context.verify_flags


_sessions: WeakKeyDictionary[ssl.SSLContext, dict[tuple[Any, ...], ssl.SSLSession]] = WeakKeyDictionary()

# Servers of one context whose sessions are kept.
_MOST = 256
