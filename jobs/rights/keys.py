"""
The keys that producers sign with: a JWK Set, read strictly.

A key says what it is for: its ``alg`` alone decides how a signature is checked, and no token can have another say in
that. Nothing is ever fetched. Members that we do not know are left out, as RFC 7517 asks; a misspelt
one of ours is refused: a bound that is not seen would be no bound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from jobs.rights.encoding import decode
from jobs.rights.globs import any_matches
from schemas import strict_json

KID: Final = re.compile(r"[A-Za-z0-9._-]{1,64}")
LEAST_SECRET_BYTES: Final = 32
_ED25519_BYTES: Final = 32
_BOUNDS: Final = ("factus_iss", "factus_accounts", "factus_types")


class KeyInvalid(ValueError):
    """A key, or a set of keys, cannot be used. The message says which one and why, and holds nothing secret."""


class Algorithm(StrEnum):
    """How a key signs."""

    HS256 = "HS256"
    ED25519 = "Ed25519"


_ALGORITHMS: Final = {
    "HS256": (Algorithm.HS256, "oct"),
    # RFC 9864 gives the old name a new one. Both are the same signature.
    "EdDSA": (Algorithm.ED25519, "OKP"),
    "Ed25519": (Algorithm.ED25519, "OKP"),
}


@dataclass(frozen=True, slots=True)
class Bounds:
    """The most that tokens of a key grant; None: no bound."""

    producers: tuple[str, ...] | None = None
    """Who signs with it: the exact ``iss``."""
    accounts: tuple[str, ...] | None = None
    types: tuple[str, ...] | None = None

    @property
    def is_whole(self) -> bool:
        """Whether the key says who signs with it, and for what."""
        return None not in (self.producers, self.accounts, self.types)

    def allows_producer(self, name: str) -> bool:
        return self.producers is None or name in self.producers

    def allows_account(self, name: str) -> bool:
        return self.accounts is None or any_matches(self.accounts, name)

    def allows_type(self, name: str) -> bool:
        return self.types is None or any_matches(self.types, name)


NO_BOUNDS: Final = Bounds()


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """What checks the signatures of one key."""

    kid: str
    algorithm: Algorithm
    material: bytes = field(repr=False)
    """The secret of HS256, or the public key of Ed25519."""
    bounds: Bounds = NO_BOUNDS
    is_private: bool = False
    """Whether its private part stands beside it, where it is not needed (Ed25519)."""

    def allows_algorithm(self, name: object) -> bool:
        """Whether a token that names this algorithm may be one of this key."""
        return isinstance(name, str) and _ALGORITHMS.get(name, (None,))[0] is self.algorithm


@dataclass(frozen=True, slots=True)
class SigningKey:
    """What signs with one key."""

    kid: str
    algorithm: Algorithm
    alg: str
    """The algorithm as the key spells it."""
    material: bytes = field(repr=False)
    """The secret of HS256, or the private key (seed) of Ed25519."""


KeySet = Mapping[str, VerificationKey]
"""Keys by their ``kid``."""


def key_set_of(raw: bytes) -> dict[str, VerificationKey]:
    """
    A JWK Set: ``{"keys": [...]}``.

    Raises:
        KeyInvalid: It is none, holds no key, one that cannot be used, or two of one ``kid``.
    """
    found = _object(raw)
    rows = found.get("keys")
    if rows is None and "kty" in found:
        raise KeyInvalid('it is a single key; a key set is {"keys": [...]}')
    if not isinstance(rows, list):
        raise KeyInvalid('it is no JWK Set: {"keys": [...]}')
    if not rows:
        raise KeyInvalid("it holds no key")
    keys = [_verification_key(row, f"key {n}") for n, row in enumerate(rows, 1)]
    for n, key in enumerate(keys):
        if any(key.kid == other.kid for other in keys[:n]):
            raise KeyInvalid(f"two keys have the kid {key.kid}")
    return {key.kid: key for key in keys}


def verification_key_of(jwk: object) -> VerificationKey:
    """
    What checks the signatures of one JWK, private or public.

    Raises:
        KeyInvalid: It cannot be used.
    """
    return _verification_key(jwk, "the key")


def signing_key_of(jwk: object) -> SigningKey:
    """
    What signs with a private JWK.

    Raises:
        KeyInvalid: It cannot be used, or is only the public part.
    """
    public = _verification_key(jwk, "the key")
    assert isinstance(jwk, Mapping)
    material = public.material
    if public.algorithm is Algorithm.ED25519:
        if not public.is_private:
            raise KeyInvalid(f"the key {public.kid} is public: it has no private part (d) to sign with")
        material = _bytes_of(jwk, "d", f"the key {public.kid}", least=_ED25519_BYTES, most=_ED25519_BYTES)
    return SigningKey(public.kid, public.algorithm, str(jwk["alg"]), material)


def signing_key_of_bytes(raw: bytes) -> SigningKey:
    """
    The same of a file's content.

    Raises:
        KeyInvalid: It is no JSON, or as :func:`signing_key_of`.
    """
    return signing_key_of(_object(raw))


def _object(raw: bytes) -> dict[str, Any]:
    try:
        found = strict_json.parse(raw)
    except strict_json.JsonRefused as exc:
        raise KeyInvalid("it is not JSON, or repeats a member") from exc
    if not isinstance(found, dict):
        raise KeyInvalid("it is no JSON object")
    return found


def _verification_key(jwk: object, where: str) -> VerificationKey:
    if not isinstance(jwk, Mapping):
        raise KeyInvalid(f"{where} is no JSON object")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise KeyInvalid(f"{where} has no kid of 1 to 64 of A-Za-z0-9._-")
    where = f"the key {kid}"
    alg, kty = jwk.get("alg"), jwk.get("kty")
    if not isinstance(alg, str) or alg not in _ALGORITHMS:
        raise KeyInvalid(f"{where} has no alg of HS256, EdDSA or Ed25519")
    algorithm, its_type = _ALGORITHMS[alg]
    if kty != its_type:
        raise KeyInvalid(f"{where}: the kty of {alg} is {its_type}")
    if jwk.get("use", "sig") != "sig" or not _may_sign(jwk.get("key_ops")):
        raise KeyInvalid(f"{where} is not for signatures (use, key_ops)")
    if algorithm is Algorithm.HS256:
        material = _bytes_of(jwk, "k", where, least=LEAST_SECRET_BYTES)
    elif jwk.get("crv") != "Ed25519":
        raise KeyInvalid(f"{where}: the crv of {alg} is Ed25519")
    else:
        material = _bytes_of(jwk, "x", where, least=_ED25519_BYTES, most=_ED25519_BYTES)
    is_private = algorithm is Algorithm.ED25519 and "d" in jwk
    return VerificationKey(kid, algorithm, material, _bounds(jwk, where), is_private)


def _may_sign(operations: object) -> bool:
    return operations is None or (isinstance(operations, list) and ("verify" in operations or "sign" in operations))


def _bytes_of(jwk: Mapping[str, Any], name: str, where: str, *, least: int, most: int = 4096) -> bytes:
    text = jwk.get(name)
    try:
        found = decode(text) if isinstance(text, str) else b""
    except ValueError:
        raise KeyInvalid(f"{where}: {name} is not base64url without padding") from None
    if not least <= len(found) <= most:
        bound = f"at least {least}" if len(found) < least else f"at most {most}"
        size = f"{least} bytes" if least == most else f"{bound} bytes"
        raise KeyInvalid(f"{where}: {name} must have {size}")
    return found


def _bounds(jwk: Mapping[str, Any], where: str) -> Bounds:
    unknown = sorted(name for name in jwk if name.startswith("factus_") and name not in _BOUNDS)
    if unknown:
        raise KeyInvalid(f"{where}: {unknown[0]} is none of {', '.join(_BOUNDS)}")
    producers, accounts, types = (_texts(jwk[name], f"{where}: {name}") if name in jwk else None for name in _BOUNDS)
    return Bounds(producers, accounts, types)


def _texts(value: object, where: str) -> tuple[str, ...]:
    rows: Iterable[object] = [value] if isinstance(value, str) else value if isinstance(value, list) else ()
    found = tuple(row for row in rows if isinstance(row, str) and row)
    if not found or (isinstance(value, list) and len(found) != len(value)):
        raise KeyInvalid(f"{where} is no text and no list of texts")
    return found
