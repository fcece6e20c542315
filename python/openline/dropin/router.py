"""What stands in for `websockets.sync.router`: openline's, whose servers are those of drop-in mode."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..sync import router
from ..sync.router import Router
from .server import Server, serve

if TYPE_CHECKING:
    from werkzeug.routing import Map

    from ..typing import PathLike

__all__ = ["route", "unix_route", "Router"]


def route(url_map: Map, *args: Any, **kwargs: Any) -> Server:
    """Make a server that has a handler for each path, as `openline.sync.router.route` does.

    Args:
        url_map: the rules.
        *args: `host` and `port`.
        **kwargs: as `openline.sync.router.route`.
    """
    made: Server = router._route(serve, url_map, *args, **kwargs)
    return made


def unix_route(url_map: Map, path: PathLike | None = None, **kwargs: Any) -> Server:
    """Make a server that has a handler for each path, over a Unix socket.

    Args:
        url_map: the rules.
        path: the path of the socket.
        **kwargs: as `route`.
    """
    return route(url_map, unix=True, path=path, **kwargs)
