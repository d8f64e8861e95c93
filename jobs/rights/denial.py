"""
Why a token grants nothing: a closed set of checks, for the log. A producer is told one and the same sentence for all.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final

DENIED_MESSAGE: Final = (
    "El trabajo no está autorizado: su token falta, no es válido o no permite esta cuenta y este tipo."
)
"""What a producer reads, whichever check it was: whoever tries tokens out learns nothing from the words."""


class Check(StrEnum):
    """
    What is looked at: the form of the token, its key and signature, its claims, what they grant. Not in this order
    throughout.
    """

    MISSING = "missing"
    """There is no token."""
    SEVERAL = "several"
    """There is more than one: nobody knows which one counts."""
    SIZE = "size"
    FORM = "form"
    """Not three parts of base64url, in the one spelling that each has."""
    HEADER = "header"
    """Not a JSON object, or a repeated key, or a key beside ``alg``, ``kid`` and ``typ``."""
    KID = "kid"
    """Missing, of another form, or of no key."""
    ALGORITHM = "algorithm"
    """Not that of the key."""
    TYP = "typ"
    KEY_REVOKED = "key_revoked"
    SIGNATURE = "signature"
    CLAIMS = "claims"
    """Not a JSON object, a repeated claim, or one that is not known."""
    ISSUER = "iss"
    """Missing, or not the one to whom the key belongs."""
    AUDIENCE = "aud"
    """Missing, or another service."""
    EXPIRY = "exp"
    """Missing, no whole number, or more than 366 days ahead."""
    EXPIRED = "expired"
    ISSUED_AT = "iat"
    """No whole number, or in the future."""
    NOT_BEFORE = "nbf"
    """No whole number, or its time has not come."""
    JTI = "jti"
    ACCOUNTS = "accounts"
    """Missing, empty, or no list of texts."""
    TYPES = "types"
    JOB_DIGEST = "job_sha256"
    """No digest, or that of another job."""
    PRODUCER_REVOKED = "producer_revoked"
    ACCOUNT_NOT_GRANTED = "account_not_granted"
    TYPE_NOT_GRANTED = "type_not_granted"


class Denied(Exception):
    """
    A token that grants nothing, or not this.

    ``kid`` is the key that the token names, where it names one in the form of a ``kid``; else it is empty. Neither
    holds anything else of the token.
    """

    def __init__(self, check: Check, kid: str = "") -> None:
        super().__init__(f"{check}: {kid}" if kid else str(check))
        self.check = check
        self.kid = kid
