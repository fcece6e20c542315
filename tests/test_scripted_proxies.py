"""Proxies that misbehave, and who gets to see which credentials."""

from __future__ import annotations

import socket
import time
import urllib.request

import pytest

from http_server import HttpServer, accepted
from openline import InvalidProxy, InvalidProxyMessage, InvalidProxyStatus, ProxyError
from openline.proxy import Proxy, get_proxy, parse_proxy
from openline.sync.client import connect
from openline.uri import parse_uri

OK = b"HTTP/1.1 200 OK\r\n\r\n"


def tunnel(head: bytes) -> bytes:
    return OK if head.startswith(b"CONNECT") else accepted(head)


def test_each_hop_gets_its_own_credentials() -> None:
    with HttpServer(tunnel) as proxy:
        uri = "ws://me:pw@example.invalid:8080/feed"
        url = f"http://proxy-user:proxy-pw@127.0.0.1:{proxy.port}"
        connect(uri, proxy=url, additional_headers={"Cookie": "a=b"}, user_agent_header="me/1").close()
    to_proxy, to_server = proxy.requests
    lines = to_proxy.decode().split("\r\n")
    assert lines == [
        "CONNECT example.invalid:8080 HTTP/1.1",
        "Host: example.invalid:8080",
        "User-Agent: me/1",
        "Proxy-Authorization: Basic cHJveHktdXNlcjpwcm94eS1wdw==",
    ]
    assert b"\r\nAuthorization: Basic bWU6cHc=" in to_server
    assert b"Proxy-Authorization" not in to_server


@pytest.mark.parametrize(
    "reply",
    [
        b"220 ready\r\n\r\n",
        b"\x05\xff",
        b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Hello\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n",
    ],
)
def test_what_is_no_reply(reply: bytes) -> None:
    from peer import Peer

    with Peer(response=reply) as peer, pytest.raises(InvalidProxyMessage) as caught:
        connect("ws://example.invalid/", proxy=peer.uri.replace("ws://", "http://"))
    assert str(caught.value) == "did not receive a valid HTTP response from proxy"
    assert caught.value.__cause__ is not None


def test_refusal_tells_what_the_proxy_said() -> None:
    reply = b"HTTP/1.1 403 Forbidden\r\nX-Reason: games\r\nContent-Length: 8\r\n\r\nno games"
    with HttpServer(lambda head: reply) as proxy, pytest.raises(InvalidProxyStatus) as caught:
        connect("ws://example.invalid/", proxy=f"http://127.0.0.1:{proxy.port}")
    response = caught.value.response
    assert (response.status_code, response.reason_phrase, response.body) == (403, "Forbidden", b"no games")
    assert response.headers["X-Reason"] == "games"


@pytest.mark.parametrize("scheme", ["http", "https", "socks4a", "socks5h"])
def test_silent_proxy(scheme: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        start = time.monotonic()
        with pytest.raises(TimeoutError, match="timed out while opening the connection"):
            connect(
                "ws://example.invalid/",
                proxy=f"{scheme}://127.0.0.1:{silent.getsockname()[1]}",
                open_timeout=0.2,
            )
    assert time.monotonic() - start < 5


def test_socks4_has_no_ipv6() -> None:
    with pytest.raises(ProxyError, match="a SOCKS4 proxy cannot connect to an IPv6 address"):
        connect("ws://[::1]:1/", proxy="socks4a://127.0.0.1:1")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("proxy:3128", "scheme isn't provided; write http:// in front"),
        ("ftp://proxy", "scheme ftp isn't supported"),
        ("http://", "hostname isn't provided"),
        ("http://ada@proxy", "username provided without password"),
        ("http://proxy/path", "path is meaningless"),
        ("http://a:b%0D%0AX:%20y@proxy", "control character"),
    ],
)
def test_invalid_url(url: str, text: str) -> None:
    with pytest.raises(InvalidProxy, match=text) as caught:
        connect("ws://localhost/", proxy=url)
    assert caught.value.msg.startswith(text[:5])


def test_tls_settings_for_a_proxy_without() -> None:
    import ssl

    with pytest.raises(ValueError, match="proxy_ssl is for https:// proxies, not for http://; drop it"):
        connect("ws://localhost/", proxy="http://localhost", proxy_ssl=ssl.create_default_context())


class TestSystem:
    def test_what_urllib_says_is_done(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(urllib.request, "getproxies", lambda: {"wss": "http://a", "socks": "http://b:9"})
        monkeypatch.setattr(urllib.request, "proxy_bypass", lambda host: host.startswith("local"))
        assert get_proxy(parse_uri("wss://example.com/")) == "http://a"
        assert get_proxy(parse_uri("ws://example.com/")) == "socks5h://b:9"
        assert get_proxy(parse_uri("ws://local/")) is None

    def test_nothing_is_said(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(urllib.request, "getproxies", lambda: {})
        assert get_proxy(parse_uri("wss://example.com/")) is None

    def test_an_error_of_urllib_comes_through(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def fail() -> dict[str, str]:
            raise RuntimeError("no settings")

        monkeypatch.setattr(urllib.request, "getproxies", fail)
        with pytest.raises(RuntimeError, match="no settings"):
            connect("ws://example.invalid/")

    def test_environment_without_scheme(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "proxy:3128")
        monkeypatch.delenv("no_proxy", raising=False)
        with pytest.raises(InvalidProxy, match="write http:// in front"):
            connect("ws://example.invalid/")


def test_parse_proxy() -> None:
    assert parse_proxy("SOCKS5H://a:b%40c@Proxy") == Proxy("socks5h", "proxy", 1080, "a", "b@c")
    assert "b@c" not in repr(parse_proxy("socks5h://a:b%40c@proxy"))
    assert parse_proxy("https://[::1]/") == Proxy("https", "::1", 443)
    with pytest.raises(TypeError, match="proxy must be str, not bytes"):
        parse_proxy(b"http://proxy")  # type: ignore[arg-type]
