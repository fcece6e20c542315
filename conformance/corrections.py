"""Sets right where cases of kosoku 0.1.0 are not what they are in Autobahn, so that they test what they say.

Offers of permessage-deflate: cases 13.2, 13.5 and 13.6 have the server ask the client to do without context
takeover. kosoku asks only clients whose offer says `client_no_context_takeover`, and agrees on no compression with
all others, for which these cases come out UNIMPLEMENTED. RFC 7692 §7.1.1.2: a server MAY ask for it, and the
parameter in the offer is only a hint. Autobahn's own server takes every client for one that can do it.

UTF-8: the valid texts of sections 6.5 to 6.23 stand in the cases as bytes, one character for each, and kosoku
encodes these characters once more. So U+FFFE, for example, would never be sent.

Echoes that are not compressed: an endpoint need not compress every message (RFC 7692 §6), and openline does not
compress the 16 bytes of the first case of each part of sections 12 and 13. These cases hash what came back as bytes;
kosoku gives them bytes of a compressed message and a `str`, of one character for each byte, of any other.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from kosoku._kosoku import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

Accept = Callable[[Any, Sequence[Any]], PerMessageDeflateOfferAccept | None]
OnMessage = Callable[[Any, bytes | str, bool], None]


def apply() -> None:
    """Correct the cases of this process, once."""
    from kosoku.cases import CASES

    cases: dict[str, Any] = dict(CASES)  # classes, whose attributes no type tells
    for name, case in cases.items():
        if name.startswith(("12.", "13.")):
            case.onMessage = _as_bytes(case.onMessage)
        if hasattr(case, "SERVER_ACCEPT"):
            case.SERVER_ACCEPT = _whatever_the_hint(case.SERVER_ACCEPT)
        if getattr(case, "isValid", False):
            case.PAYLOAD = case.PAYLOAD.encode("latin-1").decode()


def _as_bytes(on_message: OnMessage) -> OnMessage:
    def on_bytes(self: Any, message: bytes | str, binary: bool) -> None:
        on_message(self, message.encode("latin-1") if isinstance(message, str) else message, binary)

    return on_bytes


def _whatever_the_hint(accept: Accept) -> Accept:
    def accept_any(self: Any, offers: Sequence[Any]) -> PerMessageDeflateOfferAccept | None:
        return accept(self, [_with_hint(offer) for offer in offers])

    return accept_any


def _with_hint(offer: Any) -> Any:
    if not isinstance(offer, PerMessageDeflateOffer):
        return offer
    return PerMessageDeflateOffer(
        acceptNoContextTakeover=True,
        acceptMaxWindowBits=offer.acceptMaxWindowBits,
        requestNoContextTakeover=offer.requestNoContextTakeover,
        requestMaxWindowBits=offer.requestMaxWindowBits,
    )
