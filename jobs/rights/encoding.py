"""Base64url as JWT and JWK have it: without padding, and each value in its one spelling."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Final

_ALPHABET: Final = re.compile(r"[A-Za-z0-9_-]*")


def encode(content: bytes) -> str:
    """Base64url without padding."""
    return urlsafe_b64encode(content).rstrip(b"=").decode("ascii")


def decode(text: str) -> bytes:
    """
    The bytes of a text of base64url.

    Raises:
        ValueError: Another character, padding, a length that no bytes have, or bits at the end that say nothing: two
            texts never stand for the same bytes.
    """
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    found = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if encode(found) != text:
        raise ValueError("not the one spelling of these bytes")
    return found
