"""What the core sends: the others must understand it, and the core itself."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from differential import ACCEPT, Case, Deflate, Implementation, Role
from differential.core import Core
from differential.deflate import STRATEGIES, content
from differential.frames import CHARACTERS, cut
from differential.handshakes import SUBPROTOCOLS
from differential.websockets_peer import Websockets
from differential.wsproto_peer import Wsproto

CONVERSATIONS = 150
SEED = os.environ.get("OPENLINE_DIFFERENTIAL_SEED", "6455")
ENDS: dict[Role, Role] = {"client": "server", "server": "client"}


@pytest.fixture(scope="module")
def core() -> Iterator[Core]:
    with Core() as core:
        yield core


@pytest.fixture(scope="module")
def all_three(core: Core) -> list[Implementation]:
    return [core, Websockets(), Wsproto()]


@pytest.mark.parametrize("role", ENDS)
def test_messages_and_control_frames(role: Role, core: Core, all_three: list[Implementation]) -> None:
    for number in range(CONVERSATIONS):
        rng = random.Random(f"{SEED}:{role}:{number}")
        items, events = _conversation(rng)
        wire = core.send(Case(role, (b"",)), *items)
        case = Case(ENDS[role], tuple(cut(rng, wire)))
        for implementation in all_three:
            outcome = implementation.run(case)
            assert outcome.events == (*events, "close:1000:"), (SEED, number, implementation.name)


def _conversation(rng: random.Random) -> tuple[list[str], list[str]]:
    """What is to be sent, and the events that it makes."""
    items, events = [], []
    for _ in range(rng.randint(1, 5)):
        kind = rng.choice(["text", "binary"])
        size = rng.choice([65_535, 65_536]) if rng.random() < 0.02 else rng.choice([0, 1, 124, 125, 126, 127, 300])
        payload = "".join(rng.choices(CHARACTERS, k=size)).encode() if kind == "text" else rng.randbytes(size)
        *parts, last = cut(rng, payload)
        if not parts:
            items.append(f"{kind}:{payload.hex()}")
        for part in parts:
            items.append(f"{kind}-part:{part.hex()}")
            control = f"{rng.choice(['ping', 'pong'])}:{rng.randbytes(rng.choice([0, 4, 125])).hex()}"
            items.append(control)
            events.append(control)
        if parts:
            items.append(f"{kind}-end:{last.hex()}")
        events.append(f"{kind}:{payload.hex()}")
    return [*items, "close:1000:"], events


@pytest.mark.parametrize("role", ENDS)
def test_compressed_messages(role: Role, core: Core, all_three: list[Implementation]) -> None:
    for number in range(CONVERSATIONS):
        rng = random.Random(f"{SEED}:deflate:{role}:{number}")
        bits, takeover = rng.randint(9, 15), rng.random() < 0.7
        effort = f"{rng.randint(0, 9)},{rng.randint(1, 9)},{rng.choice(list(STRATEGIES))}"
        has_control = rng.random() < 0.3
        items, events = _compressed_conversation(rng, has_control)
        compress = f"{bits},{'yes' if takeover else 'no'},{effort}"
        wire = core.send(Case(role, (b"",)), *items, compress=compress)
        case = Case(ENDS[role], tuple(cut(rng, wire)), deflate=Deflate(bits, takeover))
        for implementation in all_three:
            if implementation.name == "wsproto" and has_control:
                continue  # it forgets that a message is compressed
            outcome = implementation.run(case)
            assert outcome.events == (*events, "close:1000:"), (SEED, number, implementation.name, compress)


def _compressed_conversation(rng: random.Random, has_control: bool) -> tuple[list[str], list[str]]:
    """The same with messages of which most can be compressed; with control frames in them or not."""
    items, events = [], []
    for _ in range(rng.randint(1, 6)):
        kind = rng.choice(["text", "binary"])
        payload = content(rng, is_text=kind == "text")
        *parts, last = cut(rng, payload)
        if not parts:
            items.append(f"{kind}{rng.choice(['', '', '', '-plain'])}:{payload.hex()}")
        for part in parts:
            items.append(f"{kind}-part:{part.hex()}")
            if has_control:
                items.append(f"ping:{rng.randbytes(4).hex()}")
                events.append(items[-1])
        if parts:
            items.append(f"{kind}-end:{last.hex()}")
        events.append(f"{kind}:{payload.hex()}")
    return [*items, "close:1000:"], events


@pytest.mark.parametrize(
    "code, reason", [(1000, ""), (1001, "é" * 61), (1014, "bye"), (3000, "x" * 123), (4999, "\0")]
)
def test_closes(code: int, reason: str, core: Core, all_three: list[Implementation]) -> None:
    close = f"close:{code}:{reason.encode().hex()}"
    for role, other in ENDS.items():
        case = Case(other, (core.send(Case(role, (b"",)), close),))
        for implementation in all_three:
            if (implementation.name, code) != ("wsproto", 1014):  # it does not know this one
                assert implementation.run(case).events == (close,)


@pytest.mark.parametrize("offered", [(), ("chat",), ("mqtt", "v2.chat", "chat")])
@pytest.mark.parametrize("supported", [(), ("chat", "superchat"), tuple(SUBPROTOCOLS)])
def test_handshakes(
    offered: tuple[str, ...], supported: tuple[str, ...], core: Core, all_three: list[Implementation]
) -> None:
    client = Case("client", (b"",), start="handshake", subprotocols=offered)
    server = Case("server", (core.send(client, "request"),), start="handshake", subprotocols=supported)
    chosen = next((name for name in supported if name in offered), "").encode().hex()
    for implementation in all_three:
        assert implementation.run(server).events == (f"accepted:2f:{chosen}:{ACCEPT}",)

    [[accepted]] = core.ask(server.line())
    response = bytes.fromhex(accepted.rpartition(":")[2])
    answered = Case("client", (response,), start="handshake", subprotocols=offered)
    for implementation in all_three:
        assert implementation.run(answered).events == (f"opened:{chosen}",)
