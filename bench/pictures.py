"""The pictures of the documentation, drawn from the results of the suite."""

from __future__ import annotations

import importlib
import pathlib
import statistics
from typing import Any

from workloads import KIB, MIB

OURS, OTHERS = "#d6492a", "#7d8790"
FONT = {"font.family": "sans-serif", "font.size": 10, "svg.hashsalt": "openline", "svg.fonttype": "none"}

CLIENTS = [
    "openline",
    "websocket-rs",
    "picows",
    "aiohttp",
    "websocket-client",
    "websockets",
    "websockets, asyncio",
    "curl_cffi",
]
STYLES = ["-", "--", "-.", ":"]
SIZES = {64: "64 B", KIB: "1 KiB", 64 * KIB: "64 KiB", MIB: "1 MiB"}


def draw(results: dict[str, Any], directory: pathlib.Path) -> None:
    """`latency.svg` and `throughput.svg`. Needs matplotlib."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
    directory.mkdir(parents=True, exist_ok=True)
    with pyplot.rc_context(FONT):
        for name, figure in [("latency", latency(pyplot, results)), ("throughput", throughput(pyplot, results))]:
            figure.savefig(directory / f"{name}.svg", metadata={"Date": None}, facecolor="white")
            pyplot.close(figure)


def latency(pyplot: Any, results: dict[str, Any]) -> Any:
    """How long a round trip takes, and how much CPU: bars, the shortest on top."""
    rounds = results["round trip, 64 B"]
    names = [name for name in ["raw", *CLIENTS] if value(rounds, name, "p50") is not None]
    names.sort(key=lambda name: -(value(rounds, name, "p50") or 0))
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 0.36 * len(names) + 1.1), sharey=True)
    titles = ["round trip of 64 bytes, µs (median)", "CPU of the client for it, µs"]
    for panel, key, title in zip(panels, ["p50", "cpu"], titles, strict=True):
        values = [value(rounds, name, key) for name in names]
        labels = ["bare socket" if name == "raw" else name for name in names]
        colors = [OURS if name == "openline" else OTHERS for name in names]
        bars = panel.barh(labels, values, color=colors)
        panel.bar_label(bars, fmt="%.1f", padding=3)
        panel.set_title(title, loc="left", fontsize=10)
        panel.margins(x=0.15)
        panel.xaxis.set_visible(False)
        panel.spines[:].set_visible(False)
        panel.tick_params(left=False)
    figure.tight_layout()
    return figure


def throughput(pyplot: Any, results: dict[str, Any]) -> Any:
    """Megabytes a second by size of the message, to receive and to send."""
    figure, panels = pyplot.subplots(1, 2, figsize=(9, 4.6), sharey=True)
    for panel, way in zip(panels, ["receive", "send"], strict=True):
        for index, name in enumerate(CLIENTS):
            points = {}
            for size, label in SIZES.items():
                text = "" if size == MIB else " of text"
                rate = value(results.get(f"{way}, {label}{text}", {}), name, "rate")
                if rate is not None:
                    points[size] = rate * size / 1e6
            is_ours = name == "openline"
            style = {"color": OURS, "linewidth": 2.5} if is_ours else {"color": f"C{index}", "linewidth": 1.2}
            line = "-" if is_ours else STYLES[index % len(STYLES)]
            panel.plot(list(points), list(points.values()), line, marker="o", markersize=3, label=name, **style)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_xticks(list(SIZES), list(SIZES.values()))
        panel.minorticks_off()
        panel.set_title(f"{way}, MB/s by size of the message", loc="left", fontsize=10)
        panel.grid(alpha=0.3)
        panel.spines[["top", "right"]].set_visible(False)
    panels[1].legend(frameon=False, loc="lower right")
    figure.tight_layout()
    return figure


def value(rounds: dict[str, list[dict[str, Any]]], name: str, key: str) -> float | None:
    runs = rounds.get(name, [])
    if not runs or any(key not in run for run in runs):
        return None
    return float(statistics.median(run[key] for run in runs))
