"""A session with the package `langgraph-sdk`: the events of a thread."""

from __future__ import annotations

import httpx
from langgraph_sdk.stream.errors import is_non_retryable_stream_error
from langgraph_sdk.stream.transport.sync_ws import SyncProtocolWebSocketTransport

from transcript import PLAIN, say, scenario


def listen(behaviour: str) -> None:
    client = httpx.Client(base_url=f"http://{PLAIN}/{behaviour}", cookies={"session": "crumbs"})
    headers = {"x-api-key": "key"}
    transport = SyncProtocolWebSocketTransport(client=client, thread_id="thread-1", headers=headers)
    stream = transport.open_event_stream({"channels": ["values", "messages"], "since": 3})
    try:
        for event in stream.events:
            say(event)
            if event.get("method") == "last":
                stream.close()
    finally:
        say("would fail again:", is_non_retryable_stream_error(stream.error()))


with scenario("text and binary, and the client closes"):
    listen("served")

with scenario("a handshake that is refused"):
    listen("refused/403")

with scenario("a close with a code"):
    listen("closed/4401")

with scenario("a close that is an end"):
    listen("closed/1001")

with scenario("the end without a close"):
    listen("closed/1006")

with scenario("a handshake without an answer, in the 10 seconds of the library"):
    listen("silent")
