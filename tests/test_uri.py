"""`parse_uri` and what it returns; the parser itself is tested in Rust."""

from __future__ import annotations

from typing import Any

import pytest

from openline.exceptions import InvalidURI
from openline.uri import WebSocketURI, parse_uri


@pytest.mark.parametrize(
    ("uri", "parts"),
    [
        ("ws://localhost/", WebSocketURI(False, "localhost", 80, "/", "")),
        ("wss://localhost/", WebSocketURI(True, "localhost", 443, "/", "")),
        ("wss://Example.com:8443/a%20b?c=d", WebSocketURI(True, "example.com", 8443, "/a%20b", "c=d")),
        ("ws://ada:secret@localhost/", WebSocketURI(False, "localhost", 80, "/", "", "ada", "secret")),
        ("ws://[::1]:9/", WebSocketURI(False, "::1", 9, "/", "")),
    ],
)
def test_parts(uri: str, parts: WebSocketURI) -> None:
    assert parse_uri(uri) == parts


@pytest.mark.parametrize("uri", ["http://localhost/", "localhost", "", "unix:///run/x"])
def test_other_uris_are_refused(uri: str) -> None:
    with pytest.raises(InvalidURI) as caught:
        parse_uri(uri)
    assert caught.value.uri == uri
    assert str(caught.value).startswith(f"{uri} isn't a valid URI: ")


@pytest.mark.parametrize("uri", [None, b"ws://localhost/", 5])
def test_uris_are_text(uri: Any) -> None:
    with pytest.raises(TypeError, match="uri must be str"):
        parse_uri(uri)


def test_resource_name() -> None:
    assert WebSocketURI(False, "a", 80, "", "").resource_name == "/"
    assert WebSocketURI(False, "a", 80, "/b", "").resource_name == "/b"
    assert WebSocketURI(False, "a", 80, "", "c").resource_name == "/?c"
    assert WebSocketURI(False, "a", 80, "/b", "c=d").resource_name == "/b?c=d"


def test_user_info() -> None:
    assert WebSocketURI(False, "a", 80, "", "").user_info is None
    assert WebSocketURI(False, "a", 80, "", "", "b", "c").user_info == ("b", "c")
