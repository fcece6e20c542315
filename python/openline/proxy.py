"""Proxies: which one the system wants, and their URLs taken apart."""

from __future__ import annotations

import sys
from collections.abc import Callable

from . import _openline
from ._record import Record
from .uri import WebSocketURI

__all__ = ["get_proxy", "parse_proxy", "Proxy"]


class Proxy(Record):
    """The parts of a proxy's URL. `repr()` hides the password.

    Attributes:
        scheme: "http", "https", "socks4", "socks4a", "socks5" or "socks5h".
        host: the name in lower case, or the address without brackets.
        port: the port, also when the URL leaves it out: 80, 443 for https, 1080 for SOCKS.
        username: the user's name, decoded. Default: None, the URL has none.
        password: the password, decoded. Default: None, the URL has none.

    >>> Proxy("socks5h", "localhost", 1080, "ada", "secret").user_info
    ('ada', 'secret')
    """

    __match_args__ = ("scheme", "host", "port", "username", "password")

    def __init__(
        self, scheme: str, host: str, port: int, username: str | None = None, password: str | None = None
    ) -> None:
        self.scheme = scheme
        self.host = host
        self.port = port
        self.username = username
        self.password = password

    def __repr__(self) -> str:
        hidden = None if self.password is None else "***"
        parts = (self.scheme, self.host, self.port, self.username, hidden)
        fields = zip(self.__match_args__, parts, strict=True)
        return f"Proxy({', '.join(f'{name}={part!r}' for name, part in fields)})"

    @property
    def user_info(self) -> tuple[str, str] | None:
        """The user's name and password; None if the URL has none.

        >>> print(Proxy("http", "localhost", 3128).user_info)
        None
        """
        if self.username is None:
            return None
        return self.username, self.password or ""


def parse_proxy(proxy: str) -> Proxy:
    """Take the URL of a proxy apart.

    Args:
        proxy: an `http`, `https`, `socks4`, `socks4a`, `socks5` or `socks5h` URL.

    Raises:
        InvalidProxy: it is not one; the text says why.
        TypeError: it is not a `str`.

    >>> parse_proxy("http://proxy.example:3128").port
    3128
    """
    if not isinstance(proxy, str):
        raise TypeError(f"proxy must be str, not {type(proxy).__name__}")
    return Proxy(*_openline.parse_proxy(proxy))


def get_proxy(uri: WebSocketURI) -> str | None:
    """Return the URL of the proxy that environment and system want for a URI; None for none.

    It is what `urllib.request.getproxies` has for `wss`, `socks` or `https`, the first of them; for a `ws`
    URI for `ws`, `socks`, `https` or `http`; unless `urllib.request.proxy_bypass` excludes the host.

    Args:
        uri: where the connection is to go, as `parse_uri` returns it.

    Example:
        from openline.proxy import get_proxy

        print(get_proxy(parse_uri("wss://example.com/")))  # http://proxy.example:3128, from https_proxy
    """
    # Importing urllib.request costs more time than a connection.
    if sys.platform not in _WITH_SETTINGS and "urllib.request" not in sys.modules:
        if not _openline.is_proxy_in_environment():
            return None
    import urllib.request

    if urllib.request.proxy_bypass(f"{uri.host}:{uri.port}"):
        return None
    proxies = urllib.request.getproxies()
    # RFC 6455 §4.1 prefers SOCKS, then the proxy for HTTPS, since tunnels are what it is used for.
    schemes = ["wss", "socks", "https"] if uri.secure else ["ws", "socks", "https", "http"]
    for scheme in schemes:
        proxy: str | None = proxies.get(scheme)
        if proxy is not None:
            # Systems other than the environment have SOCKS proxies as http:// URLs.
            if scheme == "socks" and proxy.startswith("http://"):
                proxy = f"socks5h://{proxy.removeprefix('http://')}"
            return proxy
    return None


def chooser(proxy: str | bool | None, is_tls_given: bool) -> Callable[[bool, str, int], str | None] | None:
    """Return a function from security, host and port of a URI to the proxy's URL, as the binding takes it.

    Args:
        proxy: a URL, True for the system's choice, or None for none.
        is_tls_given: whether there is a context for TLS to the proxy, which only an https proxy needs.
    """
    if proxy is None:
        return None
    if isinstance(proxy, str):
        check_proxy_tls(parse_proxy(proxy), is_tls_given)
        return lambda secure, host, port: proxy

    def choose(secure: bool, host: str, port: int) -> str | None:
        chosen = get_proxy(WebSocketURI(secure, host, port, "", ""))
        if chosen is not None:
            check_proxy_tls(parse_proxy(chosen), is_tls_given)
        return chosen

    return choose


def check_proxy_tls(proxy: Proxy, is_tls_given: bool) -> None:
    """Refuse a context for TLS to a proxy without TLS."""
    if is_tls_given and proxy.scheme != "https":
        raise ValueError(f"proxy_ssl is for https:// proxies, not for {proxy.scheme}://; drop it")


# Systems with settings for proxies beside the environment.
_WITH_SETTINGS = ("darwin", "win32")
