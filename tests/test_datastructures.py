"""`Headers`: without case, with several values for a name, and refusing what must not go on the wire."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Mapping, MutableMapping
from typing import Any

import pytest
import websockets.datastructures

from openline.datastructures import Headers, MultipleValuesError
from openline.exceptions import InvalidHeaderValue

TWO = [("Host", "localhost"), ("Via", "a"), ("VIA", "b")]


def two() -> Headers:
    return Headers(TWO)


class KeysOnly:
    """A mapping by its methods, of no known class."""

    def keys(self) -> list[str]:
        return ["Host"]

    def __getitem__(self, name: str) -> str:
        return "localhost"


@pytest.mark.parametrize(
    "headers",
    [
        Headers({"Host": "localhost"}),
        Headers([("Host", "localhost")]),
        Headers([["Host", "localhost"]]),  # type: ignore[list-item]  # at run time lists will do
        Headers((pair for pair in [("Host", "localhost")])),
        Headers(Headers(Host="localhost")),
        Headers(KeysOnly()),
        Headers(Host="localhost"),
    ],
)
def test_made_from(headers: Headers) -> None:
    assert list(headers.raw_items()) == [("Host", "localhost")]


def test_made_from_headers_of_websockets() -> None:
    theirs = websockets.datastructures.Headers([("Via", "a"), ("via", "b")])
    assert list(Headers(theirs).raw_items()) == [("Via", "a"), ("via", "b")]


def test_positional_and_keywords_together() -> None:
    assert list(Headers({"A": "1"}, B="2").raw_items()) == [("A", "1"), ("B", "2")]


def test_is_a_mutable_mapping() -> None:
    assert isinstance(Headers(), MutableMapping)
    assert isinstance(Headers(), Mapping)


def test_empty() -> None:
    headers = Headers()
    assert not headers
    assert len(headers) == 0
    assert list(headers) == []
    assert repr(headers) == "Headers([])"
    assert str(headers) == "\r\n"


def test_case_does_not_matter() -> None:
    headers = Headers({"Content-Type": "text/plain"})
    assert headers["content-type"] == headers["CONTENT-TYPE"] == "text/plain"
    assert "cOnTeNt-TyPe" in headers
    assert headers.get("content-TYPE") == "text/plain"


def test_contains_only_text() -> None:
    for other in (1, None, b"1"):
        assert not Headers({"1": "a"}).__contains__(other)


def test_names_are_given_once_in_lower_case() -> None:
    assert list(two()) == list(two().keys()) == ["host", "via"]
    assert len(two()) == 2


def test_several_values() -> None:
    headers = two()
    with pytest.raises(MultipleValuesError, match=r"^'Via'$"):
        headers["Via"]
    with pytest.raises(MultipleValuesError):
        headers.get("Via")
    with pytest.raises(LookupError):
        dict(headers)
    assert headers.get_all("via") == ["a", "b"]
    assert headers.get_all("none") == []
    assert list(headers.raw_items()) == TWO


def test_missing() -> None:
    with pytest.raises(KeyError, match="nope"):
        Headers()["Nope"]
    assert Headers().get("Nope") is None
    assert Headers().get("Nope", "x") == "x"


def test_assignment_adds() -> None:
    headers = Headers()
    headers["A"] = "1"
    headers["a"] = "2"
    assert headers.get_all("A") == ["1", "2"]


def test_delete_removes_all() -> None:
    headers = two()
    del headers["via"]
    assert list(headers.raw_items()) == [("Host", "localhost")]
    with pytest.raises(KeyError):
        del headers["via"]


def test_methods_of_mutable_mapping() -> None:
    headers = Headers(A="1")
    assert headers.setdefault("a", "2") == "1"
    assert headers.setdefault("B", "2") == "2"
    assert headers.pop("b") == "2"
    assert list(headers.items()) == [("a", "1")]
    headers.clear()
    assert headers == Headers()


def test_update_keeps_what_is_there() -> None:
    headers = Headers(A="1")
    headers.update({"A": "2"}, B="3")
    headers.update(headers)
    assert headers.get_all("A") == ["1", "2", "1", "2"]
    assert headers.get_all("B") == ["3", "3"]


def test_update_takes_one_positional_argument() -> None:
    with pytest.raises(TypeError, match="at most 1"):
        Headers({}, {})


def test_lists_given_out_are_copies() -> None:
    headers = two()
    headers.get_all("via").append("c")
    assert headers.get_all("via") == ["a", "b"]


@pytest.mark.parametrize("duplicate", [Headers.copy, copy.copy, copy.deepcopy, Headers])
def test_copies_are_independent(duplicate: Any) -> None:
    headers = two()
    other = duplicate(headers)
    assert type(other) is Headers
    assert other == headers
    other["Via"] = "c"
    del other["Host"]
    assert list(headers.raw_items()) == TWO
    assert headers.get_all("via") == ["a", "b"]


def test_pickling() -> None:
    assert list(pickle.loads(pickle.dumps(two())).raw_items()) == TWO


def test_equality() -> None:
    assert two() == two()
    assert Headers([("A", "1"), ("B", "2")]) == Headers([("b", "2"), ("a", "1")])
    assert Headers([("A", "1"), ("A", "2")]) != Headers([("A", "2"), ("A", "1")])
    assert Headers(A="1") != {"a": "1"}


def test_not_hashable() -> None:
    with pytest.raises(TypeError):
        hash(Headers())


def test_text_forms() -> None:
    headers = two()
    assert repr(headers) == "Headers([('Host', 'localhost'), ('Via', 'a'), ('VIA', 'b')])"
    assert str(headers) == "Host: localhost\r\nVia: a\r\nVIA: b\r\n\r\n"
    assert Headers(A="\xe9").serialize() == b"A: \xe9\r\n\r\n"


@pytest.mark.parametrize("value", ["", " ", "a\tb", "~", "\x80\xff", "x" * 100_000])
def test_values_that_can_be_sent(value: str) -> None:
    assert Headers([("A", value)])["a"] == value


@pytest.mark.parametrize("bad", ["\r", "\n", "\0", "\x01", "\x1f", "\x7f"])
def test_control_characters_in_values_are_refused(bad: str) -> None:
    headers = Headers()
    with pytest.raises(ValueError, match="position 6 .*control characters are not allowed") as caught:
        headers["Cookie"] = f"secret{bad}"
    assert isinstance(caught.value, InvalidHeaderValue)
    assert (caught.value.name, caught.value.value) == ("Cookie", f"secret{bad}")
    assert "secret" not in str(caught.value) + repr(caught.value)
    assert len(headers) == 0


def test_values_beyond_latin_1_are_refused_with_the_way_out() -> None:
    with pytest.raises(ValueError, match=r'encode\("utf-8"\)\.decode\("iso-8859-1"\)'):
        Headers(A="\u20ac")
    value = "\u20ac".encode().decode("iso-8859-1")
    assert Headers(A=value).serialize() == b"A: \xe2\x82\xac\r\n\r\n"


@pytest.mark.parametrize(
    "name", ["", " ", "A B", "A:", "A\r\nB", "A\n", "A\0", "\u00e9", "(A)", "A/B", '"A"', "A\t"]
)
def test_names_that_are_not_tokens_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="invalid header name"):
        Headers([(name, "value")])


@pytest.mark.parametrize("name", ["A", "x-y_z", "!#$%&'*+-.^_`|~09azAZ"])
def test_names_that_are_tokens(name: str) -> None:
    assert name in Headers([(name, "value")])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"A": 1}, "value of header A must be str, not int"),
        ({"A": None}, "value of header A must be str, not NoneType"),
        ({"A": b"x"}, "value of header A must be str, not bytes"),
        ({"A": ["x", "y"]}, "value of header A must be str, not list"),
        ({b"A": "x"}, "header name must be str, not bytes"),
        ([("A",)], r"each header must be a \(name, value\) pair"),
        ([("A", "b", "c")], r"each header must be a \(name, value\) pair"),
        (["Ab"], r"each header must be a \(name, value\) pair, not str"),
        ("A: b", "not str"),
        (b"A: b", "not bytes"),
        (5, "not int"),
        (None, "not NoneType"),
    ],
)
def test_wrong_types_are_refused(value: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        Headers(value)


def test_what_was_received_is_taken_as_it_is() -> None:
    headers = Headers._received([("A", "1"), ("A", "\x01")])
    assert headers.get_all("a") == ["1", "\x01"]


def test_multiple_values_error_text() -> None:
    assert str(MultipleValuesError("A")) == "'A'"
    assert str(MultipleValuesError()) == ""
