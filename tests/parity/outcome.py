"""What a case brought, as JSON that is equal wherever users could not tell a difference."""

from __future__ import annotations

import re
import threading
from typing import Any

__all__ = ["MISSING", "Json", "describe", "differing"]

Json = Any
"""None, bool, int, str, list or dict of such."""


def describe(value: object) -> Json:
    """Tell a value by its `repr`, sequences and dicts by their items, exceptions by what handlers see.

    Close codes are told as numbers: whether one is a member of `CloseCode` is a case of its own.
    """
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, BaseException):
        return _exception(value)
    if type(value) is dict:
        return {item if isinstance(item, str) else repr(item): describe(value[item]) for item in value}
    if type(value) is list:
        return [describe(item) for item in value]
    if type(value) is tuple:
        return {"tuple": [describe(item) for item in value]}
    if type(value) is set:
        return sorted(describe(item) for item in value)
    if type(value).__name__ == "CloseCode":
        return int(value)  # type: ignore[call-overload]
    if type(value).__name__ == "Close":
        return f"Close({int(value.code)}, {value.reason!r})"  # type: ignore[attr-defined]
    if isinstance(value, threading.Event):
        return f"an Event that is {'' if value.is_set() else 'not '}set"
    return re.sub(r" at 0x[0-9a-f]+", "", repr(value))


def differing(theirs: Json, ours: Json, path: str = "") -> dict[str, tuple[Json, Json]]:
    """Where two outcomes differ: by the path to the place, what is there of each."""
    if isinstance(theirs, dict) and isinstance(ours, dict):
        places = {}
        for key in [*theirs, *(key for key in ours if key not in theirs)]:
            below = f"{path}.{key}" if path else key
            places.update(differing(theirs.get(key, MISSING), ours.get(key, MISSING), below))
        return places
    if isinstance(theirs, list) and isinstance(ours, list) and len(theirs) == len(ours):
        places = {}
        for index, pair in enumerate(zip(theirs, ours, strict=True)):
            places.update(differing(*pair, f"{path}[{index}]"))
        return places
    return {} if theirs == ours else {path: (theirs, ours)}


MISSING = "(nothing)"


def _exception(error: BaseException) -> Json:
    from websockets import exceptions

    caught_by = {name: getattr(exceptions, name) for name in exceptions.__all__} | BUILTIN
    described: dict[str, Json] = {
        "caught by": sorted(name for name, kind in caught_by.items() if isinstance(error, kind)),
        "text": str(error),
    }
    if isinstance(error, exceptions.WebSocketException):
        described |= {name: _attribute(getattr(error, name)) for name in ATTRIBUTES if hasattr(error, name)}
    elif isinstance(error, OSError):
        described |= {"errno": error.errno, "filename": error.filename}
    if error.__cause__ is not None:
        described["cause"] = f"{_plain_name(error.__cause__)}: {error.__cause__}"
    return described


def _attribute(value: Any) -> Json:
    if hasattr(value, "status_code"):
        return {
            "status": value.status_code,
            "reason": value.reason_phrase,
            "headers": [f"{name}: {text}" for name, text in value.headers.raw_items()],
            "body": repr(value.body),
        }
    return describe(value)


def _plain_name(error: BaseException) -> str:
    """The name of the class; of the builtin one, for what is made of builtin classes."""
    known = {*BUILTIN.values()}
    return next(kind.__name__ for kind in type(error).__mro__ if kind in known or "." in kind.__module__)


BUILTIN: dict[str, type[BaseException]] = {
    kind.__name__: kind
    for kind in (
        AssertionError,
        AttributeError,
        BrokenPipeError,
        BufferError,
        ConnectionRefusedError,
        ConnectionResetError,
        EOFError,
        FileNotFoundError,
        ImportError,
        KeyError,
        LookupError,
        NotImplementedError,
        OSError,
        RuntimeError,
        StopIteration,
        TimeoutError,
        TypeError,
        UnicodeDecodeError,
        UnicodeEncodeError,
        ValueError,
    )
}

ATTRIBUTES = [
    "rcvd",
    "sent",
    "rcvd_then_sent",
    "response",
    "uri",
    "msg",
    "proxy",
    "method",
    "protocol",
    "name",
    "value",
    "message",
    "size",
    "max_size",
    "current_size",
]
