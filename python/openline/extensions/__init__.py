"""WebSocket extensions (RFC 6455 §9).

Here will stand `base`, what an extension written in Python implements, and `permessage_deflate`, compression
(RFC 7692). Until then `openline.sync.client.connect` offers none, and refuses the `extensions` argument.
"""
