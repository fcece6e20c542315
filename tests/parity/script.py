"""What servers send, as bytes. Nothing here imports openline, so that its absence is one of the worlds."""

from __future__ import annotations

import struct

__all__ = ["BINARY", "CLOSE", "CONT", "PING", "PONG", "RSV1", "TEXT", "binary", "close", "frame", "text"]

CONT, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1 = 0x40


def frame(opcode: int, payload: bytes = b"", *, fin: bool = True, rsv: int = 0) -> bytes:
    """Make a frame as servers send it (RFC 6455 §5.2)."""
    head = bytes([opcode | (0x80 if fin else 0) | rsv])
    if len(payload) < 126:
        return head + bytes([len(payload)]) + payload
    if len(payload) < 2**16:
        return head + b"\x7e" + struct.pack("!H", len(payload)) + payload
    return head + b"\x7f" + struct.pack("!Q", len(payload)) + payload


def text(payload: str) -> bytes:
    return frame(TEXT, payload.encode())


def binary(payload: bytes) -> bytes:
    return frame(BINARY, payload)


def close(code: int | None = 1000, reason: str = "") -> bytes:
    return frame(CLOSE, b"" if code is None else struct.pack("!H", code) + reason.encode())
