"""What the clients of the benchmarks have in common."""

from __future__ import annotations

import functools
import ssl
from typing import ClassVar

from meter import Meter
from workloads import Workload

KINDS = frozenset({"round_trip", "receive", "send", "connect_and_close", "idle", "hundred"})


class Client:
    """A client, with a method for each of its kinds of workload."""

    packages: ClassVar[list[str]] = []
    """Distributions whose versions are reported."""
    compresses: ClassVar[bool] = False
    kinds: ClassVar[frozenset[str]] = KINDS
    """What it does in another way than the other clients of its package."""

    def __init__(self, meter: Meter) -> None:
        self.meter = meter
        self.workload = meter.workload

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return workload.kind in cls.kinds and (cls.compresses or not workload.compressed)

    @functools.cached_property
    def context(self) -> ssl.SSLContext | None:
        """One for all connections."""
        if not self.workload.secure:
            return None
        return ssl.create_default_context(cafile=self.meter.authorities)


def check(is_as_expected: bool) -> None:
    if not is_as_expected:
        raise SystemExit("the server has sent something else")
