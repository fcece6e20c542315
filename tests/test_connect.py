"""Opening connections, and what `connect` raises; the echo server's own options."""

from __future__ import annotations

import errno
import os
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest
import trustme

from openline import exceptions
from openline.exceptions import (
    ConnectError,
    ConnectionClosed,
    InvalidMessage,
    InvalidState,
    InvalidStatus,
)
from openline.sync.client import connect, unix_connect
from openline.testing import EchoServer

from fixtures import server  # noqa: F401  # pytest finds them by name
from peer import Peer, wait_until


class TestConnect:
    def test_refused(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        with pytest.raises(ConnectionRefusedError) as caught:
            connect(f"ws://127.0.0.1:{port}/")
        assert isinstance(caught.value, ConnectError)
        assert isinstance(caught.value, ConnectionClosed)
        assert caught.value.errno == errno.ECONNREFUSED
        assert str(caught.value) == (
            f"[Errno 111] cannot connect to 127.0.0.1:{port}: Connection refused"
        )

    def test_unknown_name(self) -> None:
        with pytest.raises(socket.gaierror, match="cannot connect to name.invalid:80") as caught:
            connect("ws://name.invalid/")
        assert isinstance(caught.value, ConnectError)

    def test_unix(self, tmp_path: Path) -> None:
        path = tmp_path / "app.sock"
        with pytest.raises(FileNotFoundError) as caught:
            unix_connect(path)
        assert caught.value.filename == str(path)
        with EchoServer(path=path) as server:
            for ws in (unix_connect(path), unix_connect(os.fsencode(path)), unix_connect(uri=f"unix://{path}")):
                with ws:
                    ws.send("over a file")
                    assert ws.recv() == "over a file"
                    assert (ws.local_address, ws.remote_address) == ("", str(path))
            assert server.address == str(path)

    def test_ipv6(self) -> None:
        with EchoServer(host="::1") as server, connect(server.uri) as ws:
            assert ws.remote_address[0] == "::1"
            assert len(ws.remote_address) == len(ws.local_address) == 4
            ws.send("x")
            assert ws.recv() == "x"

    def test_handshake(self) -> None:
        with EchoServer(subprotocols=["b", "c"]) as server:
            uri = f"{server.uri}path?q=1"
            with connect(
                uri, subprotocols=["a", "b"], origin="http://o", additional_headers=[("X", "1"), ("X", "2")]
            ) as ws:
                assert ws.subprotocol == "b"
                assert ws.request.path == "/path?q=1"
                assert ws.request.headers["Origin"] == "http://o"
                assert ws.request.headers.get_all("X") == ["1", "2"]
                assert ws.response.status_code == 101
                wait_until(lambda: server.connections == 1)
                assert ws.local_address[0] == "127.0.0.1"
                assert ws.remote_address == server.address
            assert ws.remote_address == server.address
            assert server.requests[0].path == "/path?q=1"
        assert server.connections == 0

    def test_status(self) -> None:
        with EchoServer(basic_auth=("ada", "secret")) as server:
            with pytest.raises(InvalidStatus, match="HTTP 401") as caught:
                connect(server.uri)
            assert caught.value.response.status_code == 401
            assert "WWW-Authenticate" in caught.value.response.headers
            assert caught.value.response.body == b"Wrong or missing credentials.\n"
            with connect(server.uri.replace("//", "//ada:secret@")):
                pass
        assert [request.path for request in server.requests] == ["/", "/"]

    @pytest.mark.parametrize(
        ("response", "cause"),
        [(b"", EOFError), (b"SSH-2.0-OpenSSH\r\n\r\n", ValueError), (b"HTTP/1.1 101 x\r\nA: b", EOFError)],
    )
    def test_not_http(self, response: bytes, cause: type[Exception]) -> None:
        with Peer(response=response) as peer:
            with pytest.raises(InvalidMessage, match="did not receive a valid HTTP response") as caught:
                peer.connect()
            assert type(caught.value.__cause__) is cause

    def test_wrong_accept(self) -> None:
        answer = b"HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n"
        with Peer(response=answer) as peer, pytest.raises(exceptions.InvalidHandshake, match="Accept"):
            peer.connect()

    def test_timeout(self) -> None:
        with Peer(response=None) as peer:
            with pytest.raises(TimeoutError, match="timed out while opening the connection"):
                peer.connect(open_timeout=0.05)

    def test_reserved_headers(self, server: EchoServer) -> None:
        with pytest.raises(ValueError, match="Upgrade"):
            connect(server.uri, additional_headers={"Upgrade": "h2c"})

    def test_the_bindings_class_alone_is_no_connection(self) -> None:
        from openline import _openline

        untyped: Any = _openline.Connection(1, b=2)
        with pytest.raises(InvalidState):
            untyped.recv()
        with pytest.raises(TypeError):
            untyped._adopt("handle")

    def test_tls(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        authority = trustme.CA()
        certificate = tmp_path / "server.pem"
        authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(certificate)
        with EchoServer(certfile=certificate) as server:
            assert server.uri.startswith("wss://localhost:")
            with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed") as caught:
                connect(server.uri)
            assert caught.value.reason == "CERTIFICATE_VERIFY_FAILED"
            authority.cert_pem.write_to_path(tmp_path / "authority.pem")
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
            with connect(server.uri) as ws:
                ws.send(b"x" * 300_000)
                assert ws.recv() == b"x" * 300_000

    def test_tls_with_unusable_files(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as missing:
            EchoServer(certfile=tmp_path / "missing.pem")
        assert missing.value.filename == str(tmp_path / "missing.pem")
        (tmp_path / "empty.pem").write_text("nothing")
        with pytest.raises(ssl.SSLError, match=r"empty.pem: no certificate in PEM form"):
            EchoServer(certfile=tmp_path / "empty.pem")

    def test_a_port_that_is_taken(self, server: EchoServer) -> None:
        port = server.address[1]
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            EchoServer(port=port)
        assert caught.value.errno == errno.EADDRINUSE
