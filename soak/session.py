"""A client of a soak: it opens connections, exchanges messages in all the ways there are, and checks all."""

from __future__ import annotations

import collections
import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from openline import ConnectionClosed, InvalidHandshake, SendTimeout
from openline.sync.client import ClientConnection, connect, reconnect, unix_connect, unix_reconnect

from messages import Ledger, Violation
from servers import Route

# No call may take longer: what does hangs.
LIMIT = 60.0


@dataclass
class Counts:
    """What a client has done."""

    connections: int = 0
    open_now: int = 0
    failed_openings: int = 0
    losses: int = 0
    reconnects: int = 0
    messages_sent: int = 0
    messages_received: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    pings: int = 0
    time_outs: int = 0
    send_time_outs: int = 0
    causes: collections.Counter[str] = field(default_factory=collections.Counter)


class Client(threading.Thread):
    """A thread with one connection after the other.

    Args:
        number: which of the clients it is.
        seed: what decides on all it does.
        routes: the ways it may take.
        context: for TLS by Python's `ssl`, on some connections.
        pause: seconds between exchanges, on average.
        ending: set when it is to end.
    """

    def __init__(
        self,
        number: int,
        seed: int,
        routes: list[Route],
        context: ssl.SSLContext,
        pause: float,
        ending: threading.Event,
    ) -> None:
        super().__init__(name=f"client {number}")
        self.number = number
        self.counts = Counts()
        self.violations: list[tuple[str, str]] = []
        self._choices = random.Random(f"{seed} {number}")
        self._routes = routes
        self._context = context
        self._pause = pause
        self._ending = ending
        # Allocated once, for `recv_into`.
        self._buffer = bytearray(100_000)

    def run(self) -> None:
        while not self._ending.is_set():
            route = self._choices.choices(self._routes, [weight(route) for route in self._routes])[0]
            try:
                self._visit(route)
            except Violation as violation:
                self._note(route, *violation.args)
            except Exception as error:
                self._note(route, "broken", f"{type(error).__name__}: {error}; {error.__cause__!r}")

    def _note(self, route: Route, kind: str, text: str) -> None:
        connection = f"{self.number}-{self.counts.connections}"
        self.violations.append((kind, f"connection {connection}, {route}: {text}"))

    def _visit(self, route: Route) -> None:
        """Open a connection, or several where they break, and exchange messages."""
        for websocket in self._connections(route):
            self.counts.connections += 1
            self.counts.open_now += 1
            ledger = Ledger(f"{self.number}-{self.counts.connections}", self._choices, route.largest)
            try:
                self._converse(websocket, ledger)
                return
            except ConnectionClosed as error:
                if not route.breaks:
                    raise
                self.counts.losses += 1
                self.counts.causes[error.cause.name if error.cause is not None else "none"] += 1
            finally:
                self.counts.open_now -= 1
                start = time.monotonic()
                websocket.close()
                if time.monotonic() - start > LIMIT:
                    raise Violation("hang", f"close() took {time.monotonic() - start:.0f} s")
                self.counts.messages_sent += ledger.number
                self.counts.bytes_sent += ledger.bytes_sent
                self.counts.messages_received += ledger.received
                self.counts.bytes_received += ledger.bytes_received
            if self._ending.is_set():
                return
            self.counts.reconnects += 1

    def _connections(self, route: Route) -> Iterator[ClientConnection]:
        options: dict[str, Any] = {
            "compression": self._choices.choice(["deflate", None]),
            "max_size": None,
            "max_queue": self._choices.choice([1, 4, 16, None]),
            "open_timeout": LIMIT / 2,
        }
        if route.breaks:
            # A record of TLS whose length was corrupted is waited for in vain.
            options |= {"ping_interval": 1, "ping_timeout": 6, "close_timeout": 3, "open_timeout": 10}
        if route.path is None:
            options["proxy"] = None
        if route.uri.startswith("wss") and self._choices.random() < 0.3:
            options["ssl"] = self._context
        try:
            if route.breaks and self._choices.random() < 0.5:
                # Until the last of the delays, when all comes to its end.
                options |= {"reconnect_delays": self._delays, "process_exception": self._process}
                if route.path is None:
                    yield from reconnect(route.uri, **options)
                else:
                    yield from unix_reconnect(route.path, route.uri, **options)
            elif route.path is None:
                yield connect(route.uri, **options)
            else:
                yield unix_connect(route.path, route.uri, **options)
        except (OSError, InvalidHandshake):
            self.counts.failed_openings += 1
            if not route.breaks:
                raise

    def _delays(self) -> Iterator[float]:
        while not self._ending.is_set():
            yield self._choices.uniform(0, 0.2)

    def _process(self, error: Exception) -> Exception | None:
        """What breaks in the midst of a handshake may be any error of it."""
        if not isinstance(error, (OSError, InvalidHandshake)):
            return error
        self.counts.failed_openings += 1
        return None

    def _converse(self, websocket: ClientConnection, ledger: Ledger) -> None:
        for _ in range(self._choices.randint(1, 40)):
            if self._ending.is_set():
                break
            exchange = self._choices.choices(EXCHANGES, WEIGHTS)[0]
            exchange(self, websocket, ledger)
            if ledger.missing:
                raise Violation("lost", f"{ledger.missing} messages after {exchange.__name__}")
            self._ending.wait(self._choices.expovariate(1 / self._pause))
        end = self._choices.random()
        if end < 0.1:
            websocket.abort()
        elif end < 0.3:
            # Messages on their way, and nobody reads them.
            websocket.send_many([ledger.message(300) for _ in range(self._choices.randint(1, 30))])
            websocket.close(self._choices.choice([1000, 1001, 4000]), "enough")
            for message in websocket:
                ledger.check(message)

    # Ways to exchange messages: all that are sent come back before they return.

    def _one(self, websocket: ClientConnection, ledger: Ledger) -> None:
        websocket.send(ledger.message())
        ledger.check(receive(websocket))

    def _into(self, websocket: ClientConnection, ledger: Ledger) -> None:
        message = ledger.message(20_000)
        websocket.send(message)
        length = websocket.recv_into(self._buffer, timeout=LIMIT)
        came = bytes(self._buffer[:length])
        ledger.check(came.decode() if isinstance(message, str) else came)

    def _impatient(self, websocket: ClientConnection, ledger: Ledger) -> None:
        """Time-outs in the midst of frames lose nothing."""
        websocket.send(ledger.message())
        deadline = time.monotonic() + LIMIT
        while True:
            try:
                ledger.check(websocket.recv(timeout=0.002))
                return
            except TimeoutError:
                self.counts.time_outs += 1
                if time.monotonic() > deadline:
                    raise Violation("hang", f"no message after {LIMIT} s of short waits") from None

    def _fragments(self, websocket: ClientConnection, ledger: Ledger) -> None:
        message = ledger.message()
        if not message:
            websocket.send(message)
        else:
            size = self._choices.randint(max(1, len(message) // 20), len(message))
            websocket.send([message[start : start + size] for start in range(0, len(message), size)])
        fragments = list(websocket.recv_streaming())
        ledger.check(("" if isinstance(message, str) else b"").join(fragments))  # type: ignore[arg-type]

    def _many(self, websocket: ClientConnection, ledger: Ledger) -> None:
        messages = [ledger.message(500) for _ in range(self._choices.randint(1, 30))]
        websocket.send_many(messages, timeout=LIMIT)
        while ledger.missing:
            try:
                echoes = websocket.recv_many(timeout=LIMIT)
            except TimeoutError:
                raise Violation("hang", f"{ledger.missing} messages did not come in {LIMIT} s") from None
            for echo in echoes:
                ledger.check(echo)

    def _at_once(self, websocket: ClientConnection, ledger: Ledger) -> None:
        """One thread sends while another receives, large messages too."""

        def send() -> None:
            for _ in range(self._choices.randint(2, 20)):
                websocket.send(ledger.message())

        self._receive_while(send, websocket, ledger)

    def _hasty(self, websocket: ClientConnection, ledger: Ledger) -> None:
        """A send that times out says whether its message will come back."""

        def send() -> None:
            for _ in range(self._choices.randint(2, 20)):
                message = ledger.message()
                try:
                    websocket.send(message, timeout=self._choices.choice([0, 0.0001, 0.002]))
                except SendTimeout as error:
                    self.counts.send_time_outs += 1
                    if not error.committed:
                        ledger.take_back(message)
            websocket.send(ledger.message(100))  # the rest of another one goes first

        self._receive_while(send, websocket, ledger)

    def _receive_while(
        self, send: Callable[[], None], websocket: ClientConnection, ledger: Ledger
    ) -> None:
        """Receive while another thread sends, and what is left to come."""
        raised: list[Exception] = []

        def run() -> None:
            try:
                send()
            except Exception as error:
                raised.append(error)

        sender = threading.Thread(target=run, name=f"{self.name}, sender")
        sender.start()
        deadline = time.monotonic() + LIMIT
        try:
            while sender.is_alive() or ledger.missing and not raised:
                try:
                    ledger.check(websocket.recv(timeout=0.05))
                except TimeoutError:
                    if time.monotonic() > deadline:
                        raise Violation("hang", f"{ledger.missing} messages left after {LIMIT} s") from None
                else:
                    deadline = time.monotonic() + LIMIT
        finally:
            sender.join(LIMIT)
            if sender.is_alive():
                raise Violation("hang", f"send() did not return in {LIMIT} s")
        if raised:
            raise raised[0]

    def _ping(self, websocket: ClientConnection, ledger: Ledger) -> None:
        try:
            websocket.ping(timeout=LIMIT)
        except TimeoutError:
            raise Violation("hang", f"no pong in {LIMIT} s") from None
        self.counts.pings += 1

    def _idle(self, websocket: ClientConnection, ledger: Ledger) -> None:
        self._ending.wait(self._choices.uniform(0.2, 3))


Exchange = Callable[[Client, ClientConnection, Ledger], None]
EXCHANGES: list[Exchange] = [
    Client._one,
    Client._into,
    Client._impatient,
    Client._fragments,
    Client._many,
    Client._at_once,
    Client._hasty,
    Client._ping,
    Client._idle,
]
WEIGHTS = [8, 2, 3, 3, 4, 2, 1, 1, 1]


def receive(websocket: ClientConnection) -> str | bytes:
    try:
        return websocket.recv(timeout=LIMIT)
    except TimeoutError:
        raise Violation("hang", f"no message in {LIMIT} s") from None


def weight(route: Route) -> float:
    """How often a way is taken: openline's servers more than that of `websockets`, which costs more."""
    return (2 if route.server == "openline" else 1) * (3 if route.proxy == "none" else 1)
