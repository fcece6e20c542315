"""The signatures of `connect` and its siblings, as `inspect` and checkers of types see them."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import pytest
import websockets.sync.client

from openline.sync import _options
from openline.sync.client import ClientConnection, connect, reconnect, unix_connect, unix_reconnect


def parameters(function: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    return dict(inspect.signature(function).parameters)


@pytest.mark.parametrize(
    "name", ["connect", "reconnect", "unix_connect", "unix_reconnect", "ClientConnection"]
)
def test_parameters_are_those_of_websockets(name: str) -> None:
    ours = parameters(globals()[name])
    theirs = parameters(getattr(websockets.sync.client, name))
    theirs.pop("legacy", None)  # it has no effect here, so it is accepted among the others
    for parameter in theirs.values():
        assert parameter.name in ours
        assert ours[parameter.name].kind == parameter.kind
        if parameter.name not in ("user_agent_header", "process_exception", "reconnect_delays"):
            assert ours[parameter.name].default == parameter.default


@pytest.mark.parametrize(
    ("function", "options"),
    [(connect, _options.ConnectOptions), (reconnect, _options.ReconnectOptions)],
)
def test_options_are_the_parameters(function: Callable[..., Any], options: type) -> None:
    keywords = {p.name: p.annotation for p in parameters(function).values() if p.kind is p.KEYWORD_ONLY}
    declared = {name: each.__forward_arg__ for name, each in options.__annotations__.items()}
    for name in _options.SocketOptions.__annotations__:
        del declared[name]
    if function is reconnect:
        assert keywords.pop("sock") == "None"  # a socket can be connected only once
        del declared["sock"]
    assert declared == keywords


def test_what_goes_on_to_socket_create_connection() -> None:
    for function in (connect, reconnect):
        assert parameters(function)["kwargs"].annotation == "Unpack[SocketOptions]"
    assert parameters(unix_connect)["kwargs"].annotation == "Unpack[ConnectOptions[C]]"
    assert parameters(unix_reconnect)["kwargs"].annotation == "Unpack[ReconnectOptions[C]]"
    assert inspect.signature(ClientConnection).parameters["ping_interval"].default == 20
