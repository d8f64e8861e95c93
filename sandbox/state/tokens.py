"""Access and refresh tokens: opaque, each of one account, forgotten when they are spent or revoked."""

import secrets
from dataclasses import dataclass
from enum import Enum


@dataclass(frozen=True, slots=True)
class TokenPair:
    access: str
    refresh: str
    expires_in_s: int


class Bearer(Enum):
    VALID = "valid"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


@dataclass(slots=True)
class _Grant:
    user: str
    expires_at: float


class TokenRegistry:
    """
    Every token that was handed out.

    A login does not revoke earlier tokens (seen with several processes on one account). A refresh token works once;
    whether Factus rotates them is not known, so the harder of the two is played.
    """

    def __init__(self, lifetime_s: int) -> None:
        self.lifetime_s = lifetime_s
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, str] = {}

    def issue(self, user: str, now: float) -> TokenPair:
        pair = TokenPair(secrets.token_urlsafe(48), "def" + secrets.token_urlsafe(48), self.lifetime_s)
        self._access[pair.access] = _Grant(user, now + self.lifetime_s)
        self._refresh[pair.refresh] = user
        return pair

    def owner_of_refresh(self, refresh: str) -> str | None:
        return self._refresh.get(refresh)

    def spend_refresh(self, refresh: str) -> bool:
        """Whether it was still good; from now on it is not."""
        return self._refresh.pop(refresh, None) is not None

    def look_up(self, access: str, now: float) -> tuple[Bearer, str]:
        """What the bearer of *access* is, and the account when one is known."""
        grant = self._access.get(access)
        if grant is None:
            return Bearer.UNKNOWN, ""
        if now >= grant.expires_at:
            return Bearer.EXPIRED, grant.user
        return Bearer.VALID, grant.user

    def revoke(self, user: str | None = None) -> int:
        """Kill the access tokens of one account, or of all. Refresh tokens live on, as after a server restart."""
        doomed = [access for access, grant in self._access.items() if user in (None, grant.user)]
        for access in doomed:
            self._access[access].expires_at = 0.0
        return len(doomed)

    def revoke_refresh(self, user: str | None = None) -> int:
        doomed = [refresh for refresh, owner in self._refresh.items() if user in (None, owner)]
        for refresh in doomed:
            del self._refresh[refresh]
        return len(doomed)
