"""Thousands of random cases, put to the core and to the others.

`OPENLINE_DIFFERENTIAL_CASES` is how many of each kind, `OPENLINE_DIFFERENTIAL_SEED` another choice of them.
A failure tells the seed and the number of the case: the same seed makes the same cases.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from differential import Case, Implementation, Outcome
from differential.core import Core
from differential.deflate import random_compressed, sound_conversation
from differential.differences import explanation, same
from differential.frames import random_case
from differential.handshakes import random_request, random_response
from differential.known import KNOWN
from differential.negotiations import random_answer, random_offer
from differential.websockets_peer import Websockets
from differential.wsproto_peer import Wsproto

BATCH = 5000
"""No test may take a minute."""

CASES = int(os.environ.get("OPENLINE_DIFFERENTIAL_CASES", "2000"))
SEED = os.environ.get("OPENLINE_DIFFERENTIAL_SEED", "6455")

KINDS = [random_case, random_compressed, random_request, random_response, random_offer, random_answer]
OTHERS: list[Implementation] = [Websockets(), Wsproto()]


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    with Core() as core:
        yield core


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
@pytest.mark.parametrize("make", KINDS)
def test_all_agree_or_the_difference_is_known(
    make: Callable[[random.Random], Case], first: int, core: Core
) -> None:
    verdicts: Counter[str] = Counter()
    differences: Counter[str] = Counter()
    for number in range(first, min(first + BATCH, CASES)):
        case = make(random.Random(f"{SEED}:{make.__name__}:{number}"))
        ours = core.run(case)
        verdicts[ours.verdict] += 1
        for other in (other for other in OTHERS if other.takes(case)):
            theirs = other.run(case)
            if same(ours, theirs, other.name):
                continue
            difference = explanation(KNOWN, case, ours, theirs, other.name)
            if difference is None:
                pytest.fail(_report(make.__name__, number, case, ours, theirs, other.name))
            differences[f"{other.name}: {difference.name}"] += 1
    print(f"\n{verdicts.total()} cases of {make.__name__}, seed {SEED}, from number {first} on")
    print("verdicts:", ", ".join(f"{count} {verdict}" for verdict, count in verdicts.most_common()))
    for name, count in differences.most_common():
        print(f"{count:6} {name}")
    # A generator that makes nothing good, or nothing bad, tests nothing.
    assert len(verdicts) > 1


@pytest.mark.parametrize("first", range(0, CASES, BATCH))
def test_what_was_compressed_comes_out(first: int, core: Core) -> None:
    """Also where the others differ: behind a final block, with control frames, from a larger window."""
    for number in range(first, min(first + BATCH, CASES)):
        case, events = sound_conversation(random.Random(f"{SEED}:sound:{number}"))
        ours = core.run(case)
        if ours.code == 1007:
            assert ours.received == tuple(events[: len(ours.received)]), (number, case)
            # Control frames may have stood in the text that is none.
            left = events[len(ours.received) :]
            kind, text = next(event for event in left if event[:5] not in ("ping:", "pong:")).split(":")
            assert kind == "text"
            with pytest.raises(UnicodeDecodeError):
                bytes.fromhex(text).decode()
        else:
            assert ours.events == (*events, "ping:", "failed:1002"), (number, case)


def _report(kind: str, number: int, case: Case, ours: Outcome, theirs: Outcome, name: str) -> str:
    """What to look at, from the first event on that differs."""
    events = zip(ours.events, theirs.events, strict=False)
    equal = next((at for at, (one, other) in enumerate(events) if one != other), len(ours.events))
    lines = [f"{kind} {number} of seed {SEED}, after {equal} events that are the same:"]
    for who, outcome in [("openline", ours), (name, theirs)]:
        lines.append(f"  {who}: {outcome.verdict} {outcome.fault} {outcome.events[equal : equal + 3]}")
    return "\n".join([*lines, repr(case)])
