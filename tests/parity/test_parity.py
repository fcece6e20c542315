"""Each case brings the same on `websockets` and on openline, or the difference is a known one."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from parity import CASES, WORLDS
from parity.differences import ROWS, WORDINGS, Row, Wording, same_meaning
from parity.outcome import Json, differing
from parity.page import PAGE, matrix
from parity.worker import import_cases

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OURS = [world for world in WORLDS if world != "websockets"]

assert import_cases() == {}


class Outcomes:
    """The outcomes of all cases in all worlds, which run at the same time.

    Attributes:
        of: by world and case.
        places: where they differ, in more than words, from those on `websockets`, by world and case.
        wordings: those that are used.
    """

    def __init__(self, certificates: pathlib.Path) -> None:
        self._running = {world: _start(world, certificates) for world in WORLDS}
        self.of: dict[str, dict[str, Json]] = {}
        for world, process in self._running.items():
            output, errors = process.communicate(timeout=50)
            assert process.returncode == 0, errors
            told = json.loads(output)
            assert not told["broken"], told["broken"]
            self.of[world] = told["outcomes"]
        self.places = {
            world: {case: differing(self.of["websockets"][case], self.of[world][case]) for case in CASES}
            for world in OURS
        }
        self.wordings: set[Wording] = set()
        for world in OURS:
            for case, places in self.places[world].items():
                same = {place: same_meaning(*pair) for place, pair in places.items()}
                self.wordings.update(*filter(None, same.values()))
                self.places[world][case] = {place: places[place] for place in places if same[place] is None}

    def unexplained(self, world: str, case: str) -> dict[str, tuple[Json, Json]]:
        """The places in which the outcomes differ for no known reason."""
        rows = [row for row in ROWS if world in row.worlds]
        return {
            place: pair
            for place, pair in self.places[world][case].items()
            if not any(row.explains(case, place) for row in rows)
        }


def _start(world: str, certificates: pathlib.Path) -> subprocess.Popen[str]:
    paths = [ROOT / "tests"] if world == "websockets" else [ROOT / "python", ROOT / "tests"]
    # -S hides the packages that are installed, and with them `websockets`.
    flags = ["-S"] if world == "alone" else []
    return subprocess.Popen(
        [sys.executable, *flags, "-W", "ignore", "-m", "parity.worker", world, str(certificates)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
    )


@pytest.fixture(scope="module")
def outcomes(
    authority_file: pathlib.Path, certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    directory = tmp_path_factory.mktemp("parity")
    (directory / "authority.pem").write_bytes(authority_file.read_bytes())
    (directory / "server.pem").write_bytes(certificate.read_bytes())
    yield Outcomes(directory)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", OURS)
def test_same_or_known(world: str, case: str, outcomes: Outcomes) -> None:
    for each in ("websockets", world):
        assert "broken" not in outcomes.of[each][case], outcomes.of[each][case]["broken"]
    assert outcomes.unexplained(world, case) == {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_row_is_still_true(row: Row, outcomes: Outcomes) -> None:
    for world in row.worlds:
        for pattern, places in row.shown.items():
            alone = replace(row, shown={pattern: places})
            assert any(
                alone.explains(case, place)
                for case, places_of_case in outcomes.places[world].items()
                for place in places_of_case
            ), f"{pattern} does not show it any more"
        if row.example is not None:
            case, place, *both = row.example
            assert list(outcomes.places[world][case][place]) == both


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.theirs)
def test_wording_is_used(wording: Wording, outcomes: Outcomes) -> None:
    assert wording in outcomes.wordings


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250


def test_page_tells_what_is_tested() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert matrix() in text, "run python -m parity.page in tests/"
