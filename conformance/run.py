"""Runs the Autobahn cases against openline and compares what they come to with `expected-results.json`.

python conformance/run.py [--short] [--release] [--peer PEER]... [--role ROLE]... [--cases GLOB]... [--jobs 1]
python conformance/run.py --release --update-expected

`make conformance` and `make conformance-short` build what it needs and run it; README.md tells more. The exit
status is 0 if all came out as expected. `--peer websockets` is for comparison: it is shown how that differs,
and the exit status does not depend on it.
"""

from __future__ import annotations

import argparse
import asyncio
import collections
import pathlib
import shutil
import sys
import time
from collections.abc import Sequence

from kosoku._kosoku import CaseResult
from kosoku._report import write_reports

import suite
from expected import Difference, Expected, Ran, section_of, table
from suite import Endpoint, EndpointError

HERE = pathlib.Path(__file__).resolve().parent
EXPECTED = HERE / "expected-results.json"
REPORTS = HERE / "reports"

# There is no section 8, and 11 has never been written.
SHORT = ["1", "2", "3", "4", "5", "6", "7", "9", "10"]
COMPRESSION = ["12", "13"]

UNDER_TEST = [
    ("rust", "client"),
    ("rust", "server"),
    ("rust callbacks", "server"),
    ("python", "client"),
    ("python", "server"),
]
FOR_COMPARISON = [("websockets", "client"), ("websockets", "server")]

# Seconds for one endpoint. It takes 10 for the short form, and for `websockets` 400 for the long one.
SHORT_LIMIT = 300
LONG_LIMIT = 3600

# Milliseconds. Most of section 6 has half a second for a case, which a busy machine may not have for all of them.
LATE = 400


def main() -> int:
    options = parse()
    sections = SHORT if options.short else SHORT + COMPRESSION
    globs = options.cases or [f"{section}.*" for section in sections]
    limit = SHORT_LIMIT if options.short else LONG_LIMIT
    endpoints = chosen(options)
    # With single cases chosen no section is complete.
    complete = [] if options.cases else sections
    expected = None if options.update_expected else Expected.load(EXPECTED)
    try:
        runs = asyncio.run(play_all(endpoints, globs, limit, options.jobs, expected))
    except EndpointError as error:
        print(error, file=sys.stderr)
        return 2
    if expected is None:
        Expected.of({(endpoint.peer, endpoint.role): run for endpoint, run in runs.items()}).save(EXPECTED)
        print(f"{EXPECTED} has been rewritten: look at what has changed, and say why in the commit")
        return 0
    differences: list[Difference] = []
    for endpoint, run in runs.items():
        differences += expected.differences(endpoint.peer, endpoint.role, run, complete)
    if not differences:
        print("all as expected")
        return 0
    print(f"\n{len(differences)} differences from {EXPECTED.relative_to(HERE.parent)}:\n\n{table(differences)}")
    return int(any((each.peer, each.role) in UNDER_TEST for each in differences))


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="The Autobahn cases against openline.")
    parser.add_argument("--short", action="store_true", help="sections 1 to 10: all but compression")
    parser.add_argument("--release", action="store_true", help="the optimized build of the Rust program")
    parser.add_argument("--peer", action="append", choices=["rust", "rust callbacks", "python", "websockets"])
    parser.add_argument("--role", action="append", choices=["client", "server"])
    parser.add_argument("--cases", action="append", metavar="GLOB", help="only these, such as 9.1.*")
    parser.add_argument("--jobs", type=int, default=1, help="how many endpoints at once (default: 1)")
    parser.add_argument("--update-expected", action="store_true", help="take the outcomes for the expected")
    options = parser.parse_args()
    if options.update_expected and (options.short or options.cases or options.peer or options.role):
        parser.error("--update-expected takes all cases and all endpoints under test, without a choice")
    return options


def chosen(options: argparse.Namespace) -> list[Endpoint]:
    """The endpoints to be run: those under test, unless others are named."""
    profile = "release" if options.release else "debug"
    peers = options.peer or ["rust", "rust callbacks", "python"]
    roles = options.role or ["client", "server"]
    return [
        Endpoint(peer, role, profile)
        for peer, role in UNDER_TEST + FOR_COMPARISON
        if peer in peers and role in roles
    ]


async def play_all(
    endpoints: Sequence[Endpoint],
    globs: Sequence[str],
    limit: float,
    jobs: int,
    expected: Expected | None,
) -> dict[Endpoint, list[Ran]]:
    """Run the cases against each endpoint, `jobs` of them at once."""
    turn = asyncio.Semaphore(jobs)

    async def play(endpoint: Endpoint) -> list[Ran]:
        async with turn:
            start = time.monotonic()
            results = await suite.play(endpoint, globs, limit)
            if expected is not None:
                results = await late_again(endpoint, results, limit, expected)
            seconds = time.monotonic() - start
        run = [suite.ran(result) for result in results]
        print(f"{endpoint}: {summary(run)}; {seconds:.0f} s; {report(endpoint, results)}", flush=True)
        return run

    # All come to their end, also when one of them fails.
    runs = await asyncio.gather(*map(play, endpoints), return_exceptions=True)
    played = {}
    for endpoint, run in zip(endpoints, runs, strict=True):
        if isinstance(run, BaseException):
            raise run
        played[endpoint] = run
    return played


async def late_again(
    endpoint: Endpoint, results: Sequence[CaseResult], limit: float, expected: Expected
) -> list[CaseResult]:
    """Run those cases once more, and say so, that differ and may have run into a limit of the suite's."""
    late = [
        result.case_id
        for result in results
        if result.duration >= LATE
        and suite.ran(result).outcome != expected.outcome(endpoint.peer, endpoint.role, result.case_id)
    ]
    if not late or (endpoint.peer, endpoint.role) not in UNDER_TEST:
        return list(results)
    print(f"{endpoint}: slow and not as expected, run again: {', '.join(late)}", flush=True)
    again = {result.case_id: result for result in await suite.play(endpoint, late, limit)}
    return [again.get(result.case_id, result) for result in results]


def summary(run: Sequence[Ran]) -> str:
    """How many cases came to what."""
    outcomes = collections.Counter(ran.outcome for ran in run)
    numbers = ", ".join(f"{number} {outcome}" for outcome, number in outcomes.most_common())
    sections = len({section_of(ran.case) for ran in run})
    return f"{len(run)} cases of {sections} sections: {numbers}"


def report(endpoint: Endpoint, results: Sequence[CaseResult]) -> pathlib.Path:
    """Write the suite's own report, with what went over the wire in each case."""
    directory = REPORTS / f"{endpoint.peer}-{endpoint.role}"
    # Without what an earlier run has left, of cases that were not run now.
    shutil.rmtree(directory, ignore_errors=True)
    write_reports(results, str(directory))
    return directory / "index.html"


if __name__ == "__main__":
    sys.exit(main())
