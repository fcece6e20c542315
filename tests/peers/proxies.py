"""Proxies and tunnels of others, each in a process of its own: tinyproxy, squid, microsocks, danted, stunnel, nginx.

They listen on 127.0.0.1 alone, keep their files in a directory of the test's, and end with it. Those that the
machine has not are skipped, which names Debian's package of them.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

USER, PASSWORD = "ada", "s3cret:/@"
# The password with what a URL needs escaped.
ESCAPED = "s3cret%3A%2F%40"
# Tinyproxy's file of settings takes letters and digits alone.
SIMPLE_PASSWORD = "s3cret"


@dataclass(frozen=True)
class Proxy:
    """A running proxy."""

    port: int
    host: str = "127.0.0.1"

    def url(self, scheme: str, user_info: str | None = None) -> str:
        return f"{scheme}://{f'{user_info}@' if user_info else ''}{self.host}:{self.port}"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def needs(program: str, package: str) -> str:
    """Return the path of a program; skip the test without it."""
    found = shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if found is None:
        pytest.skip(f"{program} is not installed (Debian: apt-get install {package})")
    return found


@contextlib.contextmanager
def running(command: list[str], port: int, directory: pathlib.Path) -> Iterator[None]:
    """Run a server in the foreground, from when it listens until the end of the block."""
    with open(directory / "output", "wb") as output:
        process = subprocess.Popen(command, cwd=directory, stdout=output, stderr=output)
    try:
        _await_port(process, port, directory)
        yield
    finally:
        process.terminate()
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_port(process: subprocess.Popen[bytes], port: int, directory: pathlib.Path) -> None:
    deadline = time.monotonic() + 20
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"{process.args!r} does not listen:\n{(directory / 'output').read_text()}")
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.02)  # there is nothing to wait for but its port


@contextlib.contextmanager
def tinyproxy(directory: pathlib.Path, *, users: bool) -> Iterator[Proxy]:
    port = free_port()
    (directory / "tinyproxy.conf").write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 100\nDisableViaHeader Yes\n"
        f'LogFile "{directory}/log"\n' + (f"BasicAuth {USER} {SIMPLE_PASSWORD}\n" if users else "")
    )
    command = [needs("tinyproxy", "tinyproxy"), "-d", "-c", str(directory / "tinyproxy.conf")]
    with running(command, port, directory):
        yield Proxy(port)


@contextlib.contextmanager
def squid(
    directory: pathlib.Path, certificate: pathlib.Path, *, users: bool
) -> Iterator[tuple[Proxy, Proxy]]:
    """Its HTTP and its HTTPS port."""
    program = needs("squid", "squid-openssl")
    port, secure_port = free_port(), free_port()
    (directory / "auth.sh").write_text(_SQUID_HELPER)
    access = (
        f"auth_param basic program /bin/sh {directory}/auth.sh\n"
        "auth_param basic children 2 startup=1\n"
        "acl known proxy_auth REQUIRED\nhttp_access allow known\n"
        if users
        else "http_access allow localhost\n"
    )
    (directory / "squid.conf").write_text(
        f"http_port 127.0.0.1:{port}\n"
        f"https_port 127.0.0.1:{secure_port} tls-cert={certificate}\n"
        f"{access}http_access deny all\n"
        f"access_log stdio:{directory}/log\ncache_log {directory}/cache.log\ncache deny all\n"
        f"pid_filename none\ncoredump_dir {directory}\nshutdown_lifetime 0 seconds\n"
        "pinger_enable off\nvisible_hostname localhost\n"
    )
    if os.geteuid() == 0:
        # It gives up root, and has to write its logs all the same.
        _give_away(directory, "proxy")
    with running([program, "-N", "-f", str(directory / "squid.conf")], secure_port, directory):
        yield Proxy(port), Proxy(secure_port)


@contextlib.contextmanager
def microsocks(directory: pathlib.Path, *, users: bool) -> Iterator[Proxy]:
    """SOCKS5."""
    port = free_port()
    command = [needs("microsocks", "microsocks"), "-i", "127.0.0.1", "-p", str(port)]
    if users:
        command += ["-u", USER, "-P", PASSWORD]
    with running(command, port, directory):
        yield Proxy(port)


@contextlib.contextmanager
def danted(directory: pathlib.Path) -> Iterator[Proxy]:
    """SOCKS4 and 5; it takes the address of SOCKS4a for one to connect to."""
    program = needs("danted", "dante-server")
    port = free_port()
    user = "nobody" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    (directory / "danted.conf").write_text(
        f"logoutput: {directory}/log\ninternal: 127.0.0.1 port = {port}\nexternal: lo\n"
        "clientmethod: none\nsocksmethod: none\n"
        f"user.privileged: {'root' if os.geteuid() == 0 else user}\nuser.unprivileged: {user}\n"
        "client pass { from: 127.0.0.0/8 to: 0.0.0.0/0 }\n"
        "socks pass { from: 127.0.0.0/8 to: 0/0 log: connect error }\n"
    )
    # A worker of its own for each kind of work; one of each will do.
    command = [program, "-f", str(directory / "danted.conf"), "-N", "1", "-p", str(directory / "pid")]
    with running(command, port, directory):
        yield Proxy(port)


@contextlib.contextmanager
def stunnel(
    directory: pathlib.Path, certificate: pathlib.Path, target: int, authority: pathlib.Path | None = None
) -> Iterator[int]:
    """TLS in front of a port; with an authority, clients need a certificate of it."""
    program = needs("stunnel4", "stunnel4")
    port = free_port()
    (directory / "stunnel.conf").write_text(
        "foreground = yes\npid =\nsyslog = no\n"
        f"[tls]\naccept = 127.0.0.1:{port}\nconnect = 127.0.0.1:{target}\ncert = {certificate}\n"
        + (f"CAfile = {authority}\nverifyChain = yes\nrequireCert = yes\n" if authority else "")
    )
    with running([program, str(directory / "stunnel.conf")], port, directory):
        yield port


@contextlib.contextmanager
def nginx(directory: pathlib.Path, certificate: pathlib.Path, target: int) -> Iterator[dict[str, int]]:
    """A reverse proxy in front of a port; `/moved/STATUS` redirects to `/echo`. Its ports by scheme."""
    program = needs("nginx", "nginx")
    ports = {"ws": free_port(), "wss": free_port()}
    moved = "\n".join(
        f"location /moved/{status} {{ return {status} /echo; }}" for status in (301, 302, 303, 307, 308)
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (directory / "nginx.conf").write_text(f"""\
        daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log; {user}
        events {{ }}
        http {{
            access_log {directory}/log;
            {"".join(f"{kind}_temp_path {directory}/{kind};" for kind in _NGINX_TEMPORARY)}
            map $http_upgrade $connection_upgrade {{ default upgrade; "" close; }}
            server {{
                listen 127.0.0.1:{ports["ws"]};
                listen 127.0.0.1:{ports["wss"]} ssl;
                ssl_certificate {certificate};
                ssl_certificate_key {certificate};
                absolute_redirect off;
                {moved}
                location / {{
                    proxy_pass http://127.0.0.1:{target};
                    proxy_http_version 1.1;
                    proxy_set_header Upgrade $http_upgrade;
                    proxy_set_header Connection $connection_upgrade;
                    proxy_set_header Host $host;
                }}
            }}
        }}
    """)
    with running(
        [program, "-c", str(directory / "nginx.conf"), "-p", str(directory)], ports["wss"], directory
    ):
        yield ports


def _give_away(directory: pathlib.Path, user: str) -> None:
    owner = pwd.getpwnam(user)
    for path in [directory, *directory.iterdir()]:
        os.chown(path, owner.pw_uid, owner.pw_gid)
    # pytest keeps its directories to itself.
    for parent in directory.parents:
        if parent == pathlib.Path("/tmp") or parent == parent.parent:
            break
        with contextlib.suppress(PermissionError):
            parent.chmod(parent.stat().st_mode | 0o011)


# Squid asks it with a line of user name and password, in which some characters are escaped as in URLs.
_SQUID_HELPER = f"""\
while read -r line; do
    case "$line" in
        "{USER} {PASSWORD}" | "{USER} s3cret%3a/@" | "{USER} s3cret%3A/%40" | "{USER} {ESCAPED}") echo OK ;;
        *) echo ERR ;;
    esac
done
"""

_NGINX_TEMPORARY = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
