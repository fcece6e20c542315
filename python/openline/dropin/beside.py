"""Drop-in mode with the real package `websockets`, release 15 or later.

Four of its modules are replaced. Its exceptions and values become bases of ours, so that `except` clauses and
`isinstance` which name the real classes hold for what openline raises and hands out. They stay bases after
`uninstall`, for the connections that are open then.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import operator
import sys
import warnings
from collections.abc import Iterator, MutableMapping
from contextlib import ExitStack
from types import ModuleType
from typing import Any

from .. import datastructures, exceptions
from .._record import Record
from ..extensions import permessage_deflate
from . import client, connection, router, server

__all__ = ["install"]


def install(undo: ExitStack) -> None:
    """Put openline's client and server beside what the real package has.

    Args:
        undo: where to note how to take it back.
    """
    holders = sorted(_holders())
    websockets = importlib.import_module("websockets")
    try:
        is_there = importlib.util.find_spec("websockets.sync.server") is not None
    except ModuleNotFoundError:
        is_there = False
    if not is_there:
        raise ImportError(
            "drop-in mode goes with websockets 15 or later, or with none; "
            f"{websockets.__file__} has no server"
        )
    sync = importlib.import_module("websockets.sync")

    for module in (client, connection, server, router):
        name = module.__name__.rpartition(".")[2]
        _put(undo, sys.modules, f"websockets.sync.{name}", module)
        _put(undo, vars(sync), name, module)
    for name in client.__all__:
        _put(undo, vars(sync), name, getattr(client, name))
    _put(undo, vars(websockets), "TimeoutError", builtins.TimeoutError)

    protocol = importlib.import_module("websockets.protocol")
    for module in (client, connection, server):
        module.__dict__.update(State=protocol.State, Side=protocol.Side)
    _adopt_exceptions()
    theirs = importlib.import_module("websockets.exceptions")
    server.ServerProtocol._refuses = (exceptions.InvalidHandshake, theirs.InvalidHandshake)
    server.ServerProtocol._declines = (exceptions.NegotiationError, theirs.NegotiationError)
    for name in _RECORDS:
        _adopt_records(name)
    _adopt_headers()
    their_deflate = importlib.import_module("websockets.extensions.permessage_deflate")
    _add_base(permessage_deflate.PerMessageDeflate, their_deflate.PerMessageDeflate)

    if holders:
        warnings.warn(
            f"websockets.sync was imported before openline.install() by {', '.join(holders)}, which "
            "will not use openline; call openline.install() before these modules are imported",
            RuntimeWarning,
            stacklevel=3,
        )


def _holders() -> Iterator[str]:
    """Generate the names of modules that hold objects of the real client or server."""
    held = set()
    for ours in (client, server, router):
        real = sys.modules.get(f"websockets.sync.{ours.__name__.rpartition('.')[2]}")
        if real is not None:
            held |= {id(getattr(real, name)) for name in ours.__all__ if hasattr(real, name)} | {id(real)}
    for name, module in list(sys.modules.items()):
        if name.partition(".")[0] in ("websockets", "openline") or not isinstance(module, ModuleType):
            continue
        # Past `__getattribute__` of modules that are loaded when they are first looked at.
        namespace = ModuleType.__getattribute__(module, "__dict__")
        if any(id(value) in held for value in list(namespace.values())):
            yield name


def _adopt_exceptions() -> None:
    real = importlib.import_module("websockets.exceptions")
    for name in exceptions.__all__:
        ours = getattr(exceptions, name)
        theirs = getattr(real, name, None)
        if ours is exceptions.WebSocketException:
            continue  # nothing is raised that is no more than this
        if theirs is None and ours.__base__ is exceptions.WebSocketException:
            theirs = real.WebSocketException  # of an older release, which does not have this one
        if theirs is not None:
            _add_base(ours, theirs)


def _adopt_records(module_name: str) -> None:
    try:
        real = importlib.import_module(f"websockets.{module_name}")
    except ModuleNotFoundError:
        return  # an older release
    for ours in list(vars(importlib.import_module(f"openline.{module_name}")).values()):
        theirs = getattr(real, getattr(ours, "__name__", ""), None)
        if isinstance(ours, type) and issubclass(ours, Record) and isinstance(theirs, type):
            _add_base(ours, theirs)
            ours._twin = theirs


def _adopt_headers() -> None:
    ours, theirs = datastructures.Headers, importlib.import_module("websockets.datastructures").Headers
    # Real headers have slots, so they cannot be a base.
    theirs.register(ours)
    # What real headers look for in others that are an instance of their class.
    for name, attribute in [("_dict", "_values"), ("_list", "_items")]:
        setattr(ours, name, property(operator.attrgetter(attribute)))


def _add_base(ours: type, theirs: type) -> None:
    bases = ours.__bases__
    if theirs in bases:
        return  # from an `install` before
    # Behind our own, which have the methods, and before builtins, which are bases of theirs as well.
    own = [base for base in bases if base.__module__.startswith("openline")]
    builtin = [base for base in bases if base not in own and not issubclass(theirs, base)]
    ours.__bases__ = (*own, theirs, *builtin)


def _put(undo: ExitStack, namespace: MutableMapping[str, Any], name: str, value: Any) -> None:
    if name in namespace:
        undo.callback(namespace.__setitem__, name, namespace[name])
    else:
        undo.callback(namespace.pop, name, None)
    namespace[name] = value


# Modules with records that both packages have.
_RECORDS = ("frames", "http11", "uri", "proxy")
