"""A session with the package `fal-client`: its realtime API, in MessagePack through TLS."""

from __future__ import annotations

import os

from transcript import SECURE, say, scenario

os.environ["FAL_RUN_HOST"] = SECURE
os.environ["FAL_KEY"] = "key:secret"

import fal_client  # noqa: E402  # it reads the environment

client = fal_client.SyncClient()


def converse(application: str) -> None:
    with client.realtime(application, use_jwt=False, path="/fal") as connection:
        connection.send({"prompt": "grün ☘", "image": bytes(5000)})
        answer = connection.recv()
        say(answer["prompt"], answer["image"])
        connection.send({"prompt": "enough"})
        while answer := connection.recv():
            say(answer)


with scenario("binary and text, and the server closes"):
    converse("served/app")

with scenario("a handshake that is refused"):
    converse("refused/403")

with scenario("a close with a code"):
    converse("closed/4401")

with scenario("the end without a close"):
    converse("closed/1006")

with scenario("nothing received in time"):
    with client.ws_connect("mute/app", use_jwt=False, path="/fal") as websocket:
        websocket.send("text of the caller’s own")
        websocket.recv(timeout=0.3)
