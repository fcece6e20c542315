"""A server with a handler for each path, found by the rules of `werkzeug`, which must be installed.

    from openline.sync.router import route
    from werkzeug.routing import Map, Rule

    def room(websocket, name):
        websocket.send(f"welcome to {name}")

    with route(Map([Rule("/room/<name>", endpoint=room)]), "localhost", 8765) as server:
        server.serve_forever()
"""

from __future__ import annotations

import http
import urllib.parse
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal

from ..http11 import Request, Response
from .server import Server, ServerConnection, serve

if TYPE_CHECKING:
    import ssl as ssl_module

    from werkzeug.routing import Map

    from ..typing import PathLike

__all__ = ["route", "unix_route", "Router"]


class Router:
    """Finds the handler for a request; for `create_router` of `route`.

    Args:
        url_map: the rules.
        server_name: the server's name as clients see it. Default: None, the `Host` header.
        url_scheme: "wss" if clients use TLS. Default: "ws".

    Example:
        class Lobby(Router):
            def not_found(self, connection):
                return connection.respond(404, "There is no such room.")

        with route(Map([Rule("/room/<name>", endpoint=room)]), "localhost", 0, create_router=Lobby) as server:
            server.serve_forever()
    """

    def __init__(self, url_map: Map, server_name: str | None = None, url_scheme: str = "ws") -> None:
        self.url_map = url_map
        self.server_name = server_name
        self.url_scheme = url_scheme
        for rule in url_map.iter_rules():
            rule.websocket = True

    def get_server_name(self, connection: ServerConnection, request: Request) -> str:
        """Return the server's name, for redirects and rules with a host.

        Args:
            connection: the connection.
            request: its request.
        """
        return request.headers["Host"] if self.server_name is None else self.server_name

    def redirect(self, connection: ServerConnection, url: str) -> Response:
        """Return the response that sends a client elsewhere.

        Args:
            connection: the connection.
            url: where to.
        """
        response = connection.respond(http.HTTPStatus.FOUND, f"Found at {url}")
        response.headers["Location"] = url
        return response

    def not_found(self, connection: ServerConnection) -> Response:
        """Return the response for a path without a handler.

        Args:
            connection: the connection.
        """
        return connection.respond(http.HTTPStatus.NOT_FOUND, "Not Found")

    def route_request(self, connection: ServerConnection, request: Request) -> Response | None:
        """Find the handler for a request, and keep it as `handler` and `handler_kwargs` of the connection.

        Args:
            connection: the connection.
            request: its request.

        Returns:
            None; or the response, if there is no handler.
        """
        from werkzeug.exceptions import NotFound
        from werkzeug.routing import RequestRedirect

        try:
            server_name = self.get_server_name(connection, request)
        except KeyError:
            return None  # a request without Host, which the handshake refuses
        target = urllib.parse.urlsplit(request.path)
        adapter = self.url_map.bind(server_name, url_scheme=self.url_scheme)
        try:
            handler, arguments = adapter.match(path_info=target.path, query_args=target.query)
        except RequestRedirect as redirect:
            return self.redirect(connection, redirect.new_url)
        except NotFound:
            return self.not_found(connection)
        connection.handler, connection.handler_kwargs = handler, arguments
        return None

    def handler(self, connection: ServerConnection) -> None:
        """Call the handler that was found.

        Args:
            connection: the connection.
        """
        connection.handler(connection, **connection.handler_kwargs)


def route(
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> Server:
    """Make a server that has a handler for each path.

    Example:
        url_map = Map([Rule("/room/<name>", endpoint=room)])
        with route(url_map, "localhost", 8765) as server:
            server.serve_forever()

    Rules need no `websocket=True`. Handlers get what a rule finds in the path by name.

    Args:
        url_map: a `werkzeug.routing.Map` whose endpoints are handlers.
        *args: `host` and `port`, as for `serve`.
        server_name: the server's name as clients see it, for redirects behind a proxy. Default: None, the `Host`
            header.
        ssl: as for `serve`; or True if a proxy has the TLS, for redirects to `wss://`. Default: None.
        create_router: a subclass of `Router`, or any callable that takes what that takes. Default: None,
            `Router`.
        **kwargs: as `serve`. A `process_request` is asked first.

    Raises:
        ImportError: `werkzeug` is not installed.
    """
    made: Server = _route(
        serve, url_map, *args, server_name=server_name, ssl=ssl, create_router=create_router, **kwargs
    )
    return made


def _route(
    make: Callable[..., Any],
    url_map: Map,
    *args: Any,
    server_name: str | None = None,
    ssl: ssl_module.SSLContext | Literal[True] | None = None,
    create_router: Callable[..., Router] | None = None,
    **kwargs: Any,
) -> Any:
    """Make a server by a function that is `serve`."""
    try:
        import werkzeug.routing  # noqa: F401
    except ImportError:
        raise ImportError("route() requires werkzeug; install it with: pip install werkzeug") from None
    if ssl is not True:
        kwargs["ssl"] = ssl
    router = (create_router or Router)(url_map, server_name, "ws" if ssl is None else "wss")
    first = kwargs.pop("process_request", None)

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        response: Response | None = None if first is None else first(connection, request)
        return router.route_request(connection, request) if response is None else response

    return make(router.handler, *args, process_request=process_request, **kwargs)


def unix_route(url_map: Map, path: PathLike | None = None, **kwargs: Any) -> Server:
    """Make a server that has a handler for each path, over a Unix socket.

    Example:
        with unix_route(Map([Rule("/room/<name>", endpoint=room)]), "/run/server.sock") as server:
            server.serve_forever()

    Args:
        url_map: as for `route`.
        path: as for `unix_serve`.
        **kwargs: as `route`.
    """
    return route(url_map, unix=True, path=path, **kwargs)
