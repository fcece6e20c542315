"""Runs all cases in one world, and writes their outcomes as JSON.

python -m parity.worker WORLD CERTIFICATES [PART-OF-A-NAME]
"""

from __future__ import annotations

import importlib
import json
import os
import pathlib
import pkgutil
import sys
import threading
import traceback
from typing import Any

from parity import CASES, Case

SECONDS = 15
"""How long a case may take."""

THREADS = 8


def main(world: str, certificates: pathlib.Path, only: str) -> None:
    if world != "websockets":
        import openline

        openline.install()
    broken = import_cases()
    from parity.session import Session

    outcomes: dict[str, Any] = {}

    def run(name: str, case: Case) -> None:
        try:
            outcomes[name] = Session(name, certificates).run(case.run)
        except BaseException:
            outcomes[name] = {"broken": traceback.format_exc()}

    chosen = {name: case for name, case in CASES.items() if only in name}
    with_company = {name: case for name, case in chosen.items() if not case.alone}
    for crowd in [with_company, *({name: case} for name, case in chosen.items() if case.alone)]:
        run_all(crowd, run)
    for name in chosen:
        outcomes.setdefault(name, {"broken": f"it takes more than {SECONDS} s"})
    json.dump({"outcomes": outcomes, "broken": broken}, sys.stdout)
    sys.stdout.flush()
    os._exit(0)  # with the threads of cases that hang


def import_cases() -> dict[str, str]:
    """Import the modules of cases. Returns why, for those that cannot be imported."""
    from parity import cases

    broken = {}
    for module in pkgutil.iter_modules(cases.__path__):
        try:
            importlib.import_module(f"parity.cases.{module.name}")
        except Exception:
            broken[module.name] = traceback.format_exc()
    return broken


def run_all(crowd: dict[str, Case], run: Any) -> None:
    """Run cases in several threads, and go on without those that hang."""
    waiting = list(crowd.items())
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                name, case = waiting.pop(0)
            one = threading.Thread(target=run, args=(name, case), daemon=True)
            one.start()
            one.join(SECONDS)

    threads = [threading.Thread(target=work) for _ in range(min(THREADS, len(waiting)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


if __name__ == "__main__":
    main(sys.argv[1], pathlib.Path(sys.argv[2]), sys.argv[3] if len(sys.argv) > 3 else "")
