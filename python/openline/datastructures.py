"""HTTP headers as a mapping: `Headers`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from typing import Any, Protocol

from .exceptions import _UnsendableHeader

__all__ = ["Headers", "HeadersLike", "MultipleValuesError", "SupportsKeysAndGetItem"]


class MultipleValuesError(LookupError):
    """A header was asked for by name, and there are several of that name; `Headers.get_all` gives them.

    >>> Headers([("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])["set-cookie"]
    Traceback (most recent call last):
    openline.datastructures.MultipleValuesError: 'set-cookie'
    """

    def __str__(self) -> str:
        # As KeyError does: a lone name is quoted.
        return repr(self.args[0]) if len(self.args) == 1 else super().__str__()


class Headers(MutableMapping[str, str]):
    """The headers of an HTTP request or response.

    A mapping from names to values in which case does not matter, a name may occur more than once, and order
    and spelling are kept:

    - `headers[name]` is the value; without one it is a `KeyError`, with several a `MultipleValuesError`;
    - `headers[name] = value` adds a value and keeps those already there;
    - `del headers[name]` removes all values of that name;
    - iteration and `keys()` give each name once, in lower case;
    - `get_all` and `raw_items` give everything.

    Values are text as it is on the wire, byte for character (ISO-8859-1). For a value in UTF-8, write
    `value.encode("utf-8").decode("iso-8859-1")`, and the other way round to read one.

    Args:
        *args: at most one mapping, iterable of pairs, or `Headers`.
        **kwargs: more headers, for names that are Python identifiers.

    Raises:
        TypeError: a name or value is not a `str`.
        InvalidHeaderValue: a name is not an HTTP token, or a value has a control character such as CR, LF or
            NUL, or one beyond U+00FF. It is a `ValueError` too.

    >>> headers = Headers({"Accept": "text/html"})
    >>> headers["X-Tag"] = "a"
    >>> headers["x-tag"] = "b"
    >>> headers["ACCEPT"], headers.get_all("X-TAG"), headers.get("Host")
    ('text/html', ['a', 'b'], None)
    >>> list(headers.raw_items())
    [('Accept', 'text/html'), ('X-Tag', 'a'), ('x-tag', 'b')]
    """

    def __init__(self, *args: HeadersLike, **kwargs: str) -> None:
        self._values: dict[str, list[str]] = {}  # by name in lower case
        self._items: list[tuple[str, str]] = []  # as given
        self.update(*args, **kwargs)

    @classmethod
    def _received(cls, items: Iterable[tuple[str, str]]) -> Headers:
        """Make headers from what the HTTP parser has accepted, without checking again."""
        headers = cls()
        for name, value in items:
            headers.set_insecure(name, value)
        return headers

    def __str__(self) -> str:
        """Give the headers as they are on the wire, with the empty line that ends them.

        >>> str(Headers(Host="localhost"))
        'Host: localhost\\r\\n\\r\\n'
        """
        return "".join(f"{name}: {value}\r\n" for name, value in self._items) + "\r\n"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._items!r})"

    def serialize(self) -> bytes:
        """Return the bytes on the wire, with the empty line that ends the headers.

        >>> Headers(Host="localhost").serialize()
        b'Host: localhost\\r\\n\\r\\n'
        """
        return str(self).encode("iso-8859-1")

    def copy(self) -> Headers:
        """Return headers that can be changed without changing these.

        >>> original = Headers(Host="localhost")
        >>> other = original.copy()
        >>> other["Accept"] = "*/*"
        >>> len(original), len(other)
        (1, 2)
        """
        return self._received(self._items)

    __copy__ = copy

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, name: str) -> str:
        values = self._values[name.lower()]
        if len(values) > 1:
            raise MultipleValuesError(name)
        return values[0]

    def __setitem__(self, name: str, value: str) -> None:
        check_header(name, value)
        self.set_insecure(name, value)

    def __delitem__(self, name: str) -> None:
        lower = name.lower()
        del self._values[lower]
        self._items = [item for item in self._items if item[0].lower() != lower]

    def __eq__(self, other: Any) -> bool:
        """Tell whether both have the same values for the same names, whatever the order of the names.

        >>> Headers([("A", "1"), ("B", "2")]) == Headers([("b", "2"), ("a", "1")])
        True
        """
        if not isinstance(other, Headers):
            return NotImplemented
        return self._values == other._values

    __hash__ = None  # type: ignore[assignment]  # it can be changed

    def clear(self) -> None:
        """Remove all headers.

        >>> headers = Headers(Host="localhost")
        >>> headers.clear()
        >>> len(headers)
        0
        """
        self._values = {}
        self._items = []

    def update(self, *args: HeadersLike, **kwargs: str) -> None:
        """Add headers, keeping those already there.

        Args:
            *args: at most one mapping, iterable of pairs, or `Headers`.
            **kwargs: more headers, for names that are Python identifiers.

        Raises:
            TypeError, InvalidHeaderValue: as for `Headers` itself. Headers before the wrong one have been
                added.

        >>> headers = Headers(Accept="text/html")
        >>> headers.update([("Accept", "text/plain")], Host="localhost")
        >>> headers
        Headers([('Accept', 'text/html'), ('Accept', 'text/plain'), ('Host', 'localhost')])
        """
        if len(args) > 1:
            raise TypeError(f"expected at most 1 positional argument, got {len(args)}")
        for arg in args:
            # A list first: `arg` may be this object.
            for name, value in list(_pairs(arg)):
                self[name] = value
        for name, value in kwargs.items():
            self[name] = value

    def get_all(self, name: str) -> list[str]:
        """Return all values of a header, in order; an empty list if there are none.

        Args:
            name: the header's name; case does not matter.

        >>> Headers([("Via", "a"), ("via", "b")]).get_all("VIA")
        ['a', 'b']
        """
        return self._values.get(name.lower(), []).copy()

    def raw_items(self) -> Iterator[tuple[str, str]]:
        """Return an iterator of all `(name, value)` pairs, as given and in order.

        >>> list(Headers([("Via", "a"), ("via", "b")]).raw_items())
        [('Via', 'a'), ('via', 'b')]
        """
        return iter(self._items)

    def set_insecure(self, name: str, value: str) -> None:
        """Add a header without checking it. Only for what has been checked before, never for outside input.

        Args:
            name: the header's name.
            value: one value for it.

        >>> headers = Headers()
        >>> headers.set_insecure("Host", "localhost")
        >>> headers["host"]
        'localhost'
        """
        self._values.setdefault(name.lower(), []).append(value)
        self._items.append((name, value))


class SupportsKeysAndGetItem(Protocol):
    """What a mapping needs to have to be read as headers: `keys()` and `[]`.

    >>> class Settings:
    ...     def keys(self):
    ...         return ["Host"]
    ...     def __getitem__(self, name):
    ...         return "localhost"
    >>> Headers(Settings())
    Headers([('Host', 'localhost')])
    """

    def keys(self) -> Iterable[str]:
        """Return the names of the headers."""
        ...

    def __getitem__(self, key: str, /) -> str: ...


HeadersLike = Headers | Mapping[str, str] | Iterable[tuple[str, str]] | SupportsKeysAndGetItem
"""What is accepted where headers are wanted."""


def check_header(name: str, value: str) -> None:
    """Refuse a header that must not go on the wire (RFC 9110 §5.1 and §5.5).

    The value is not shown in the error: it may be a secret.

    >>> check_header("X-Id", "1\\r\\nHost: evil")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    openline.exceptions.InvalidHeaderValue: header X-Id has '\\r' at position 1 of its value; control ...
    """
    if not isinstance(name, str):
        raise TypeError(f"header name must be str, not {type(name).__name__}")
    if not isinstance(value, str):
        raise TypeError(f"value of header {name} must be str, not {type(value).__name__}")
    if not is_token(name):
        text = f"invalid header name {name!r}; letters, digits and any of !#$%&'*+-.^_`|~ are allowed"
        raise _UnsendableHeader(name, value, text)
    bad = _NOT_IN_VALUE(value)
    if bad is None:
        return
    if bad[0] > "\xff":
        fault = (
            ', which HTTP cannot carry; to send it as UTF-8, pass value.encode("utf-8").decode("iso-8859-1")'
        )
    else:
        fault = "; control characters are not allowed"
    text = f"header {name} has {bad[0]!r} at position {bad.start()} of its value{fault}"
    raise _UnsendableHeader(name, value, text)


def is_token(text: str) -> bool:
    """Tell whether `text` is a token (RFC 9110 §5.6.2), as names of headers and subprotocols are.

    >>> is_token("graphql-ws"), is_token("a b"), is_token("")
    (True, False, False)
    """
    return _TOKEN(text) is not None


def _pairs(headers: Any) -> Iterator[tuple[str, str]]:
    """Read anything `HeadersLike` as pairs."""
    if hasattr(headers, "raw_items"):  # `Headers` of `websockets`, too
        yield from headers.raw_items()
    elif hasattr(headers, "keys"):
        for name in headers.keys():
            yield name, headers[name]
    elif isinstance(headers, (str, bytes)) or not isinstance(headers, Iterable):
        raise TypeError(f"headers must be a mapping or an iterable of pairs, not {type(headers).__name__}")
    else:
        for pair in headers:
            # A str of two characters would unpack too.
            if not isinstance(pair, (tuple, list)) or len(pair) != 2:
                raise TypeError(f"each header must be a (name, value) pair, not {type(pair).__name__}")
            yield pair[0], pair[1]


_TOKEN = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+").fullmatch

# Neither HTAB, SP, VCHAR nor obs-text.
_NOT_IN_VALUE = re.compile(r"[^\t\x20-\x7e\x80-\xff]").search
