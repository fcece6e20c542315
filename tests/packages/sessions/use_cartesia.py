"""A session with the package `cartesia`: text to speech, and speech to text."""

from __future__ import annotations

from cartesia import Cartesia
from cartesia.resources.stt.manual_finalize import ManualFinalizeResourceConnectionManager
from cartesia.types.websocket_reconnection import ReconnectingEvent

from transcript import PLAIN, say, scenario


def client(behaviour: str) -> Cartesia:
    url = f"ws://{PLAIN}/{behaviour}"
    return Cartesia(api_key="key", base_url="http://127.0.0.1", websocket_base_url=url)


def speak(behaviour: str, **options: object) -> None:
    with client(behaviour).tts.websocket_connect(**options) as connection:
        timeout = 0.3 if behaviour == "mute" else 20
        voice = {"mode": "id", "id": "voice"}
        context = connection.context("context-1", model_id="sonic-3", voice=voice, timeout=timeout)
        context.push("Guten Morgen. ")
        if behaviour == "served":
            context.push("Wie geht’s?")
            context.no_more_inputs()
        for event in context.receive():
            say(event.type, getattr(event, "audio", None))


with scenario("text and binary, and the client closes"):
    speak("served")

with scenario("a connection that was closed is made again"):
    with client("served").tts.websocket_connect() as connection:
        connection.close(code=1001, reason="moving")
        connection._manager._TTSResourceConnectionManager__connection = None
        context = connection.context("context-2", model_id="sonic-3", voice={"mode": "id", "id": "voice"})
        context.push("Hallo")
        say(next(context.receive()).type)

with scenario("a handshake that is refused"):
    speak("refused/401")

with scenario("a close with a code"):
    speak("closed/4401")

with scenario("a close that is an end"):
    speak("closed/1001")

with scenario("the end without a close"):
    speak("closed/1006")

with scenario("nothing received in time"):
    speak("mute")

with scenario("a handshake without an answer"):
    speak("silent", websocket_connection_options={"open_timeout": 1})


def transcriber(behaviour: str, **options: object) -> ManualFinalizeResourceConnectionManager:
    sockets = client(behaviour).stt.manual_finalize
    return sockets.websocket(encoding="pcm_s16le", model="ink-2", sample_rate=16000, **options)


with scenario("binary for text, and the server closes"):
    with transcriber("served") as connection:
        for _ in range(3):
            connection.send_raw(bytes(3200))
        connection.send("finalize")
        for event in connection:
            say(event.type, getattr(event, "text", ""))
            if event.type == "flush_done":
                connection.send("close")


def reconnecting(event: ReconnectingEvent) -> None:
    say("attempt", event.attempt, "after", event.close_code)
    connection.send("finalize")  # which waits for the new connection
    connection.send("close")


with scenario("a server that restarts"):
    with transcriber("restarting/1012", on_reconnecting=reconnecting, initial_delay=0.01) as connection:
        connection.send_raw(bytes(3200))
        for event in connection:
            say(event.type, getattr(event, "text", ""))
