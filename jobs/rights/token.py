"""
A token, as it is read: its parts, before and after its signature is known to be good.

Header and claims are read by our own strict JSON: what libraries for tokens let pass (a claim twice, ``exp`` as a text
or as 1e30, a header that tells where to fetch a key) is refused here. No signature is checked in this module.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any, Final

from jobs.rights.denial import Check, Denied
from jobs.rights.encoding import decode
from jobs.rights.keys import KID, KeySet, VerificationKey
from schemas import strict_json

LONGEST_TOKEN: Final = 8 * 1024
_HEADER_KEYS: Final = frozenset({"alg", "kid", "typ"})
_TYPES: Final = ("JWT", "factus-job+jwt")
_COMPACT: Final = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class UnverifiedToken:
    """The parts of a token whose header is fine. Nobody knows yet who wrote it."""

    key: VerificationKey
    signed: bytes = field(repr=False)
    """What the signature is of."""
    signature: bytes = field(repr=False)
    claims: bytes = field(repr=False)


def read_token(token: object, keys: KeySet) -> UnverifiedToken:
    """
    Read a token up to its signature. The algorithm follows from the key that it names.

    Raises:
        Denied: It is no token, or its header is not that of a key of these.
    """
    if token is None or token == "":
        raise Denied(Check.MISSING)
    if not isinstance(token, str):
        raise Denied(Check.FORM)
    # Its characters, not its bytes: a text with a lone surrogate has none.
    if len(token) > LONGEST_TOKEN:
        raise Denied(Check.SIZE)
    if not _COMPACT.fullmatch(token):
        raise Denied(Check.FORM)
    signed, _, signature = token.rpartition(".")
    header, _, claims = signed.partition(".")
    try:
        parts = [decode(part) for part in (header, claims, signature)]
    except ValueError:
        raise Denied(Check.FORM) from None
    key = _key_of(parts[0], keys)
    return UnverifiedToken(key, signed.encode("ascii"), parts[2], parts[1])


def _key_of(raw_header: bytes, keys: KeySet) -> VerificationKey:
    header = json_object(raw_header, Check.HEADER)
    if not header.keys() <= _HEADER_KEYS:
        raise Denied(Check.HEADER)
    kid = header.get("kid")
    if not isinstance(kid, str) or not KID.fullmatch(kid):
        raise Denied(Check.KID)
    key = keys.get(kid)
    if key is None:
        raise Denied(Check.KID, kid)
    if not key.allows_algorithm(header.get("alg")):
        raise Denied(Check.ALGORITHM, kid)
    if "typ" in header and header["typ"] not in _TYPES:
        raise Denied(Check.TYP, kid)
    return key


def json_object(raw: bytes, check: Check, kid: str = "") -> dict[str, Any]:
    """
    A JSON object of a token.

    Raises:
        Denied: It is none, by *check*.
    """
    try:
        found = strict_json.parse(raw)
    except strict_json.JsonRefused:
        raise Denied(check, kid) from None
    if not isinstance(found, dict):
        raise Denied(check, kid)
    return found
