"""A session with the package `openai`: its realtime API, and its responses over WebSocket."""

from __future__ import annotations

import base64

from openai import OpenAI
from openai.resources.realtime.realtime import RealtimeConnection
from openai.types.websocket_reconnection import ReconnectingEvent

from transcript import PLAIN, say, scenario


def client(behaviour: str) -> OpenAI:
    url = f"ws://{PLAIN}/{behaviour}"
    return OpenAI(api_key="key", base_url="http://127.0.0.1/v1", websocket_base_url=url)


def converse(connection: RealtimeConnection) -> None:
    connection.session.update(session={"type": "realtime", "instructions": "Sei höflich ☀"})
    connection.input_audio_buffer.append(audio=base64.b64encode(bytes(30_000)).decode())
    connection.send({"type": "response.create"})
    for event in connection:
        say(event.type, getattr(event, "delta", ""))


with scenario("text, binary, and the server closes"):
    with client("served").realtime.connect(model="gpt-realtime") as connection:
        say(connection.recv().session.model)
        connection.send_raw(b'{"type": "binary"}')
        say(connection.recv_bytes())
        converse(connection)

with scenario("with handlers, and messages of before the connection"):
    manager = client("served").realtime.connect(model="gpt-realtime", extra_query={"tone": "a b"})
    manager.send({"type": "response.create"})
    manager.on("response.output_text.delta", lambda event: say("delta", event.delta))
    with manager as connection:
        connection.on("event", lambda event: say("event", event.type))
        connection.dispatch_events()

with scenario("responses, and the client closes"):
    with client("served").responses.connect() as connection:
        connection.send({"type": "response.create", "model": "gpt", "input": "hällo"})
        for event in connection:
            say(event.type, getattr(event, "delta", ""))
            if event.type == "response.completed":
                connection.close(code=4000, reason="enough")

with scenario("a handshake that is refused"):
    client("refused/401").realtime.connect(model="gpt-realtime").enter()

with scenario("a handshake that is refused, as an application sees it"):
    from websockets.exceptions import InvalidStatus

    try:
        client("refused/403").realtime.connect(model="gpt-realtime").enter()
    except InvalidStatus as refused:
        response = refused.response
        say(response.status_code, response.reason_phrase, response.headers["X-Request-Id"])
        say(bytes(response.body))

with scenario("a close with a code"):
    with client("closed/4401").realtime.connect(model="gpt-realtime") as connection:
        converse(connection)

with scenario("the end without a close"):
    with client("closed/1006").realtime.connect(model="gpt-realtime") as connection:
        connection.send({"type": "response.create"})
        connection.recv()


def reconnecting(event: ReconnectingEvent) -> None:
    say("attempt", event.attempt, "of", event.max_attempts, "after", event.close_code)


with scenario("a server that restarts"):
    restarting = client("restarting/1012").realtime.connect(
        model="gpt-realtime", on_reconnecting=reconnecting, initial_delay=0.01
    )
    with restarting as connection:
        connection.send({"type": "response.create"})
        for event in connection:
            say(event.type)
            if event.type == "session.created":
                connection.send({"type": "response.create"})

with scenario("a handshake without an answer"):
    client("silent").realtime.connect(
        model="gpt-realtime", websocket_connection_options={"open_timeout": 1}
    ).enter()
