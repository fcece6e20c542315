"""The differences that are known, each with its reason. `docs/conformance-differences.md` tells them to people."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from differential import Case, Outcome


@dataclass(frozen=True)
class Difference:
    """A way in which another implementation decides otherwise than the core."""

    name: str
    """As it stands in the page."""
    implementation: Literal["websockets", "wsproto"]
    right: Literal["openline", "theirs", "both"]
    """Who does what the RFC says; both if it leaves that open."""
    rfc: str
    reason: str
    example: Case
    ours: tuple[str, ...]
    """What the example brings, as the events of an `Outcome`."""
    theirs: tuple[str, ...]
    explains: Callable[[Case, Outcome, Outcome], bool]
    """Whether two outcomes, ours and theirs, may differ for this reason."""


def same(ours: Outcome, theirs: Outcome, implementation: str) -> bool:
    """Whether two outcomes agree.

    The answer to a wrong request is compared with that of `websockets`; `wsproto` leaves it to its user. So is the
    answer to offers, which `wsproto` writes in another order, with what goes without saying: what it means is
    compared.
    """
    if implementation == "wsproto":
        events = tuple(event for event in ours.events if not event.startswith("answered:"))
        ours = replace(ours, events=events)
    if ours.events == theirs.events:
        return True
    answers = implementation == "wsproto" and theirs.code == 0 and (ours.code or 0) in range(400, 600)
    return answers and ours.received == theirs.received


def explanation(
    known: list[Difference], case: Case, ours: Outcome, theirs: Outcome, implementation: str
) -> Difference | None:
    """The first of the known differences that explains this one."""
    for difference in known:
        if difference.implementation == implementation and difference.explains(case, ours, theirs):
            return difference
    return None
