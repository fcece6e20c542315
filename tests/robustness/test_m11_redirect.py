"""A redirect to another origin.

`Authorization` and `Cookie` do not go there.

In Rust:
- user_information_stays_with_its_origin
"""

from __future__ import annotations

from http_server import HttpServer, accepted, moved
from robustness.probes import Breaks, Client, Lacks, probe

SECRETS = {"Authorization": "Bearer secret", "Cookie": "session=secret"}


@probe
def test_credentials(client: Client) -> str:
    """given as `additional_headers`"""
    with HttpServer(accepted) as other, HttpServer(lambda request: moved(other.uri())) as first:
        try:
            client.connect(first.uri(), additional_headers=SECRETS, open_timeout=5, ping_interval=None)
        except Exception as error:
            told = f"not followed: {type(error).__name__}"
        else:
            told = "stripped"
        assert b"secret" in first.requests[0]
        if not other.requests:
            raise Lacks(told)
        leaked = [name for name in SECRETS if name.lower().encode() in other.requests[0].lower()]
        if leaked:
            raise Breaks(f"leaks {' and '.join(leaked)}")
        return told
