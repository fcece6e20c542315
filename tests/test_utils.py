"""`openline.utils`: what random inputs do not show; those are in test_module_parity.py."""

from __future__ import annotations

import pathlib
import socket

import pytest

from openline.utils import generate_key, get_socket_name


def test_keys_differ() -> None:
    keys = {generate_key() for _ in range(100)}
    assert len(keys) == 100
    assert {len(key) for key in keys} == {24}


def test_names_of_sockets(tmp_path: pathlib.Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert get_socket_name(server) == f"127.0.0.1:{server.getsockname()[1]}"
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as server:
        assert get_socket_name(server) == f"[::1]:{server.getsockname()[1]}"
    path = str(tmp_path / "app.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        assert get_socket_name(listener) == path


def test_socket_of_another_kind() -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW) as sock:
        with pytest.raises(AssertionError, match="unsupported socket family"):
            get_socket_name(sock)
