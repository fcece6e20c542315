"""What a session prints, so that two runs of it can be compared: nothing in it depends on time or chance."""

from __future__ import annotations

import atexit
import contextlib
import sys
import threading
from collections.abc import Iterator

PLAIN, SECURE = sys.argv[1:3]
"""Addresses of the fake server, as HOST:PORT, without TLS and with it."""

_lock = threading.Lock()


@contextlib.contextmanager
def scenario(title: str) -> Iterator[None]:
    """A part of the session; an exception that leaves it is a part of what is shown."""
    say(f"# {title}")
    try:
        yield
    except Exception as error:
        say("raised", described(error))


def say(*things: object) -> None:
    """A line; of bytes, only how many there are and what they are at the ends."""
    with _lock:
        print(*(shortened(thing) for thing in things), flush=True)


def shortened(thing: object) -> object:
    if isinstance(thing, bytes) and len(thing) > 40:
        return f"<{len(thing)} bytes, {thing[:10]!r} to {thing[-10:]!r}>"
    return thing


def described(error: BaseException) -> str:
    """Text of an exception, and of its cause if a package says what that was."""
    text = f"{type(error).__name__}: {error}"
    package = type(error).__module__.split(".")[0]
    if error.__cause__ is None or package in ("builtins", "openline", "websockets"):
        return text
    return f"{text} <- {described(error.__cause__)}"


@atexit.register
def _tell_who_was_at_work() -> None:
    connect = sys.modules["websockets.sync.client"].connect
    print(f"\nconnect is from {connect.__module__}", file=sys.stderr)
