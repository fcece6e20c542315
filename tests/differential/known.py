"""All differences that are known."""

from __future__ import annotations

from differential.deflate_differences import DEFLATE_DIFFERENCES
from differential.frame_differences import FRAME_DIFFERENCES
from differential.handshake_differences import HANDSHAKE_DIFFERENCES
from differential.negotiation_differences import NEGOTIATION_DIFFERENCES

KNOWN = [*FRAME_DIFFERENCES, *DEFLATE_DIFFERENCES, *NEGOTIATION_DIFFERENCES, *HANDSHAKE_DIFFERENCES]
