"""Attributes that are made when they are first asked for.

They cost nothing until then, and can be assigned, as the plain attributes of `websockets` can.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar, overload

__all__ = ["made_once"]

T = TypeVar("T")


class made_once(Generic[T]):
    """A method whose result is kept in the instance's `__dict__`, in its place.

    >>> class Page:
    ...     @made_once
    ...     def words(self):
    ...         print("splitting")
    ...         return "a b".split()
    >>> page = Page()
    >>> page.words is page.words
    splitting
    True
    >>> page.words = []
    >>> page.words
    []
    """

    def __init__(self, make: Callable[[Any], T]) -> None:
        self.make = make
        self.__doc__ = make.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, instance: None, owner: type) -> Self: ...
    @overload
    def __get__(self, instance: object, owner: type) -> T: ...
    def __get__(self, instance: object | None, owner: type) -> Self | T:
        if instance is None:
            return self
        # Threads that race agree on one object.
        made: T = instance.__dict__.setdefault(self.name, self.make(instance))
        return made

    if TYPE_CHECKING:
        # At run time the instance's `__dict__` takes it.
        def __set__(self, instance: object, value: T) -> None: ...
