"""Through the proxies of others, to a server of others: every kind, both TLS, with and without credentials."""

from __future__ import annotations

import contextlib
import hashlib
import pathlib
import random
import ssl
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import peers
from openline import ConnectionClosedError, InvalidProxyStatus, ProxyError
from openline.sync.client import ClientConnection, connect
from peers import proxies, socks4a
from peers.proxies import ESCAPED, SIMPLE_PASSWORD, USER, Proxy

SCHEMES = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"]
RIGHT, WRONG = f"{USER}:{ESCAPED}", f"{USER}:wrong"
MIB = random.Random(1).randbytes(2**20)

Find = Callable[[str, bool], Proxy]


@pytest.fixture(scope="module")
def find(certificate: pathlib.Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Find]:
    """A function from scheme and whether there are users to a proxy, which is started when first asked for."""
    with contextlib.ExitStack() as stack:
        running: dict[tuple[str, bool], Proxy] = {}

        def start(scheme: str, users: bool) -> None:
            directory = tmp_path_factory.mktemp("proxy")
            if scheme in ("http", "https"):
                context = proxies.squid(directory, certificate, users=users)
                running["http", users], running["https", users] = stack.enter_context(context)
            elif users and scheme in ("socks5", "socks5h"):
                proxy = stack.enter_context(proxies.microsocks(directory, users=True))
                running["socks5", True] = running["socks5h", True] = proxy
            elif scheme == "socks4a":
                port = stack.enter_context(socks4a.running(USER.encode() if users else None))
                running["socks4a", users] = Proxy(port)
            else:  # SOCKS4 has user ids, which danted takes as they come
                proxy = stack.enter_context(proxies.danted(directory))
                running["socks5", False] = running["socks5h", False] = proxy
                running["socks4", False] = running["socks4", True] = proxy

        def find(scheme: str, users: bool) -> Proxy:
            if (scheme, users) not in running:
                start(scheme, users)
            return running[scheme, users]

        yield find


@pytest.fixture(params=["rustls", "SSLContext"])
def tls(
    request: pytest.FixtureRequest, authority_file: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str, str], dict[str, Any]]:
    """Trust the tests' authority by each of the two ways; give the arguments of `connect` for URI and proxy."""
    if request.param == "rustls":
        monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
        return lambda uri, proxy: {}
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    context = ssl.create_default_context(cafile=str(authority_file))
    return lambda uri, proxy: {
        **({"ssl": context} if uri.startswith("wss") else {}),
        **({"proxy_ssl": context} if proxy.startswith("https") else {}),
    }


def exchange(ws: ClientConnection) -> None:
    """Send 1 MiB, and receive it."""
    ws.send(MIB)
    echoed = ws.recv(timeout=20)
    assert isinstance(echoed, bytes)
    assert hashlib.sha256(echoed).digest() == hashlib.sha256(MIB).digest()


def uri_of(server: peers.Server, scheme: str) -> str:
    return f"{scheme}://localhost:{server.ports[scheme]}/echo"


@pytest.mark.parametrize("target", ["ws", "wss"])
class TestMatrix:
    @pytest.mark.parametrize("scheme", SCHEMES)
    @pytest.mark.parametrize("users", [False, True], ids=["no auth", "auth"])
    def test_1_mib_both_ways(
        self,
        scheme: str,
        users: bool,
        target: str,
        find: Find,
        tls: Callable[[str, str], dict[str, Any]],
        server: peers.Server,
    ) -> None:
        user_info = None if not users else USER if scheme.startswith("socks4") else RIGHT
        proxy = find(scheme, users)
        uri, url = uri_of(server, target), proxy.url(scheme, user_info)
        with connect(uri, proxy=url, max_size=2**21, **tls(uri, url)) as ws:
            exchange(ws)
            assert ws.remote_address == (proxy.host, proxy.port)
            assert ws.timings.proxy is not None and (ws.timings.tls is not None) == (target == "wss")

    def test_direct(
        self, target: str, tls: Callable[[str, str], dict[str, Any]], server: peers.Server
    ) -> None:
        uri = uri_of(server, target)
        with connect(uri, proxy=None, max_size=2**21, **tls(uri, "")) as ws:
            exchange(ws)
            assert ws.timings.proxy is None

    @pytest.mark.parametrize("scheme", ["http", "https"])
    @pytest.mark.parametrize("user_info", [WRONG, None])
    def test_http_refuses(
        self,
        scheme: str,
        user_info: str | None,
        target: str,
        find: Find,
        tls: Callable[[str, str], dict[str, Any]],
        websockets_server: peers.Server,
    ) -> None:
        uri, url = uri_of(websockets_server, target), find(scheme, True).url(scheme, user_info)
        with pytest.raises(InvalidProxyStatus, match="^proxy rejected connection: HTTP 407$") as caught:
            connect(uri, proxy=url, **tls(uri, url))
        response = caught.value.response
        assert (response.status_code, response.headers["Proxy-Authenticate"][:5]) == (407, "Basic")
        assert b"authenticat" in (response.body or b"").lower()

    def test_socks4a_refuses(
        self,
        target: str,
        find: Find,
        tls: Callable[[str, str], dict[str, Any]],
        websockets_server: peers.Server,
    ) -> None:
        uri, url = uri_of(websockets_server, target), find("socks4a", True).url("socks4a", "eve")
        text = r"^proxy rejected connection: identd reports another user id \(SOCKS4 code 93\)$"
        with pytest.raises(ProxyError, match=text):
            connect(uri, proxy=url, **tls(uri, url))

    @pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
    @pytest.mark.parametrize(
        ("user_info", "text"),
        [(WRONG, "authentication failed"), (None, "it wants authentication; add user:password@ to its URL")],
    )
    def test_socks_refuses(
        self,
        scheme: str,
        user_info: str | None,
        text: str,
        target: str,
        find: Find,
        tls: Callable[[str, str], dict[str, Any]],
        websockets_server: peers.Server,
    ) -> None:
        uri, url = uri_of(websockets_server, target), find(scheme, True).url(scheme, user_info)
        with pytest.raises(ProxyError, match=f"^proxy rejected connection: {text}$") as caught:
            connect(uri, proxy=url, **tls(uri, url))
        assert type(caught.value) is ProxyError


@pytest.mark.parametrize("outer", ["rustls", "SSLContext"])
@pytest.mark.parametrize("inner", ["rustls", "SSLContext"])
def test_tls_in_tls(
    outer: str,
    inner: str,
    find: Find,
    websockets_server: peers.Server,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each of the two kinds of TLS inside of each, with both directions at once."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    contexts = {"rustls": None, "SSLContext": ssl.create_default_context()}
    with connect(
        uri_of(websockets_server, "wss"),
        proxy=find("https", False).url("https"),
        ssl=contexts[inner],
        proxy_ssl=contexts[outer],
        max_size=None,
    ) as ws:
        sender = threading.Thread(target=ws.send_many, args=([MIB] * 16,))
        sender.start()
        assert [ws.recv(timeout=20) for _ in range(16)] == [MIB] * 16
        sender.join()
        assert ws.ping(timeout=10) > 0


@pytest.mark.parametrize(
    "settings", [{}, {"proxy_ssl": ssl.create_default_context()}], ids=["rustls", "SSLContext"]
)
def test_certificate_of_the_proxy(
    settings: dict[str, Any], find: Find, websockets_server: peers.Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    url = find("https", False).url("https")
    with pytest.raises(ssl.SSLCertVerificationError, match=r"^TLS with proxy 127\.0\.0\.1: "):
        connect(uri_of(websockets_server, "ws"), proxy=url, **settings)


@pytest.mark.parametrize("user_info", [None, f"{USER}:{SIMPLE_PASSWORD}"])
def test_tinyproxy(user_info: str | None, tmp_path: pathlib.Path, websockets_server: peers.Server) -> None:
    uri = uri_of(websockets_server, "ws")
    with proxies.tinyproxy(tmp_path, users=user_info is not None) as proxy:
        with connect(uri, proxy=proxy.url("http", user_info), max_size=2**21) as ws:
            exchange(ws)
        if user_info is not None:
            with pytest.raises(InvalidProxyStatus, match="HTTP 40[17]"):  # it should be 407
                connect(uri, proxy=proxy.url("http", WRONG))


@pytest.mark.parametrize(
    ("variable", "secure"),
    [("https_proxy", True), ("wss_proxy", True), ("http_proxy", False), ("WS_PROXY", False)],
)
def test_environment(
    variable: str,
    secure: bool,
    find: Find,
    websockets_server: peers.Server,
    authority_file: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    proxy = find("http", False)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority_file))
    monkeypatch.setenv(variable, proxy.url("http"))
    uri = uri_of(websockets_server, "wss" if secure else "ws")
    with connect(uri) as ws:
        assert ws.remote_address == (proxy.host, proxy.port)
    with connect(uri, proxy=None) as ws:
        assert ws.remote_address != (proxy.host, proxy.port)
    monkeypatch.setenv("no_proxy", "localhost")
    with connect(uri) as ws:
        assert ws.remote_address != (proxy.host, proxy.port)


class TestTargetThatCannotBeReached:
    def test_by_http(self, find: Find) -> None:
        with pytest.raises(InvalidProxyStatus) as caught:
            connect(f"ws://127.0.0.1:{proxies.free_port()}/", proxy=find("http", False).url("http"))
        assert caught.value.response.status_code in (500, 502, 503)

    @pytest.mark.parametrize("scheme", ["socks4", "socks5", "socks5h"])
    def test_by_socks(self, scheme: str, find: Find) -> None:
        with pytest.raises(ProxyError, match="^proxy rejected connection: .* code "):
            connect(f"ws://127.0.0.1:{proxies.free_port()}/", proxy=find(scheme, False).url(scheme))


class TestProxyThatCannotBeReached:
    @pytest.mark.parametrize("scheme", SCHEMES)
    def test_refused(self, scheme: str) -> None:
        port = proxies.free_port()
        with pytest.raises(
            ConnectionRefusedError, match=f"cannot connect to proxy 127.0.0.1:{port}"
        ) as caught:
            connect("ws://localhost/", proxy=f"{scheme}://127.0.0.1:{port}")
        assert isinstance(caught.value, ConnectionClosedError)

    def test_unknown(self) -> None:
        with pytest.raises(OSError, match="cannot connect to proxy nowhere.invalid:80: "):
            connect("ws://localhost/", proxy="http://nowhere.invalid")


class TestTunnelsOfOthers:
    def test_stunnel(
        self,
        tmp_path: pathlib.Path,
        certificate: pathlib.Path,
        websockets_server: peers.Server,
        tls: Callable[[str, str], dict[str, Any]],
    ) -> None:
        with proxies.stunnel(tmp_path, certificate, websockets_server.ports["ws"]) as port:
            uri = f"wss://localhost:{port}/echo"
            with connect(uri, max_size=2**21, **tls(uri, "")) as ws:
                exchange(ws)

    @pytest.mark.parametrize("scheme", ["ws", "wss"])
    def test_nginx(
        self,
        scheme: str,
        tmp_path: pathlib.Path,
        certificate: pathlib.Path,
        websockets_server: peers.Server,
        tls: Callable[[str, str], dict[str, Any]],
    ) -> None:
        with proxies.nginx(tmp_path, certificate, websockets_server.ports["ws"]) as ports:
            for path in ["/echo", "/moved/301", "/moved/302", "/moved/303", "/moved/307", "/moved/308"]:
                uri = f"{scheme}://localhost:{ports[scheme]}{path}"
                with connect(uri, max_size=2**21, **tls(uri, "")) as ws:
                    assert ws.request.path == "/echo"
                    exchange(ws)
