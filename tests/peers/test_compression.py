"""Compressed messages to servers that others wrote, and back (RFC 7692)."""

from __future__ import annotations

import itertools
import random

import pytest

from openline.extensions.permessage_deflate import ClientPerMessageDeflateFactory, PerMessageDeflate

from peers import Target

WORDS = "the quick brown fox jumps over a lazy dog; Übergröße, 東京, 😀".split()


def messages(seed: int) -> list[str | bytes]:
    """Texts as programs send them, noise, and what is between."""
    rng = random.Random(seed)
    texts = [" ".join(rng.choices(WORDS, k=k)) for k in (0, 1, 10, 30, 300, 3000, 30, 300)]
    noise = [rng.randbytes(n) for n in (0, 1, 31, 32, 1000, 70_000)]
    return [item for pair in itertools.zip_longest(texts, noise, fillvalue="") for item in pair]


FACTORIES = {
    "default": ClientPerMessageDeflateFactory(),
    "no takeover": ClientPerMessageDeflateFactory(True, True),
    "server takes over": ClientPerMessageDeflateFactory(client_no_context_takeover=True),
    "client takes over": ClientPerMessageDeflateFactory(server_no_context_takeover=True),
    "small windows": ClientPerMessageDeflateFactory(server_max_window_bits=9, client_max_window_bits=9),
    "large windows": ClientPerMessageDeflateFactory(server_max_window_bits=15, client_max_window_bits=15),
    "no limit for us": ClientPerMessageDeflateFactory(client_max_window_bits=None),
    "fast": ClientPerMessageDeflateFactory(compress_settings={"level": 1, "memLevel": 9}),
}


@pytest.mark.parametrize("name", FACTORIES)
def test_messages_come_back(target: Target, name: str) -> None:
    with target.connect("/echo", extensions=[FACTORIES[name]], max_queue=None) as ws:
        (extension,) = ws.extensions
        assert isinstance(extension, PerMessageDeflate)
        for compress in (None, True, False):
            for message in messages(1):
                ws.send(message, compress=compress)
                assert ws.recv(timeout=20) == message
            ws.send_many(messages(2), compress=compress)
            assert [ws.recv(timeout=20) for _ in messages(2)] == messages(2)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_fragments_both_ways(target: Target, size: int) -> None:
    text = " ".join(random.Random(size).choices(WORDS, k=300))
    with target.connect("/echo", {"fragment": size}) as ws:
        assert ws.extensions
        for _ in range(2):
            ws.send(text[start : start + size] for start in range(0, len(text), size))
            assert ws.recv(timeout=20) == text
        ws.send(text)
        assert "".join(ws.recv_streaming(decode=True)) == text


def test_without_compression(target: Target) -> None:
    with target.connect("/echo", compression=None) as ws:
        assert ws.extensions == []
        for message in messages(3):
            ws.send(message)
            assert ws.recv(timeout=20) == message
