"""Headers, basic authentication and a subprotocol.

python examples/headers.py [URI]

The user's name and password stand in the URI: ws://user:password@host/.
"""

from __future__ import annotations

import argparse

from openline import InvalidStatus
from openline.sync.client import connect
from openline.testing import EchoServer
from openline.uri import parse_uri


def run(uri: str) -> None:
    with connect(
        uri,
        origin="https://app.example",
        additional_headers={"X-Trace": "42"},
        user_agent_header="headers-example/1.0",
        subprotocols=["chat.v2", "chat.v1"],
    ) as websocket:
        request, response = websocket.request, websocket.response
        for name in ["Origin", "X-Trace", "User-Agent"]:
            print(f"sent      {name}: {request.headers[name]}")
        print(f"answered  {response.status_code} {response.reason_phrase}")
        print(f"chosen    {websocket.subprotocol}")
        assert request.headers["X-Trace"] == "42"
        assert request.headers["Authorization"].startswith("Basic ")
        assert response.status_code == 101
        assert websocket.subprotocol in ("chat.v2", "chat.v1")

    # Without the credentials the server refuses, and its answer can be looked at.
    parsed = parse_uri(uri)
    assert parsed.username is not None
    try:
        connect(uri.replace(f"{parsed.username}:{parsed.password}@", ""))
    except InvalidStatus as error:
        print(f"refused   {error.response.status_code}: {error}")
        assert error.response.status_code == 401
        assert "Basic" in error.response.headers["WWW-Authenticate"]
    else:
        raise SystemExit("the server wants no password")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Headers, basic authentication and a subprotocol.")
    parser.add_argument("uri", nargs="?", help="with user and password; without it, a server of our own")
    uri = parser.parse_args().uri
    with EchoServer(basic_auth=("alice", "secret"), subprotocols=["chat.v2"]) as server:
        run(uri or server.uri.replace("://", "://alice:secret@"))
