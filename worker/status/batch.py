"""
One batch as the ledger has counted it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from redis.asyncio import Redis

from jobs.batches import completed_event
from schemas.factus import BOGOTA
from worker.store.connection import command
from worker.store.keys import Keys


@dataclass(frozen=True, slots=True)
class BatchSeen:
    """A batch of one account; ``size`` and ``left`` are None where no job has stated how many there are."""

    batch: str
    account: str
    size: int | None
    counts: dict[str, int]
    n_final: int
    left: int | None
    total: Decimal
    first_number: str | None
    last_number: str | None
    is_closed: bool
    failures: tuple[dict[str, Any], ...] = ()

    def to_json(self) -> dict[str, Any]:
        return {
            "batch": self.batch,
            "account": self.account,
            "size": self.size,
            "counts": self.counts,
            "left": self.left,
            "total": f"{self.total:.2f}",
            "first_number": self.first_number,
            "last_number": self.last_number,
            "is_closed": self.is_closed,
            "failures": list(self.failures),
        }


async def batches_named(redis: Redis, keys: Keys, batch: str, accounts: Iterable[str]) -> list[BatchSeen]:
    """The batch of that name in each of the accounts that has one; accounts that could not be read are ``?``."""
    found = []
    for account in accounts:
        member = f"{account}/{batch}"
        stored = dict(await command(redis, "HGETALL", keys.batch(member)))
        if stored:
            failures = await command(redis, "LRANGE", keys.batch_failures(member), 0, -1)
            held = {_text(name): _text(value) for name, value in stored.items()}
            found.append(batch_seen(account, batch, held, [_text(failure) for failure in failures]))
    return found


def batch_seen(account: str, batch: str, held: Mapping[str, str], failures: list[str]) -> BatchSeen:
    """What the counts of a batch say. Pure."""
    from datetime import datetime

    data = completed_event(f"{account}/{batch}", held, failures, now=datetime.now(BOGOTA)).data or {}
    n_final = sum(data["counts"].values())
    size = data["size"] if held.get("size", "0") != "0" else None
    return BatchSeen(
        batch=batch,
        account=account,
        size=size,
        counts=data["counts"],
        n_final=n_final,
        left=None if size is None else max(size - n_final, 0),
        total=Decimal(data["total"]),
        first_number=data["first_number"],
        last_number=data["last_number"],
        is_closed="closed" in held,
        failures=tuple(data["failures"]),
    )


def _text(stored: bytes) -> str:
    return stored.decode(errors="replace")
