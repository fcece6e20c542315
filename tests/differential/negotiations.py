"""Random offers and answers of permessage-deflate, in handshakes that are valid otherwise: RFC 7692 §7.1."""

from __future__ import annotations

import random

from differential import ACCEPT, KEY, Case, Negotiation, Role
from differential.frames import cut
from differential.handshakes import Field, Head

NAME = "permessage-deflate"
FLAGS = ["server_no_context_takeover", "client_no_context_takeover"]
BITS = ["server_max_window_bits", "client_max_window_bits"]

ODD_BITS = ["7", "16", "0", "08", "010", "+9", "-9", "9.0", "0x9", "9 ", "", "true", "²"]
"""What is no number of bits, 8 to 15 without leading zeroes."""
ODD_NAMES = ["x-webkit-deflate-frame", "permessage-bzip2", "PerMessage-Deflate", "permessage-deflat"]
ODD_PARAMETERS = ["x", "x=1", "Server_no_context_takeover", "max_window_bits=10", 'x="a, b; c"']


def random_offer(rng: random.Random) -> Case:
    """A case in which a server gets offers."""
    head = Head(
        "GET / HTTP/1.1",
        [
            Field("Host", "a.example"),
            Field("Upgrade", "websocket"),
            Field("Connection", "Upgrade"),
            Field("Sec-WebSocket-Key", KEY),
            Field("Sec-WebSocket-Version", "13"),
        ],
    )
    negotiation = Negotiation()
    if rng.random() < 0.8:
        client_bits = rng.choice([None, None, 8, 9, 10, 12, 15])
        negotiation = Negotiation(
            server_takeover=rng.random() < 0.8,
            client_takeover=rng.random() < 0.8,
            server_bits=rng.choice([None, None, 9, 10, 12, 15]),
            client_bits=client_bits,
            require=client_bits is not None and rng.random() < 0.3,
        )
    elements = [_element(rng, _offer(rng)) for _ in range(rng.choice([0, 1, 1, 1, 2, 2, 3]))]
    return _case(rng, "server", head, elements, negotiation)


def random_answer(rng: random.Random) -> Case:
    """A case in which a client gets an answer."""
    head = Head(
        "HTTP/1.1 101 Switching Protocols",
        [Field("Upgrade", "websocket"), Field("Connection", "Upgrade"), Field("Sec-WebSocket-Accept", ACCEPT)],
    )
    negotiation = Negotiation(client_bits="any")
    if rng.random() < 0.8:
        negotiation = Negotiation(
            server_takeover=rng.random() < 0.8,
            client_takeover=rng.random() < 0.8,
            server_bits=rng.choice([None, None, 8, 9, 10, 12, 15]),
            client_bits=rng.choice([None, "any", "any", 9, 10, 12, 15]),
        )
    elements = [_element(rng, _answer(rng, negotiation)) for _ in range(rng.choice([0, 1, 1, 1, 1, 1, 2]))]
    return _case(rng, "client", head, elements, negotiation)


def _case(rng: random.Random, role: Role, head: Head, elements: list[str], negotiation: Negotiation) -> Case:
    lines: list[list[str]] = []
    for element in elements:
        if not lines or rng.random() < 0.2:
            lines.append([])
        lines[-1].append(element)
    for line in lines:
        value = rng.choice([", ", ", ", ",", " ,\t", ", , "]).join(line)
        if rng.random() < 0.05:
            at = rng.randint(0, len(value))
            value = value[:at] + rng.choice(';,="\\ \t@é') + value[at:]
        head.fields.append(Field("Sec-WebSocket-Extensions", value))
    if rng.random() < 0.3:
        rng.shuffle(head.fields)
    return Case(
        role=role,
        start="handshake",
        reads=tuple(cut(rng, head.encode())),
        negotiation=negotiation,
    )


def _offer(rng: random.Random) -> list[str]:
    """The parameters of an offer."""
    parameters = [name for name in FLAGS if rng.random() < 0.25]
    for name in BITS:
        if rng.random() < 0.45:
            alone = name == "client_max_window_bits" and rng.random() < 0.5
            parameters.append(name if alone else f"{name}={_bits(rng)}")
    return parameters


def _answer(rng: random.Random, negotiation: Negotiation) -> list[str]:
    """The parameters of an answer, which mostly fit the offer."""
    fits = rng.random() < 0.8
    needs_flag = fits and not negotiation.server_takeover
    needs_bits = fits and negotiation.server_bits is not None
    may_limit = not fits or negotiation.client_bits is not None
    parameters = []
    if needs_flag or rng.random() < 0.25:
        parameters.append(FLAGS[0])
    if rng.random() < 0.25:
        parameters.append(FLAGS[1])
    if needs_bits or rng.random() < 0.4:
        parameters.append(f"{BITS[0]}={_bits(rng, negotiation.server_bits if fits else None)}")
    if may_limit and rng.random() < 0.4:
        most = negotiation.client_bits if fits else None
        parameters.append(f"{BITS[1]}={_bits(rng, None if most == 'any' else most)}")
    return parameters


def _bits(rng: random.Random, most: int | None = None) -> str:
    bits = min(most or 15, rng.choice([8, 9, 9, 10, 11, 12, 13, 14, 15, 15]))
    return f'"{bits}"' if rng.random() < 0.1 else str(bits)


def _element(rng: random.Random, parameters: list[str]) -> str:
    """An extension with these parameters in any order, at times with something wrong."""
    rng.shuffle(parameters)
    name = NAME
    if rng.random() < 0.3:
        match rng.randrange(6):
            case 0:
                name = rng.choice(ODD_NAMES)
            case 1:
                parameters.insert(rng.randint(0, len(parameters)), rng.choice(ODD_PARAMETERS))
            case 2 if parameters:
                parameters.append(rng.choice(parameters))
            case 3:
                parameters.append(f"{rng.choice(BITS)}={rng.choice(ODD_BITS)}")
            case 4:
                parameters.append(f"{rng.choice(FLAGS)}={rng.choice(['true', '1', '', '10'])}")
            case _:
                parameters.append(rng.choice(BITS))
    return rng.choice(["; ", "; ", ";", " ; "]).join([name, *parameters])
