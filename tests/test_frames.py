"""Opcodes, close codes, the contents of close frames, and frames, by section of RFC 6455."""

from __future__ import annotations

import dataclasses
import pickle

import pytest

from openline import frames
from openline.exceptions import ProtocolError
from openline.extensions import Extension
from openline.frames import Close, CloseCode, Frame, Opcode
from openline.utils import apply_mask


def test_opcodes_of_5_2() -> None:
    assert [(opcode.name, opcode.value) for opcode in Opcode] == [
        ("CONT", 0),
        ("TEXT", 1),
        ("BINARY", 2),
        ("CLOSE", 8),
        ("PING", 9),
        ("PONG", 10),
    ]
    assert frames.DATA_OPCODES == (Opcode.CONT, Opcode.TEXT, Opcode.BINARY)
    assert frames.CTRL_OPCODES == (Opcode.CLOSE, Opcode.PING, Opcode.PONG)
    for opcode in Opcode:
        assert getattr(frames, opcode.name) is getattr(frames, f"OP_{opcode.name}") is opcode


def test_close_codes_of_7_4_1() -> None:
    assert [int(code) for code in CloseCode] == [*range(1000, 1004), *range(1005, 1016)]
    assert int(CloseCode.NORMAL_CLOSURE) == 1000
    assert int(CloseCode.INTERNAL_ERROR) == 1011
    assert int(CloseCode.TLS_HANDSHAKE) == 1015


@pytest.mark.parametrize(
    ("close", "text"),
    [
        (Close(1000, ""), "1000 (OK)"),
        (Close(CloseCode.NORMAL_CLOSURE, ""), "1000 (OK)"),
        (Close(1001, "bye"), "1001 (going away) bye"),
        (Close(1002, ""), "1002 (protocol error)"),
        (Close(1003, ""), "1003 (unsupported data)"),
        (Close(1005, ""), "1005 (no status received [internal])"),
        (Close(1006, ""), "1006 (abnormal closure [internal])"),
        (Close(1007, ""), "1007 (invalid frame payload data)"),
        (Close(1008, ""), "1008 (policy violation)"),
        (Close(1009, ""), "1009 (message too big)"),
        (Close(1010, ""), "1010 (mandatory extension)"),
        (Close(1011, "keepalive ping timeout"), "1011 (internal error) keepalive ping timeout"),
        (Close(1012, ""), "1012 (service restart)"),
        (Close(1013, ""), "1013 (try again later)"),
        (Close(1014, ""), "1014 (bad gateway)"),
        (Close(1015, ""), "1015 (TLS handshake failure [internal])"),
        (Close(1004, ""), "1004 (unknown)"),
        (Close(2999, ""), "2999 (unknown)"),
        (Close(3000, ""), "3000 (registered)"),
        (Close(3999, ""), "3999 (registered)"),
        (Close(4000, ""), "4000 (private use)"),
        (Close(4999, "x"), "4999 (private use) x"),
        (Close(5000, ""), "5000 (unknown)"),
    ],
)
def test_close_text(close: Close, text: str) -> None:
    assert str(close) == text


def test_close_is_a_value() -> None:
    close = Close(1000, "bye")
    assert repr(close) == "Close(code=1000, reason='bye')"
    assert close == Close(CloseCode.NORMAL_CLOSURE, "bye")
    assert close != Close(1000, "")
    assert close != (1000, "bye")
    assert pickle.loads(pickle.dumps(close)) == close
    match close:
        case Close(1000, reason):
            assert reason == "bye"
        case _:
            pytest.fail("no match by position")


ON_THE_WIRE = [1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999]
NOT_ON_THE_WIRE = [0, 1, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535]


@pytest.mark.parametrize("code", ON_THE_WIRE)
@pytest.mark.parametrize("reason", ["", "bye", "x" * 123, "\u20ac" * 41])
def test_close_payload_round_trip_5_5_1(code: int, reason: str) -> None:
    payload = Close(code, reason).serialize()
    assert payload == code.to_bytes(2, "big") + reason.encode()
    assert Close.parse(payload) == Close(code, reason)
    assert Close.parse(bytearray(payload)) == Close.parse(memoryview(payload)) == Close(code, reason)


@pytest.mark.parametrize("code", NOT_ON_THE_WIRE)
def test_codes_not_for_the_wire_are_refused_7_4_2(code: int) -> None:
    with pytest.raises(ProtocolError, match="invalid status code"):
        Close(code, "").serialize()
    with pytest.raises(ProtocolError, match="invalid status code"):
        Close.parse(code.to_bytes(2, "big"))


def test_empty_payload_means_no_code_7_1_5() -> None:
    assert Close.parse(b"") == Close(CloseCode.NO_STATUS_RCVD, "")


def test_payload_of_one_byte_is_refused_5_5_1() -> None:
    with pytest.raises(ProtocolError, match="close frame too short"):
        Close.parse(b"\x03")


def test_reason_must_be_utf_8_5_5_1() -> None:
    with pytest.raises(UnicodeDecodeError):
        Close.parse(b"\x03\xe8\xff")


@pytest.mark.parametrize("reason", ["x" * 124, "\u20ac" * 42])
def test_reason_must_fit_into_a_control_frame_5_5(reason: str) -> None:
    with pytest.raises(ProtocolError, match="control frame too long"):
        Close(1000, reason).check()


def test_masked_frame_5_3() -> None:
    masked = Frame(Opcode.TEXT, b"Hello").serialize(mask=True)
    assert masked[:2] == b"\x81\x85"
    assert apply_mask(masked[6:], masked[2:6]) == b"Hello"
    assert Frame(Opcode.TEXT, b"Hello").serialize(mask=True) != masked


def test_frame_with_extensions_9() -> None:
    class Reversed(Extension):
        def encode(self, frame: Frame) -> Frame:
            return dataclasses.replace(frame, data=bytes(frame.data)[::-1], rsv1=True)

    class Ended(Extension):
        def encode(self, frame: Frame) -> Frame:
            return dataclasses.replace(frame, data=bytes(frame.data) + b"!", rsv3=True)

    frame = Frame(Opcode.TEXT, b"abc")
    assert frame.serialize(mask=False, extensions=[Reversed(), Ended()]) == b"\xd1\x04cba!"
    assert frame.serialize(mask=False, extensions=[Ended(), Reversed()]) == b"\xd1\x04!cba"


def test_payload_of_a_frame_is_not_text() -> None:
    with pytest.raises(TypeError, match="data must be bytes-like, not str"):
        Frame(Opcode.TEXT, "text").serialize(mask=False)  # type: ignore[arg-type]


def test_size_of_descriptions(monkeypatch: pytest.MonkeyPatch) -> None:
    frame = Frame(Opcode.TEXT, b"x" * 1000)
    assert str(frame) == f"TEXT '{'x' * 47}...{'x' * 23}' [1000 bytes]"
    monkeypatch.setattr(Frame, "MAX_LOG_SIZE", 12)
    assert str(frame) == "TEXT 'xxxxx...xx' [1000 bytes]"
