"""A session with the package `soniox`: speech to text."""

from __future__ import annotations

from soniox import SonioxClient
from soniox.types.realtime import RealtimeSTTConfig

from transcript import PLAIN, say, scenario


def transcribe(behaviour: str, **options: object) -> None:
    client = SonioxClient(api_key="key", websocket_base_url=f"ws://{PLAIN}/{behaviour}/soniox")
    with client.realtime.stt.connect(config=RealtimeSTTConfig(model="stt-rt"), **options) as session:
        if behaviour == "served":
            session.send_bytes(iter([bytes(1000), bytes(2000), bytes(3000)]))
        for event in session.receive_events():
            say([token.text for token in event.tokens], event.finished)


with scenario("binary for text, and the server closes"):
    transcribe("served")

with scenario("left in the middle, which lets go of the connection without a close"):
    url = f"ws://{PLAIN}/unwatched/soniox"
    client = SonioxClient(api_key="key", websocket_base_url=url)
    with client.realtime.stt.connect(config=RealtimeSTTConfig(model="stt-rt")) as session:
        session.send_byte_chunk(bytes(1000))
        say(session.recv_bytes())

with scenario("a handshake that is refused"):
    transcribe("refused/401")

with scenario("a close with a code"):
    transcribe("closed/4401")

with scenario("the end without a close"):
    transcribe("closed/1006")

with scenario("a handshake without an answer"):
    transcribe("silent", connect_timeout_sec=1)
