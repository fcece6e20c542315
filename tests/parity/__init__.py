"""The same programs on `websockets` 17.4 and on openline in its place: results, errors, logs and bytes.

A case is a function in one of the modules of `cases`. It imports `websockets` as any program does, and takes
a `Session`, which makes servers for it that play a script and note what reaches them:

    @case
    def a_text_is_a_str(s: Session) -> object:
        return s.connect(text("hello")).recv()

`worker` runs all cases in an interpreter of its own, once for each of the three worlds below. What a case
returns or raises, the lines and frames that its servers received, and its log records make up its outcome.
`test_parity` compares outcomes; how they may differ, and why, stands in `differences`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from parity.session import Session

__all__ = ["CASES", "WORLDS", "Case", "case", "each"]

WORLDS = {
    "websockets": "websockets 17.4 itself",
    "beside": "openline in drop-in mode, with websockets 17.4 installed",
    "alone": "openline in drop-in mode, without it",
}

CASES: dict[str, Case] = {}
"""All cases of the modules that have been imported, by name."""


@dataclass(frozen=True)
class Case:
    """A program in a few lines."""

    run: Callable[[Session], object]
    alone: bool
    """Whether it changes what all threads share, such as the environment, and so has no company."""


Run = Callable[["Session"], object]


@overload
def case(run: Run) -> Run: ...
@overload
def case(*, alone: bool) -> Callable[[Run], Run]: ...
def case(run: Run | None = None, *, alone: bool = False) -> Run | Callable[[Run], Run]:
    """Make a function a case. Its name is that of its module, and its own."""

    def register(run: Run) -> Run:
        _add(f"{_area(run)}/{run.__name__}", Case(run, alone))
        return run

    return register if run is None else register(run)


def each(
    values: Mapping[str, Any] | Iterable[Any],
) -> Callable[[Callable[[Session, Any], object]], Callable[[Session, Any], object]]:
    """Make a function a case for each of some values, named by their keys or, of a list, by the values."""
    named = values if isinstance(values, Mapping) else {str(value): value for value in values}

    def register(run: Callable[[Session, Any], object]) -> Callable[[Session, Any], object]:
        for name, value in named.items():
            _add(f"{_area(run)}/{run.__name__}[{name}]", Case(_bound(run, value), alone=False))
        return run

    return register


def _bound(run: Callable[[Session, Any], object], value: Any) -> Run:
    return lambda session: run(session, value)


def _area(run: Callable[..., object]) -> str:
    return run.__module__.rpartition(".")[2]


def _add(name: str, added: Case) -> None:
    if name in CASES:
        raise ValueError(f"two cases are called {name}")
    CASES[name] = added
