"""Drop-in mode without the package `websockets`: its modules are openline's.

They are imported when they are first asked for. What openline does not have, such as asyncio, are classes
that can be imported and be bases of others, and raise `ImportError` when they are used.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from . import client
from .placeholders import LEGACY, PLACEHOLDERS, placeholder

__all__ = ["install"]


def install(undo: ExitStack) -> None:
    """Have imports of `websockets` find openline's modules.

    Args:
        undo: where to note how to take it back.
    """
    finder = _Finder()
    # None, which hides the package, a mere directory of that name, or the stand-in of a test.
    undo.callback(sys.modules.update, _take_modules())
    undo.callback(_take_modules)
    undo.callback(sys.meta_path.remove, finder)
    sys.meta_path.insert(0, finder)


def _take_modules() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] == "websockets"]
    return {name: sys.modules.pop(name) for name in names}


class _Finder(MetaPathFinder, Loader):
    """Finds the modules of `websockets`, and makes them."""

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not _is_here(fullname):
            return None
        is_package = any(name.startswith(f"{fullname}.") for name in (*_OURS, *PLACEHOLDERS))
        return ModuleSpec(fullname, self, origin="openline", is_package=is_package)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        if spec.name not in _OURS:
            return None
        module = importlib.import_module(_OURS[spec.name])
        spec.loader_state = module.__spec__  # the import system puts `spec` in its place
        return module

    def exec_module(self, module: ModuleType) -> None:
        spec = module.__spec__
        assert spec is not None, "the import system has just set it"
        name = spec.name
        if name in _OURS:
            module.__spec__ = spec.loader_state
        elif name in _MADE:
            vars(module).update(_MADE[name]())
        else:
            vars(module).update({each: placeholder(name, each) for each in PLACEHOLDERS[name]})
            vars(module)["__getattr__"] = partial(_submodule, name)
            module.__all__ = list(PLACEHOLDERS[name])  # type: ignore[attr-defined]


def _package() -> dict[str, Any]:
    def find(name: str) -> Any:
        if name in _TOP_LEVEL:
            return getattr(_module(_TOP_LEVEL[name]), name)
        if name in LEGACY:
            return placeholder("websockets", name)
        return _submodule("websockets", name)

    return {
        "__version__": client.VERSION,
        "__all__": list(_TOP_LEVEL),
        "__getattr__": find,
        "__dir__": lambda: sorted([*_TOP_LEVEL, *LEGACY, "__version__"]),
        "TimeoutError": builtins.TimeoutError,
    }


def _submodule(package: str, name: str) -> ModuleType:
    """Import a module that is asked for as an attribute."""
    module = f"{package}.{name}"
    if not _is_here(module):
        raise AttributeError(f"module {package!r} has no attribute {name!r}")
    return _module(module)


def _module(name: str) -> ModuleType:
    """Import one of the modules here, also after `uninstall`, for those who have the package still."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError:
        finder = _Finder()
        spec = finder.find_spec(name, None)
        assert spec is not None, "it is here"
        module = importlib.util.module_from_spec(spec)
        finder.exec_module(module)
        return module


def _is_here(module: str) -> bool:
    return module in _OURS or module in _MADE or module in PLACEHOLDERS


def _sync() -> dict[str, Any]:
    names = {name: getattr(client, name) for name in client.__all__}
    return {**names, "__getattr__": partial(_submodule, "websockets.sync")}


def _version() -> dict[str, Any]:
    version = client.VERSION
    names = ["tag", "version", "commit"]
    return {**dict.fromkeys(names, version), "released": True, "__all__": names}


def _client() -> dict[str, Any]:
    ours = {"ClientProtocol": client.ClientProtocol, "backoff": client.backoff}
    return {**_names_of("openline.client"), **ours}


def _server() -> dict[str, Any]:
    ours = importlib.import_module("openline.dropin.server")
    return {**_names_of("openline.server"), "ServerProtocol": ours.ServerProtocol}


def _http11() -> dict[str, Any]:
    ours = importlib.import_module("openline.dropin.server")
    return {**_names_of("openline.http11"), "USER_AGENT": client.USER_AGENT, "SERVER": ours.SERVER}


def _names_of(module: str) -> dict[str, Any]:
    names = vars(importlib.import_module(module))
    return {name: value for name, value in names.items() if not name.startswith("__") or name == "__all__"}


# Modules that are openline's own, by their names in `websockets`.
_OURS = {
    "websockets.datastructures": "openline.datastructures",
    "websockets.exceptions": "openline.exceptions",
    "websockets.extensions": "openline.extensions",
    "websockets.extensions.base": "openline.extensions.base",
    "websockets.extensions.permessage_deflate": "openline.extensions.permessage_deflate",
    "websockets.frames": "openline.frames",
    "websockets.headers": "openline.headers",
    "websockets.protocol": "openline.protocol",
    "websockets.proxy": "openline.proxy",
    "websockets.sync.client": "openline.dropin.client",
    "websockets.sync.connection": "openline.dropin.connection",
    "websockets.sync.router": "openline.dropin.router",
    "websockets.sync.server": "openline.dropin.server",
    "websockets.typing": "openline.typing",
    "websockets.uri": "openline.uri",
    "websockets.utils": "openline.utils",
}

# Modules that are made of openline's, with other contents.
_MADE: dict[str, Callable[[], dict[str, Any]]] = {
    "websockets": _package,
    "websockets.client": _client,
    "websockets.http11": _http11,
    "websockets.server": _server,
    "websockets.sync": _sync,
    "websockets.version": _version,
}

# Where the names are that `websockets` itself has, but for those of no module here.
_TOP_LEVEL = {
    name: module
    for module, names in {
        "websockets.asyncio.client": "connect unix_connect ClientConnection",
        "websockets.asyncio.router": "route unix_route Router",
        "websockets.asyncio.server": "basic_auth broadcast serve unix_serve ServerConnection Server",
        "websockets.client": "ClientProtocol",
        "websockets.datastructures": "Headers HeadersLike MultipleValuesError",
        "websockets.exceptions": """
            ConcurrencyError ConnectionClosed ConnectionClosedError ConnectionClosedOK DuplicateParameter
            HeaderLineTooLong InvalidHandshake InvalidHeader InvalidHeaderFormat InvalidHeaderValue
            InvalidMessage InvalidMethod InvalidOrigin InvalidParameterName InvalidParameterValue
            InvalidProtocol InvalidProxy InvalidProxyMessage InvalidProxyStatus InvalidState
            InvalidStatus InvalidUpgrade InvalidURI NegotiationError PayloadTooBig ProtocolError
            ProxyError RequestLineTooLong SecurityError StatusLineTooLong TooManyFragments TooManyHeaders
            WebSocketException
        """,
        "websockets.frames": "Close CloseCode Frame Opcode",
        "websockets.http11": "Request Response",
        "websockets.protocol": "Protocol Side State",
        "websockets.server": "ServerProtocol",
        "websockets.typing": """
            Data ExtensionName ExtensionParameter LoggerLike Origin StatusLike Subprotocol
        """,
    }.items()
    for name in names.split()
}
