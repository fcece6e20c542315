"""The handshake's request and response as values, and the user agent."""

from __future__ import annotations

import pickle
import sys

import pytest

import openline
from openline.datastructures import Headers
from openline.http11 import USER_AGENT, Request, Response


def test_user_agent_names_both_versions() -> None:
    python = ".".join(map(str, sys.version_info[:2]))
    assert USER_AGENT == f"Python/{python} openline/{openline.__version__}"


def test_request() -> None:
    request = Request("/chat?a=b", Headers(Host="localhost"))
    assert (request.method, request.protocol) == ("GET", "HTTP/1.1")
    assert request == Request("/chat?a=b", Headers(host="localhost"), "GET", "HTTP/1.1")
    assert request != Request("/chat", Headers(Host="localhost"))
    assert repr(request) == (
        "Request(path='/chat?a=b', headers=Headers([('Host', 'localhost')]), "
        "method='GET', protocol='HTTP/1.1')"
    )
    assert pickle.loads(pickle.dumps(request)) == request


def test_response() -> None:
    response = Response(101, "Switching Protocols", Headers(Upgrade="websocket"))
    assert response.body == b""
    assert response == Response(101, "Switching Protocols", Headers(upgrade="websocket"), b"")
    assert response != Response(101, "Switching Protocols", Headers())
    assert repr(response) == (
        "Response(status_code=101, reason_phrase='Switching Protocols', "
        "headers=Headers([('Upgrade', 'websocket')]), body=b'')"
    )
    assert pickle.loads(pickle.dumps(response)) == response


def test_made_from_what_the_binding_gives() -> None:
    headers = [("Via", "a"), ("via", "\xff")]
    assert Request._received("/", headers).headers.get_all("Via") == ["a", "\xff"]
    assert Response._received(200, "OK", headers, b"x") == Response(200, "OK", Headers(headers), b"x")


def test_request_and_response_differ() -> None:
    assert Request("/", Headers()) != Response(200, "", Headers())


def test_they_can_be_changed_and_so_have_no_hash() -> None:
    request = Request("/", Headers())
    request.path = "/other"
    assert request.path == "/other"
    with pytest.raises(TypeError):
        hash(request)
