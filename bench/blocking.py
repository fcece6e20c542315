"""The clients that block: a bare socket, openline, and those for Python that it is measured against."""

from __future__ import annotations

import base64
import importlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import Any, ClassVar

from client import KINDS, Client, check
from meter import Meter, Usage
from workloads import TEXT, Workload

AT_ONCE = 1_000
"""How many messages a client sends with one call, where it can."""

IDLE_SECONDS = 3

HUNDRED_SECONDS = 0.6
"""How long a hundred threads are measured: it takes a while until each had its turn."""


class Blocking(Client):
    """A client with `send`, `recv` and `close`."""

    def connect(self, uri: str) -> Any:
        raise NotImplementedError

    def round_trip(self) -> None:
        websocket = self.connect(self.meter.uri)
        send, recv = websocket.send, websocket.recv
        messages, times, clock = self.meter.messages, self.meter.times, time.perf_counter_ns
        for _ in self.meter.batches():
            for message in messages:
                start = clock()
                send(message)
                reply = recv()
                times.append(clock() - start)
                check(reply == message)

    def receive(self) -> None:
        recv = self.connect(self.meter.uri).recv
        if self.workload.compressed:
            for _ in self.meter.batches():
                for text in self.meter.texts:
                    check(recv() == text)
            return
        count, size = self.workload.batch, self.workload.size
        for _ in self.meter.batches():
            total = 0
            for _ in range(count):
                total += len(recv())
            check(total == count * size)

    def send(self) -> None:
        count, message = self.workload.batch, self.meter.message
        websocket = self.connect(f"{self.meter.uri}/{count}")
        send = websocket.send
        for _ in self.meter.batches():
            for _ in range(count):
                send(message)
            check(websocket.recv() == "done")

    def connect_and_close(self) -> None:
        for _ in self.meter.batches():
            for _ in range(self.workload.batch):
                self.connect(self.meter.uri).close()

    def idle(self) -> None:
        count = self.workload.batch
        kept = [self.connect(self.meter.uri)]  # what is loaded once is not a cost of each
        time.sleep(0.3)
        before = Usage()
        kept += [self.connect(self.meter.uri) for _ in range(count)]
        time.sleep(1.5)
        after = Usage()
        time.sleep(IDLE_SECONDS)
        in_the_end = Usage()
        self.meter.result = in_the_end.per_connection(before, count)
        self.meter.result["cpu_percent"] = in_the_end.cpu_percent(after)
        self.meter.result["open"] = float(self.connect(self.meter.uri_of("/alive")).recv())
        del kept

    def hundred(self) -> None:
        websockets = [self.connect(self.meter.uri) for _ in range(self.workload.batch)]
        counts = [0] * len(websockets)
        stop = threading.Event()

        def work(index: int) -> None:
            send, recv, message = websockets[index].send, websockets[index].recv, self.meter.message
            while not stop.is_set():
                for _ in range(10):
                    send(message)
                    check(recv() == message)
                counts[index] += 10

        threads = [threading.Thread(target=work, args=(index,)) for index in range(len(websockets))]
        for thread in threads:
            thread.start()
        time.sleep(HUNDRED_SECONDS / 4)
        before, start, cpu = sum(counts), time.perf_counter(), time.process_time()
        time.sleep(HUNDRED_SECONDS)
        self.meter.record(
            sum(counts) - before, time.perf_counter() - start, time.process_time() - cpu
        )
        stop.set()
        for thread in threads:
            thread.join()


class Raw(Blocking):
    """A socket that moves the same bytes, and understands nothing of them."""

    kinds = KINDS - {"idle"}  # it answers no ping

    def connect(self, uri: str) -> RawSocket:
        return RawSocket(uri, self.meter, self.context)

    def round_trip(self) -> None:
        connection = self.connect(self.meter.uri)
        times, clock = self.meter.times, time.perf_counter_ns
        for _ in self.meter.batches():
            for _ in range(self.workload.batch):
                start = clock()
                connection.send()
                connection.recv()
                times.append(clock() - start)

    def receive(self) -> None:
        connection = self.connect(self.meter.uri).socket
        buffer = bytearray(128 * 1024)
        batch = self.workload.batch * (header_len(self.workload.size) + self.workload.size)
        for _ in self.meter.batches():
            left = batch
            while left:
                left -= connection.recv_into(buffer, min(left, len(buffer)))

    def send(self, at_once: int = 1) -> None:
        batch = self.workload.batch * at_once
        connection = self.connect(f"{self.meter.uri}/{batch}")
        messages = connection.request * at_once
        sendall = connection.socket.sendall
        for _ in self.meter.batches(batch):
            for _ in range(batch // at_once):
                sendall(messages)
            check(connection.socket.recv(64) == b"\x81\x04done")


class RawCoalesced(Raw):
    """The same, with many messages in each call."""

    kinds = frozenset({"send"})

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return workload.is_of_small and super().takes(workload)

    def send(self, at_once: int = AT_ONCE) -> None:
        super().send(at_once)


class RawSocket:
    """What is sent has as many bytes as the frame of the message; what comes is taken for the message."""

    def __init__(self, uri: str, meter: Meter, context: ssl.SSLContext | None) -> None:
        self.socket: socket.socket = socket.create_connection(("127.0.0.1", meter.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname="127.0.0.1")
        path = "/" + uri.split("/", 3)[3]
        key = base64.b64encode(os.urandom(16)).decode()
        self.socket.sendall(
            f"GET {path} HTTP/1.1\r\nHost: localhost:{meter.port}\r\nUpgrade: websocket\r\n"
            f"Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            # Byte by byte only in what may be followed by messages.
            head += self.socket.recv(4096 if path.startswith(("/echo", "/sink")) else 1)
        self.message, size = meter.message, meter.workload.size
        header = header_len(size)
        self.request = b"\x82" + bytes(header + 3 + size)
        self.reply = bytearray(header + size)

    def send(self, message: object = None) -> None:
        self.socket.sendall(self.request)

    def recv(self) -> object:
        view, left = memoryview(self.reply), len(self.reply)
        while left:
            left -= self.socket.recv_into(view[-left:])
        return self.message

    def close(self) -> None:
        self.socket.sendall(b"\x88\x82\x00\x00\x00\x00\x03\xe8")
        while self.socket.recv(64):
            pass
        self.socket.close()


def header_len(size: int) -> int:
    return 2 if size < 126 else 4 if size < 65_536 else 10


class Openline(Blocking):
    packages = ["openline"]
    compresses = True
    options: dict[str, Any] = {}

    def connect(self, uri: str) -> Any:
        from openline.sync.client import connect

        return connect(uri, compression="deflate" if self.workload.compressed else None, **self.plain())

    def plain(self) -> dict[str, Any]:
        return {"ping_interval": None, "max_size": None, "proxy": None, **self.options}


class OpenlineAsleep(Openline):
    kinds = frozenset({"round_trip"})
    options = {"busy_poll": 0}


class OpenlineContext(Openline):
    """With an `SSLContext` of the program's, where `Openline` has rustls."""

    def plain(self) -> dict[str, Any]:
        return {**super().plain(), "ssl": self.context}

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return workload.secure and super().takes(workload)


class OpenlineFor(Openline):
    kinds = frozenset({"receive"})

    def receive(self) -> None:
        websocket = self.connect(self.meter.uri)
        messages, count, size = iter(websocket), self.workload.batch, self.workload.size
        for _ in self.meter.batches():
            total = 0
            for message in messages:
                total += len(message)
                if total >= count * size:
                    break
            check(total == count * size)


class OpenlineMany(Openline):
    """With `recv_many` and `send_many`."""

    kinds = frozenset({"receive", "send"})

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return workload.is_of_small and super().takes(workload)

    def receive(self) -> None:
        websocket = self.connect(self.meter.uri)
        count, size = self.workload.batch, self.workload.size
        for _ in self.meter.batches():
            left = count
            while left:
                messages = websocket.recv_many(min(left, AT_ONCE))
                check(sum(map(len, messages)) == len(messages) * size)
                left -= len(messages)

    def send(self) -> None:
        batch = self.workload.batch * AT_ONCE // 10
        messages = [self.meter.message] * AT_ONCE
        websocket = self.connect(f"{self.meter.uri}/{batch}")
        for _ in self.meter.batches(batch):
            for _ in range(batch // AT_ONCE):
                websocket.send_many(messages)
            check(websocket.recv() == "done")


class Websockets(Blocking):
    packages = ["websockets"]
    compresses = True

    def connect(self, uri: str) -> Any:
        from websockets.sync.client import connect

        options: dict[str, Any] = {"ping_interval": None, "max_size": None, "proxy": None}
        options["compression"] = "deflate" if self.workload.compressed else None
        # legacy: to connect without `with`.
        return connect(uri, ssl=self.context, legacy=True, **options)


class WebsocketClient(Blocking):
    packages = ["websocket-client", "wsaccel"]

    def connect(self, uri: str) -> Any:
        websocket: Any = importlib.import_module("websocket")
        tls = {"ca_certs": self.meter.authorities} if self.workload.secure else None
        connection = websocket.create_connection(uri, sslopt=tls, enable_multithread=False)
        is_text = self.workload.opcode == TEXT
        return Messages(connection, connection.send if is_text else connection.send_binary)


class WebsocketRs(Blocking):
    packages = ["websocket-rs"]

    def connect(self, uri: str) -> Any:
        client: Any = importlib.import_module("websocket_rs.sync.client")
        return client.connect(uri)


class CurlCffi(Blocking):
    packages = ["curl_cffi"]

    def connect(self, uri: str) -> Any:
        curl_cffi: Any = importlib.import_module("curl_cffi")
        websocket = curl_cffi.WebSocket()
        verify = self.meter.authorities if self.workload.secure else None
        websocket.connect(uri, verify=verify)
        is_text = self.workload.opcode == TEXT

        def recv() -> str | bytes:
            payload: bytes
            payload, flags = websocket.recv()
            return payload.decode() if flags & 1 else payload

        messages = Messages(websocket, websocket.send_str if is_text else websocket.send_bytes)
        messages.recv = recv
        return messages


class Messages:
    """The calls of a client under the names that the others have."""

    def __init__(self, websocket: Any, send: Callable[[Any], Any]) -> None:
        self.send, self.recv, self.close = send, websocket.recv, websocket.close
