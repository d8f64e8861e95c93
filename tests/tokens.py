"""
Tokens and keys for tests, also such as no signer of ours would make: header and claims are given as they are to stand.
"""

from __future__ import annotations

import hmac
import json
from collections.abc import Mapping
from typing import Any

from nacl.signing import SigningKey

from jobs.rights.encoding import decode, encode
from worker.rights.signatures import public_part

NOW_S = 1_790_000_000
DAY_S = 86_400

SECRET = {"kty": "oct", "kid": "hs-1", "alg": "HS256", "k": encode(b"0123456789abcdef0123456789abcdef")}
PRIVATE = {
    "kty": "OKP",
    "crv": "Ed25519",
    "kid": "ed-1",
    "alg": "EdDSA",
    # RFC 8037, appendix A.
    "d": "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
    "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
}
PUBLIC = public_part(PRIVATE)


def claims(**changed: Any) -> dict[str, Any]:
    """Good claims; a changed one that is None is left out."""
    good = {
        "iss": "erp",
        "aud": "factus",
        "iat": NOW_S - 100,
        "exp": NOW_S + DAY_S,
        "jti": "t-1",
        "accounts": ["acme"],
        "types": ["invoice.*"],
    }
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def header(of: Mapping[str, Any], /, **changed: Any) -> dict[str, Any]:
    """A good header; a changed key that is None is left out."""
    good = {"alg": of["alg"], "kid": of["kid"], "typ": "JWT"}
    return {name: value for name, value in {**good, **changed}.items() if value is not None}


def token(
    jwk: Mapping[str, Any] = PRIVATE,
    of: Mapping[str, Any] | str | bytes | None = None,
    head: Mapping[str, Any] | str | bytes | None = None,
) -> str:
    """A token with a good signature, whatever it says."""
    parts = [head if head is not None else header(jwk), of if of is not None else claims()]
    signed = ".".join(encode(_bytes(part)) for part in parts)
    return f"{signed}.{encode(signature(jwk, signed.encode()))}"


def signature(jwk: Mapping[str, Any], signed: bytes) -> bytes:
    if jwk["kty"] == "oct":
        return hmac.digest(decode(jwk["k"]), signed, "sha256")
    return SigningKey(decode(jwk["d"])).sign(signed).signature


def key_set(*jwks: Mapping[str, Any]) -> bytes:
    return json.dumps({"keys": [*jwks]}).encode()


def _bytes(part: Mapping[str, Any] | str | bytes) -> bytes:
    if isinstance(part, bytes):
        return part
    return part.encode() if isinstance(part, str) else json.dumps(part).encode()
