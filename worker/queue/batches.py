"""
Closing batches: once all jobs of one are final, its event is built and published. Run by the leader of the sweep.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from redis.asyncio import Redis

from jobs.batches import completed_event
from schemas.factus import BOGOTA
from schemas.names import account_of
from worker.guard import Guard
from worker.queue.ledger_policy import LedgerPolicy
from worker.queue.script_values import event_values
from worker.settings.account import Account
from worker.store.keys import Keys
from worker.store.scripts import ScriptArgs, Scripts


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

    async def close_complete(self) -> int:
        """Publish ``batch.completed`` for each; returns how many were."""
        n_closed = 0
        async for member in self._redis.sscan_iter(self._keys.batches_due()):
            if not self._guard.rest_s(member):
                with self._guard.member(member):
                    n_closed += await self._close(member.decode())
        return n_closed

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


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
