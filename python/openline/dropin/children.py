"""Processes that `multiprocessing` starts as new interpreters, for a program under `python -m openline run`.

They load the program anew, and without this `websockets` would be the real one there.
"""

from __future__ import annotations

from collections.abc import Callable

from . import install

__all__ = ["Arguments"]


class Arguments(list[str]):
    """The program's `sys.argv`. `multiprocessing` hands it to such a process before that loads the program.

    To unpickle it there puts openline in the place of `websockets`.
    """

    def __reduce__(self) -> tuple[Callable[[list[str]], Arguments], tuple[list[str]]]:
        return _received, (list(self),)


def _received(arguments: list[str]) -> Arguments:
    install()
    return Arguments(arguments)
