"""300 connections over TLS, one after the other.

All of them are made.
"""

from __future__ import annotations

import os
import pathlib
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager

import trustme

import peers
from robustness.probes import Breaks, Client, probe

COUNT = 300


@contextmanager
def server() -> Iterator[tuple[str, str]]:
    """A server of `websockets`, in a process of its own: its URI, and the file of its authority."""
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        authority, certificate = trustme.CA(), directory / "server.pem"
        authority.cert_pem.write_to_path(str(directory / "authority.pem"))
        issued = authority.issue_cert("localhost")
        issued.private_key_and_cert_chain_pem.write_to_path(str(certificate))
        with peers.running("websockets", certificate, directory) as running:
            yield f"wss://localhost:{running.ports['wss']}/echo", str(directory / "authority.pem")


def count(client: Client, uri: str, context: ssl.SSLContext | None) -> str:
    failures = []
    for number in range(COUNT):
        try:
            connection = client.connect(uri, ssl=context, open_timeout=3, close_timeout=3)
            connection.send(f"{number}")
            assert connection.recv(timeout=3) == f"{number}"
            connection.close()
        except Exception as error:
            failures.append(type(error).__name__)
    told = f"{COUNT - len(failures)} of {COUNT}"
    if failures:
        raise Breaks(f"{told}; {', '.join(sorted(set(failures)))}")
    return told


@probe
def test_by_default(client: Client) -> str:
    """TLS as by default"""
    with server() as (uri, authority):
        os.environ["SSL_CERT_FILE"] = authority
        return count(client, uri, None)


@probe
def test_with_a_context(client: Client) -> str:
    """one `ssl.SSLContext` for all"""
    with server() as (uri, authority):
        return count(client, uri, ssl.create_default_context(cafile=authority))
