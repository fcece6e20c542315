"""docs/pictures/robustness.svg: the table of docs/robustness.md at a glance."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from robustness.probes import CLIENTS, Verdict

__all__ = ["draw"]

WIDTH, LINE, HEAD = 1040, 23, 34
COLUMNS = (745, 850, 970)
"""The middles of the clients' columns."""

# Told apart by their signs, too.
SIGNS = {Verdict.HOLDS: ("✓", "#2e7d4f"), Verdict.BREAKS: ("✗", "#d6492a"), Verdict.LACKS: ("–", "#7d8790")}


def draw(rows: Sequence[tuple[str, Sequence[Verdict]]]) -> str:
    """The picture, as SVG.

    Args:
        rows: each situation, with a verdict for each of `CLIENTS`.
    """
    height = HEAD + LINE * len(rows) + 8
    svg = Element(
        "svg",
        {
            "xmlns": "http://www.w3.org/2000/svg",
            "viewBox": f"0 0 {WIDTH} {height}",
            "width": str(WIDTH),
            "height": str(height),
            "font-family": "sans-serif",
            "font-size": "13",
            "role": "img",
        },
    )
    SubElement(svg, "title").text = "Situations in which blocking clients hang or lose data, and who withstands them"
    SubElement(svg, "rect", {"width": "100%", "height": "100%", "fill": "white"})
    for column, client in zip(COLUMNS, CLIENTS, strict=True):
        _text(svg, column, HEAD - 12, client, **{"text-anchor": "middle", "font-weight": "bold"})
    for number, (situation, verdicts) in enumerate(rows):
        top = HEAD + LINE * number
        if number % 2 == 0:
            SubElement(
                svg, "rect", {"y": str(top), "width": str(WIDTH), "height": str(LINE), "fill": "#f4f4f2"}
            )
        _text(svg, 12, top + 16, situation)
        for column, verdict in zip(COLUMNS, verdicts, strict=True):
            sign, color = SIGNS[verdict]
            _text(
                svg, column, top + 17, sign, **{"text-anchor": "middle", "font-weight": "bold", "fill": color}
            )
    ElementTree.indent(svg)
    return ElementTree.tostring(svg, encoding="unicode") + "\n"


def _text(svg: Element, x: int, y: int, text: str, **attributes: str) -> None:
    plain = re.sub(r"[`*]", "", text).removesuffix(".")
    SubElement(svg, "text", {"x": str(x), "y": str(y), **attributes}).text = plain
