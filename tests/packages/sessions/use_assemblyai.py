"""A session with the package `assemblyai`: its streaming client, and its text to speech."""

from __future__ import annotations

import assemblyai
from assemblyai.streaming.v3 import (
    RealTimeEvents,
    RealTimeParameters,
    RealTimeTranscriber,
    RealTimeTranscriberOptions,
)
from assemblyai.tts import TTSSession

from transcript import PLAIN, SECURE, described, say, scenario


def transcribe(address: str, connect_timeout: float = 20) -> None:
    client = RealTimeTranscriber(
        RealTimeTranscriberOptions(
            api_host=address, api_key="key", connect_timeout=connect_timeout, connection_retry_delay=0.01
        )
    )
    client.on(RealTimeEvents.Begin, lambda _, event: say("begin", event.id))
    client.on(RealTimeEvents.Turn, lambda _, event: say("turn", event.transcript))
    client.on(RealTimeEvents.Termination, lambda _, event: say("end", event.audio_duration_seconds))
    client.on(RealTimeEvents.Error, lambda _, error: say("error", error.code, described(error)))
    client.connect(RealTimeParameters(sample_rate=16000, speech_model="u3-rt-pro"))
    client.stream(bytes([part]) * 3200 for part in range(3))
    client.disconnect(terminate=True)


with scenario("binary for text, and the client closes"):
    transcribe(f"ws://{PLAIN}/served")

with scenario("the same through TLS"):
    transcribe(f"{SECURE}/served")

with scenario("a handshake that is refused"):
    transcribe(f"ws://{PLAIN}/refused/401")

with scenario("a close with a code"):
    transcribe(f"ws://{PLAIN}/closed/4001")

with scenario("the end without a close"):
    transcribe(f"ws://{PLAIN}/closed/1006")

with scenario("a handshake without an answer, tried three times"):
    transcribe(f"ws://{PLAIN}/silent", connect_timeout=1)


def speak(behaviour: str, **options: object) -> None:
    assemblyai.settings.tts_base_url = f"http://{PLAIN}/{behaviour}"
    with TTSSession(api_key="key", **options) as session:
        for chunk in session.speak("Guten Abend ☾"):
            say("audio", chunk)
        session.generate("und mehr")
        for chunk in session.audio(session.flush()):
            say("audio", chunk)
    say("termination", session.termination is not None)


with scenario("text to speech"):
    speak("served")

with scenario("text to speech that is refused"):
    speak("refused/403")

with scenario("text to speech that does not begin"):
    speak("mute", connect_timeout=2)  # which is for the handshake, too

with scenario("text to speech without an answer to the handshake"):
    speak("silent", connect_timeout=1)
