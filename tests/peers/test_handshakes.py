"""What servers that others wrote see of our handshake, and what they answer."""

from __future__ import annotations

import base64
import datetime
import json
import pathlib
import platform
import socket
import ssl
import threading
import urllib.parse
from typing import Any

import pytest
import trustme

import openline
from openline.exceptions import InvalidMessage, InvalidStatus
from openline.sync.client import connect

from peers import Server, Target


def reported(target: Target, **kwargs: Any) -> tuple[dict[str, list[str]], Any]:
    """The headers that the server saw, by lower-case name, and the subprotocol as both see it."""
    with target.connect("/report", **kwargs) as ws:
        report = json.loads(ws.recv(timeout=20))
        assert ws.subprotocol == report["subprotocol"]
        assert ws.request.path == report["path"] == "/report"
        assert [list(header) for header in ws.request.headers.raw_items()] == report["headers"]
        assert (ws.response.status_code, ws.response.reason_phrase) == (101, "Switching Protocols")
        assert ws.response.headers["Upgrade"].lower() == "websocket"
    headers: dict[str, list[str]] = {}
    for name, value in report["headers"]:
        headers.setdefault(name.lower(), []).append(value)
    return headers, report["subprotocol"]


def test_headers(target: Target) -> None:
    headers, subprotocol = reported(target)
    assert headers["host"] == [urllib.parse.urlsplit(target.uri("/")).netloc]
    assert headers["connection"] == ["Upgrade"]
    assert headers["upgrade"] == ["websocket"]
    assert headers["sec-websocket-version"] == ["13"]
    assert [len(base64.b64decode(key)) for key in headers["sec-websocket-key"]] == [16]
    python = ".".join(platform.python_version_tuple()[:2])
    assert headers["user-agent"] == [f"Python/{python} openline/{openline.__version__}"]
    assert not headers.keys() & {"origin", "authorization", "cookie", "sec-websocket-protocol"}
    assert subprotocol is None


def test_keys_differ(target: Target) -> None:
    keys = [reported(target)[0]["sec-websocket-key"][0] for _ in range(2)]
    assert keys[0] != keys[1]


def test_additional_headers(target: Target) -> None:
    added = [("Cookie", "a=1"), ("X-Twice", "1"), ("X-Twice", "2"), ("X-Latin", "caf\xe9"), ("X-Empty", "")]
    headers, _ = reported(target, origin="https://example.com", additional_headers=added)
    assert headers["origin"] == ["https://example.com"]
    assert headers["cookie"] == ["a=1"]
    assert headers["x-twice"] == ["1", "2"]
    assert headers["x-latin"] == ["caf\xe9"]
    assert headers["x-empty"] == [""]


@pytest.mark.parametrize(
    ("kwargs", "seen"),
    [
        ({"user_agent_header": "mine/1"}, ["mine/1"]),
        ({"user_agent_header": None}, None),
        ({"additional_headers": {"user-agent": "mine/2"}}, ["mine/2"]),
    ],
)
def test_user_agent(target: Target, kwargs: dict[str, Any], seen: list[str] | None) -> None:
    assert reported(target, **kwargs)[0].get("user-agent") == seen


@pytest.mark.parametrize(
    ("userinfo", "credentials"),
    [("ada:secret", "ada:secret"), ("ada%40home:p%3Ass%20word", "ada@home:p:ss word"), ("%C3%A9:", "é:")],
)
def test_basic_auth(target: Target, userinfo: str, credentials: str) -> None:
    uri = target.uri("/report").replace("://", f"://{userinfo}@")
    with target.connect_to(uri) as ws:
        headers = dict(json.loads(ws.recv(timeout=20))["headers"])
    assert headers["Authorization"] == "Basic " + base64.b64encode(credentials.encode()).decode()
    assert userinfo not in headers["Host"]


@pytest.mark.parametrize(
    ("offered", "agreed"), [(["chat"], "chat"), (["soap", "chat"], "chat"), (["soap"], None)]
)
def test_subprotocols(target: Target, offered: list[str], agreed: str | None) -> None:
    headers, subprotocol = reported(target, subprotocols=offered)
    assert headers["sec-websocket-protocol"] == [", ".join(offered)]
    assert subprotocol == agreed


def test_the_path_is_sent_byte_for_byte(target: Target) -> None:
    for path in ["/report", "/report?", "/report?q=%7e&%2F=/../&&=", "/report?a[]='()*,;"]:
        with target.connect_to(target.uri("") + path) as ws:
            assert json.loads(ws.recv(timeout=20))["path"] == path


@pytest.mark.parametrize(
    ("status", "reason"),
    [(400, "Bad Request"), (401, "Unauthorized"), (404, "Not Found"), (503, "Service Unavailable")],
)
def test_refused(target: Target, status: int, reason: str) -> None:
    body = f"no é {status}"
    with pytest.raises(InvalidStatus) as caught:
        target.connect("/status", {"code": status, "body": body})
    assert str(caught.value) == f"server rejected WebSocket connection: HTTP {status}"
    response = caught.value.response
    assert (response.status_code, response.reason_phrase) == (status, reason)
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.body == body.encode()
    # Nothing of the failure is in the way of the next.
    with target.connect("/send", {"count": 1}) as ws:
        assert ws.recv(timeout=20) == "message 0"


def test_a_large_body_of_a_refusal(target: Target) -> None:
    with pytest.raises(InvalidStatus) as caught:
        target.connect("/status", {"code": 403, "body": "x" * 5000})
    assert caught.value.response.body == b"x" * 5000


def test_plain_to_tls(server: Server) -> None:
    with pytest.raises(InvalidMessage, match="did not receive a valid HTTP response"):
        connect(f"ws://127.0.0.1:{server.ports['wss']}/echo")


def test_tls_to_plain(server: Server) -> None:
    # What each answers to what is no HTTP differs, and none of it is TLS.
    with pytest.raises((ssl.SSLError, ConnectionResetError)) as caught:
        connect(f"wss://127.0.0.1:{server.ports['ws']}/echo")
    assert not isinstance(caught.value, ssl.SSLCertVerificationError)


def test_an_authority_that_is_not_trusted(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with pytest.raises(ssl.SSLCertVerificationError, match="unknown issuer") as caught:
        connect(f"wss://127.0.0.1:{server.ports['wss']}/echo")
    assert "SSL_CERT_FILE" in str(caught.value)


YESTERDAY = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)


@pytest.mark.parametrize(
    ("names", "options", "words"),
    [
        (["example.com"], {}, "not valid for name"),
        (["127.0.0.1"], {}, "not valid for name"),
        (["localhost"], {"not_after": YESTERDAY}, "expired"),
    ],
    ids=["another name", "an address in place of the name", "expired"],
)
def test_certificates_that_are_refused(
    authority: trustme.CA,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    names: list[str],
    options: dict[str, Any],
    words: str,
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names, **options).configure_cert(context)

    def accept() -> None:
        accepted, _ = listener.accept()
        accepted.settimeout(10)
        try:
            context.wrap_socket(accepted, server_side=True).close()
        except OSError:
            accepted.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        with pytest.raises(ssl.SSLCertVerificationError, match=words) as caught:
            connect(f"wss://localhost:{listener.getsockname()[1]}/")
        assert "TLS with localhost" in str(caught.value)
        thread.join(10)
