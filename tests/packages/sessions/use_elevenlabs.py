"""A session with the package `elevenlabs`: text to speech through TLS, and conversations."""

from __future__ import annotations

import threading
from collections.abc import Callable

from elevenlabs.client import ElevenLabs
from elevenlabs.conversational_ai.conversation import AudioInterface, Conversation

from transcript import PLAIN, SECURE, say, scenario


def speak(behaviour: str) -> None:
    client = ElevenLabs(api_key="key", base_url=f"https://{SECURE}/{behaviour}")
    words = iter(["Guten ", "Morgen. ", "Wie ", "geht ", "es?"])
    for chunk in client.text_to_speech.convert_realtime("voice", text=words, model_id="eleven_turbo_v2"):
        say("audio", chunk)


with scenario("text, and the server closes"):
    speak("served")

with scenario("a handshake that is refused"):
    speak("refused/401")

with scenario("a close with a code"):
    speak("closed/1008")

with scenario("the end without a close"):
    speak("closed/1006")


class Audio(AudioInterface):  # type: ignore[misc]  # the package is not there for mypy
    """A microphone, into which somebody speaks once or never, and a loudspeaker."""

    def __init__(self, spoken: bytes) -> None:
        self.spoken = spoken
        self.heard = threading.Event()

    def start(self, input_callback: Callable[[bytes], None]) -> None:
        if self.spoken:
            input_callback(self.spoken)

    def stop(self) -> None:
        say("audio stops")

    def output(self, audio: bytes) -> None:
        say("output", audio)
        self.heard.set()

    def interrupt(self) -> None:
        say("interrupt")


def converse(behaviour: str, then: Callable[[Conversation, Audio], None], spoken: bytes = b"") -> None:
    audio = Audio(spoken)
    conversation = Conversation(
        ElevenLabs(api_key="key", base_url=f"http://{PLAIN}/{behaviour}"),
        "agent",
        requires_auth=False,
        audio_interface=audio,
        callback_agent_response=lambda text: say("agent:", text),
        callback_user_transcript=lambda text: say("user:", text),
        callback_disconnect=lambda details: say(details),
    )
    conversation.start_session()
    then(conversation, audio)
    say("conversation", conversation.wait_for_session_end())


def answer(conversation: Conversation, audio: Audio) -> None:
    audio.heard.wait(20)
    conversation.send_user_message("Grüße")


def hang_up(conversation: Conversation, audio: Audio) -> None:
    audio.heard.wait(1.2)  # `recv(timeout=0.5)` ends twice
    conversation.end_session()


with scenario("a conversation that the agent ends"):
    converse("served", answer, spoken=bytes(8000))

with scenario("a conversation that the user ends, with nothing received"):
    converse("mute", hang_up)

with scenario("a conversation that is refused"):
    converse("refused/403", lambda conversation, audio: None)

with scenario("a conversation that ends with a code"):
    converse("closed/4401", lambda conversation, audio: None)

with scenario("a conversation that breaks off"):
    converse("closed/1006", lambda conversation, audio: None)
