"""Runs one probe with one library, and writes the outcome as JSON.

python -m robustness.child ROW PROBE LIBRARY
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import traceback

from robustness import clients
from robustness.probes import PROBES, Breaks, Lacks, Outcome, Verdict, tell


def main(row: str, name: str, library: str) -> None:
    # Jobs in the background of a shell are started with Ctrl-C ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    importlib.import_module(f"robustness.{row}")
    client = clients.load(library)
    try:
        outcome = Outcome(Verdict.HOLDS, PROBES[row][name](client))
    except Breaks as error:
        outcome = Outcome(Verdict.BREAKS, str(error))
    except Lacks as error:
        outcome = Outcome(Verdict.LACKS, str(error))
    except BaseException as error:
        traceback.print_exc()
        outcome = Outcome(Verdict.BREAKS, f"{type(error).__name__}: {error}")
    print(tell(outcome))
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)  # with the threads that hang


if __name__ == "__main__":
    main(*sys.argv[1:])
