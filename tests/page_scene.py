"""
An evening to look at: jobs that wait and will miss their day, a batch, an account that is held, letters, webhooks,
events.

What waits went through the real intake; what only Factus or days could bring about is written where it is kept.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

from arq.connections import ArqRedis

from tests.builders import fiscal_day
from tests.door_in_process import ACCOUNTS as DOOR_ACCOUNTS
from tests.fakes import FakeFactus
from tests.service_in_process import an_account, quick, running, services_on
from worker.store.keys import Keys

SLOW: Final = {"rate_limit": 1, "rate_window": 3600.0}
"""One request an hour: of many documents for one day most will miss it."""

ACCOUNTS: Final = DOOR_ACCOUNTS.replace("[accounts.other]", '[accounts.other]\nrate_limit = 1\nrate_window = "1h"')
"""The accounts as a door of this evening knows them."""

_NEVER: Final = quick(days={"every_s": 3600.0}, drain={"calls_s": 0.1})


def an_event(type_: str, **changes: Any) -> dict[str, Any]:
    """An event as it is published."""
    return {
        "id": f"acme/{changes.get('job_id', 'j-1')}/1",
        "seq": 1, "type": type_, "time": "2026-11-30T23:40:00.000-05:00", "account": "acme",
        "job_id": "j-1", "job_type": "invoice.issue", "reference_code": "FV-1", "batch": None, "metadata": {},
        "attempts": 1, "success": True, "message": "Factura SETP990000203 validada por la DIAN",
        "data": None, "errors": None, **changes,
    }  # fmt: skip


async def publish(redis: ArqRedis, keys: Keys, event: dict[str, Any], *, owner: str | None = None) -> None:
    """An event in its stream, with the fields that stand beside it."""
    beside = {name: event.get(name) or "" for name in ("type", "account", "job_id", "reference_code")}
    await redis.xadd(keys.results(owner), {**beside, "event": json.dumps(event)})


async def write_letter(redis: ArqRedis, keys: Keys, reason: str, account: str, event: dict[str, Any]) -> None:
    """A dead letter."""
    fields = {"reason": reason, "account": account, "job_id": event["job_id"], "errors": json.dumps(event), "raw": "{}"}
    await redis.xadd(keys.dead(), fields)


async def hold(redis: ArqRedis, keys: Keys, account: str, reason: str, *, said: str = "") -> None:
    """An account that a person has to mend, for ten minutes already."""
    now_ms = round(time.time() * 1000)
    await redis.hset(
        keys.account(account),
        mapping={
            "hold_until": now_ms + 60_000, "hold_reason": reason, "held_since": now_ms - 600_000, "held_for": reason,
            "held_by": "j-held", "blocked:*": now_ms - 600_000,
        },
    )  # fmt: skip
    error = {"code": reason, "message": said}
    await redis.hset(
        keys.job(account, "j-held"),
        mapping={"reference_code": "FV-HELD", "number": "", "last_error": json.dumps(error)},
    )


async def an_endpoint(redis: ArqRedis, keys: Keys, name: str, **held: Any) -> None:
    """An endpoint of webhooks that a process has had in its file just now."""
    now_ms = round(time.time() * 1000)
    await redis.zadd(keys.hooks_seen(), {name: now_ms})
    await redis.zadd(keys.hook_processes(), {"p-1": now_ms})
    await redis.hset(keys.hook(name), mapping={"last_success_at": now_ms - 5_000, **held})


def today() -> str:
    return fiscal_day().isoformat()


@asynccontextmanager
async def evening(redis: ArqRedis, namespace: str, *, n_late: int = 60, n_batch: int = 40) -> AsyncIterator[Keys]:
    """The whole of it, while a worker runs to whom nobody answers."""
    factus = FakeFactus(gate=asyncio.Event())
    accounts = (an_account("acme"), an_account("other", **SLOW), an_account("own", own_streams=True))
    services = services_on(redis, namespace, *accounts, gateway=factus, policies=_NEVER)
    keys = services.keys
    async with running(services) as rig:
        for k in range(n_late):
            await rig.push_bill(f"TARDE-{k}", account="other", id=f"t{k}", issue_on=today())
        for k in range(n_batch):
            await rig.push_bill(f"CIERRE-{k}", id=f"c{k}", batch="cierre noviembre", batch_size=2 * n_batch)
        await rig.taken_in()
        await hold(redis, keys, "own", "factus.credentials", said="Factus rechaza las credenciales: usuario inválido")
        await an_endpoint(redis, keys, "erp")
        await an_endpoint(
            redis,
            keys,
            "tienda",
            state="disabled",
            disabled_at=round(time.time() * 1000),
            disabled_why="gone",
            last_status=410,
        )
        refused = an_event(
            "job.refused", account="acme", success=False, reference_code="FV-9", job_id="j-9",
            message="Trabajo no aceptado",
            errors=[{"code": "payload.invalid", "message": "La suma de los pagos no es el total", "field": None}],
        )  # fmt: skip
        await write_letter(redis, keys, "payload.invalid", "acme", refused)
        await write_letter(redis, keys, "internal", "other", {**refused, "account": "other", "job_id": "j-8"})
        for k in range(12):
            number = f"SETP99000{k:04}"
            await publish(
                redis, keys, an_event("invoice.validated", reference_code=f"FV-{k}", job_id=f"v{k}",
                                      message=f"Factura {number} validada por la DIAN"),
            )  # fmt: skip
        await publish(redis, keys, refused)
        yield keys
