"""The known differences: each is still one, and is told in the documentation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from differential import Implementation
from differential.core import ROOT, Core
from differential.differences import Difference
from differential.known import KNOWN
from differential.websockets_peer import Websockets
from differential.wsproto_peer import Wsproto

OTHERS: dict[str, Implementation] = {"websockets": Websockets(), "wsproto": Wsproto()}

PAGE = ROOT / "docs" / "conformance-differences.md"
WHO = {"openline": "openline", "theirs": "the other", "both": "both"}


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    with Core() as core:
        yield core


@pytest.mark.parametrize("difference", KNOWN, ids=lambda difference: difference.name)
def test_difference_is_still_there(difference: Difference, core: Core) -> None:
    ours = core.run(difference.example)
    theirs = OTHERS[difference.implementation].run(difference.example)
    assert ours.events == difference.ours, ours
    assert theirs.events == difference.theirs, theirs
    assert difference.explains(difference.example, ours, theirs)


def test_page_tells_all_differences_and_no_others() -> None:
    text = PAGE.read_text(encoding="utf-8")
    told = [" ".join(section.split("\n## ")[0].split()) for section in text.split("\n### ")[1:]]
    assert told == [" ".join(section(difference).split()) for difference in KNOWN]


def section(difference: Difference) -> str:
    """What the page says of a difference, behind the `###` of its heading."""
    facts = f"*`{difference.implementation}`; {difference.rfc}; right: {WHO[difference.right]}*"
    return f"{difference.name}\n\n{difference.reason}\n\n{facts}\n"
