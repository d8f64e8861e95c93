"""
What is signed, and by which id: Standard Webhooks 1.0.0. Pure; the keys themselves are ``worker/webhooks/signer.py``.
"""

from __future__ import annotations

import hashlib
from typing import Final

ID_HEADER: Final = "webhook-id"
TIMESTAMP_HEADER: Final = "webhook-timestamp"
SIGNATURE_HEADER: Final = "webhook-signature"


def message_id(event_id: str) -> str:
    """
    The ``webhook-id`` of an event: the same in every attempt, on every endpoint, and in every replay.

    An event's own id holds what a producer wrote, and dots, which the signed text uses as its mark.
    """
    return f"msg_{hashlib.sha256(event_id.encode()).hexdigest()[:32]}"


def signed_text(message: str, timestamp_s: int, body: bytes) -> bytes:
    """What a signature is made of."""
    return b".".join((message.encode(), str(timestamp_s).encode(), body))
