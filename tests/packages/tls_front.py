"""A front that takes TLS off, for the fake server.

`websockets.sync` reads and writes an `SSLSocket` in two threads at once, which OpenSSL does not allow, and
hangs now and then. So TLS is asyncio's, in one thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import threading
from concurrent.futures import Future


def start(certificate: str, port: int) -> int:
    """Take connections with TLS for a server on this machine, in a thread of its own.

    Args:
        certificate: a file with a certificate and its key.
        port: that of the server, which is without TLS.

    Returns:
        The port to connect to.
    """
    opened: Future[int] = Future()
    threading.Thread(target=lambda: asyncio.run(_serve(certificate, port, opened)), daemon=True).start()
    return opened.result(10)


async def _serve(certificate: str, port: int, opened: Future[int]) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    # A ticket that comes after the handshake wakes the client's reader while its request is being written.
    context.num_tickets = 0

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    server = await asyncio.start_server(connect, "127.0.0.1", 0, ssl=context)
    opened.set_result(server.sockets[0].getsockname()[1])
    await server.serve_forever()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
    writer.close()
