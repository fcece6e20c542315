"""The support matrix of `docs/migrate-from-websockets.md`: `python -m parity.page`, in tests/, writes it."""

from __future__ import annotations

import pathlib
from collections import Counter
from collections.abc import Sequence

from parity import CASES
from parity.differences import ROWS, WORDINGS, Row
from parity.worker import import_cases

__all__ = ["PAGE", "matrix"]

PAGE = pathlib.Path(__file__).resolve().parent.parent.parent / "docs" / "migrate-from-websockets.md"

BEGIN, END = "<!-- From tests/parity, by python -m parity.page. -->", "<!-- To here. -->"

AREAS = {
    "connecting": "`connect` and `unix_connect`: arguments, requests, responses, redirects, proxies, TLS",
    "messages": "`send`, `recv`, `recv_streaming`, iteration, fragments, compression",
    "closing": "`close`, `wait_closed`, close codes, ends without a Close",
    "pings": "`ping`, `pong`, keepalive",
    "limits": "`max_size`, `max_queue`, wrong frames",
    "logs": "log records",
    "customising": "subclasses, `ws.protocol`, `ws.socket`, `handshake`, `reconnect`, extensions in Python",
    "environment": "environment variables, and the ends of programs",
    "exceptions": "`websockets.exceptions`",
    "datastructures": "`websockets.datastructures`",
    "frames": "`websockets.frames`",
    "headers": "`websockets.headers`",
    "uris": "`websockets.uri`",
    "modules": "names, signatures, `http11`, `utils`, `client`",
}


def matrix() -> str:
    """The part of the page that is made, as Markdown."""
    cases = Counter(name.partition("/")[0] for name in CASES)
    installed = [row for row in ROWS if "beside" in row.worlds]
    alone = [row for row in ROWS if "beside" not in row.worlds]
    return "\n".join(
        [
            BEGIN,
            *_table("", "", "cases", lines=[(AREAS[area], "✅", str(cases[area])) for area in cases]),
            "### What differs",
            *_table("", "`websockets`", "openline", "why", lines=[_told(row) for row in installed]),
            "### What differs besides, where `websockets` is not installed",
            *_table("", "`websockets`", "openline", "why", lines=[_told(row) for row in alone]),
            "### What is said in other words",
            "Programs should not decide by texts. … and *n* stand for what varies.",
            *_table("`websockets`", "openline", lines=[(_text(w.theirs), _text(w.ours)) for w in WORDINGS]),
            END,
        ]
    )


def _table(*heads: str, lines: Sequence[tuple[str, ...]]) -> list[str]:
    rows = [heads, ("---",) * len(heads), *lines]
    return ["", *(f"| {' | '.join(row)} |" for row in rows), ""]


def _told(row: Row) -> tuple[str, ...]:
    return row.what, row.theirs, row.ours, row.why


def _text(words: str) -> str:
    return words.replace("{}", "…").replace("{n}", "*n*").replace("|", r"\|")


if __name__ == "__main__":
    import_cases()
    text = PAGE.read_text(encoding="utf-8")
    before, after = text[: text.index(BEGIN)], text[text.index(END) + len(END) :]
    PAGE.write_text(before + matrix() + after, encoding="utf-8")
