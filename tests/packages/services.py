"""What the fake server says, service by service: as much as the sessions of this directory use.

A service is a generator: it is given what comes, and yields what to answer. Mappings are sent as JSON.
When it returns, the server closes the connection with 1000.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Incoming = Iterator[str | bytes]
Answers = Iterator[str | bytes | Mapping[str, object]]
Query = Mapping[str, str]


def find(path: str) -> Callable[[Incoming, Query], Answers]:
    """The service whose clients connect to this path."""
    return next(service for end, service in SERVICES.items() if path.endswith(end))


def openai_realtime(incoming: Incoming, query: Query) -> Answers:
    yield {"type": "session.created", "event_id": "event_1", "session": {"model": query["model"]}}
    for message in incoming:
        if isinstance(message, bytes):
            yield message
            continue
        event = json.loads(message)
        match event["type"]:
            case "session.update":
                yield {"type": "session.updated", "event_id": "event_2", "session": event["session"]}
            case "input_audio_buffer.append":
                length = len(base64.b64decode(event["audio"]))
                kind = "input_audio_buffer.speech_stopped"
                yield {"type": kind, "event_id": "event_3", "audio_end_ms": length}
            case "response.create":
                for word in ("Guten ", "Morgen, ", "Welt ☀"):
                    yield {"type": "response.output_text.delta", "event_id": "event_4", "delta": word}
                yield {"type": "response.done", "event_id": "event_5", "response": {"status": "completed"}}
                return


def openai_responses(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        event = json.loads(message)
        said = f"you said {event['input']}"
        yield {"type": "response.output_text.delta", "sequence_number": 1, "delta": said}
        yield {"type": "response.completed", "sequence_number": 2, "response": {"id": "resp_1"}}


def deepgram_listen(incoming: Incoming, query: Query) -> Answers:
    seconds = 0.0
    for message in incoming:
        if isinstance(message, bytes):
            seconds += len(message) / 32000
            yield {
                "type": "Results",
                "channel_index": [0, 1],
                "duration": len(message) / 32000,
                "start": seconds,
                "is_final": True,
                "channel": {"alternatives": [{"transcript": "grüß dich", "confidence": 0.9, "words": []}]},
                "metadata": {"request_id": "r", "model_uuid": "m", "model_info": MODEL},
            }
        elif json.loads(message)["type"] == "CloseStream":
            yield {
                "type": "Metadata",
                "transaction_key": "deprecated",
                "request_id": "r",
                "sha256": "0",
                "created": "2026-11-25T22:00:00Z",
                "duration": seconds,
                "channels": 1,
            }
            return


def deepgram_speak(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        event = json.loads(message)
        match event["type"]:
            case "Speak":
                yield event["text"].encode("utf-16-le") * 1000
            case "Flush":
                yield {"type": "Flushed", "sequence_id": 0}
            case "Close":
                return


def elevenlabs_speech(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        text = json.loads(message)["text"]
        if not text:
            yield {"audio": audio("the end"), "isFinal": True}
            return
        if text.strip():
            yield {"audio": audio(text), "isFinal": None}


def elevenlabs_conversation(incoming: Incoming, query: Query) -> Answers:
    assert json.loads(next(incoming))["type"] == "conversation_initiation_client_data"
    yield {
        "type": "conversation_initiation_metadata",
        "conversation_initiation_metadata_event": {"conversation_id": "conversation-1"},
    }
    yield {"type": "ping", "ping_event": {"event_id": 1}}
    for message in incoming:
        event = json.loads(message)
        if "user_audio_chunk" in event:
            heard = f"{len(base64.b64decode(event['user_audio_chunk']))} bytes"
            yield {"type": "user_transcript", "user_transcription_event": {"user_transcript": heard}}
            yield {"type": "audio", "audio_event": {"audio_base_64": audio("hello"), "event_id": 2}}
        elif event.get("type") == "user_message":
            answer = f"“{event['text']}”?"
            yield {"type": "agent_response", "agent_response_event": {"agent_response": answer}}
            return


def cartesia_speech(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        request = json.loads(message)
        name = request["context_id"]
        if request["transcript"]:
            data = audio(request["transcript"])
            yield {"type": "chunk", "context_id": name, "data": data, "status_code": 206}
        if not request["continue"]:
            # Of binary type, which its client takes too.
            yield json.dumps({"type": "done", "context_id": name, "done": True, "status_code": 200}).encode()


def cartesia_transcription(incoming: Incoming, query: Query) -> Answers:
    received = 0
    for message in incoming:
        if isinstance(message, bytes):
            received += len(message)
        elif message == "finalize":
            yield {"type": "transcript", "request_id": "r", "text": f"{received} bytes", "is_final": True}
            yield {"type": "flush_done", "request_id": "r"}
        else:
            yield {"type": "done", "request_id": "r"}
            return


def assemblyai_transcription(incoming: Incoming, query: Query) -> Answers:
    yield {"type": "Begin", "id": "session-1", "expires_at": "2026-11-25T23:00:00Z"}
    received = 0
    for message in incoming:
        if isinstance(message, bytes):
            received += len(message)
            yield {
                "type": "Turn",
                "turn_order": received // len(message),
                "turn_is_formatted": True,
                "end_of_turn": True,
                "transcript": f"{received} bytes",
                "end_of_turn_confidence": 0.9,
                "words": [],
            }
        elif json.loads(message)["type"] == "Terminate":
            yield {"type": "Termination", "audio_duration_seconds": received, "session_duration_seconds": 1}


def assemblyai_speech(incoming: Incoming, query: Query) -> Answers:
    yield {"type": "Begin", "id": "session-2", "expires_at": 1764115200, "configuration": {}}
    flush_id = 0
    text = ""
    for message in incoming:
        event = json.loads(message)
        match event["type"]:
            case "Generate":
                text += event["text"]
            case "Flush":
                yield {"type": "Audio", "flush_id": flush_id, "audio": audio(text)}
                yield {"type": "FlushDone", "flush_id": flush_id, "audio_duration_ms": 100}
                flush_id += 1
            case "Terminate":
                yield {
                    "type": "Termination",
                    "session_duration_seconds": 2,
                    "total_input_char_length": len(text),
                    "audio_duration_seconds": 0.1,
                }


def cozepy_speech(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        event = json.loads(message)
        if event["event_type"] == "input_text_buffer.append":
            data = {"delta": audio(event["data"]["delta"])}
            yield {"event_type": "speech.audio.update", "id": "1", "data": data}
        else:
            yield {"event_type": "speech.audio.completed", "id": "2"}


def langgraph_events(incoming: Incoming, query: Query) -> Answers:
    command = json.loads(next(incoming))
    for channel in command["params"]["channels"]:
        yield {"type": "event", "method": channel, "params": {"data": "Grüße"}}
        yield json.dumps({"type": "event", "method": channel, "params": {"data": "Größe"}}).encode()
    yield {"type": "event", "method": "last"}
    next(incoming)  # the client closes


def langsmith_execution(incoming: Incoming, query: Query) -> Answers:
    request = json.loads(next(incoming))
    yield {"type": "started", "command_id": "command-1", "pid": 42}
    yield {"type": "stdout", "data": f"$ {request['command']}\n", "offset": 0}
    yield {"type": "stderr", "data": "achtung ⚠\n", "offset": 0}
    if request["command"] == "cat":
        event = json.loads(next(incoming))
        if event["type"] == "kill":
            next(incoming)  # the client closes
        yield {"type": "stdout", "data": event["data"], "offset": 100}
    yield {"type": "exit", "exit_code": 3}
    for _ in incoming:  # the client closes
        pass


def langsmith_tunnel(incoming: Incoming, query: Query) -> Answers:
    """An echo behind yamux, which lays streams side by side: each frame has a header of 12 bytes."""
    buffer = bytearray()

    def read(length: int) -> bytes:
        while len(buffer) < length:
            message = next(incoming)
            assert isinstance(message, bytes)
            buffer.extend(message)
        data = bytes(buffer[:length])
        del buffer[:length]
        return data

    connected = False
    while True:
        _, kind, _, stream, length = struct.unpack(YAMUX_HEADER, read(12))
        if kind != YAMUX_DATA:
            continue
        data = read(length)
        if not connected:
            connected = True
            port = int.from_bytes(data[1:])
            data = b"\x00" if port == 5432 else b"\x01"  # the status: connected, or not allowed
        if data:
            yield struct.pack(YAMUX_HEADER, 0, YAMUX_DATA, 0, stream, len(data)) + data


def soniox_transcription(incoming: Incoming, query: Query) -> Answers:
    assert json.loads(next(incoming))["model"] == "stt-rt"
    for message in incoming:
        if isinstance(message, bytes):
            yield {"tokens": [{"text": f"{len(message)} bytes", "is_final": True}]}
        elif not message:
            yield {"tokens": [], "finished": True}
            return


def fal_realtime(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        yield {"type": "x-fal-message"}
        yield message  # in MessagePack, which the client reads as it has written it
        if isinstance(message, bytes) and b"enough" in message:
            return


def surreal_rpc(incoming: Incoming, query: Query) -> Answers:
    for message in incoming:
        assert isinstance(message, bytes)
        result = b"3.0.1" if b"version" in message else b"queried"
        yield b"\xa1\x66result" + bytes([0x60 + len(result)]) + result  # a map and texts, in CBOR


def audio(text: str) -> str:
    """Bytes that depend on the text, as JSON has them."""
    return base64.b64encode(text.encode() * 500).decode()


SERVICES: dict[str, Callable[[Incoming, Query], Answers]] = {
    "/realtime": openai_realtime,
    "/responses": openai_responses,
    "/v1/listen": deepgram_listen,
    "/v1/speak": deepgram_speak,
    "/stream-input": elevenlabs_speech,
    "/convai/conversation": elevenlabs_conversation,
    "/tts/websocket": cartesia_speech,
    "/stt/websocket": cartesia_transcription,
    "/v3/ws": assemblyai_transcription,
    "/v1/ws": assemblyai_speech,
    "/v1/audio/speech": cozepy_speech,
    "/stream/events": langgraph_events,
    "/execute/ws": langsmith_execution,
    "/tunnel": langsmith_tunnel,
    "/soniox": soniox_transcription,
    "/fal": fal_realtime,
    "/rpc": surreal_rpc,
}

MODEL = {"name": "n", "version": "1", "arch": "a"}

YAMUX_HEADER = ">BBHII"  # version, kind, flags, stream, length of the data
YAMUX_DATA = 0
