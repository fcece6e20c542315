"""The ledger finds what a soak looks for."""

from __future__ import annotations

import random

import pytest

from messages import Ledger, Violation


def ledger() -> Ledger:
    return Ledger("1-1", random.Random(1), 5000)


def kind(ledger: Ledger, message: str | bytes) -> str:
    with pytest.raises(Violation) as caught:
        ledger.check(message)
    return str(caught.value.args[0])


def test_echoes_in_order() -> None:
    conversation = ledger()
    messages = [conversation.message() for _ in range(500)]
    assert {type(message) for message in messages} == {str, bytes}
    assert {"", b""} <= set(messages)
    for message in messages:
        conversation.check(message)
    assert conversation.missing == 0
    assert conversation.bytes_received == conversation.bytes_sent


def test_a_lost_one() -> None:
    conversation = ledger()
    conversation.message(100)
    assert kind(conversation, conversation.message(100)) == "lost or reordered"


def test_a_doubled_one() -> None:
    conversation = ledger()
    first = conversation.message(100)
    conversation.check(first)
    assert kind(conversation, first) == "doubled"
    conversation = ledger()
    first = conversation.message(100)
    conversation.message(100)
    conversation.check(first)
    assert kind(conversation, first) == "doubled"


def test_one_of_another_connection() -> None:
    conversation = ledger()
    conversation.message(100)
    assert kind(conversation, Ledger("1-2", random.Random(1), 5000).message(100)) == "damaged"


@pytest.mark.parametrize("seed", range(20))
def test_a_damaged_one(seed: int) -> None:
    conversation = Ledger("1-1", random.Random(seed), 5000)
    message = conversation.message(100)
    if isinstance(message, str):
        assert kind(conversation, message + " ") == "damaged"
    else:
        assert kind(conversation, message[:-1]) == "damaged"


def test_one_of_another_kind() -> None:
    conversation = ledger()
    message = conversation.message(100)
    while not isinstance(message, str):
        conversation.check(message)
        message = conversation.message(100)
    assert kind(conversation, message.encode()) == "damaged"


def test_missing_ones() -> None:
    conversation = ledger()
    for _ in range(3):
        conversation.message()
    assert conversation.missing == 3
