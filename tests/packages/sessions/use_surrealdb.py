"""A session with the package `surrealdb`: its protocol in CBOR, with a subprotocol."""

from __future__ import annotations

from surrealdb import Surreal

from transcript import PLAIN, say, scenario


def query(behaviour: str) -> None:
    with Surreal(f"ws://{PLAIN}/{behaviour}") as database:
        say(database.socket.subprotocol, database.version())
        say(database.query_raw("SELECT * FROM word WHERE text = $text", {"text": "Größe" * 1000}))


with scenario("binary for binary"):
    query("served")

with scenario("without a block, from the first call"):
    database = Surreal(f"ws://{PLAIN}/served")
    say(database.version())
    database.close()

with scenario("a handshake that is refused"):
    query("refused/401")

with scenario("a close with a code"):
    query("closed/4401")

with scenario("the end without a close"):
    query("closed/1006")

with scenario("a handshake without an answer, in the 10 seconds of the library"):
    query("silent")
