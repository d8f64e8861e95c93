"""
Holds that are lifted before their time: by an operator's word, or because the account's credentials are others now.

Redis keeps a mark of the credentials with which a worker last started, so that whoever mends a password and starts the
service again waits for no pause. The mark is salted and slow to make: it tells that they differ, and nothing else.
"""

from __future__ import annotations

import asyncio
import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from worker.settings.account import Account
from worker.store.connection import command
from worker.store.keys import Keys
from worker.store.scripts import Scripts

log = structlog.get_logger()

_SALT_BYTES: Final = 16
_BUCKETS: Final = 32
"""Of a thousand accounts thirty stand in each: a start costs a slow hash for each bucket, a change thirty more."""


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

    async def heed_credentials(self, accounts: Mapping[str, Account], *, new: bool = True) -> None:
        """
        At the start of a worker: lift what holds an account whose credentials are others than at the last start.

        Once for each start, so that two workers with different ones do not lift for ever what the other has found.

        Args:
            new: Whether accounts of which no mark is known get one. They are held by nothing and have no token of other
                credentials: a worker need not wait for that, which takes 10 ms for each.
        """
        try:
            marks = await self._marks_known(accounts)
            rosters = await command(self._redis, "HGETALL", self._keys.rosters())
            for bucket, names in _buckets(accounts).items():
                members = [accounts[name] for name in names]
                if new or any(marks[name] for name in names):
                    await self._heed_bucket(bucket, members, marks, rosters.get(bucket.encode(), b"").decode(), new=new)
        except RedisError as exc:
            log.warning("redis.unavailable", task="credentials", error=type(exc).__name__)

    async def _marks_known(self, accounts: Mapping[str, Account]) -> dict[str, str]:
        async with self._redis.pipeline(transaction=False) as pipe:
            for name in accounts:
                pipe.hget(self._keys.account(name), "credentials")
            return {name: (mark or b"").decode() for name, mark in zip(accounts, await pipe.execute(), strict=True)}

    async def _heed_bucket(
        self, bucket: str, accounts: Sequence[Account], marks: Mapping[str, str], roster: str, *, new: bool
    ) -> None:
        """One slow hash where all are as they were; one for each of its accounts where one is not."""
        found = {account.name: marks[account.name] for account in accounts}
        salt = roster.partition(":")[0]
        if salt and await asyncio.to_thread(_roster_of, accounts, salt, found) == roster:
            return
        for account in accounts:
            if found[account.name] or new:
                found[account.name] = await self._heed(account, found[account.name])
        if len(accounts) > 1 and all(found.values()):
            told = await asyncio.to_thread(_roster_of, accounts, secrets.token_hex(_SALT_BYTES), found)
            await command(self._redis, "HSET", self._keys.rosters(), bucket, told)

    async def _heed(self, account: Account, known: str) -> str:
        """The mark that the account has now; empty when another worker's came first."""
        salt = known.partition(":")[0]
        if salt and await asyncio.to_thread(mark_of, account, salt) == known:
            return known
        mark = await asyncio.to_thread(mark_of, account, secrets.token_hex(_SALT_BYTES))
        n_lifted = await self._run(account.name, mark, known)
        if n_lifted > 0:
            log.info("account.credentials_changed", account=account.name, n_freed=n_lifted)
        return mark if n_lifted >= 0 else ""

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
    return f"{salt}:{_slow_hash(_told(account), salt)}"


def _roster_of(accounts: Sequence[Account], salt: str, marks: Mapping[str, str]) -> str:
    """
    What says at once that all of a bucket are as they were when each was compared with its mark, and that the marks
    are those: a worker with other credentials may have been here since.
    """
    told = "\0".join(part for account in accounts for part in (account.name, _told(account)))
    compared = hashlib.sha256("\0".join(marks[account.name] for account in accounts).encode()).hexdigest()
    return f"{salt}:{_slow_hash(told, salt)}:{compared}"


def _buckets(accounts: Iterable[str]) -> dict[str, list[str]]:
    """Accounts by a part of their name's hash: who comes or goes changes one bucket."""
    found: dict[str, list[str]] = {}
    for name in sorted(accounts):
        found.setdefault(f"{hashlib.sha256(name.encode()).digest()[0] % _BUCKETS}", []).append(name)
    return found


def _told(account: Account) -> str:
    held = (account.client_id, account.client_secret, account.username, account.password)
    return "\0".join([account.base_url, *(secret.get_secret_value() for secret in held)])


def _slow_hash(told: str, salt: str) -> str:
    return hashlib.scrypt(told.encode("utf-8", "surrogatepass"), salt=salt.encode(), n=2**12, r=8, p=1, dklen=32).hex()
