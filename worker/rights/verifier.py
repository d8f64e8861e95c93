"""
The verifier of producers' tokens, with a bounded memory of those whose signature it has seen.

An Ed25519 signature takes half a millisecond to check; a producer sends one token with thousands of jobs. What is
remembered is what the token says, by the digest of the token, never the token; its times, what was taken back and the
job that comes with it are looked at each time. New keys end the memory.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from typing import Final

from jobs.rights.claims import Claims, Grant, claims_of, grant_of
from jobs.rights.denial import Check, Denied
from jobs.rights.token import LONGEST_TOKEN, read_token
from worker.rights.signatures import is_signed
from worker.rights.trust import Trust, TrustSource

MOST_REMEMBERED: Final = 1000
"""Tokens. One takes a kilobyte, at the very most 80; only who holds a key can fill it."""


class TokenVerifier:
    """Says what a token grants for one service (its audience). For one thread at a time."""

    def __init__(
        self,
        source: TrustSource,
        audience: str,
        *,
        now_s: Callable[[], float] = time.time,
        most_remembered: int = MOST_REMEMBERED,
    ) -> None:
        """
        Args:
            audience: What ``aud`` has to be, or to have among others.
            most_remembered: How many tokens are remembered; the one that was seen first goes first.
        """
        self._source = source
        self._audience = audience
        self._now_s = now_s
        self._most = most_remembered
        self._trust = source.trust
        self._known: dict[bytes, Claims] = {}

    def verify(self, token: object, *, job: bytes | None) -> Grant:
        """
        What a token grants now.

        Args:
            token: As it came; whatever is no text is no token.
            job: The bytes of the job that it came with; None where there is none. A token that is bound to a job
                (``job_sha256``) grants nothing else.

        Raises:
            Denied: Nothing. Tells which check it was, and nothing of the token but its ``kid``.
        """
        trust = self._source.trust
        if trust is not self._trust:
            self._trust, self._known = trust, {}
        claims = self._claims(token, trust)
        return grant_of(claims, audience=self._audience, revoked=trust.revoked, now_s=self._now_s(), job=job)

    def _claims(self, token: object, trust: Trust) -> Claims:
        # Of what cannot be a token no digest is made: a text may have a megabyte, or no UTF-8 form.
        may_be_one = isinstance(token, str) and len(token) <= LONGEST_TOKEN and token.isascii()
        digest = hashlib.sha256(str(token).encode()).digest() if may_be_one else b""
        if (known := self._known.get(digest)) is not None:
            return known
        found = read_token(token, trust.keys)
        if trust.revoked.revokes_key(found.key.kid):
            raise Denied(Check.KEY_REVOKED, found.key.kid)
        if not is_signed(found.key, found.signed, found.signature):
            raise Denied(Check.SIGNATURE, found.key.kid)
        claims = claims_of(found.claims, found.key)
        if not claims.job_sha256:  # one that is bound to a job comes once
            while len(self._known) >= self._most:
                del self._known[next(iter(self._known))]
            self._known[digest] = claims
        return claims
