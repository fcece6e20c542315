"""The table of the classes of faults names tests that are there."""

from __future__ import annotations

import pathlib
import re

import pytest

from robustness.classes import CLASSES

ROOT = pathlib.Path(__file__).parent.parent.parent


@pytest.mark.parametrize("test", sorted({test for each in CLASSES for test in each.tests}))
def test_it_is_there(test: str) -> None:
    path, _, name = test.partition("::")
    source = (ROOT / path).read_text()
    if name:
        assert re.search(rf"^ *(def|class|fn) {name}\b", source, re.MULTILINE)
    elif not path.startswith("fuzz/"):
        assert re.search(r"^ *(def test_|#\[test\])", source, re.MULTILINE)


def test_each_class_has_its_tests() -> None:
    names = [each.name for each in CLASSES]
    assert len(names) == len(set(names)) == 24
    assert all(each.tests for each in CLASSES)
