"""
Signatures of Standard Webhooks 1.0.0: ``v1`` (HMAC-SHA256, ``whsec_``) and ``v1a`` (ed25519, ``whsk_``).

Secrets stay in this module; only ``new_secret`` gives one away, to whoever has asked for it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets as random_source
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from jobs.webhooks import signing
from worker.rights.signatures import Ed25519

SYMMETRIC: Final = "whsec_"
PRIVATE: Final = "whsk_"
PUBLIC: Final = "whpk_"
_LEAST_BYTES: Final = 24
_MOST_BYTES: Final = 64
_NEW_BYTES: Final = 32
_SEED_BYTES: Final = 32

Sign = Callable[[bytes], str]


def check_secret(text: str) -> None:
    """
    Refuse what cannot sign.

    Raises:
        ValueError: Why, without a part of the secret.
    """
    _signer(text)


def headers(secrets: Sequence[str], message: str, timestamp_s: int, body: bytes) -> dict[str, str]:
    """The three headers of one attempt: an entry in the signature for each secret, in their order."""
    text = signing.signed_text(message, timestamp_s, body)
    return {
        signing.ID_HEADER: message,
        signing.TIMESTAMP_HEADER: str(timestamp_s),
        signing.SIGNATURE_HEADER: " ".join(_signer(secret)(text) for secret in secrets),
    }


def digest(secret: str) -> str:
    """By what a secret is known where it must not stand. It has too many bits to be found from this."""
    return hashlib.sha256(secret.encode()).hexdigest()[:32]


def new_secret(like: str) -> str:
    """A secret of the kind of another one."""
    kind = PRIVATE if like.startswith(PRIVATE) else SYMMETRIC
    return kind + base64.b64encode(random_source.token_bytes(_NEW_BYTES)).decode()


def public_key(secret: str) -> str | None:
    """What a receiver verifies with, ``whpk_...``; None for a symmetric secret, which is both."""
    if not secret.startswith(PRIVATE):
        return None
    return PUBLIC + base64.b64encode(_private_key(secret).public).decode()


@lru_cache(maxsize=1024)
def _signer(secret: str) -> Sign:
    if secret.startswith(PRIVATE):
        key = _private_key(secret)
        return lambda text: f"v1a,{base64.b64encode(key.sign(text)).decode()}"
    if not secret.startswith(SYMMETRIC):
        raise ValueError("a secret starts with whsec_ (or whsk_, an ed25519 key)")
    raw = _decoded(secret.removeprefix(SYMMETRIC))
    if not _LEAST_BYTES <= len(raw) <= _MOST_BYTES:
        raise ValueError(f"a secret whsec_ has {_LEAST_BYTES} to {_MOST_BYTES} bytes, in base64")
    return lambda text: f"v1,{base64.b64encode(hmac.digest(raw, text, 'sha256')).decode()}"


def _private_key(secret: str) -> Ed25519:
    raw = _decoded(secret.removeprefix(PRIVATE))
    if len(raw) not in (_SEED_BYTES, 2 * _SEED_BYTES):
        raise ValueError("a secret whsk_ has the 32 bytes of an ed25519 key (or 64, with its public part), in base64")
    key = Ed25519(raw[:_SEED_BYTES])
    public = raw[_SEED_BYTES:]
    if public and key.public != public:
        raise ValueError("the public part of a secret whsk_ is not that of its key")
    return key


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as exc:
        raise ValueError("what follows the prefix of a secret is no base64") from exc
