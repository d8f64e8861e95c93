"""
Signatures: the one module that knows the library for them.

What a token says is read in ``jobs/rights``; here is only whether a key signed it, and signing itself.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from typing import Any, Final

from nacl.exceptions import BadSignatureError
from nacl.signing import SigningKey as Ed25519Private
from nacl.signing import VerifyKey as Ed25519Public

from jobs.rights.encoding import encode
from jobs.rights.keys import Algorithm, SigningKey, VerificationKey, signing_key_of

JOB_TYP: Final = "factus-job+jwt"
"""The ``typ`` of tokens that are issued for jobs: they cannot be taken for another kind of JWT of the same key."""

_SECRET_BYTES: Final = 32


class Ed25519:
    """A private key of 32 bytes: what it signs, and its public part."""

    def __init__(self, seed: bytes) -> None:
        self._key = Ed25519Private(seed)
        self.public: bytes = bytes(self._key.verify_key)

    def sign(self, text: bytes) -> bytes:
        """The signature, 64 bytes."""
        return bytes(self._key.sign(text).signature)


def is_signed(key: VerificationKey, signed: bytes, signature: bytes) -> bool:
    """Whether this is the key's signature of these bytes. The algorithm is the key's."""
    if key.algorithm is Algorithm.HS256:
        return hmac.compare_digest(_hs256(key.material, signed), signature)
    try:
        Ed25519Public(key.material).verify(signed, signature)
    except (BadSignatureError, ValueError):  # ValueError: a signature of another length
        return False
    return True


def signed_token(key: SigningKey, claims: Mapping[str, Any], *, typ: str = JOB_TYP) -> str:
    """The JWT of these claims, as they are."""
    header = {"alg": key.alg, "kid": key.kid, "typ": typ}
    signed = ".".join(encode(_json(part)) for part in (header, claims))
    return f"{signed}.{encode(_signature(key, signed.encode()))}"


def sign(private_jwk: Mapping[str, Any], claims: Mapping[str, Any], *, typ: str = JOB_TYP) -> str:
    """
    The JWT of these claims, signed with a private JWK (the algorithm is the key's ``alg``).

    Raises:
        KeyInvalid: The key cannot be used, or is only the public part.
    """
    return signed_token(signing_key_of(private_jwk), claims, typ=typ)


def new_key(kid: str, alg: str) -> dict[str, str]:
    """
    A new private JWK.

    Args:
        alg: ``HS256``, ``EdDSA`` or ``Ed25519``.
    """
    if alg == Algorithm.HS256:
        return {"kty": "oct", "kid": kid, "alg": alg, "use": "sig", "k": encode(secrets.token_bytes(_SECRET_BYTES))}
    private = Ed25519Private.generate()
    x, d = encode(bytes(private.verify_key)), encode(bytes(private))
    return {"kty": "OKP", "crv": "Ed25519", "kid": kid, "alg": alg, "use": "sig", "x": x, "d": d}


def public_part(jwk: Mapping[str, str]) -> dict[str, str]:
    """What the verifiers need of a private JWK. Of HS256 that is all of it: who can check can sign as well."""
    return {name: value for name, value in jwk.items() if name != "d"}


def is_pair(key: SigningKey, public: VerificationKey) -> bool:
    """Whether the public part (``x``) of a key is that of its private one."""
    return key.algorithm is not Algorithm.ED25519 or bytes(Ed25519Private(key.material).verify_key) == public.material


def _signature(key: SigningKey, signed: bytes) -> bytes:
    if key.algorithm is Algorithm.HS256:
        return _hs256(key.material, signed)
    return Ed25519Private(key.material).sign(signed).signature


def _hs256(secret: bytes, signed: bytes) -> bytes:
    return hmac.digest(secret, signed, hashlib.sha256)


def _json(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
