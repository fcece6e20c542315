"""A session with the package `cozepy`: text to speech through TLS, with threads that send and receive."""

from __future__ import annotations

import threading

from cozepy import Coze, TokenAuth, WebsocketsEventType
from cozepy.websockets.audio.speech import InputTextBufferAppendEvent

from transcript import SECURE, described, say, scenario


def speak(behaviour: str) -> None:
    ended = threading.Event()

    def fail(_: object, error: Exception) -> None:
        say("error", described(error))
        ended.set()

    coze = Coze(auth=TokenAuth("key"), base_url=f"https://{SECURE}/{behaviour}")
    speech = coze.websockets.audio.speech.create(
        on_event={
            WebsocketsEventType.SPEECH_AUDIO_UPDATE: lambda _, event: say("audio", event.data.delta),
            WebsocketsEventType.SPEECH_AUDIO_COMPLETED: lambda _, event: ended.set(),
            WebsocketsEventType.ERROR: fail,
            WebsocketsEventType.CLOSED: lambda _: say("closed"),
        }
    )
    with speech():
        speech.input_text_buffer_append(InputTextBufferAppendEvent.Data(delta="Guten Tag"))
        if behaviour == "served":
            speech.input_text_buffer_complete()
        ended.wait(2 if behaviour == "mute" else 20)


with scenario("text, and the client closes"):
    speak("served")

with scenario("nothing received, with a time-out of 0.5 s twice"):
    speak("mute")

with scenario("a handshake that is refused"):
    speak("refused/401")

with scenario("a close with a code"):
    speak("closed/4401")

with scenario("the end without a close"):
    speak("closed/1006")
