"""
Closing batches: once all jobs of one are final, its event is built and published. Run by the leader of the sweep.

Workers of one namespace may serve different accounts. A batch of another account is left to a worker that serves it and
knows in which stream its event belongs.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final

import structlog
from redis.asyncio import Redis

from jobs.batches import completed_event
from schemas.factus import BOGOTA
from schemas.names import account_of
from worker.guard import Guard, shown
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import event_values
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts

log = structlog.get_logger()

_TOLD_AFTER_S: Final = 60.0
_TOLD_AGAIN_S: Final = 3600.0


class Batches:
    """The batches that are complete and not yet closed."""

    def __init__(
        self,
        redis: Redis,
        scripts: Scripts,
        keys: Keys,
        accounts: Mapping[str, Account],
        policy: LedgerPolicy,
        guard: Guard,
    ) -> None:
        self._redis = redis
        self._scripts = scripts
        self._keys = keys
        self._accounts = accounts
        self._policy = policy
        self._guard = guard
        self._tell_at: dict[bytes, float] = {}
        """Of what is left to another worker: when it is told of, on this process's own clock."""

    async def close_complete(self) -> int:
        """Publish ``batch.completed`` for each; returns how many were."""
        due = [member async for member in self._redis.sscan_iter(self._keys.batches_due())]
        foreign = {member for member in due if _account_of(member) not in self._accounts}
        n_closed = await self._close_each(member for member in due if member not in foreign)
        left = await self._left_to_others(foreign)
        self._tell_of(left)
        return n_closed + await self._close_each(member for member in foreign if member not in left)

    async def _close_each(self, members: Iterable[bytes]) -> int:
        n_closed = 0
        for member in members:
            if not self._guard.rest_s(member):
                with self._guard.member(member):
                    n_closed += await self._close(member.decode())
        return n_closed

    async def _left_to_others(self, foreign: set[bytes]) -> set[bytes]:
        """
        Those whose account some worker has served during the last day. What is of no such account was refused, or its
        account is gone: who pushed it reads the common stream.
        """
        if not foreign:
            return set()
        served = {_text(name) for name in await self._redis.zrange(self._keys.served_accounts(), 0, -1)}
        return {member for member in foreign if _account_of(member) in served}

    def _tell_of(self, left: set[bytes]) -> None:
        """A worker that serves the account closes it within a second, where one lives."""
        now = time.monotonic()
        self._tell_at = {member: self._tell_at.get(member, now + _TOLD_AFTER_S) for member in left}
        for member, at_s in self._tell_at.items():
            if now >= at_s:
                log.warning("batch.account_unknown", member=shown(member))
                self._tell_at[member] = now + _TOLD_AGAIN_S

    async def _close(self, member: str) -> int:
        key = self._keys.batch(member)
        async with self._redis.pipeline(transaction=True) as pipe:
            pipe.hgetall(key)
            pipe.lrange(self._keys.batch_failures(member), 0, -1)
            stored, failures = await pipe.execute()
        held = {_text(name): _text(value) for name, value in stored.items()}
        account = self._accounts.get(account_of(member))
        now = datetime.now(account.zone if account else BOGOTA)
        event = completed_event(member, held, [_text(failure) for failure in failures], now=now)
        results = self._keys.results(account.name if account and account.own_streams else None)
        keys = {
            "batch": key,
            "batches_due": self._keys.batches_due(),
            "results": results,
            "documents": self._keys.batch_documents(member),
        }
        args: ScriptArgs = {
            "member": member,
            "n_final": held.get("n_final", ""),
            "maxlen": self._policy.results_maxlen,
            "event": event_values(event),
        }
        return int(await self._scripts.run("close_batch", keys, args))


def _account_of(member: bytes) -> str:
    return account_of(_text(member))


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
