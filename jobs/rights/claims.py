"""
What a verified token says, and what that grants.

Two steps: :func:`claims_of` looks at the shape, which stays as it is for as long as the token lives; :func:`grant_of`
at what changes (the clock, what was taken back, the job that comes with it).
"""

from __future__ import annotations

import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from jobs.rights.denial import Check, Denied
from jobs.rights.globs import any_matches
from jobs.rights.keys import NO_BOUNDS, Bounds, VerificationKey
from jobs.rights.revocations import Revocations
from jobs.rights.token import json_object

LEEWAY_S: Final = 60
LONGEST_LIFE_S: Final = 366 * 86_400
_KNOWN: Final = frozenset({"iss", "aud", "exp", "iat", "nbf", "jti", "accounts", "types", "job_sha256"})
_LONGEST_NAME: Final = 128
_DIGEST: Final = re.compile(r"[0-9a-fA-F]{64}")


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says, every claim in its right form. Instants are whole seconds since 1970."""

    kid: str
    bounds: Bounds
    producer: str
    audiences: tuple[str, ...]
    expires_at_s: int
    issued_at_s: int | None
    not_before_s: int | None
    accounts: tuple[str, ...]
    types: tuple[str, ...]
    job_sha256: str
    """In lower case; empty for a token that goes with any job."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a good token lets its producer do, until *expires_at* (UTC). Both lists are globs."""

    producer: str
    kid: str
    accounts: tuple[str, ...]
    types: tuple[str, ...]
    expires_at: datetime
    bounds: Bounds = NO_BOUNDS
    """Of its key: what the token grants beyond them, it does not grant."""

    def allows_account(self, name: str) -> bool:
        return any_matches(self.accounts, name) and self.bounds.allows_account(name)

    def allows_type(self, name: str) -> bool:
        return any_matches(self.types, name) and self.bounds.allows_type(name)


def claims_of(raw: bytes, key: VerificationKey) -> Claims:
    """
    The claims of a token whose signature is good.

    Raises:
        Denied: One is missing, has another form, or is not known: it may be a bound that we would not keep.
    """
    found = json_object(raw, Check.CLAIMS, key.kid)
    if not found.keys() <= _KNOWN:
        raise Denied(Check.CLAIMS, key.kid)
    producer = found.get("iss", "")
    if not _is_name(producer) or not key.bounds.allows_producer(producer):
        raise Denied(Check.ISSUER, key.kid)
    if "jti" in found and not isinstance(found["jti"], str):  # any text: nothing is read in it, and nobody keeps it
        raise Denied(Check.JTI, key.kid)
    digest = found.get("job_sha256", "")
    if "job_sha256" in found and not (isinstance(digest, str) and _DIGEST.fullmatch(digest)):
        raise Denied(Check.JOB_DIGEST, key.kid)
    expires_at_s = _seconds(found, "exp", Check.EXPIRY, key.kid)
    if expires_at_s is None:
        raise Denied(Check.EXPIRY, key.kid)
    return Claims(
        kid=key.kid,
        bounds=key.bounds,
        producer=producer,
        audiences=_texts(found.get("aud"), Check.AUDIENCE, key.kid, may_be_one=True),
        expires_at_s=expires_at_s,
        issued_at_s=_seconds(found, "iat", Check.ISSUED_AT, key.kid),
        not_before_s=_seconds(found, "nbf", Check.NOT_BEFORE, key.kid),
        accounts=_texts(found.get("accounts"), Check.ACCOUNTS, key.kid),
        types=_texts(found.get("types"), Check.TYPES, key.kid),
        job_sha256=digest.lower(),
    )


def grant_of(claims: Claims, *, audience: str, revoked: Revocations, now_s: float, job: bytes | None) -> Grant:
    """
    What the claims grant at this moment, with this job.

    Args:
        audience: The service for which the token must be.
        job: The bytes of the job that comes with it; None where there is none. A token that is bound to a job grants
            nothing else.

    Raises:
        Denied: Nothing.
    """
    if (check := _obstacle(claims, audience, revoked, now_s, job)) is not None:
        raise Denied(check, claims.kid)
    expires_at = datetime.fromtimestamp(claims.expires_at_s, UTC)
    return Grant(claims.producer, claims.kid, claims.accounts, claims.types, expires_at, claims.bounds)


def _obstacle(claims: Claims, audience: str, revoked: Revocations, now_s: float, job: bytes | None) -> Check | None:
    if revoked.revokes_key(claims.kid):
        return Check.KEY_REVOKED
    if audience not in claims.audiences:
        return Check.AUDIENCE
    if claims.expires_at_s + LEEWAY_S <= now_s:
        return Check.EXPIRED
    if claims.expires_at_s > now_s + LONGEST_LIFE_S + LEEWAY_S:
        return Check.EXPIRY
    if claims.issued_at_s is not None and claims.issued_at_s > now_s + LEEWAY_S:
        return Check.ISSUED_AT
    if claims.not_before_s is not None and claims.not_before_s > now_s + LEEWAY_S:
        return Check.NOT_BEFORE
    if revoked.revokes_token(claims.producer, claims.issued_at_s):
        return Check.PRODUCER_REVOKED
    if claims.job_sha256 and not (
        job is not None and hmac.compare_digest(hashlib.sha256(job).hexdigest(), claims.job_sha256)
    ):
        return Check.JOB_DIGEST
    return None


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_NAME and value.isprintable()


def _seconds(found: dict[str, Any], name: str, check: Check, kid: str) -> int | None:
    """A whole number of seconds; None where the claim is not there. ``true`` is none, nor is 1e9."""
    if name not in found:
        return None
    value = found[name]
    if type(value) is not int:
        raise Denied(check, kid)
    return value


def _texts(value: object, check: Check, kid: str, *, may_be_one: bool = False) -> tuple[str, ...]:
    if may_be_one and isinstance(value, str):
        value = [value]
    if not isinstance(value, list) or not value or not all(isinstance(one, str) and one for one in value):
        raise Denied(check, kid)
    return tuple(value)
