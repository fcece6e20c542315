"""permessage-deflate (RFC 7692) on a connection, with Python's `zlib` at the other end."""

from __future__ import annotations

import contextlib
import random
import signal
import threading
import zlib
from typing import Any

import pytest

from openline.exceptions import (
    ConnectionClosedError,
    DuplicateParameter,
    InvalidParameterName,
    InvalidParameterValue,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    TooManyFragments,
)
from openline.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from openline.frames import Frame, Opcode
from openline.sync.client import connect
from openline.testing import EchoServer

from peer import RSV1, RSV2, Peer, close, frame, text

TAIL = b"\x00\x00\xff\xff"
FIRST = 0x80 | RSV1
LONG = '{"price": 101.25, "size": 300, "side": "buy", "symbol": "OPENLINE"}'


class Zlib:
    """The other end's compressor and decompressor."""

    def __init__(self, bits: int = 15) -> None:
        self._compressor = zlib.compressobj(wbits=-bits)
        self._decompressor = zlib.decompressobj(wbits=-15)

    def compress(self, payload: str | bytes, *, fin: bool = True) -> bytes:
        data = payload.encode() if isinstance(payload, str) else payload
        data = self._compressor.compress(data) + self._compressor.flush(zlib.Z_SYNC_FLUSH)
        return data[:-4] if fin else data

    def decompress(self, payload: bytes, *, fin: bool = True) -> str:
        data = self._decompressor.decompress(payload + (TAIL if fin else b""))
        assert not self._decompressor.eof
        return data.decode()


def deflating(parameters: str = "", **kwargs: Any) -> Peer:
    return Peer(extensions=f"permessage-deflate{parameters}", **kwargs)


class TestSending:
    def test_messages_are_compressed_with_the_context_of_those_before(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()
            sizes = []
            for _ in range(3):
                ws.send(LONG)
                first, payload = peer.expect()
                assert first == FIRST | Opcode.TEXT
                assert other.decompress(payload) == LONG
                sizes.append(len(payload))
            assert sizes[0] > 50 and max(sizes[1:]) < 10

    @pytest.mark.parametrize(
        ("message", "compress", "compressed"),
        [
            ("x" * 31, None, False),
            ("x" * 32, None, True),
            ("", True, True),
            ("x", True, True),
            (LONG, True, True),
            (LONG, False, False),
        ],
    )
    def test_the_choice_of_each_message(self, message: str, compress: bool | None, compressed: bool) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()
            for many in (False, True):
                if many:
                    ws.send_many([message], compress=compress)
                else:
                    ws.send(message, compress=compress)
                first, payload = peer.expect()
                assert first == (FIRST if compressed else 0x80) | Opcode.TEXT
                assert (other.decompress(payload) if compressed else payload.decode()) == message

    def test_fragments(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()
            for compress in (None, True, False):
                ws.send(["", "Ünï", "", "cödé", LONG], compress=compress)
                frames = [peer.expect() for _ in range(6)]
                marked = 0 if compress is False else RSV1
                assert [first for first, _ in frames] == [Opcode.TEXT | marked, 0, 0, 0, 0, 0x80]
                if compress is False:
                    assert b"".join(payload for _, payload in frames).decode() == "Ünïcödé" + LONG
                else:
                    parts = [other.decompress(payload, fin=False) for _, payload in frames[:-1]]
                    assert parts == ["", "Ünï", "", "cödé", LONG]  # each can be read at once
                    assert other.decompress(frames[-1][1]) == ""

    def test_without_the_extension_nothing_is_compressed(self) -> None:
        with Peer() as peer, peer.connect() as ws:
            assert ws.extensions == []
            for compress in (None, True, False):
                ws.send(LONG, compress=compress)
                assert peer.expect() == (0x80 | Opcode.TEXT, LONG.encode())

    def test_client_no_context_takeover(self) -> None:
        with deflating("; client_no_context_takeover") as peer, peer.connect() as ws:
            payloads = []
            for _ in range(3):
                ws.send(LONG)
                payloads.append(peer.expect()[1])
                assert Zlib().decompress(payloads[-1]) == LONG
            assert len(set(payloads)) == 1

    @pytest.mark.parametrize("bits", range(9, 16))
    def test_client_max_window_bits(self, bits: int) -> None:
        with deflating(f"; client_max_window_bits={bits}") as peer, peer.connect() as ws:
            decompressor = zlib.decompressobj(wbits=-bits)  # it refuses what refers further back
            rng = random.Random(bits)
            for _ in range(5):
                message = "".join(rng.choices("abcdef", k=20_000))
                ws.send(message)
                assert decompressor.decompress(peer.expect()[1] + TAIL).decode() == message

    def test_what_a_time_out_takes_back_is_not_referred_to(self) -> None:
        # Nobody reads, so at some point a message is withdrawn, or its rest goes out first.
        rng = random.Random(1)
        messages = [rng.randbytes(30_000) * 2 for _ in range(400)]
        with deflating() as peer, peer.connect() as ws:
            peer.socket
            withdrawn = False
            for sent, message in enumerate(messages):
                try:
                    ws.send(message, timeout=0)
                except TimeoutError:
                    withdrawn = True
                    break
            assert withdrawn, "the line has more room than was thought"
            decompressor = zlib.decompressobj(wbits=-15)
            received: list[bytes] = []

            def read() -> None:
                while True:
                    first, payload = peer.expect()
                    if first & 0x0F == Opcode.CLOSE:
                        return peer.send(close())
                    received.append(decompressor.decompress(payload + TAIL))

            reader = threading.Thread(target=read)
            reader.start()
            for message in messages[:20]:
                ws.send(message)
            ws.close()
            reader.join(20)
            assert received[:sent] == messages[:sent]
            assert received[-20:] == messages[:20]
            assert len(received) in (sent + 20, sent + 21)


    def test_signals_are_seen_while_a_large_message_is_compressed(self) -> None:
        def handler(signum: int, frame: Any) -> None:
            raise KeyError("signal")

        before = signal.signal(signal.SIGALRM, handler)
        try:
            with deflating() as peer, peer.connect() as ws:
                large = random.Random(1).randbytes(20_000_000)
                signal.setitimer(signal.ITIMER_REAL, 0.1)
                with pytest.raises(KeyError, match="signal"):
                    ws.send(large)
                ws.send(LONG)  # nothing of the other was sent
                assert Zlib().decompress(peer.expect()[1]) == LONG
        finally:
            signal.signal(signal.SIGALRM, before)


class TestReceiving:
    def test_messages_with_and_without_context(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()
            for message in [LONG, "", "x", LONG * 1000, "Ünïcödé"]:
                peer.send(frame(Opcode.TEXT, other.compress(message), rsv=RSV1), text("plain"))
                assert ws.recv() == message
                assert ws.recv() == "plain"
            peer.send(frame(Opcode.BINARY, other.compress(b"\xff\x00"), rsv=RSV1))
            assert ws.recv() == b"\xff\x00"

    def test_every_way_to_receive(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()

            def send(message: str) -> None:
                peer.send(frame(Opcode.TEXT, other.compress(message), rsv=RSV1))

            send(LONG)
            assert ws.recv(decode=False) == LONG.encode()
            send(LONG)
            buffer = bytearray(100)
            with pytest.raises(ValueError, match="too small|does not fit"):
                ws.recv_into(bytearray(10))
            assert buffer[: ws.recv_into(buffer)] == LONG.encode()
            for _ in range(5):
                send(LONG)
            peer.send(frame(Opcode.PING, b"x"))
            peer.expect()  # the pong: all of it was read
            got: list[str | bytes] = []
            while len(got) < 5:
                got += ws.recv_many(timeout=5)
            assert got == [LONG] * 5
            send(LONG)
            assert list(ws.recv_streaming()) == [LONG]

    def test_fragments_come_as_they_are_sent(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            other = Zlib()
            peer.send(frame(Opcode.TEXT, other.compress("He\u20ac", fin=False), fin=False, rsv=RSV1))
            fragments = ws.recv_streaming()
            assert next(fragments) == "He\u20ac"
            peer.send(frame(Opcode.PING, b"between"), frame(Opcode.CONT, other.compress("llo")))
            assert list(fragments) == ["llo"]

    def test_a_message_in_small_reads(self) -> None:
        with deflating() as peer, peer.connect() as ws:
            wire = frame(Opcode.TEXT, Zlib().compress(LONG), rsv=RSV1)
            for position in range(len(wire)):
                peer.send(wire[position : position + 1])
            assert ws.recv() == LONG

    def test_streams_that_end(self) -> None:
        # RFC 7692 §7.2.3.4: a sender whose compressor cannot flush ends a stream with each message.
        with deflating() as peer, peer.connect() as ws:
            for number in range(3):
                compressor = zlib.compressobj(wbits=-15)
                message = f"{number} {LONG}"
                payload = compressor.compress(message.encode()) + compressor.flush()
                peer.send(frame(Opcode.TEXT, payload + b"\x00", rsv=RSV1))
                assert ws.recv() == message

    @pytest.mark.parametrize("streaming", [False, True])
    def test_streams_that_end_within_a_message(self, streaming: bool) -> None:
        with deflating() as peer, peer.connect() as ws:
            message = LONG * 3
            first = zlib.compressobj(wbits=-15)
            second = zlib.compressobj(wbits=-15, zdict=message.encode())
            peer.send(frame(Opcode.TEXT, first.compress(message.encode()), fin=False, rsv=RSV1))
            if streaming:
                fragments = ws.recv_streaming()
                peer.send(frame(Opcode.CONT, first.flush(zlib.Z_SYNC_FLUSH), fin=False))
                received = [next(fragments), next(fragments)]  # they are given out before the stream ends
            else:
                peer.send(frame(Opcode.CONT, first.flush(zlib.Z_SYNC_FLUSH), fin=False))
                received = []
            peer.send(frame(Opcode.CONT, first.flush(), fin=False))
            peer.send(frame(Opcode.CONT, second.compress(message.encode()) + second.flush() + b"\x00"))
            received += fragments if streaming else [ws.recv()]
            assert "".join(map(str, received)) == message * 2

    @pytest.mark.parametrize("bits", range(8, 16))
    def test_server_max_window_bits(self, bits: int) -> None:
        with deflating(f"; server_max_window_bits={bits}; server_no_context_takeover") as peer:
            with peer.connect() as ws:
                for _ in range(3):
                    compressed = Zlib(max(bits, 9)).compress(LONG * 50)
                    peer.send(frame(Opcode.TEXT, compressed, rsv=RSV1))
                    assert ws.recv() == LONG * 50


class TestFaults:
    """What a peer may not do. The connection fails as soon as it is seen."""

    def fails(self, *frames: bytes, code: int, cause: type[Exception], words: str, **kwargs: Any) -> None:
        with deflating() as peer, peer.connect(**kwargs) as ws:
            peer.send(*frames)
            with pytest.raises(ConnectionClosedError) as caught:
                ws.recv(timeout=10)
            assert caught.value.sent is not None and caught.value.sent.code == code
            assert type(caught.value.__cause__) is cause
            assert words in str(caught.value.__cause__)

    def test_not_deflate(self) -> None:
        words = "decompression failed: invalid block type"
        self.fails(frame(Opcode.TEXT, b"\x07", rsv=RSV1), code=1002, cause=ProtocolError, words=words)

    def test_invalid_text(self) -> None:
        payload = Zlib().compress(b"\xff")
        self.fails(frame(1, payload, rsv=RSV1), code=1007, cause=ProtocolError, words="invalid UTF-8")

    def test_invalid_text_before_the_message_ends(self) -> None:
        payload = Zlib().compress(b"ok \xff", fin=False)
        wire = frame(1, payload, fin=False, rsv=RSV1)
        self.fails(wire, code=1007, cause=ProtocolError, words="invalid UTF-8")

    @pytest.mark.parametrize(
        "wire",
        [
            frame(Opcode.TEXT, b"", fin=False, rsv=RSV1) + frame(Opcode.CONT, b"\x00", rsv=RSV1),
            frame(Opcode.TEXT, b"", fin=False) + frame(Opcode.CONT, b"\x00", rsv=RSV1),
            frame(Opcode.PING, b"", rsv=RSV1),
            frame(Opcode.TEXT, b"\x00", rsv=RSV2),
            frame(Opcode.TEXT, b"\x00", rsv=RSV1 | RSV2),
        ],
    )
    def test_reserved_bits(self, wire: bytes) -> None:
        self.fails(wire, code=1002, cause=ProtocolError, words="reserved bits must be 0")

    @pytest.mark.parametrize("fin", [True, False])
    def test_a_bomb(self, fin: bool) -> None:
        bomb = Zlib().compress(bytes(64 * 2**20))
        words = "more than max_size of 1048576 bytes"
        self.fails(frame(2, bomb, fin=fin, rsv=RSV1), code=1009, cause=PayloadTooBig, words=words)

    def test_fragments_of_a_byte_for_ever(self) -> None:
        stored = b"\x00\x01\x00\xfe\xffx"  # a block that is not compressed, of one byte
        with deflating() as peer, peer.connect() as ws:

            def send() -> None:
                peer.send(frame(Opcode.TEXT, b"", fin=False, rsv=RSV1))
                with contextlib.suppress(OSError):
                    while True:
                        peer.send(frame(Opcode.CONT, stored, fin=False) * 10_000)

            sender = threading.Thread(target=send)
            sender.start()
            with pytest.raises(ConnectionClosedError) as caught:
                ws.recv()
            sender.join(10)
            assert isinstance(caught.value.__cause__, TooManyFragments)

    def test_limits_count_what_comes_out(self) -> None:
        other = Zlib()
        incompressible = random.Random(5).randbytes(2**20)
        with deflating() as peer, peer.connect() as ws:  # its frame is longer than max_size
            payload = other.compress(incompressible)
            assert len(payload) > 2**20
            peer.send(frame(Opcode.BINARY, payload, rsv=RSV1))
            assert ws.recv() == incompressible
            peer.send(frame(Opcode.BINARY, other.compress(incompressible + b"x"), rsv=RSV1))
            with pytest.raises(ConnectionClosedError) as caught:
                ws.recv()
            assert caught.value.sent is not None and caught.value.sent.code == 1009

    def test_limit_of_a_fragment(self) -> None:
        payload = Zlib().compress(b"x" * 11, fin=False)
        wire = frame(Opcode.BINARY, payload, fin=False, rsv=RSV1)
        self.fails(wire, code=1009, cause=PayloadTooBig, words="limit of 10 bytes", max_size=(100, 10))


class TestNegotiation:
    @pytest.mark.parametrize(
        ("factory", "offer"),
        [
            (ClientPerMessageDeflateFactory(), "; client_max_window_bits"),
            (ClientPerMessageDeflateFactory(True, True, 8, 9), None),
            (ClientPerMessageDeflateFactory(client_max_window_bits=None), ""),
            (ClientPerMessageDeflateFactory(server_max_window_bits=15), None),
        ],
    )
    def test_offer(self, factory: ClientPerMessageDeflateFactory, offer: str | None) -> None:
        from websockets.extensions.permessage_deflate import ClientPerMessageDeflateFactory as Theirs

        theirs = Theirs(
            factory.server_no_context_takeover,
            factory.client_no_context_takeover,
            factory.server_max_window_bits,
            factory.client_max_window_bits,
        )
        assert factory.get_request_params() == theirs.get_request_params()
        with EchoServer() as server:
            connect(server.uri, extensions=[factory]).close()
            header = server.requests[0].headers["Sec-WebSocket-Extensions"]
        names = [name if value is None else f"{name}={value}" for name, value in theirs.get_request_params()]
        assert header == "; ".join(["permessage-deflate", *names])
        assert offer is None or header == "permessage-deflate" + offer

    @pytest.mark.parametrize(
        ("answer", "error", "words"),
        [
            ("; client_max_window_bits=8", NegotiationError, "unsupported client_max_window_bits = 8, use 9"),
            ("; x", InvalidParameterName, "invalid parameter name: x"),
            ("; server_max_window_bits=7", InvalidParameterValue, "invalid value for parameter .*: 7"),
            ("; client_max_window_bits", InvalidParameterValue, "missing value for parameter"),
            ("; server_max_window_bits=9; server_max_window_bits=9", DuplicateParameter, "duplicate"),
            (", permessage-deflate", NegotiationError, "received duplicate permessage-deflate"),
            (", x-unknown", NegotiationError, "Unsupported extension: x-unknown"),
        ],
    )
    @pytest.mark.parametrize("factories", [None, [ClientPerMessageDeflateFactory()]])
    def test_answers_that_cannot_be_accepted(
        self, answer: str, error: type[Exception], words: str, factories: list[Any] | None
    ) -> None:
        with deflating(answer) as peer, pytest.raises(error, match=words) as caught:
            peer.connect(extensions=factories)
        assert type(caught.value) is error

    def test_what_was_agreed_on(self) -> None:
        factory = ClientPerMessageDeflateFactory(client_no_context_takeover=True)
        with deflating("; server_max_window_bits=10") as peer, peer.connect(extensions=[factory]) as ws:
            (extension,) = ws.extensions
            assert type(extension) is PerMessageDeflate
            assert repr(extension) == (
                "PerMessageDeflate(remote_no_context_takeover=False, local_no_context_takeover=True, "
                "remote_max_window_bits=10, local_max_window_bits=15)"
            )
            assert ws.extensions is ws.extensions

    def test_an_answer_may_be_to_any_of_several_offers(self) -> None:
        small = ClientPerMessageDeflateFactory(server_max_window_bits=10)
        with deflating() as peer, peer.connect(extensions=[small, ClientPerMessageDeflateFactory()]) as ws:
            assert len(ws.extensions) == 1
        with deflating() as peer, pytest.raises(NegotiationError, match="expected server_max_window_bits"):
            peer.connect(extensions=[small])

    def test_compress_settings(self) -> None:
        stored = ClientPerMessageDeflateFactory(compress_settings={"level": 0})
        with deflating() as peer, peer.connect(extensions=[stored]) as ws:
            ws.send(LONG)
            assert LONG.encode() in peer.expect()[1]

    @pytest.mark.parametrize(
        ("arguments", "error", "words"),
        [
            ({"server_max_window_bits": 7}, ValueError, "between 8 and 15"),
            ({"server_max_window_bits": 16}, ValueError, "between 8 and 15"),
            ({"client_max_window_bits": 8}, ValueError, "between 9 and 15"),
            ({"compress_settings": {"wbits": 12}}, ValueError, "set client_max_window_bits instead"),
            ({"compress_settings": {"level": 10}}, ValueError, "level must be between -1 and 9"),
            ({"compress_settings": {"level": "9"}}, TypeError, "level must be int, not str"),
            ({"compress_settings": {"memLevel": 0}}, ValueError, "memLevel must be between 1 and 9"),
            ({"compress_settings": {"strategy": 5}}, ValueError, "strategy must be between 0 and 4"),
            ({"compress_settings": {"method": 7}}, ValueError, "the only method is 8"),
            ({"compress_settings": {"zdict": b"x"}}, TypeError, "'zdict' cannot be used"),
        ],
    )
    def test_arguments(self, arguments: dict[str, Any], error: type[Exception], words: str) -> None:
        with pytest.raises(error, match=words):
            ClientPerMessageDeflateFactory(**arguments)


class TestExtensionObject:
    """The classes by themselves, as programs use them that code frames by hand."""

    def test_both_ends(self) -> None:
        params, server = ServerPerMessageDeflateFactory(server_max_window_bits=10).process_request_params(
            ClientPerMessageDeflateFactory().get_request_params(), []
        )
        client = ClientPerMessageDeflateFactory().process_response_params(params, [])
        for sender, receiver in [(client, server), (server, client)]:
            for _ in range(2):
                encoded = sender.encode(Frame(Opcode.TEXT, LONG.encode()))
                assert encoded.rsv1 and len(encoded.data) < len(LONG)
                assert receiver.decode(encoded) == Frame(Opcode.TEXT, LONG.encode())
            first = sender.encode(Frame(Opcode.BINARY, b"ab", fin=False))
            last = sender.encode(Frame(Opcode.CONT, memoryview(b"c")))
            assert (first.rsv1, last.rsv1) == (True, False)
            assert receiver.decode(first).data == b"ab"
            assert receiver.decode(last).data == b"c"
            ping = Frame(Opcode.PING, b"x")
            assert sender.encode(ping) is ping and receiver.decode(ping) is ping
            plain = Frame(Opcode.TEXT, b"x")
            assert receiver.decode(plain) is plain

    def test_limits_and_faults(self) -> None:
        extension = PerMessageDeflate(False, False, 15, 15)
        encoded = extension.encode(Frame(Opcode.BINARY, bytes(1000)))
        with pytest.raises(PayloadTooBig):
            extension.decode(encoded, max_size=999)
        with pytest.raises(ProtocolError, match="decompression failed"):
            PerMessageDeflate(False, False, 15, 15).decode(Frame(Opcode.TEXT, b"\x07", rsv1=True))
        extension = PerMessageDeflate(False, False, 15, 15)
        extension.decode(Frame(Opcode.TEXT, b"", fin=False, rsv1=True))
        with pytest.raises(ProtocolError, match="RSV1 bit set in continuation frame"):
            extension.decode(Frame(Opcode.CONT, b"", rsv1=True))

    def test_a_limit_beyond_all_memory(self) -> None:
        extension = PerMessageDeflate(False, False, 15, 15)
        encoded = extension.encode(Frame(Opcode.BINARY, b"x" * 100))
        assert extension.decode(encoded, max_size=2**64 - 1).data == b"x" * 100

    def test_duplicates(self) -> None:
        first = PerMessageDeflate(False, False, 15, 15)
        with pytest.raises(NegotiationError, match="received duplicate"):
            ClientPerMessageDeflateFactory().process_response_params([], [first])
        with pytest.raises(NegotiationError, match="skipped duplicate"):
            ServerPerMessageDeflateFactory().process_request_params([], [first])

    @pytest.mark.parametrize("bits", [(7, 15), (16, 15), (15, 8), (15, 16)])
    def test_windows(self, bits: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="max_window_bits must be between"):
            PerMessageDeflate(False, False, *bits)
