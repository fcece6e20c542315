"""The clients for asyncio, on uvloop: they do the same work as `blocking.py` in coroutines, or in callbacks."""

from __future__ import annotations

import asyncio
import importlib
import time
from collections.abc import Callable, Coroutine
from typing import Any

from blocking import HUNDRED_SECONDS, IDLE_SECONDS
from client import Client, check
from meter import Meter, Usage
from workloads import TEXT, Workload


class Asynchronous(Client):
    """A client whose `open` gives three coroutine functions: to send, to receive, and to close."""

    async def open(self, uri: str) -> Connection:
        raise NotImplementedError

    async def _round_trip(self) -> None:
        send, recv, _ = await self.open(self.meter.uri)
        messages, times, clock = self.meter.messages, self.meter.times, time.perf_counter_ns
        for _ in self.meter.batches():
            for message in messages:
                start = clock()
                await send(message)
                reply = await recv()
                times.append(clock() - start)
                check(reply == message)

    async def _receive(self) -> None:
        _, recv, _ = await self.open(self.meter.uri)
        if self.workload.compressed:
            for _ in self.meter.batches():
                for text in self.meter.texts:
                    check(await recv() == text)
            return
        count, size = self.workload.batch, self.workload.size
        for _ in self.meter.batches():
            total = 0
            for _ in range(count):
                total += len(await recv())
            check(total == count * size)

    async def _send(self) -> None:
        count, message = self.workload.batch, self.meter.message
        send, recv, _ = await self.open(f"{self.meter.uri}/{count}")
        for _ in self.meter.batches():
            for _ in range(count):
                await send(message)
            check(await recv() == "done")

    async def _connect_and_close(self) -> None:
        for _ in self.meter.batches():
            for _ in range(self.workload.batch):
                await (await self.open(self.meter.uri))[2]()

    async def _idle(self) -> None:
        count = self.workload.batch
        kept = [await self.open(self.meter.uri)]
        await asyncio.sleep(0.3)
        before = Usage()
        kept += [await self.open(self.meter.uri) for _ in range(count)]
        await asyncio.sleep(1.5)
        after = Usage()
        await asyncio.sleep(IDLE_SECONDS)
        in_the_end = Usage()
        self.meter.result = in_the_end.per_connection(before, count)
        self.meter.result["cpu_percent"] = in_the_end.cpu_percent(after)
        self.meter.result["open"] = float(await (await self.open(self.meter.uri_of("/alive")))[1]())
        del kept

    async def _hundred(self) -> None:
        connections = [await self.open(self.meter.uri) for _ in range(self.workload.batch)]
        message, count, is_over = self.meter.message, 0, False

        async def work(connection: Connection) -> None:
            nonlocal count
            send, recv, _ = connection
            while not is_over:
                await send(message)
                check(await recv() == message)
                count += 1

        tasks = [asyncio.create_task(work(connection)) for connection in connections]
        await asyncio.sleep(HUNDRED_SECONDS / 4)
        before, start, cpu = count, time.perf_counter(), time.process_time()
        await asyncio.sleep(HUNDRED_SECONDS)
        self.meter.record(count - before, time.perf_counter() - start, time.process_time() - cpu)
        is_over = True
        await asyncio.gather(*tasks)

    # What `contender.py` calls.

    def round_trip(self) -> None:
        self.run(self._round_trip())

    def receive(self) -> None:
        self.run(self._receive())

    def send(self) -> None:
        self.run(self._send())

    def connect_and_close(self) -> None:
        self.run(self._connect_and_close())

    def idle(self) -> None:
        self.run(self._idle())

    def hundred(self) -> None:
        self.run(self._hundred())

    def run(self, work: Coroutine[Any, Any, None]) -> None:
        uvloop: Any = importlib.import_module("uvloop")
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(self.report_when_done(work))

    async def report_when_done(self, work: Coroutine[Any, Any, None]) -> None:
        await work
        # Connections that were left open would keep the runner.
        self.meter.finish()


Connection = tuple[
    Callable[[Any], Coroutine[Any, Any, None]],
    Callable[[], Coroutine[Any, Any, Any]],
    Callable[[], Coroutine[Any, Any, Any]],
]


class WebsocketsAsyncio(Asynchronous):
    packages = ["websockets", "uvloop"]
    compresses = True

    async def open(self, uri: str) -> Connection:
        from websockets.asyncio.client import connect

        options: dict[str, Any] = {"ping_interval": None, "max_size": None, "proxy": None}
        options["compression"] = "deflate" if self.workload.compressed else None
        websocket = await connect(uri, ssl=self.context, **options)
        return websocket.send, websocket.recv, websocket.close


class Aiohttp(Asynchronous):
    packages = ["aiohttp", "uvloop"]
    compresses = True
    session: Any = None

    async def open(self, uri: str) -> Connection:
        aiohttp: Any = importlib.import_module("aiohttp")
        if self.session is None:
            self.session = aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0))
        websocket = await self.session.ws_connect(
            uri.replace("ws", "http", 1),
            compress=15 if self.workload.compressed else 0,
            max_msg_size=0,
            ssl=self.context or True,
        )
        send = websocket.send_str if self.workload.opcode == TEXT else websocket.send_bytes

        async def recv() -> Any:
            return (await websocket.receive()).data

        return send, recv, websocket.close


class WebsocketRsAsyncio(Asynchronous):
    packages = ["websocket-rs", "uvloop"]
    compresses = True

    async def open(self, uri: str) -> Connection:
        client: Any = importlib.import_module("websocket_rs.native_client")
        websocket = await client.connect(
            uri, ssl_context=self.context, compression=self.workload.compressed
        )
        is_text = self.workload.opcode == TEXT or self.workload.kind in ("send", "idle")

        async def send(message: str | bytes) -> None:
            websocket.send(message)

        async def recv() -> str | bytes:
            message = bytes(await websocket.recv())
            return message.decode() if is_text else message

        async def close() -> None:
            websocket.close()

        return send, recv, close


class PicowsWebsockets(Asynchronous):
    """Its package with the interface of `websockets`, which can compress."""

    packages = ["picows", "uvloop"]
    compresses = True

    async def open(self, uri: str) -> Connection:
        picows: Any = importlib.import_module("picows.websockets")
        options: dict[str, Any] = {"ping_interval": None, "max_size": None, "proxy": None}
        options["compression"] = "deflate" if self.workload.compressed else None
        websocket = await picows.connect(uri, ssl=self.context, **options)
        return websocket.send, websocket.recv, websocket.close

    @classmethod
    def takes(cls, workload: Workload) -> bool:
        return workload.compressed and super().takes(workload)


class Picows(Asynchronous):
    """Its own interface: a callback for each frame, which also sends what follows."""

    packages = ["picows", "uvloop"]

    def __init__(self, meter: Meter) -> None:
        super().__init__(meter)
        self.picows: Any = importlib.import_module("picows")
        kinds = self.picows.WSMsgType
        self.type = kinds.TEXT if self.workload.opcode == TEXT else kinds.BINARY
        payload = self.meter.message
        self.payload = payload if isinstance(payload, bytes) else payload.encode()

    async def listen(self, uri: str, on_frame: Callable[[Any, Any, Any], None]) -> Any:
        """Connect; the callback is a method of the listener. Only `idle` has frames that are no messages."""
        listener = type("Listener", (self.picows.WSListener,), {"on_ws_frame": on_frame})
        transport, _ = await self.picows.ws_connect(
            listener,
            uri,
            ssl_context=self.context,
            max_frame_size=1 << 24,
            websocket_handshake_timeout=10,
        )
        return transport

    async def _round_trip(self) -> None:
        done, left, start = asyncio.Event(), 0, 0
        message, times, clock = self.payload, self.meter.times, time.perf_counter_ns

        def on_frame(_: Any, transport: Any, frame: Any) -> None:
            nonlocal left, start
            reply = frame.get_payload_as_bytes()
            times.append(clock() - start)
            check(reply == message)
            left -= 1
            if left:
                start = clock()
                transport.send(self.type, message)
            else:
                done.set()

        transport = await self.listen(self.meter.uri, on_frame)
        for _ in self.meter.batches():
            done.clear()
            left = self.workload.batch
            start = clock()
            transport.send(self.type, message)
            await done.wait()

    async def _receive(self) -> None:
        # More than one batch may come at once.
        done, total = asyncio.Semaphore(0), 0
        batch = self.workload.batch * self.workload.size

        def on_text(_: Any, transport: Any, frame: Any) -> None:
            nonlocal total
            total += len(frame.get_payload_as_utf8_text())
            if total >= batch:
                end()

        def on_bytes(_: Any, transport: Any, frame: Any) -> None:
            nonlocal total
            total += len(frame.get_payload_as_bytes())
            if total >= batch:
                end()

        def end() -> None:
            nonlocal total
            check(total == batch)
            total = 0
            done.release()

        await self.listen(self.meter.uri, on_text if self.workload.opcode == TEXT else on_bytes)
        for _ in self.meter.batches():
            await done.acquire()

    async def _send(self) -> None:
        done, count = asyncio.Event(), self.workload.batch

        def on_frame(_: Any, transport: Any, frame: Any) -> None:
            check(frame.get_payload_as_bytes() == b"done")
            done.set()

        transport = await self.listen(f"{self.meter.uri}/{count}", on_frame)
        buffered = transport.underlying_transport.get_write_buffer_size
        for _ in self.meter.batches():
            for _ in range(count):
                transport.send(self.type, self.payload)
                # Without end they would be kept in memory.
                while buffered() > 1 << 20:
                    await asyncio.sleep(0)
            await done.wait()
            done.clear()

    async def open(self, uri: str) -> Connection:
        messages: asyncio.Queue[Any] = asyncio.Queue()
        ping = self.picows.WSMsgType.PING

        def on_frame(_: Any, transport: Any, frame: Any) -> None:
            if frame.msg_type != ping:
                messages.put_nowait(frame.get_payload_as_bytes())

        transport = await self.listen(uri, on_frame)

        async def send(message: object) -> None:
            transport.send(self.type, self.payload)

        async def close() -> None:
            transport.send_close(self.picows.WSCloseCode.OK)
            await transport.wait_disconnected()

        return send, messages.get, close
