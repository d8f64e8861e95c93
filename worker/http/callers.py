"""
Who calls, and what he may: a producer by his token, or a person by a login of this door.

Two kinds of token, told apart by their audience: a producer's is for the service (the namespace), a login for
``{namespace}:door``. Neither passes for the other. What a person may stands in the users file, and is looked up at each
request; the login says who he is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final, Protocol

import structlog

from jobs.rights.claims import Grant
from jobs.rights.denial import Check, Denied
from jobs.rights.keys import NO_BOUNDS, VerificationKey, verification_key_of
from worker.http.answers import forbidden, unauthorized
from worker.http.users import User, UsersFile
from worker.rights.signatures import sign
from worker.rights.trust import Trust, TrustSource
from worker.rights.verifier import TokenVerifier

log = structlog.get_logger()

LOGIN_LIFE_S: Final = 3600
JOB_LIFE_S: Final = 30 * 86_400
"""How long a job that the door signs may wait for its intake. The signature holds for that very job alone."""

DOOR: Final = "door"
PERSON: Final = "user:"
"""What stands before the name of a caller who has logged in."""

_BEARER: Final = "bearer "
_PARTED: Final = "#"


class Rights(Protocol):
    """What somebody may: of a token, or of a person."""

    def allows_account(self, name: str) -> bool: ...
    def allows_type(self, name: str) -> bool: ...


@dataclass(frozen=True, slots=True)
class Caller:
    """Who has sent a request."""

    name: str
    """For the bounds on each; in no log."""
    rights: Rights
    may_push: bool
    is_masked: bool
    """He sees no names, addresses and numbers of people."""
    expires_at: datetime
    token: str = field(repr=False, default="")
    """A producer's own, which goes along with what he pushes; empty for a person."""
    is_bound: bool = False
    """The token is good for one job alone, and that has not been looked at."""

    def sees(self, account: str) -> bool:
        """Whether he may be told of an account; of what names none only who may see all."""
        return self.rights.allows_account(account or "?")

    def check_push(self, account: str, job_type: str) -> None:
        """
        Raises:
            Refusal: 403, he may not push that.
        """
        if not (self.may_push and self.rights.allows_account(account) and self.rights.allows_type(job_type)):
            raise forbidden()


@dataclass(frozen=True, slots=True)
class DoorKey:
    """The private key of the door (``FACTUS_HTTP_KEY``): it signs logins, and the jobs of people."""

    jwk: Mapping[str, Any] = field(repr=False)
    namespace: str

    @property
    def public(self) -> VerificationKey:
        """What checks a login. Bounds of the key are for jobs."""
        return replace(verification_key_of(self.jwk), bounds=NO_BOUNDS)

    def login(self, user: User, now_s: float) -> str:
        return self._signed(
            {
                "iss": f"{user.name}{_PARTED}{user.mark}",
                "aud": f"{self.namespace}:{DOOR}",
                "iat": int(now_s),
                "exp": int(now_s) + LOGIN_LIFE_S,
                # What a person may is looked up: a login by itself grants nothing elsewhere.
                "accounts": [DOOR],
                "types": [DOOR],
            }
        )

    def job(self, account: str, job_type: str, sha256: str, now_s: float) -> str:
        """A token for one job that a person has pushed."""
        return self._signed(
            {
                "iss": DOOR,
                "aud": self.namespace,
                "iat": int(now_s),
                "exp": int(now_s) + JOB_LIFE_S,
                "accounts": [account],
                "types": [job_type],
                "job_sha256": sha256,
            }
        )

    def _signed(self, claims: Mapping[str, Any]) -> str:
        return sign(self.jwk, claims, typ="JWT")


@dataclass(frozen=True, slots=True)
class _LoginTrust:
    """The door's own key, unless its ``kid`` was taken back."""

    key: VerificationKey
    producers: TrustSource | None
    _fixed: dict[str, Trust] = field(default_factory=dict)

    @property
    def trust(self) -> Trust:
        revoked = self.producers.trust.revoked if self.producers else None
        held = self._fixed.get("now")
        if held is None or (revoked is not None and held.revoked is not revoked):
            keys = {self.key.kid: self.key}
            held = self._fixed["now"] = Trust(keys, revoked) if revoked is not None else Trust(keys)
        return held


class Gate:
    """Tells who calls."""

    def __init__(
        self, namespace: str, producers: TrustSource | None, key: DoorKey | None, users: UsersFile | None
    ) -> None:
        """
        Args:
            producers: Whose tokens count; None where no key set is configured.
        """
        self._users = users
        self._tokens = TokenVerifier(producers, namespace) if producers else None
        trust = _LoginTrust(key.public, producers) if key else None
        self._logins = TokenVerifier(trust, f"{namespace}:{DOOR}") if trust else None

    def identify(self, headers: list[str], *, job: bytes | None = None) -> Caller:
        """
        Who sends a request with these ``Authorization`` headers.

        Args:
            job: The bytes of the job that came with it.

        Raises:
            Refusal: 401.
        """
        token = headers[0][len(_BEARER) :].strip() if len(headers) == 1 else ""
        if not token or not headers[0].lower().startswith(_BEARER):
            raise unauthorized()
        denied: Denied | None = None
        if self._tokens is not None:
            try:
                return _producer(self._tokens.verify(token, job=job), token)
            except Denied as exc:
                denied = exc
            if denied.check is Check.JOB_DIGEST and job is None:
                # All else is good of it: the body may be read, and decides.
                return Caller("bound", _Nothing(), may_push=False, is_masked=True, expires_at=_NEVER, is_bound=True)
        if self._logins is not None and (denied is None or denied.check in _MAY_BE_LOGIN):
            try:
                return self._person(self._logins.verify(token, job=None))
            except Denied as exc:
                denied = denied if denied is not None and denied.check is not Check.KID else exc
        log.warning("door.denied", check=denied.check if denied else Check.KID, kid=denied.kid if denied else "")
        raise unauthorized()

    def _person(self, grant: Grant) -> Caller:
        name, _, mark = grant.producer.rpartition(_PARTED)
        user = self._users.users.get(name) if self._users else None
        if user is None or user.mark != mark:
            raise Denied(Check.ISSUER, grant.kid)
        return Caller(
            f"{PERSON}{name}",
            user,
            may_push=user.role == "producer",
            is_masked=user.role == "viewer",
            expires_at=grant.expires_at,
        )


_MAY_BE_LOGIN: Final = frozenset({Check.KID, Check.AUDIENCE, Check.ISSUER})
_NEVER: Final = datetime.max.replace(tzinfo=UTC)


class _Nothing:
    def allows_account(self, name: str) -> bool:
        return False

    def allows_type(self, name: str) -> bool:
        return False


def _producer(grant: Grant, token: str) -> Caller:
    return Caller(
        f"producer:{grant.producer}", grant, may_push=True, is_masked=False, expires_at=grant.expires_at, token=token
    )
