"""What openline wants to reach, as ratios within a round: to a bare socket, or to the best of the others."""

from __future__ import annotations

import dataclasses

LABELS = {
    "p50": "round trip",
    "cpu": "CPU",
    "rate": "rate",
    "KiB": "KiB",
    "threads": "threads",
    "descriptors": "descriptors",
    "cpu_percent": "% of a core",
}


@dataclasses.dataclass(frozen=True)
class Target:
    workload: str
    client: str
    key: str
    bound: str
    """What is asked: `<=` or `>=`, and a number."""
    reference: str | None = "raw"
    """To whom the ratio is; None if the figure itself is meant."""

    @property
    def label(self) -> str:
        return LABELS[self.key]

    def is_met(self, value: float) -> bool:
        comparison, number = self.bound.split()
        return value <= float(number) if comparison == "<=" else value >= float(number)


OURS, MANY, ASLEEP = "openline", "openline, many", "openline, busy_poll=0"
CONTEXT = "openline, SSLContext"
RUST, RUST_MANY, RUST_RAW = "rust: openline", "rust: openline, many", "rust: raw"
BEST = "the best peer"

TARGETS = [
    Target("round trip, 64 B", OURS, "p50", "<= 0.35"),
    Target("round trip, 64 B", OURS, "cpu", "<= 1.1"),
    Target("round trip, 64 B", ASLEEP, "p50", "<= 1.03"),
    Target("round trip, 64 B", ASLEEP, "cpu", "<= 1.1"),
    Target("round trip, 64 B, one core", OURS, "p50", "<= 1.1"),
    Target("round trip, 64 B, peer of 1 ms", OURS, "cpu", "<= 1.05", ASLEEP),
    Target("round trip, 64 KiB", OURS, "p50", "<= 1.1"),
    Target("round trip, 1 MiB", OURS, "p50", "<= 1.1"),
    Target("receive, 64 B of text", OURS, "rate", ">= 2.2", BEST),
    Target("receive, 64 B of text", MANY, "rate", ">= 4", BEST),
    Target("receive, 64 B", OURS, "rate", ">= 2.4", BEST),
    Target("receive, 1 KiB of text", OURS, "rate", ">= 1.5", BEST),
    Target("receive, 64 KiB of text", OURS, "rate", ">= 1", BEST),
    Target("receive, 1 MiB", OURS, "rate", ">= 0.97"),
    Target("send, 64 B of text", OURS, "rate", ">= 1"),
    Target("send, 64 B of text", MANY, "rate", ">= 25", BEST),
    Target("send, 1 KiB of text", OURS, "rate", ">= 1"),
    Target("send, 1 KiB of text", MANY, "rate", ">= 8", BEST),
    Target("send, 64 KiB of text", OURS, "rate", ">= 1", BEST),
    Target("send, 1 MiB", OURS, "rate", ">= 1"),
    Target("round trip, 1 KiB compressed", OURS, "rate", ">= 1.3", BEST),
    Target("receive, 1 KiB compressed", OURS, "rate", ">= 2", BEST),
    Target("round trip, 16 KiB compressed", OURS, "rate", ">= 1.2", BEST),
    Target("receive, 16 KiB compressed", OURS, "rate", ">= 1.8", BEST),
    Target("round trip, 64 B over TLS", OURS, "rate", ">= 1.1", "websocket-rs"),
    Target("round trip, 64 B over TLS", CONTEXT, "rate", ">= 1"),
    Target("receive, 64 B of text over TLS", OURS, "rate", ">= 2", BEST),
    Target("receive, 64 KiB of text over TLS", OURS, "rate", ">= 1.1", BEST),
    Target("connect and close", OURS, "rate", ">= 0.9", "websocket-rs"),
    Target("connect and close over TLS", OURS, "rate", ">= 1", "websocket-rs"),
    Target("a thousand idle connections", OURS, "KiB", "<= 10", None),
    Target("a thousand idle connections", OURS, "threads", "<= 0.01", None),
    Target("a thousand idle connections", OURS, "descriptors", "<= 1.01", None),
    Target("a hundred at once, 64 B", OURS, "rate", ">= 1"),
    Target("round trip, 64 B", RUST, "cpu", "<= 1.1", RUST_RAW),
    Target("receive, 64 B of text", RUST, "rate", ">= 1.2", BEST),
    Target("receive, 1 MiB", RUST, "rate", ">= 1", BEST),
    Target("send, 64 B of text", RUST, "rate", ">= 1", BEST),
    Target("send, 64 B of text", RUST_MANY, "rate", ">= 25", BEST),
    Target("send, 1 MiB", RUST, "rate", ">= 1", BEST),
]
