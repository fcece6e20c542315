"""`websockets.datastructures`: `Headers`."""

from __future__ import annotations

import copy
import operator
import pickle
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any

from websockets.datastructures import Headers, MultipleValuesError

from parity import case, each
from parity.session import Session


def sample() -> Headers:
    return Headers([("Connection", "Upgrade"), ("Server", "a"), ("server", "b")])


READ: dict[str, Callable[[Headers], object]] = {
    "str": str,
    "repr": repr,
    "len": len,
    "list": list,
    "bytes": lambda headers: headers.serialize(),
    "get one": lambda headers: headers["connection"],
    "get many": lambda headers: headers["Server"],
    "get none": lambda headers: headers["Missing"],
    "get()": lambda headers: headers.get("CONNECTION"),
    "get() of many": lambda headers: headers.get("Server"),
    "get() of none": lambda headers: headers.get("Missing", "default"),
    "get_all": lambda headers: headers.get_all("Server"),
    "get_all of none": lambda headers: headers.get_all("Missing"),
    "in": lambda headers: ("SERVER" in headers, "missing" in headers),
    "in, not a str": lambda headers: headers.__contains__(1),
    "keys": lambda headers: list(headers.keys()),
    "items": lambda headers: list(headers.items()),
    "values": lambda headers: list(headers.values()),
    "raw_items": lambda headers: list(headers.raw_items()),
    "bool": bool,
    "equal to itself": lambda headers: headers == sample(),
    "equal, other case": lambda headers: Headers(A="b") == Headers(a="b"),
    "equal to a dict": lambda headers: Headers(a="b") == {"a": "b"},
    "different": lambda headers: headers == Headers(),
    "hash": hash,
    "mapping": lambda headers: (isinstance(headers, Mapping), isinstance(headers, MutableMapping)),
    "dict of it": lambda headers: dict(Headers(A="b")),
    "copy is equal": lambda headers: (headers.copy() == headers, headers.copy() is headers),
    "copy.copy": lambda headers: copy.copy(headers) == headers,
    "copy.deepcopy": lambda headers: copy.deepcopy(headers) == headers,
    "pickle": lambda headers: pickle.loads(pickle.dumps(headers)) == headers,
}


@each(READ)
def read(s: Session, look: Callable[[Headers], object]) -> object:
    return look(sample())


anything: Any = Headers
nothing: Any = None

MADE: dict[str, Callable[[], Headers]] = {
    "nothing": Headers,
    "dict": lambda: Headers({"A": "b"}),
    "pairs": lambda: Headers([("A", "b"), ("A", "c")]),
    "Headers": lambda: Headers(sample()),
    "keywords": lambda: Headers(A="b", c="d"),
    "dict and keywords": lambda: Headers({"A": "b"}, A="c"),
    "None": lambda: anything(None),
    "str": lambda: anything("abc"),
    "two": lambda: Headers({}, {}),
    "value with CR LF": lambda: Headers(A="b\r\nC: d"),
    "value with NUL": lambda: Headers(A="b\0"),
    "value in Latin-1": lambda: Headers(A="caf\u00e9"),
    "value beyond Latin-1": lambda: Headers(A="\u20ac"),
    "value with tab": lambda: Headers(A="b\tc"),
    "number": lambda: anything(A=1),
    "name with a space": lambda: Headers({"A B": "c"}),
    "name with a line feed": lambda: Headers({"A\nB": "c"}),
    "number as a name": lambda: anything({1: "c"}),
}


@each(MADE)
def made(s: Session, make: Callable[[], Headers]) -> object:
    return make()


def deleting(headers: Headers) -> None:
    del headers["SERVER"]


def deleting_none(headers: Headers) -> None:
    del headers["Missing"]


def setting(headers: Headers) -> None:
    headers["Server"] = "c"


def updating(headers: Headers) -> None:
    headers.update({"A": "b"}, Server="c")


def updating_with_headers(headers: Headers) -> None:
    headers.update(Headers([("X", "1"), ("X", "2")]))


def setting_insecurely(headers: Headers) -> None:
    headers.set_insecure("A", "b\n")


CHANGED: dict[str, Callable[[Headers], object]] = {
    "set": setting,
    "delete": deleting,
    "delete none": deleting_none,
    "update": updating,
    "update with Headers": updating_with_headers,
    "set_insecure": setting_insecurely,
    "clear": lambda headers: headers.clear(),
    "pop": lambda headers: headers.pop("connection"),
    "pop many": lambda headers: headers.pop("server"),
    "pop none": lambda headers: headers.pop("missing", "default"),
    "popitem": lambda headers: headers.popitem(),
    "setdefault, there": lambda headers: headers.setdefault("Connection", "x"),
    "setdefault, new": lambda headers: headers.setdefault("New", "x"),
    "item not a str": lambda headers: operator.setitem(headers, "A", nothing),
}


@each(CHANGED)
def changed(s: Session, change: Callable[[Headers], object]) -> object:
    headers = sample()
    returned = s.attempt(change, headers)
    return returned, headers


@case
def a_copy_is_independent(s: Session) -> object:
    headers = sample()
    other = headers.copy()
    other["New"] = "x"
    return headers, other


@case
def multiple_values_error(s: Session) -> object:
    error = MultipleValuesError("Server")
    return error, str(MultipleValuesError()), repr(error), isinstance(error, KeyError)


@case
def a_subclass(s: Session) -> object:
    class Mine(Headers):
        pass

    mine: Any = Mine(a="b")
    return mine, mine.copy()
