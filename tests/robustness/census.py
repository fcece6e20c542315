"""What this process has in use."""

from __future__ import annotations

import os

__all__ = ["FULL", "opened", "resident", "threads"]

FULL = bool(os.environ.get("OPENLINE_FULL"))
"""Whether the numbers are those of the promise (`make test-many`), or a sample."""


def opened() -> int:
    """Its descriptors."""
    return len(os.listdir("/proc/self/fd"))


def threads() -> int:
    """Its threads, of Python and of others."""
    return len(os.listdir("/proc/self/task"))


def resident() -> int:
    """Bytes of memory."""
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
