"""A network of this process alone, with names and a name server as a probe wants them (Linux)."""

from __future__ import annotations

import ctypes
import fcntl
import os
import pathlib
import socket
import struct
import tempfile
from typing import NoReturn

from robustness.probes import Lacks

__all__ = ["enter"]

CLONE_NEWNS, CLONE_NEWUSER, CLONE_NEWNET = 0x00020000, 0x10000000, 0x40000000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
SIOCSIFFLAGS, IFF_UP = 0x8914, 0x1


def enter(hosts: str = "", resolv_conf: str = "") -> None:
    """Leave the machine's network for one that has only a loopback interface. There is no way back.

    It has to be called while the process has one thread.

    Args:
        hosts, resolv_conf: what /etc/hosts and /etc/resolv.conf are from now on.
    """
    user, group = os.getuid(), os.getgid()
    libc = ctypes.CDLL(None, use_errno=True)

    def call(name: str, *arguments: object) -> None:
        if getattr(libc, name)(*arguments) != 0:
            refused(name, os.strerror(ctypes.get_errno()))

    def refused(what: str, why: object) -> NoReturn:
        # tools/no_skips.py knows these words.
        raise Lacks(f"no namespaces for this user: {what}: {why}")

    call("unshare", CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWNET)
    itself = pathlib.Path("/proc/self")
    for name, content in {"setgroups": "deny", "uid_map": f"0 {user} 1", "gid_map": f"0 {group} 1"}.items():
        try:
            (itself / name).write_text(content, encoding="ascii")
        except OSError as error:
            refused(name, error)

    call("mount", b"none", b"/", None, MS_REC | MS_PRIVATE, None)
    for path, content in {"/etc/hosts": hosts, "/etc/resolv.conf": resolv_conf}.items():
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(content)
            file.flush()
            call("mount", file.name.encode(), path.encode(), None, MS_BIND, None)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", IFF_UP))
