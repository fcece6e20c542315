"""Certificates that are wrong, on both paths of TLS: the exception, and what its text says."""

from __future__ import annotations

import datetime
import pathlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from openline.sync.client import connect
from openline.testing import EchoServer


def write(path: pathlib.Path, certificate: trustme.LeafCert) -> pathlib.Path:
    certificate.private_key_and_cert_chain_pem.write_to_path(str(path))
    return path


def self_signed(path: pathlib.Path) -> pathlib.Path:
    """A certificate for this machine that vouches for itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.timezone.utc)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    path.write_bytes(pem + certificate.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.fixture(params=["rustls", "SSLContext"])
def trust(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Callable[[pathlib.Path], dict[str, Any]]:
    """A function from a file of authorities to the arguments of `connect`, which trusts them alone."""

    def arguments(authorities: pathlib.Path) -> dict[str, Any]:
        if request.param == "rustls":
            monkeypatch.setenv("SSL_CERT_FILE", str(authorities))
            return {}
        return {"ssl": ssl.create_default_context(cafile=str(authorities))}

    return arguments


Trust = Callable[[pathlib.Path], dict[str, Any]]


def test_right(trust: Trust, certificate: pathlib.Path, authority_file: pathlib.Path) -> None:
    with EchoServer(certfile=certificate) as server, connect(server.uri, **trust(authority_file)) as ws:
        ws.send("hello")
        assert ws.recv() == "hello"


def test_wrong_host(
    trust: Trust, authority: trustme.CA, authority_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = write(tmp_path / "other.pem", authority.issue_cert("other.example"))
    with EchoServer(certfile=other) as server:
        with pytest.raises(
            ssl.SSLCertVerificationError, match="TLS with localhost: .*(not valid for|[Hh]ostname)"
        ):
            connect(server.uri, **trust(authority_file))
        with connect(server.uri, server_hostname="other.example", **trust(authority_file)):
            pass


def test_wrong_address(
    trust: Trust, authority: trustme.CA, authority_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    other = write(tmp_path / "other.pem", authority.issue_cert("localhost"))
    with EchoServer(certfile=other) as server:
        uri = server.uri.replace("localhost", "127.0.0.1")
        with pytest.raises(ssl.SSLCertVerificationError, match=r"TLS with 127\.0\.0\.1: .*not valid for"):
            connect(uri, **trust(authority_file))


def test_expired(
    trust: Trust, authority: trustme.CA, authority_file: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    then = datetime.datetime(2020, 1, 1, tzinfo=datetime.timezone.utc)
    old = write(tmp_path / "old.pem", authority.issue_cert("localhost", not_after=then))
    with EchoServer(certfile=old) as server:
        with pytest.raises(ssl.SSLCertVerificationError, match="TLS with localhost: .*expired"):
            connect(server.uri, **trust(authority_file))


def test_unknown_authority(trust: Trust, certificate: pathlib.Path, tmp_path: pathlib.Path) -> None:
    nobody = tmp_path / "nobody.pem"
    trustme.CA().cert_pem.write_to_path(str(nobody))
    with EchoServer(certfile=certificate) as server:
        with pytest.raises(
            ssl.SSLCertVerificationError, match="TLS with localhost: .*(unknown issuer|local issuer)"
        ):
            connect(server.uri, **trust(nobody))


def test_self_signed(trust: Trust, authority_file: pathlib.Path, tmp_path: pathlib.Path) -> None:
    alone = self_signed(tmp_path / "alone.pem")
    with EchoServer(certfile=alone) as server:
        text = "TLS with localhost: .*(unknown issuer|self.signed)"
        with pytest.raises(ssl.SSLCertVerificationError, match=text):
            connect(server.uri, **trust(authority_file))
        with connect(server.uri, **trust(alone)):  # who names it trusts it
            pass


def test_no_tls(trust: Trust, authority_file: pathlib.Path) -> None:
    with EchoServer() as server:
        uri = server.uri.replace("ws://", "wss://")
        with pytest.raises(ssl.SSLError, match="TLS with .*use ws://"):
            connect(uri, **trust(authority_file))


class TestClientCertificate:
    @contextmanager
    def server(
        self, certificate: pathlib.Path, authorities: pathlib.Path, version: ssl.TLSVersion
    ) -> Iterator[str]:
        """A server of Python's `ssl` that wants a certificate; it echoes one message."""
        from websockets.sync.server import ServerConnection, serve

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(authorities)
        context.minimum_version = context.maximum_version = version

        def echo(ws: ServerConnection) -> None:
            ws.send(ws.recv())

        with serve(echo, "127.0.0.1", 0, ssl=context) as server:
            thread = threading.Thread(target=server.serve_forever)
            thread.start()
            yield f"wss://localhost:{server.socket.getsockname()[1]}/"
            server.shutdown()
            thread.join()

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_missing(
        self, trust: Trust, certificate: pathlib.Path, authority_file: pathlib.Path, version: ssl.TLSVersion
    ) -> None:
        with self.server(certificate, authority_file, version) as uri:
            # TLS 1.3 tells the client only after the handshake.
            with pytest.raises(
                ssl.SSLError, match="(?i)TLS with localhost: .*(certificate.?required|handshake.?failure)"
            ):
                connect(uri, **trust(authority_file))

    @pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
    def test_given(
        self,
        certificate: pathlib.Path,
        authority: trustme.CA,
        authority_file: pathlib.Path,
        tmp_path: pathlib.Path,
        version: ssl.TLSVersion,
    ) -> None:
        context = ssl.create_default_context(cafile=str(authority_file))
        context.load_cert_chain(write(tmp_path / "me.pem", authority.issue_cert("me@example.com")))
        with self.server(certificate, authority_file, version) as uri, connect(uri, ssl=context) as ws:
            ws.send("hello")
            assert ws.recv() == "hello"


def test_peer_that_hangs_up_in_the_handshake(trust: Trust, authority_file: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            accepted, _ = listener.accept()
            accepted.recv(1)
            accepted.shutdown(socket.SHUT_WR)
            while accepted.recv(4096):
                pass
            accepted.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        with pytest.raises(ssl.SSLError, match="TLS with localhost: "):
            connect(f"wss://localhost:{listener.getsockname()[1]}/", **trust(authority_file))
        thread.join()
