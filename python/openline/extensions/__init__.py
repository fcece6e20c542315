"""WebSocket extensions (RFC 6455 §9).

- `openline.extensions.permessage_deflate`: compression (RFC 7692), as it is offered by default, with parameters.
- `openline.extensions.base`: what an extension written in Python implements.
"""

from .base import ClientExtensionFactory, Extension, ServerExtensionFactory

__all__ = ["Extension", "ClientExtensionFactory", "ServerExtensionFactory"]
