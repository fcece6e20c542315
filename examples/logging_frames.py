"""What happens on a connection, as it logs it, with secrets left out.

python examples/logging_frames.py [URI]
"""

from __future__ import annotations

import argparse
import logging
import sys

from openline.sync.client import connect
from openline.testing import EchoServer


def hide_values(record: logging.LogRecord) -> bool:
    """Leave out what headers say, which may be secret. They are logged as `> name: value`."""
    if record.msg in ("> %s: %s", "< %s: %s") and isinstance(record.args, tuple):
        record.args = (record.args[0], "(hidden)")
    return True


def run(uri: str) -> None:
    logging.basicConfig(stream=sys.stdout, format="%(levelname)-5s %(message)s")
    # Without one of your own it is logging.getLogger("openline.client").
    logger = logging.getLogger("example")
    logger.setLevel(logging.DEBUG)
    logger.addFilter(hide_values)

    with connect(uri, logger=logger, additional_headers={"Authorization": "Bearer 42"}) as websocket:
        websocket.send("hello")
        websocket.recv()
        websocket.send(bytes(1000))
        websocket.recv()
        # Records of one's own carry the connection too, as `record.websocket`.
        websocket.logger.info("two messages were echoed")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="What happens on a connection, as it logs it.")
    parser.add_argument("uri", nargs="?", help="an echo server; without it, one of our own")
    uri = parser.parse_args().uri
    with EchoServer() as server:
        run(uri or server.uri)
