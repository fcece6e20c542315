"""The modules that need no connection, beside those of `websockets`: the same names, signatures, outcomes.

Each function is given thousands of random inputs, always the same ones. Both packages must return equal
values, or raise exceptions of the same class with the same text. What differs is in `DIFFERENCES`, with the
reason, and must really differ.
"""

from __future__ import annotations

import fnmatch
import importlib
import inspect
import random
import types
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

ROUNDS = 3000

# What `websockets` has in `__all__`, or programs import all the same.
NAMES = {
    "datastructures": ["SupportsKeysAndGetItem"],
    "exceptions": [],
    "extensions": [],
    "extensions.base": [],
    "extensions.permessage_deflate": [],
    "frames": [
        "CLOSE_CODE_EXPLANATIONS",
        "CTRL_OPCODES",
        "DATA_OPCODES",
        "EXTERNAL_CLOSE_CODES",
        "OK_CLOSE_CODES",
        *["CONT", "TEXT", "BINARY", "CLOSE", "PING", "PONG"],
    ],
    "headers": [
        "build_extension_list",
        "build_subprotocol_list",
        "parse_extension_list",
        "parse_subprotocol_list",
    ],
    "http11": ["MAX_BODY_SIZE", "MAX_LINE_LENGTH", "MAX_NUM_HEADERS"],
    "typing": [
        "BytesLike",
        "ConnectionOption",
        "DataLike",
        "ExtensionHeader",
        "PathLike",
        "UpgradeProtocol",
    ],
    "uri": [],
    "utils": ["GUID", "generate_key"],
    "version": ["released"],
}

# What is not here: names of the protocol without I/O in Python.
SANS_IO = {"Frame.parse", "Request.parse", "Response.parse"}
# Deprecated there.
DEPRECATED = {"Request.exception", "Response.exception"}


def modules(name: str) -> tuple[types.ModuleType, types.ModuleType]:
    return importlib.import_module(f"openline.{name}"), importlib.import_module(f"websockets.{name}")


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    ours, theirs = modules(name)
    for each in [*theirs.__all__, *NAMES[name]]:
        assert hasattr(theirs, each), each
        assert hasattr(ours, each), each


@pytest.mark.parametrize("name", NAMES)
def test_values(name: str) -> None:
    """Numbers, texts and tuples of them are the same, except those that tell which package this is."""
    ours, theirs = modules(name)
    for each in {*theirs.__all__, *NAMES[name]} - {"SERVER", "USER_AGENT", "commit", "tag", "version"}:
        value = getattr(theirs, each)
        if isinstance(value, (int, str, tuple, dict, set, frozenset)) and not isinstance(value, type):
            assert getattr(ours, each) == value, each


@pytest.mark.parametrize("name", NAMES)
def test_signatures(name: str) -> None:
    ours, theirs = modules(name)
    for each in theirs.__all__:
        for path, their in functions(each, getattr(theirs, each)):
            our = getattr(ours, each)
            for attribute in path.split(".")[1:]:
                our = getattr(our, attribute)
            expected = [(p.name, p.kind, p.default) for p in inspect.signature(their).parameters.values()]
            found = [(p.name, p.kind, p.default) for p in inspect.signature(our).parameters.values()]
            expected = [parameter for parameter in expected if parameter[0] != "_exception"]
            if path in OTHER_NAMES:
                expected = [(OTHER_NAMES[path].get(n, n), kind, default) for n, kind, default in expected]
            assert found == expected, path


# Parameters that have another name here, and that nobody names.
OTHER_NAMES = {"Headers.get_all": {"key": "name"}, "Headers.set_insecure": {"key": "name"}}


def functions(name: str, thing: Any) -> list[tuple[str, Any]]:
    """The functions of a name: itself, or its constructor and public methods."""
    if inspect.isfunction(thing):
        return [(name, thing)]
    if not inspect.isclass(thing) or thing.__module__.startswith("enum") or issubclass(thing, int):
        return []
    methods = [
        (f"{name}.{method}", getattr(thing, method))
        for method in vars(thing)
        if not method.startswith("_") and callable(getattr(thing, method))
    ]
    left_out = SANS_IO | DEPRECATED | {"PayloadTooBig.set_current_size"}
    made = [(name, thing)] if inspect.isfunction(thing.__init__) else []  # else as its base is made
    return [*made, *((path, method) for path, method in methods if path not in left_out)]


class Difference(NamedTuple):
    """An input for which the outcomes may differ, and why that is right."""

    function: str
    explains: Callable[[tuple[Any, ...]], bool]
    reason: str


DIFFERENCES = [
    Difference(
        "headers.parse_*",
        lambda args: args[0].startswith((" ", "\t")),
        "Blanks before the first element are skipped like those before others; a received value has none.",
    ),
    Difference(
        "headers.parse_upgrade",
        lambda args: "/" in args[0],
        "A slash without a version is told as such, not as a missing comma.",
    ),
    Difference(
        "headers.build_authorization_basic",
        lambda args: ":" in args[0],
        "A wrong argument is a ValueError, not an AssertionError without a text.",
    ),
    Difference(
        "frames.Close.serialize",
        lambda args: len(args[1].encode()) > 123,
        "A reason that is too long for a close frame is refused when the close frame is made.",
    ),
    Difference(
        "http11.Re*.__repr__",
        lambda args: True,
        "A deprecated attribute of theirs shows itself.",
    ),
    Difference(
        "uri.parse_uri",
        lambda args: ":@" in args[0] or "secret@" in args[0] or "c%3Ad@" in args[0],
        "Errors do not show the password.",
    ),
    Difference(
        "uri.parse_uri",
        lambda args: not args[0].isascii() and "%" in args[0],
        "What is escaped already is not escaped again when other characters are not ASCII.",
    ),
    Difference(
        "uri.parse_uri",
        lambda args: "//ada@" in args[0],
        "Of two faults, another is told: there is neither a password nor a host.",
    ),
    Difference(
        "uri.parse_uri",
        lambda args: "/" not in args[0].partition("//")[2].partition("?")[0],
        "A path that is left out is `/`, as it is sent.",
    ),
]


class Function(NamedTuple):
    """How a function is given random arguments, and called."""

    arguments: Callable[[random.Random], tuple[Any, ...]]
    call: Callable[..., Any]


def text(pieces: list[str], longest: int = 12) -> Callable[[random.Random], tuple[str]]:
    """Texts of random pieces."""
    return lambda rng: ("".join(rng.choices(pieces, k=rng.randrange(longest))),)


LIST = text(
    ["a", "foo", "X-1", "!#$%&'*+-.^_`|~", ",", ", ", " ,", ";", "; ", "=", " = ", " ", "\t", "\xe9", "/"]
)
EXTENSIONS = text(
    [
        "a",
        "foo",
        ",",
        ", ",
        ";",
        "; ",
        "=",
        '"',
        '"b"',
        "\\",
        '\\"',
        " ",
        "\t",
        "\xe9",
        "\x7f",
        "a=1",
        '; b="c"',
    ]
)
CREDENTIALS = text(
    ["Basic ", "basic", " ", "Bearer ", "YTpi", "YTpi", "OmI=", "YQ==", "=", "/zo=", "-", ".", "\xe9", "Y"],
    4,
)
ANY = text(["a", "B", "0", " ", '"', "\\", "\xff", "\u20ac", "\x7f", "\r\n", "\U0001f600", ":", "%"])


def host(rng: random.Random) -> tuple[str, int, bool, bool]:
    hosts = ["localhost", "127.0.0.1", "::1", "2001:db8::1", "fe80::1%eth0", "a:b", "[::1]", "", "1.2.3"]
    return rng.choice(hosts), rng.choice([80, 443, 8765]), rng.random() < 0.5, rng.random() < 0.5


def extensions(rng: random.Random) -> tuple[list[tuple[str, list[tuple[str, str | None]]]]]:
    def parameter() -> tuple[str, str | None]:
        return rng.choice("abc"), rng.choice([None, "1", "x y"])

    return (
        [
            (rng.choice("xyz"), [parameter() for _ in range(rng.randrange(3))])
            for _ in range(rng.randrange(3))
        ],
    )


def subprotocols(rng: random.Random) -> tuple[Any]:
    names = [rng.choice(["chat", "a b", "", "x.y", "\xe9", "v1,v2"]) for _ in range(rng.randrange(3))]
    return (rng.choice([names, tuple(names), set(names), "chat", None, 5]),)


def payload(rng: random.Random) -> bytes:
    """Text or bytes, long or short, perhaps cut within a character."""
    size = rng.choice([0, 1, 2, 3, 10, 24, 25, 26, 74, 75, 76, 77, 299, 300, 301, 500])
    match rng.randrange(4):
        case 0:
            return rng.randbytes(size)
        case 1:
            return bytes(rng.choices(b" \t\x0b~Az\\x'\"", k=size))
        case _:
            alphabet = rng.choice(["aé", "€ß", "a\U0001f600", "a\x7f", "\xa0b", "\\x0"])
            whole = "".join(rng.choices(alphabet, k=size)).encode()
            start, end = rng.choice([(0, 0), (0, 0), (1, 0), (0, 1), (2, 3), (3, 2)])
            return whole[start : len(whole) - end]


def frame(rng: random.Random) -> tuple[int, Any, bool, bool, bool, bool]:
    data = payload(rng)
    kinds = [data, bytearray(data)]
    opcode = rng.choice([0, 1, 2, 8, 9, 10])
    if opcode == 8 and rng.random() < 0.5:
        kinds = [rng.choice([1000, 1001, 1006, 3000, 4999]).to_bytes(2, "big") + data[:123]]
    elif opcode < 8:
        kinds.append(memoryview(data))
    bits = [rng.random() < 0.1 for _ in range(3)]
    return opcode, rng.choice(kinds), rng.random() < 0.7, bits[0], bits[1], bits[2]


def made(frames: Any, opcode: int, *rest: Any) -> Any:
    return frames.Frame(frames.Opcode(opcode), *rest)


def close(rng: random.Random) -> tuple[int, str]:
    code = rng.choice(
        [1000, 1001, 1004, 1005, 1006, 1015, 1016, 2999, 3000, 3999, 4000, 4999, 5000, 0, 65535]
    )
    return code, rng.choice(["", "bye", "\u20ac" * 41, "x" * 124])


def head(rng: random.Random) -> tuple[str, list[tuple[str, str]], bytes]:
    headers = [
        (rng.choice(["Host", "host", "X-A"]), rng.choice(["a", "", "\xe9"])) for _ in range(rng.randrange(4))
    ]
    return rng.choice(["/", "/chat?a=b", "/\xe9", "/\u20ac"]), headers, rng.choice([b"", b"x", b"\0"])


def key_and_mask(rng: random.Random) -> tuple[Any, bytes]:
    data = payload(rng)
    return rng.choice([data, bytearray(data), memoryview(data), memoryview(data)[::2]]), rng.randbytes(
        rng.choice([4, 4, 4, 3, 5, 0])
    )


def headers_operations(datastructures: Any, seed: int) -> list[Any]:
    """What a series of operations gives."""
    rng = random.Random(seed)
    headers = datastructures.Headers({"Host": "a"}, x="y")
    seen: list[Any] = []
    for _ in range(rng.randrange(12)):
        name, value = rng.choice(["Host", "HOST", "X", "x", "Via"]), rng.choice(["1", "2", "\xe9"])
        match rng.randrange(10):
            case 0:
                bad = rng.choice(["", "", "\r", "\n", "\0", "\u20ac"])
                # The text is another one, which does not show the value.
                seen.append(outcome(lambda: headers.__setitem__(name, value + bad))[0])
            case 1:
                headers.update([(name, value)], Via="3")
            case 2:
                seen.append(outcome(lambda: headers[name]))
            case 3:
                seen.append(outcome(lambda: headers.__delitem__(name)))
            case 4:
                seen.append(headers.get_all(name).copy())  # which theirs go on changing
            case 5:
                seen.append((name in headers, len(headers), list(headers)))
            case 6:
                seen.append((str(headers), repr(headers), headers.serialize()))
            case 7:
                seen.append(outcome(lambda: headers.pop(name)))
            case 8:
                seen.append(outcome(lambda: list(headers.items())))
            case _:
                headers = headers.copy()
    return [*seen, list(headers.raw_items())]


def exception(rng: random.Random) -> tuple[str, tuple[Any, ...]]:
    """The name of an exception, and arguments for it: each as `Close`, `Response` or itself."""
    name, value = rng.choice(["Host", "X"]), rng.choice([None, "", "a"])
    closes = [rng.choice([None, close(rng)]) for _ in range(2)]
    sizes = [rng.choice([None, 5]), 10, rng.choice([None, 20])]
    return rng.choice(
        [
            ("ConnectionClosedError", (*closes, rng.random() < 0.5 if all(closes) else None)),
            ("ConnectionClosedOK", (*closes, rng.random() < 0.5 if all(closes) else None)),
            ("InvalidURI", ("ws://", "x")),
            ("InvalidProxy", ("ftp://proxy", "x")),
            ("InvalidHeader", (name, value)),
            ("InvalidHeaderFormat", (name, "expected token", "a", 1)),
            ("InvalidHeaderValue", (name, value)),
            ("InvalidUpgrade", (name, value)),
            ("InvalidOrigin", (value,)),
            ("InvalidMethod", ("POST",)),
            ("InvalidProtocol", ("HTTP/1.0",)),
            ("InvalidStatus", (404,)),
            ("InvalidProxyStatus", (407,)),
            ("DuplicateParameter", (name,)),
            ("InvalidParameterName", (name,)),
            ("InvalidParameterValue", (name, value)),
            ("PayloadTooBig", tuple(sizes)),
            ("TooManyFragments", (3,)),
            *(
                (plain, ("a text",))
                for plain in ["SecurityError", "ProtocolError", "InvalidState", "ProxyError"]
            ),
        ]
    )


def texts(exceptions: Any, name: str, args: tuple[Any, ...]) -> tuple[str, str, dict[str, Any]]:
    """Text, tree and attributes of an exception."""
    package = importlib.import_module(exceptions.__name__.split(".")[0])
    made_args = [package.frames.Close(*arg) if isinstance(arg, tuple) else arg for arg in args]
    if name.endswith("Status"):
        made_args = [package.http11.Response(args[0], "", package.datastructures.Headers())]
    error = getattr(exceptions, name)(*made_args)
    attributes = {each: str(value) for each, value in vars(error).items()}
    bases = [base.__name__ for base in type(error).__mro__]
    return str(error), str(bases), attributes if not name.endswith(("Status", "Fragments")) else {}


def uri(rng: random.Random) -> tuple[str]:
    user = rng.choice(["", "", "", "ada:secret@", "a%20b:c%3Ad@", "ada@", ":@"])
    host = rng.choice(["localhost", "Example.COM", "127.0.0.1", "[::1]", "\xe9l\xe8ve.fr", ""])
    path = rng.choice(["", "/", "/a/b", "/a%20b", "/\xe9", "/a;b=c"])
    query = rng.choice(["", "", "?a=b", "?a=\xe9&b", "?a?b/c"])
    scheme = rng.choice(["ws", "ws", "wss", "WSS", "http", ""])
    return (f"{scheme}://{user}{host}{rng.choice(['', ':80', ':443', ':8765'])}{path}{query}",)


FUNCTIONS = {
    "headers.build_host": Function(host, lambda m, a, b, c, d: m.build_host(a, b, c, always_include_port=d)),
    "headers.parse_connection": Function(LIST, lambda m, text: m.parse_connection(text)),
    "headers.parse_upgrade": Function(LIST, lambda m, text: m.parse_upgrade(text)),
    "headers.parse_subprotocol": Function(LIST, lambda m, text: m.parse_subprotocol(text)),
    "headers.parse_extension": Function(EXTENSIONS, lambda m, text: m.parse_extension(text)),
    "headers.build_extension": Function(extensions, lambda m, each: m.build_extension(each)),
    "headers.build_subprotocol": Function(
        lambda rng: (list(ANY(rng)[0]),), lambda m, a: m.build_subprotocol(a)
    ),
    "headers.validate_subprotocols": Function(subprotocols, lambda m, names: m.validate_subprotocols(names)),
    "headers.build_www_authenticate_basic": Function(ANY, lambda m, a: m.build_www_authenticate_basic(a)),
    "headers.parse_authorization_basic": Function(CREDENTIALS, lambda m, a: m.parse_authorization_basic(a)),
    "headers.build_authorization_basic": Function(
        lambda rng: (*ANY(rng), *ANY(rng)), lambda m, a, b: m.build_authorization_basic(a, b)
    ),
    "utils.accept_key": Function(ANY, lambda m, key: m.accept_key(key)),
    "utils.apply_mask": Function(key_and_mask, lambda m, data, mask: m.apply_mask(data, mask)),
    "frames.Frame": Function(
        frame, lambda m, *a: repr(made(m, *a)) if "memoryview" not in repr(a) else None
    ),
    "frames.Frame.__str__": Function(frame, lambda m, *a: str(made(m, *a))),
    "frames.Frame.check": Function(frame, lambda m, *a: made(m, *a).check()),
    "frames.Frame.serialize": Function(frame, lambda m, *a: made(m, *a).serialize(mask=False)),
    "frames.Close": Function(
        close, lambda m, *a: (str(m.Close(*a)), repr(m.Close(*a)), m.Close(*a) == m.Close(*a))
    ),
    "frames.Close.serialize": Function(close, lambda m, *a: m.Close(*a).serialize()),
    "frames.Close.parse": Function(
        lambda rng: (frame(rng)[1],), lambda m, data: repr(m.Close.parse(bytes(data)))
    ),
    "http11.Request.__repr__": Function(
        head, lambda m, path, items, body: repr(m.Request(path, m.Headers(items)))
    ),
    "http11.Response.__repr__": Function(
        head, lambda m, path, items, body: repr(m.Response(200, "", m.Headers()))
    ),
    "http11.Request.serialize": Function(
        head, lambda m, path, items, body: m.Request(path, m.Headers(items)).serialize()
    ),
    "http11.Response.serialize": Function(
        head, lambda m, phrase, items, body: m.Response(404, phrase, m.Headers(items), body).serialize()
    ),
    "exceptions": Function(exception, texts),
    "uri.parse_uri": Function(
        uri,
        lambda m, uri: (repr(m.parse_uri(uri)), m.parse_uri(uri).resource_name, m.parse_uri(uri).user_info),
    ),
    "datastructures.Headers": Function(lambda rng: (rng.randrange(10**9),), headers_operations),
}


def outcome(call: Callable[[], Any]) -> tuple[str, Any]:
    try:
        return "returns", call()
    except Exception as error:
        return type(error).__name__, str(error)


def explanation(name: str, args: tuple[Any, ...]) -> Difference | None:
    for difference in DIFFERENCES:
        if fnmatch.fnmatch(name, difference.function) and difference.explains(args):
            return difference
    return None


def outcomes(name: str) -> Iterator[tuple[tuple[Any, ...], tuple[str, Any], tuple[str, Any]]]:
    """Random arguments of a function, and what becomes of them here and there."""
    rng = random.Random(name)
    ours, theirs = modules(name.split(".")[0])
    arguments, call = FUNCTIONS[name]
    for _ in range(ROUNDS):
        args = arguments(rng)
        yield args, outcome(lambda: call(ours, *args)), outcome(lambda: call(theirs, *args))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_outcomes(name: str) -> None:
    for args, our, their in outcomes(name):
        assert our == their or explanation(name, args), args


@pytest.mark.parametrize("difference", DIFFERENCES, ids=lambda difference: difference.function)
def test_differences_are_real(difference: Difference) -> None:
    assert any(
        explanation(name, args) is difference and our != their
        for name in fnmatch.filter(FUNCTIONS, difference.function)
        for args, our, their in outcomes(name)
    )
