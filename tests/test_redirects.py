"""Redirects: which are followed, and what goes along."""

from __future__ import annotations

import pathlib
import socket
import ssl

import pytest

from http_server import HttpServer, accepted, moved
from openline import InvalidStatus, InvalidURI, SecurityError
from openline.sync.client import connect, unix_connect

SECRETS = {"Authorization": "Bearer 1", "Cookie": "a=b", "proxy-authorization": "Basic x", "X-Trace": "7"}


def path_of(request: bytes) -> str:
    return request.split(b" ")[1].decode()


def to(location: str | None, status: int = 302) -> HttpServer:
    """A server that redirects all but /new."""
    return HttpServer(lambda head: accepted(head) if path_of(head) == "/new" else moved(location, status))


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
def test_followed(status: int) -> None:
    with to("/new", status) as server, connect(server.uri("/old?a=b")) as ws:
        assert ws.request.path == "/new"
        assert [path_of(request) for request in server.requests] == ["/old?a=b", "/new"]


@pytest.mark.parametrize("status", [304, 305, 306, 399, 404])
def test_not_followed(status: int) -> None:
    with to("/new", status) as server, pytest.raises(InvalidStatus):
        connect(server.uri("/old"))


def test_without_location() -> None:
    with to(None) as server, pytest.raises(InvalidStatus) as caught:
        connect(server.uri("/old"))
    assert caught.value.response.status_code == 302


@pytest.mark.parametrize(
    "location", ["new", "./x/../new", "ws://127.0.0.1:PORT/new", "http://127.0.0.1:PORT/new#top"]
)
def test_locations(location: str) -> None:
    with HttpServer(lambda head: accepted(head)) as target:
        location = location.replace("PORT", str(target.port))
        with to(location) as server, connect(server.uri("/old")) as ws:
            assert ws.request.path == "/new"


@pytest.mark.parametrize("location", ["ftp://localhost/", "ws://localhost:0/", "/a b", "ws:///"])
def test_bad_location(location: str) -> None:
    with to(location) as server, pytest.raises(InvalidURI):
        connect(server.uri("/old"))


class TestCredentials:
    def test_same_origin_gets_them(self) -> None:
        with to("/new") as server:
            uri = server.uri("/old").replace("ws://", "ws://me:pw@")
            headers = {name: value for name, value in SECRETS.items() if name != "Authorization"}
            connect(uri, additional_headers=headers).close()
            for request in server.requests:
                for name in ["Authorization: Basic bWU6cHc=", "Cookie: a=b", "X-Trace: 7"]:
                    assert name.encode() in request

    @pytest.mark.parametrize("origin", ["port", "host"])
    def test_another_origin_does_not(self, origin: str) -> None:
        with HttpServer(accepted) as target:
            location = target.uri("/new") if origin == "port" else target.uri("/new", "localhost")
            with to(location) as server:
                uri = server.uri("/old").replace("ws://", "ws://me:pw@")
                headers = {name: value for name, value in SECRETS.items() if name != "Authorization"}
                connect(uri, additional_headers=headers).close()
                connect(server.uri("/old"), additional_headers=SECRETS, origin="https://a.example").close()
            for request in target.requests:
                assert b"X-Trace: 7" in request
                for name in [b"authorization", b"cookie"]:
                    assert name not in request.lower()
            assert b"Origin: https://a.example" in target.requests[1]

    def test_they_do_not_come_back(self) -> None:
        """Once stripped they stay away, also when a redirect leads home."""

        def respond(head: bytes) -> bytes:
            return accepted(head) if path_of(head) == "/new" else moved(away.uri("/"))

        with HttpServer(respond) as home, HttpServer(lambda head: moved(home.uri("/new"))) as away:
            connect(home.uri("/old"), additional_headers=SECRETS).close()
            assert b"Authorization" in home.requests[0]
            assert b"Authorization" not in home.requests[1]


class TestRefused:
    @pytest.mark.parametrize("location", ["ws://localhost/", "http://localhost/"])
    def test_from_wss_to_ws(
        self, location: str, certificate: pathlib.Path, authority_file: pathlib.Path
    ) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        listener = context.wrap_socket(socket.create_server(("127.0.0.1", 0)), server_side=True)
        with HttpServer(lambda head: moved(location), listener) as server:
            uri = server.uri("/old", "localhost").replace("ws://", "wss://")
            with pytest.raises(
                SecurityError, match="^cannot follow redirect to non-secure URI ws://localhost/$"
            ):
                connect(uri, ssl=ssl.create_default_context(cafile=str(authority_file)))

    def test_more_than_10(self) -> None:
        with HttpServer(lambda head: moved("/again")) as server:
            with pytest.raises(SecurityError, match="^more than 10 redirects"):
                connect(server.uri())
            assert len(server.requests) == 11

    def test_more_than_the_environment_allows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENLINE_MAX_REDIRECTS", "2")
        with HttpServer(lambda head: moved("/again")) as server:
            with pytest.raises(SecurityError, match="^more than 2 redirects"):
                connect(server.uri())
            assert len(server.requests) == 3
        monkeypatch.setenv("OPENLINE_MAX_REDIRECTS", "many")
        with pytest.raises(
            ValueError, match="OPENLINE_MAX_REDIRECTS must be a number that is 0 or more, not 'many'"
        ):
            connect("ws://localhost/")

    def test_over_a_given_socket(self) -> None:
        with to("/new") as server, socket.create_connection(("127.0.0.1", server.port)) as sock:
            with pytest.raises(
                ValueError, match="^cannot follow redirect to /new over a stream that was given"
            ):
                connect(server.uri("/old"), sock=sock)

    def test_away_from_an_explicit_address(self) -> None:
        with to("ws://elsewhere.invalid/") as server:
            text = "^cannot follow redirect to ws://elsewhere.invalid/ of another origin with an explicit host and port$"
            with pytest.raises(ValueError, match=text):
                connect("ws://localhost/old", address=("127.0.0.1", server.port))

    def test_away_from_a_unix_socket(self, tmp_path: pathlib.Path) -> None:
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(tmp_path / "sock"))
        listener.listen()
        with HttpServer(lambda head: moved("ws://elsewhere.invalid/"), listener):
            with pytest.raises(ValueError, match="of another origin with a Unix socket$"):
                unix_connect(tmp_path / "sock")


def test_within_a_unix_socket(tmp_path: pathlib.Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(tmp_path / "sock"))
    listener.listen()
    with HttpServer(lambda head: accepted(head) if path_of(head) == "/new" else moved("/new"), listener):
        with unix_connect(tmp_path / "sock") as ws:
            assert ws.request.path == "/new"


def test_explicit_address_stays() -> None:
    with to("/new") as server:
        with connect("ws://example.invalid/old", address=("127.0.0.1", server.port)) as ws:
            assert (ws.request.path, ws.request.headers["Host"]) == ("/new", "example.invalid")


def test_one_deadline_over_all() -> None:
    import time

    def respond(head: bytes) -> bytes:
        time.sleep(0.1)
        return moved("/again")

    with HttpServer(respond) as server, pytest.raises(TimeoutError):
        start = time.monotonic()
        connect(server.uri(), open_timeout=0.35)
    assert time.monotonic() - start < 2


def test_through_a_proxy() -> None:
    """Each turn has the proxy asked again."""
    with to("/new") as server:

        def tunnel(head: bytes) -> bytes:
            if head.startswith(b"CONNECT"):
                return b"HTTP/1.1 200 OK\r\n\r\n"
            return accepted(head) if path_of(head) == "/new" else moved("/new")

        with HttpServer(tunnel) as proxy:
            connect(server.uri("/old"), proxy=f"http://127.0.0.1:{proxy.port}").close()
        connects = [request for request in proxy.requests if request.startswith(b"CONNECT")]
        assert len(connects) == 2
