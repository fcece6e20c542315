"""The version of openline, as programs written for `websockets` look it up."""

from __future__ import annotations

from ._openline import __version__

__all__ = ["tag", "version", "commit"]

# A release has the same text in all three; where openline came from is not known at run time.
tag: str = __version__
version: str = __version__
commit: str = __version__

released = True
"""Whether this is a release, and not a state of the repository between two."""
