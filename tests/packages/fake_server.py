"""The server that the packages of this directory talk to; `services.py` has what each of them expects.

python fake_server.py CERTIFICATE

The first line it prints is the addresses to use, as JSON. It serves until its standard input ends; then it
prints a line of JSON for each connection: what came, and how it ended. The first parts of a request's path
say what happens, and the rest names the service:

- `/served/…`: the service
- `/unwatched/…`: the same, for clients that leave without waiting: it depends on chance what comes last
- `/refused/STATUS/…`: an answer with that status and a body, in place of the handshake
- `/closed/CODE/…`: a close with that code after the first message; with 1006, the end without one
- `/restarting/CODE/…`: the same for the first connection; the service for those that follow
- `/mute/…`: an open connection on which nothing ever comes
- `/silent/…`: no answer to the handshake
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import sys
import threading
import urllib.parse
import zlib
from collections import deque
from collections.abc import Iterator
from typing import Any, NoReturn

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve
from websockets.typing import Subprotocol

import services
import tls_front


class Visit(ServerConnection):
    """A connection, and the record of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.record = Record()
        self.behaviour: list[str] = []
        """The request's path, in its parts."""


class Record:
    """What came on a connection, without what differs from run to run."""

    def __init__(self) -> None:
        self.path = ""
        self.headers: list[str] = []
        self.messages: list[str] = []
        self.end = ""
        self.done = threading.Event()

    def note_request(self, request: Request) -> None:
        self.path = request.path
        for name, value in request.headers.raw_items():
            if name not in ("Host", "Sec-WebSocket-Key"):
                self.headers.append(f"{name}: {without_ids(value)}")

    def note_message(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            checksum = f"{zlib.crc32(re.sub(IDS.encode(), b'ID', message)):08x}"
            self.messages.append(f"<{len(message)} bytes with checksum {checksum}>")
        elif len(message) > 1000:
            checksum = f"{zlib.crc32(message.encode()):08x}"
            self.messages.append(f"{message[:50]}… in {len(message)} characters with checksum {checksum}")
        else:
            self.messages.append(without_ids(message))

    def note_end(self, end: object) -> None:
        self.end = str(end)
        self.done.set()


class Desk:
    """Receives the connections, and keeps the records of all."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._restarted: set[str] = set()
        self._stopped = threading.Event()

    def process_request(self, visit: ServerConnection, request: Request) -> Response | None:
        assert isinstance(visit, Visit)
        self.records.append(visit.record)
        visit.record.note_request(request)
        visit.behaviour = request.path.split("?")[0].removeprefix("/").split("/")
        match visit.behaviour:
            case ["silent", *_]:
                visit.record.note_end("without an answer")
                self._stopped.wait()
            case ["refused", status, *_]:
                visit.record.note_end(f"refused with {status}")
                return refusal(visit, int(status))
        return None

    def serve(self, visit: ServerConnection) -> None:
        assert isinstance(visit, Visit)
        try:
            with contextlib.suppress(ConnectionClosed):
                self._serve(visit)
            watched = visit.behaviour[0] != "unwatched"
            visit.record.note_end(visit.protocol.close_exc if watched else "unwatched")
        except Exception as error:
            visit.record.note_end(f"the server failed: {error!r}")
            raise

    def _serve(self, visit: Visit) -> None:
        match visit.behaviour:
            case ["served" | "unwatched", *service]:
                self._talk(visit, service)
            case ["closed", code, *_]:
                next(messages(visit))
                leave(visit, int(code))
            case ["restarting", code, *_] if visit.record.path not in self._restarted:
                self._restarted.add(visit.record.path)
                next(messages(visit))
                leave(visit, int(code))
            case ["restarting", _, *service]:
                self._talk(visit, service)
            case ["mute", *_]:
                deque(messages(visit), maxlen=0)
            case _:
                visit.close(1008, f"no such behaviour: {visit.record.path}")

    def _talk(self, visit: Visit, service: list[str]) -> None:
        url = urllib.parse.urlsplit(visit.record.path)
        query = dict(urllib.parse.parse_qsl(url.query))
        for answer in services.find("/" + "/".join(service))(messages(visit), query):
            visit.send(answer if isinstance(answer, (str, bytes)) else json.dumps(answer))
        visit.close()

    def finished_records(self) -> Iterator[dict[str, object]]:
        self._stopped.set()
        for record in self.records:
            record.done.wait(10)
            yield {
                "path": record.path,
                "headers": record.headers,
                "messages": record.messages,
                "end": record.end,
            }


def messages(visit: Visit) -> Iterator[str | bytes]:
    """What comes, noted, until the end of the connection, which is raised."""
    while True:
        message = visit.recv()
        visit.record.note_message(message)
        yield message


def refusal(visit: Visit, status: int) -> Response:
    body = {"detail": {"message": "we do not know you", "error_id": "error-42"}}
    response = visit.respond(status, json.dumps(body))
    del response.headers["Content-Type"]
    response.headers["Content-Type"] = "application/json"
    response.headers["X-Request-Id"] = "request-7"
    return response


def leave(visit: Visit, code: int) -> NoReturn:
    if code == 1006:
        visit.socket.shutdown(socket.SHUT_RDWR)
    else:
        visit.close(code, f"we leave with {code}")
    while True:
        visit.recv()  # until the end is raised


def without_ids(text: str) -> str:
    """Without the identifiers that the packages make up."""
    return re.sub(IDS, "ID", text)


def start(desk: Desk) -> int:
    server = serve(
        desk.serve,
        "127.0.0.1",
        0,
        process_request=desk.process_request,
        select_subprotocol=lambda _, offered: Subprotocol("cbor") if "cbor" in offered else None,
        create_connection=Visit,
        open_timeout=None,
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port: int = server.socket.getsockname()[1]
    return port


def main(certificate: str) -> None:
    desk = Desk()
    port = start(desk)
    print(json.dumps([f"127.0.0.1:{port}", f"localhost:{tls_front.start(certificate, port)}"]), flush=True)
    sys.stdin.read()
    for record in desk.finished_records():
        print(json.dumps(record), flush=True)


IDS = r"[0-9a-f]{8}-?([0-9a-f]{4}-?){3}[0-9a-f]{12}"

if __name__ == "__main__":
    main(sys.argv[1])
