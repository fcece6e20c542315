"""`websockets.frames`: frames and Closes as objects."""

from __future__ import annotations

import pickle
from typing import Any

from websockets import frames
from websockets.frames import Close, CloseCode, Frame, Opcode

from parity import case, each
from parity.session import Session

OCTETS = bytes(range(256))

SHOWN = {
    "text": Frame(Opcode.TEXT, b"caf\xc3\xa9"),
    "text, one byte": Frame(Opcode.TEXT, b"a"),
    "text, empty": Frame(Opcode.TEXT, b""),
    "text, not final": Frame(Opcode.TEXT, b"cr\xc3", fin=False),
    "text, long": Frame(Opcode.TEXT, b"0123456789" * 20),
    "text, very long": Frame(Opcode.TEXT, "\u00fc".encode() * 4000),
    "text, quotes": Frame(Opcode.TEXT, b'it\'s "so"\n'),
    "text that is not UTF-8": Frame(Opcode.TEXT, b"\xff\xfe"),
    "binary": Frame(Opcode.BINARY, b"\x00\x01\x02\xff"),
    "binary, long": Frame(Opcode.BINARY, OCTETS),
    "binary that is text": Frame(Opcode.BINARY, b"hello"),
    "binary, memoryview": Frame(Opcode.BINARY, memoryview(b"\x00\xff")),
    "binary, bytearray": Frame(Opcode.BINARY, bytearray(b"\x00\xff")),
    "binary, empty, not final": Frame(Opcode.BINARY, b"", fin=False),
    "continuation of text": Frame(Opcode.CONT, b"\xa8me br\xc3\xbbl\xc3\xa9e"),
    "continuation of binary": Frame(Opcode.CONT, b"\xfc\xfd\xfe\xff"),
    "continuation, not final": Frame(Opcode.CONT, b"abc", fin=False),
    "continuation, empty": Frame(Opcode.CONT, b""),
    "close": Frame(Opcode.CLOSE, b"\x03\xe8"),
    "close with a reason": Frame(Opcode.CLOSE, b"\x03\xe9bye"),
    "close, empty": Frame(Opcode.CLOSE, b""),
    "close, wrong code": Frame(Opcode.CLOSE, b"\x00\x00"),
    "close, wrong reason": Frame(Opcode.CLOSE, b"\x03\xe8\xff"),
    "close, short": Frame(Opcode.CLOSE, b"\x03"),
    "close, long reason": Frame(Opcode.CLOSE, b"\x0b\xb8" + b"x" * 123),
    "ping": Frame(Opcode.PING, b""),
    "ping with text": Frame(Opcode.PING, b"ping"),
    "ping with octets": Frame(Opcode.PING, b"\x90\x81\xff\x00"),
    "ping with UTF-8": Frame(Opcode.PING, "\u00fc".encode()),
    "ping, long": Frame(Opcode.PING, OCTETS[:125]),
    "pong": Frame(Opcode.PONG, b"pong"),
    "reserved bits": Frame(Opcode.TEXT, b"a", rsv1=True),
}


@each(SHOWN)
def shown(s: Session, frame: Frame) -> object:
    return str(frame)


@each(["text", "close with a reason", "ping with octets", "reserved bits", "binary, empty, not final"])
def represented(s: Session, name: str) -> object:
    return repr(SHOWN[name])


WRITTEN = {
    "text": Frame(Opcode.TEXT, b"hello"),
    "126 bytes": Frame(Opcode.BINARY, b"a" * 126),
    "65536 bytes": Frame(Opcode.BINARY, b"a" * 65536),
    "not final": Frame(Opcode.TEXT, b"a", fin=False),
    "ping": Frame(Opcode.PING, b"x"),
    "ping of 126 bytes": Frame(Opcode.PING, b"x" * 126),
    "fragmented ping": Frame(Opcode.PING, b"", fin=False),
    "rsv1": Frame(Opcode.TEXT, b"", rsv1=True),
    "rsv3": Frame(Opcode.TEXT, b"", rsv3=True),
}


@each(WRITTEN)
def written(s: Session, frame: Frame) -> object:
    data = frame.serialize(mask=False)
    return data[:14], len(data)


@each(WRITTEN)
def checked(s: Session, frame: Frame) -> object:
    frame.check()
    return "fine"


@case
def masked(s: Session) -> object:
    data = Frame(Opcode.TEXT, b"hello").serialize(mask=True)
    mask, payload = data[2:6], data[6:]
    return data[:2], bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))


@case
def equality(s: Session) -> object:
    one = Frame(Opcode.TEXT, b"a")
    return (
        one == Frame(Opcode.TEXT, b"a"),
        one == Frame(Opcode.TEXT, b"a", fin=False),
        one == Frame(Opcode.BINARY, b"a"),
    )


@case
def attributes(s: Session) -> object:
    frame = Frame(Opcode.TEXT, b"a")
    frame.data = b"bc"
    return frame, frame.opcode, frame.data, frame.fin, frame.rsv1, frame.rsv2, frame.rsv3


CODES = [
    999,
    1000,
    1001,
    1002,
    1003,
    1004,
    1005,
    1006,
    1007,
    1008,
    1009,
    1010,
    1011,
    1012,
    1013,
    1014,
    1015,
    1016,
    2999,
    3000,
    3999,
    4000,
    4999,
    5000,
    0,
    65535,
]


@each(CODES)
def close_code(s: Session, code: int) -> object:
    close = Close(code, "why")
    return str(close), repr(close), s.attempt(close.check), s.attempt(close.serialize)


@each(
    {
        "empty": b"",
        "one byte": b"\x03",
        "1000": b"\x03\xe8",
        "reason": b"\x0f\xa0bye",
        "UTF-8": b"\x03\xe8\xc3\xbc",
        "not UTF-8": b"\x03\xe8\xff",
        "1005": b"\x03\xed",
        "0": b"\0\0",
        "bytearray": bytearray(b"\x03\xe8x"),
    }
)
def close_parsed(s: Session, payload: bytes) -> object:
    close = Close.parse(payload)
    return close, type(close.code).__name__, str(close)


@case
def close_without_reason(s: Session) -> object:
    return str(Close(1000, "")), repr(Close(CloseCode.GOING_AWAY, ""))


@case
def close_equality(s: Session) -> object:
    close = Close(1000, "")
    return close == Close(1000, ""), close == Close(CloseCode.NORMAL_CLOSURE, ""), close == Close(1000, "x")


@case
def close_pickled(s: Session) -> object:
    return pickle.loads(pickle.dumps(Close(1000, "x")))


@case
def close_is_a_dataclass(s: Session) -> object:
    import dataclasses

    return dataclasses.asdict(Close(1000, "x")), dataclasses.replace(Close(1000, "x"), reason="y")


@case
def close_is_mutable(s: Session) -> object:
    close = Close(1000, "")
    close.reason = "later"
    return close


@case
def enumerations(s: Session) -> object:
    return [list(Opcode), list(CloseCode), Opcode(8), CloseCode(1000) == 1000, str(CloseCode.GOING_AWAY)]


@each([3, 7, 11, 16])
def not_an_opcode(s: Session, number: int) -> object:
    return Opcode(number)


@case
def constants(s: Session) -> object:
    names: list[Any] = [frames.DATA_OPCODES, frames.CTRL_OPCODES, sorted(frames.EXTERNAL_CLOSE_CODES)]
    return [*names, sorted(frames.OK_CLOSE_CODES), frames.Frame.MAX_LOG_SIZE]


@case
def explanations(s: Session) -> object:
    return {str(int(code)): text for code, text in frames.CLOSE_CODE_EXPLANATIONS.items()}
