"""Messages that can be told apart, and the ledger of a connection, which finds what is wrong with echoes.

A message says which connection it is of, its number there, and the hash of its body. An empty one says
nothing, and is known by its place.
"""

from __future__ import annotations

import collections
import hashlib
import random
from dataclasses import dataclass

_WORDS = ["null", "true", '{"bid": 101.25, ', '"größe": "zwölf", ', "価格", "𝄞", "[1, 2], ", "€ "]

# What bodies are cut out of: bytes that do not compress, and text that does, of characters of 1 to 4 bytes.
_NOISE = random.Random(0).randbytes(8 << 20)
_TEXT = "".join(random.Random(1).choices(_WORDS, k=600_000))


class Violation(Exception):
    """What must not happen; the first argument is its kind."""


@dataclass(frozen=True)
class Expected:
    """A message that was sent and has not come back."""

    number: int
    is_text: bool
    digest: str
    """Of the whole message."""


class Ledger:
    """What was sent over a connection and has come back.

    One thread may send while another receives.

    Args:
        name: what tells the connection from all others.
        choices: what decides on sizes and kinds.
        largest: the most bytes of a message, or characters.
    """

    def __init__(self, name: str, choices: random.Random, largest: int) -> None:
        self.name = name
        self.choices = choices
        self.largest = largest
        self.number = 0
        self.bytes_sent = 0
        self.received = 0
        self.bytes_received = 0
        self._waiting: collections.deque[Expected] = collections.deque()

    def message(self, most: int | None = None) -> str | bytes:
        """Make the next message, which is expected back from now on."""
        length = min(self._length(), self.largest if most is None else most)
        is_text = self.choices.random() < 0.5
        message: str | bytes
        if length == 0:
            message = "" if is_text else b""
        elif is_text:
            start = self.choices.randrange(len(_TEXT) - length)
            body = _TEXT[start : start + length]
            message = f"{self.name}/{self.number}/{_digest(body)}/{body}"
        else:
            start = self.choices.randrange(len(_NOISE) - length)
            noise = _NOISE[start : start + length]
            message = f"{self.name}/{self.number}/{_digest(noise)}/".encode() + noise
        self._waiting.append(Expected(self.number, is_text, _digest(message)))
        self.number += 1
        self.bytes_sent += len(message)
        return message

    def take_back(self, message: str | bytes) -> None:
        """The message that was made last was not sent."""
        self._waiting.pop()
        self.number -= 1
        self.bytes_sent -= len(message)

    def check(self, message: str | bytes | bytearray) -> None:
        """Check a message that came.

        Raises:
            Violation: it is not the next one that is expected.
        """
        self.received += 1
        self.bytes_received += len(message)
        try:
            expected = self._waiting.popleft()
        except IndexError:
            raise Violation("doubled", f"{self._what(message)} came, and none was left to come") from None
        if _digest(message) == expected.digest and isinstance(message, str) == expected.is_text:
            return
        number = self._number(message)
        what = f"{self._what(message)} came in place of {self.name}/{expected.number}"
        if number is None or number == expected.number:
            raise Violation("damaged", what)
        raise Violation("lost or reordered" if number > expected.number else "doubled", what)

    @property
    def missing(self) -> int:
        """How many have not come back."""
        return len(self._waiting)

    def _length(self) -> int:
        """Mostly short ones, a few of some MiB."""
        chance = self.choices.random()
        if chance < 0.02:
            return 0
        if chance < 0.80:
            return self.choices.randrange(1, 300)
        if chance < 0.95:
            return self.choices.randrange(300, 20_000)
        if chance < 0.995:
            return self.choices.randrange(20_000, 300_000)
        return self.choices.randrange(300_000, 4_000_000)

    def _number(self, message: str | bytes | bytearray) -> int | None:
        """The number that an undamaged message of this connection has."""
        try:
            if isinstance(message, str):
                name, number, digest, body = message.split("/", 3)
                whole = digest == _digest(body)
            else:
                *head, noise = bytes(message).split(b"/", 3)
                name, number, digest = (part.decode() for part in head)
                whole = digest == _digest(noise)
            return int(number) if whole and name == self.name else None
        except ValueError:
            return None

    def _what(self, message: str | bytes | bytearray) -> str:
        return f"{type(message).__name__} of {len(message)}: {message[:60]!r}"


def _digest(message: str | bytes | bytearray) -> str:
    data = message.encode() if isinstance(message, str) else message
    return hashlib.blake2b(data, digest_size=8).hexdigest()
