"""CR LF in a header's name or value, the URI, a subprotocol, the origin, or the user of a proxy.

It is refused before anything is sent.

In Rust:
- bad_arguments_are_refused_before_anything_is_opened
"""

from __future__ import annotations

from typing import Any

from http_server import HttpServer, accepted
from robustness.probes import Breaks, Client, probe

CRLF = "x\r\nInjected: "
CONNECTED = b"HTTP/1.1 200 Connected\r\n\r\n"

# What stands in the place of HERE is the address of the server, or of the proxy.
PLACES: dict[str, tuple[str, dict[str, Any]]] = {
    "header name": ("ws://HERE/", {"additional_headers": {CRLF: "1"}}),
    "header value": ("ws://HERE/", {"additional_headers": {"X": f"{CRLF}1"}}),
    "path": (f"ws://HERE/{CRLF}1", {}),
    "query": (f"ws://HERE/?{CRLF}1", {}),
    "subprotocol": ("ws://HERE/", {"subprotocols": [f"{CRLF}1"]}),
    "origin": ("ws://HERE/", {"origin": f"http://{CRLF}1"}),
    "proxy user": ("ws://server.test/", {"proxy": f"http://{CRLF}1:password@HERE"}),
}


def attempt(client: Client, place: str) -> str:
    """What comes of CR LF there: `refused`, `sent`, or `injected`."""
    received: list[bytes] = []

    def respond(request: bytes) -> bytes:
        received.append(request)
        return CONNECTED if request.startswith(b"CONNECT") else accepted(request)

    with HttpServer(respond) as server:
        uri, options = PLACES[place]
        here = f"127.0.0.1:{server.port}"
        if "proxy" in options:
            options = {"proxy": options["proxy"].replace("HERE", here)}
        try:
            client.connect(uri.replace("HERE", here), open_timeout=5, ping_interval=None, **options)
        except Exception:
            told = "refused"
        else:
            told = "sent"
        if any(line.startswith(b"Injected") for request in received for line in request.split(b"\r\n")):
            return "injected"
        return "sent" if received else told


@probe
def test_places(client: Client) -> str:
    """each of them"""
    outcomes = {place: attempt(client, place) for place in PLACES}
    told = "; ".join(
        f"{outcome}: {', '.join(place for place in PLACES if outcomes[place] == outcome)}"
        for outcome in ("injected", "sent", "refused")
        if outcome in outcomes.values()
    )
    if set(outcomes.values()) != {"refused"}:
        raise Breaks(told)
    return f"{len(outcomes)} of {len(PLACES)} refused"
