"""
Whether a job may be taken in: its token, against the account and the type that it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from jobs.rights.claims import Grant
from jobs.rights.denial import Check, Denied


class Rights(Protocol):
    """Says what tokens grant."""

    def verify(self, token: object, *, job: bytes | None) -> Grant:
        """
        Raises:
            Denied: It grants nothing.
        """
        ...


@dataclass(frozen=True, slots=True)
class TokenBeside:
    """What stands in the fields ``token`` of an entry, beside ``job``: how many they are, and the first one."""

    n: int
    token: bytes

    @property
    def text(self) -> str:
        """Whatever is no ASCII is no token; it stays in the text, to be refused for its form."""
        return self.token.decode("ascii", "replace")


def denial_of(
    rights: Rights, fields: Mapping[str, Any], account: str | None, *, job: bytes, beside: TokenBeside | None
) -> Denied | None:
    """
    Why a job may not be taken in; None when it may.

    Args:
        fields: The envelope, or what could be read of it.
        account: The account that the job names, or is for when it names none; None where there is none.
        job: The bytes of the field ``job``.
    """
    try:
        grant = rights.verify(_the_token(fields, beside), job=job)
    except Denied as denied:
        return denied
    if account is not None and not grant.allows_account(account):
        return Denied(Check.ACCOUNT_NOT_GRANTED, grant.kid)
    job_type = fields.get("type")
    if isinstance(job_type, str) and not grant.allows_type(job_type):
        return Denied(Check.TYPE_NOT_GRANTED, grant.kid)
    return None


def _the_token(fields: Mapping[str, Any], beside: TokenBeside | None) -> object:
    within = fields.get("token")
    if beside is None:
        return within
    if beside.n > 1 or within is not None:
        raise Denied(Check.SEVERAL)
    return beside.text
