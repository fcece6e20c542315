"""Drop-in mode in processes that start afresh, as `multiprocessing` makes them by spawn and forkserver."""

from __future__ import annotations

from typing import Any

from . import install

__all__ = ["Inherited"]


class Inherited(str):
    """An entry of `sys.path` that installs drop-in mode in the processes to which it is handed on.

    `multiprocessing` sends `sys.path`, pickled, to a new process before the program is imported there.
    """

    def __reduce__(self) -> tuple[Any, ...]:
        return _inherit, (str(self),)


def _inherit(path: str) -> Inherited:
    install()
    return Inherited(path)
