"""Each case brings the same on `websockets` and on openline, or the difference is a known one."""

from __future__ import annotations

import json
import os
import pathlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache

import pytest

from parity import CASES, WORLDS
from parity.differences import ROWS, WORDINGS, Row, Wording, same_meaning
from parity.outcome import Json, differing
from parity.page import PAGE, matrix
from parity.worker import import_cases

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
OURS = [world for world in WORLDS if world != "websockets"]
SECONDS = 50
"""How long to wait for a world, which runs beside the others. No test may take a minute."""

assert import_cases() == {}


class World:
    """One of the worlds, in which the cases run."""

    def __init__(self, name: str, certificates: pathlib.Path, directory: pathlib.Path) -> None:
        self.name = name
        self._output = directory / f"{name}.json"
        self._errors = directory / f"{name}.txt"
        self._failure: str | None = None
        self._outcomes: dict[str, Json] | None = None
        paths = [ROOT / "tests"] if name == "websockets" else [ROOT / "python", ROOT / "tests"]
        # -S hides the packages that are installed, and with them `websockets`.
        flags = ["-S"] if name == "alone" else []
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, *flags, "-W", "ignore", "-m", "parity.worker", name, str(certificates)],
                stdout=output,
                stderr=errors,
                env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
            )

    def outcomes(self) -> dict[str, Json]:
        """The outcome of each case. Fails, and from then on at once, if there is none."""
        if self._failure is None and self._outcomes is None:
            try:
                self._process.wait(SECONDS)
                told = json.loads(self._output.read_text())
                self._outcomes = told["outcomes"]
                if told["broken"]:
                    self._failure = str(told["broken"])
            except subprocess.TimeoutExpired:
                self._failure = f"the cases take more than {SECONDS} s"
            except ValueError:
                self._failure = self._errors.read_text()
        if self._failure is not None or self._outcomes is None:
            pytest.fail(f"{self.name}: {self._failure}", pytrace=False)
        return self._outcomes

    def end(self) -> None:
        self._process.kill()
        self._process.wait()


class Differences:
    """Where openline differs from `websockets` in one world.

    Attributes:
        places: the places, by case, where more than words is different.
        wordings: those that explain the others.
    """

    def __init__(self, theirs: dict[str, Json], ours: dict[str, Json]) -> None:
        self.places: dict[str, dict[str, tuple[Json, Json]]] = {}
        self.wordings: set[Wording] = set()
        for case in CASES:
            self.places[case] = {}
            for place, pair in differing(theirs[case], ours[case]).items():
                used = same_meaning(*pair)
                if used is None:
                    self.places[case][place] = pair
                else:
                    self.wordings |= used


Differing = Callable[[str], Differences]


@pytest.fixture(scope="module")
def worlds(
    authority_file: pathlib.Path, certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, World]]:
    """All worlds, running at the same time."""
    directory = tmp_path_factory.mktemp("parity")
    (directory / "authority.pem").write_bytes(authority_file.read_bytes())
    (directory / "server.pem").write_bytes(certificate.read_bytes())
    running = {name: World(name, directory, directory) for name in WORLDS}
    yield running
    for world in running.values():
        world.end()


@pytest.fixture(scope="module")
def differences(worlds: dict[str, World]) -> Differing:
    """The differences in each of our worlds, when they are asked for."""

    @cache
    def of(name: str) -> Differences:
        return Differences(worlds["websockets"].outcomes(), worlds[name].outcomes())

    return of


@pytest.mark.parametrize("world", WORLDS)
def test_cases_run(world: str, worlds: dict[str, World]) -> None:
    broken = {
        case: outcome["broken"] for case, outcome in worlds[world].outcomes().items() if "broken" in outcome
    }
    assert broken == {}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("world", OURS)
def test_same_or_known(world: str, case: str, differences: Differing) -> None:
    rows = [row for row in ROWS if world in row.worlds]
    unexplained = {
        place: pair
        for place, pair in differences(world).places[case].items()
        if not any(row.explains(case, place, *pair) for row in rows)
    }
    assert unexplained == {}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.what)
def test_row_is_still_true(row: Row, differences: Differing) -> None:
    for world in row.worlds:
        found = differences(world).places
        for pattern, places in row.shown.items():
            part = replace(row, shown={pattern: places})
            assert any(
                part.explains(case, place, *pair) for case in found for place, pair in found[case].items()
            ), f"{pattern} does not show it any more"
        if row.example is not None:
            case, place, *both = row.example
            assert list(found[case][place]) == both


@pytest.mark.parametrize("wording", WORDINGS, ids=lambda wording: wording.theirs)
def test_wording_is_used(wording: Wording, differences: Differing) -> None:
    assert any(wording in differences(world).wordings for world in OURS)


def test_there_are_enough_cases() -> None:
    assert len(CASES) >= 250


def test_page_tells_what_is_tested() -> None:
    text = PAGE.read_text(encoding="utf-8")
    assert matrix() in text, "run python -m parity.page in tests/"
