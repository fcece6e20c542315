"""Drop-in mode: programs written for `websockets` run on openline, unchanged.

    import openline

    openline.install()  # before anything imports websockets.sync

    from websockets.sync.client import connect

or, without any change to the program:

    python -m openline run app.py

Where the package `websockets` is installed, it stays what it is, but for its blocking client
and server (`beside.py`). Where it is not, its modules are openline's own (`alone.py`).
`docs/drop-in.md` tells what differs.
"""

from __future__ import annotations

import contextlib
import importlib.util
import threading

__all__ = ["install", "uninstall"]


def install() -> None:
    """Have `websockets.sync` be openline's, in this process, for all imports from now on.

    Calling it again changes nothing. `uninstall` takes it back.

    Example:
        install()

        from websockets.sync.client import connect

        with connect("ws://localhost:8765") as websocket:
            websocket.send("hello")
            print(websocket.recv())

    Raises:
        ImportError: `websockets` is there, and too old.

    Warns:
        RuntimeWarning: modules that were imported before hold objects of the real `websockets.sync`, and go
            on using them. The text names the modules.
    """
    global _undo
    with _lock:
        if _undo is not None:
            return
        try:
            spec = importlib.util.find_spec("websockets")
        except (ImportError, ValueError):  # somebody hides it, or put something else in its place
            spec = None
        with contextlib.ExitStack() as undo:
            if spec is None or spec.origin is None:  # none, or a mere directory of that name
                from . import alone

                alone.install(undo)
            else:
                from . import beside

                beside.install(undo)
            _undo = undo.pop_all()


def uninstall() -> None:
    """Take back what `install` did; without it, do nothing.

    What was imported meanwhile stays openline's, and connections go on working. Beside the real `websockets`
    they no longer raise its exceptions, only openline's, so close them before.

    Example:
        install()
        uninstall()
    """
    global _undo
    with _lock:
        undo, _undo = _undo, None
        if undo is not None:
            undo.close()


_lock = threading.Lock()

# How to take back what is installed; None when nothing is.
_undo: contextlib.ExitStack | None = None
