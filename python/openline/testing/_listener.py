"""What listens on this machine, for as long as a test needs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import TracebackType


class Listener(ABC):
    """It listens from when it is made until it is closed, at the latest at the end of its `with` block."""

    @property
    @abstractmethod
    def address(self) -> Any:
        """Where it listens: `(host, port)`, or the path of the Unix socket."""

    @abstractmethod
    def close(self) -> None:
        """End all connections and stop listening. Closing again does nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<{type(self).__qualname__} at {self.address!r}>"
