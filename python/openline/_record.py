"""The base of openline's small value classes (`Close`, `Request`, `Response`, `WebSocketURI`).

They look and compare like dataclasses, and pass for such. They are not made by `dataclasses`, because importing
that costs more time than the rest of `import openline` together.
"""

from __future__ import annotations

from typing import Any, ClassVar

__all__ = ["Record"]


class _Fields:
    """What the functions of `dataclasses` look for, made when somebody who has imported that looks."""

    def __get__(self, record: Any, owner: Any) -> Any:
        import dataclasses

        made: Any = dataclasses.make_dataclass(owner.__name__, owner.__match_args__)
        owner.__dataclass_fields__ = made.__dataclass_fields__
        return made.__dataclass_fields__


class Record:
    """A class whose `repr()` and `==` follow the fields named in `__match_args__`, in that order.

    >>> class Point(Record):
    ...     __match_args__ = ("x", "y")
    ...     def __init__(self, x, y):
    ...         self.x, self.y = x, y
    >>> Point(1, 2)
    Point(x=1, y=2)
    >>> Point(1, 2) == Point(1, 2), Point(1, 2) == Point(1, 3)
    (True, False)

    >>> import dataclasses
    >>> dataclasses.asdict(Point(1, 2)), dataclasses.replace(Point(1, 2), y=3)
    ({'x': 1, 'y': 2}, Point(x=1, y=3))
    """

    __dataclass_fields__: ClassVar[Any] = _Fields()

    # In drop-in mode the class of `websockets` that ours stands for, whose values are equal to ours.
    _twin: ClassVar[type | None] = None

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={getattr(self, name)!r}" for name in _fields(self))
        return f"{type(self).__qualname__}({fields})"

    def __eq__(self, other: object) -> bool:
        if other.__class__ not in (self.__class__, self._twin):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _fields(self))

    # The fields can be assigned, so equal records could become unequal: like dataclasses, they have no hash.
    __hash__: ClassVar[None] = None  # type: ignore[assignment]


def _fields(record: Any) -> tuple[str, ...]:
    # Declared by no base, so that checkers of types see in `match` what each field is.
    fields: tuple[str, ...] = record.__match_args__
    return fields
