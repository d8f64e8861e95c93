"""
Holds that are lifted before their time: by an operator's word, or because the account's credentials are others now.

Redis keeps a mark of the credentials with which a worker last started, so that whoever mends a password and starts the
service again waits for no pause. The mark is salted and slow to make: it tells that they differ, and nothing else.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.settings import Account
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Scripts

log = structlog.get_logger()

_SALT_BYTES: Final = 16


class AccountHolds:
    """Lifts holds of accounts."""

    def __init__(self, redis: Redis, keys: Keys) -> None:
        self._redis = redis
        self._scripts = Scripts(redis)
        self._keys = keys

    async def lift(self, account: str) -> int:
        """
        Have an account asked again now.

        Returns:
            How many holds there were: of the account, and of its lanes.
        """
        return await self._run(account, "", "")

    async def heed_credentials(self, accounts: Mapping[str, Account]) -> None:
        """
        At the start of a worker: lift what holds an account whose credentials are others than at the last start.

        Once for each start, so that two workers with different ones do not lift for ever what the other has found.
        """
        for account in accounts.values():
            try:
                n_lifted = await self._heed(account)
            except RedisError as exc:
                log.warning("redis.unavailable", task="credentials", error=type(exc).__name__)
                return
            if n_lifted:
                log.info("account.credentials_changed", account=account.name, n_freed=n_lifted)

    async def _heed(self, account: Account) -> int:
        stored = await command(self._redis, "HGET", self._keys.account(account.name), "credentials") or b""
        known = stored.decode()
        salt = known.partition(":")[0]
        if salt and mark_of(account, salt) == known:
            return 0
        return max(await self._run(account.name, mark_of(account, secrets.token_hex(_SALT_BYTES)), known), 0)

    async def _run(self, account: str, mark: str, known: str) -> int:
        keys = {
            "account": self._keys.account(account),
            "lanes": self._keys.lanes(),
            "lanes_due": self._keys.lanes_due(),
        }
        if mark:
            keys["token"] = self._keys.token(account)  # an operator's user may not name it
        args = {
            "account": account,
            "lane_prefix": self._keys.lane(""),
            "job_prefix": self._keys.job(account, ""),
            "mark": mark,
            "known": known,
        }
        return int(await self._scripts.run("resume", keys, args))


def mark_of(account: Account, salt: str) -> str:
    """The mark of an account's credentials and address: the salt, and a hash of both that takes 10 ms."""
    held = (account.client_id, account.client_secret, account.username, account.password)
    secrets = "\0".join([account.base_url, *(secret.get_secret_value() for secret in held)])
    digest = hashlib.scrypt(secrets.encode("utf-8", "surrogatepass"), salt=salt.encode(), n=2**12, r=8, p=1, dklen=32)
    return f"{salt}:{digest.hex()}"
