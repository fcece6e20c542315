"""A session with the package `deepgram-sdk`: speech to text, and text to speech."""

from __future__ import annotations

import logging
import threading
from typing import Any

from deepgram import DeepgramClient
from deepgram.core.api_error import ApiError
from deepgram.core.events import EventType
from deepgram.environment import DeepgramClientEnvironment
from deepgram.speak.v1.types import SpeakV1Text

from transcript import PLAIN, described, say, scenario


def client(behaviour: str) -> DeepgramClient:
    environment = DeepgramClientEnvironment(
        base=f"http://{PLAIN}",
        production=f"ws://{PLAIN}/{behaviour}",
        agent=f"ws://{PLAIN}/{behaviour}",
        agent_rest=f"http://{PLAIN}",
    )
    return DeepgramClient(api_key="a secret", environment=environment)


def show(message: Any) -> None:
    if isinstance(message, bytes):
        say("bytes", message)
    elif message.type == "Results":
        say("results", message.duration, message.channel.alternatives[0].transcript)
    else:
        say(message.type)


with scenario("binary for text"):
    with client("served").listen.v1.connect(model="nova-3") as connection:
        connection.on(EventType.OPEN, lambda _: say("open"))
        connection.on(EventType.MESSAGE, show)
        connection.on(EventType.ERROR, lambda error: say("error", described(error)))
        connection.on(EventType.CLOSE, lambda _: say("close"))
        listener = threading.Thread(target=connection.start_listening)
        listener.start()
        for _ in range(3):
            connection.send_media(bytes(16_000))
        connection.send_keep_alive()
        connection.send_close_stream()
        listener.join()

with scenario("text for binary"):
    with client("served").speak.v1.connect(model="aura-2", encoding="linear16") as connection:
        connection.send_text(SpeakV1Text(text="Guten Tag"))
        connection.send_flush()
        show(connection.recv())
        show(connection.recv())
        connection.send_close()
        say("more:", *connection)

with scenario("a handshake that is refused"):
    try:
        with client("refused/401").listen.v1.connect(model="nova-3"):
            say("it is not")
    except ApiError as error:
        say("ApiError", error.status_code, error.body)

with scenario("a close with a code, to the listener"):
    with client("closed/1008").listen.v1.connect(model="nova-3") as connection:
        connection.on(EventType.ERROR, lambda error: say("error", described(error)))
        connection.on(EventType.CLOSE, lambda _: say("close"))
        connection.send_media(b"\0")
        connection.start_listening()

with scenario("a close with a code, to the receiver"):
    with client("closed/4401").listen.v1.connect(model="nova-3") as connection:
        connection.send_media(b"\0")
        connection.recv()

with scenario("the end without a close"):
    with client("closed/1006").listen.v1.connect(model="nova-3") as connection:
        connection.send_media(b"\0")
        say("more:", *connection)

with scenario("a handshake without an answer, in the 10 seconds of the library"):
    with client("silent").listen.v1.connect(model="nova-3"):
        say("it is not")

with scenario("the key is not in the log"):
    handler = logging.StreamHandler()
    records: list[str] = []
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logger = logging.getLogger("websockets.client")
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    with client("served").listen.v1.connect(model="nova-3") as connection:
        connection.send_close_stream()
        say(*(message.type for message in connection))
    say("Authorization:", [record for record in records if "Authorization" in record])
    say("a secret in", sum("a secret" in record for record in records), "records")
    for record in records:
        if record.startswith(("> TEXT", "< TEXT", "> CLOSE", "< CLOSE")):
            say(record)
