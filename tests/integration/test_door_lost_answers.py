"""
G1 to G3 through the door: answers are lost, callers leave, doors die; whoever asks again under the same key gets one
document, and one and the same end.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from arq.connections import ArqRedis
from redis.exceptions import ConnectionError as RedisConnectionError

from tests.builders import a_bill
from tests.door_in_process import CALM, DoorInProcess, a_door
from tests.fakes import FakeFactus
from tests.service_in_process import ServiceInProcess, an_account, running, services_on
from worker.http.pusher import Pusher

ENDS = (200, 422, 502)


@pytest.fixture
def factus() -> FakeFactus:
    return FakeFactus()


@pytest.fixture
async def worker(real_redis: ArqRedis, namespace: str, factus: FakeFactus) -> AsyncIterator[ServiceInProcess]:
    async with running(services_on(real_redis, namespace, an_account("acme"), gateway=factus)) as found:
        yield found


def bill(reference: str) -> dict[str, Any]:
    return {"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code=reference)}


async def until_it_ends(door: DoorInProcess, reference: str, *, patience_s: Any = lambda: 30.0) -> dict[str, Any]:
    """What a careful producer does: the same push again, until an end is the answer."""
    async with asyncio.timeout(120):
        while True:
            with suppress(httpx.TransportError, TimeoutError):
                async with asyncio.timeout(patience_s()):
                    answer = await door.post(bill(reference), Prefer="wait=60", **{"Idempotency-Key": reference})
                assert answer.status_code in (*ENDS, 202, 503), answer.text
                if answer.status_code in ENDS:
                    found: dict[str, Any] = answer.json()["data"]
                    return found


async def is_once(redis: ArqRedis, namespace: str, factus: FakeFactus, ends: dict[str, dict[str, Any]]) -> None:
    """One create and one final event for each, and that event is what everybody was told."""
    assert {name: one.n_creates for name, one in factus.documents.items()} == dict.fromkeys(ends, 1)
    rows = [fields[b"job_id"].decode() for _, fields in await redis.xrange(f"{namespace}:results")]
    assert Counter(rows) == dict.fromkeys(ends, 1)
    for name, event in ends.items():
        assert (event["job_id"], event["type"]) == (name, "invoice.validated")
        assert event["data"]["number"] == factus.documents[name].number


async def test_the_same_push_after_lost_answers_is_one_document(
    real_redis: ArqRedis, valkey_url: str, namespace: str, tmp_path: Path, worker: ServiceInProcess,
    factus: FakeFactus, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """Half of the pushes lose their way in or their way back, and half of the callers leave at any time."""
    chance, together = random.Random(39), Pusher._push_together
    n_lost: Counter[str] = Counter()

    async def losing(self: Pusher, waiting: list[Any]) -> None:
        moment = chance.choice(["before", "after", "", ""])
        n_lost[moment] += 1
        if moment == "after":
            # They are in the stream, and nobody hears of it.
            await together(self, [replace(one, entry=asyncio.Future()) for one in waiting])
        if moment:
            raise RedisConnectionError("cut")
        await together(self, waiting)

    monkeypatch.setattr(Pusher, "_push_together", losing)
    names = [f"G-{n}" for n in range(24)]
    async with a_door(valkey_url, namespace, tmp_path) as door:
        ends = await asyncio.gather(
            *(until_it_ends(door, name, patience_s=lambda: chance.choice([0.02, 0.2, 30.0])) for name in names)
        )
        again = await asyncio.gather(*(until_it_ends(door, name) for name in names))
    assert again == ends
    assert n_lost["before"]
    assert n_lost["after"]
    await is_once(real_redis, namespace, factus, dict(zip(names, ends, strict=True)))


@pytest.mark.parametrize("moment", ["before its push", "behind its push", "while somebody waits"])
async def test_a_door_that_dies_has_pushed_once_or_not_at_all(
    real_redis: ArqRedis, valkey_url: str, namespace: str, tmp_path: Path, factus: FakeFactus,
    monkeypatch: pytest.MonkeyPatch, moment: str,
) -> None:  # fmt: skip
    """The next one is asked the same, and answers with the same."""
    reached, together = asyncio.Event(), Pusher._push_together

    async def stuck(self: Pusher, waiting: list[Any]) -> None:
        if moment == "behind its push":
            await together(self, waiting)
        reached.set()
        if moment == "while somebody waits":
            await together(self, waiting)
        else:
            await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr(Pusher, "_push_together", stuck)
        async with a_door(valkey_url, namespace, tmp_path, policy=replace(CALM, drain_s=1)) as door:
            push = asyncio.create_task(
                door.post(bill("D-1"), Prefer="wait=60", **{"Idempotency-Key": "D-1"}), name="producer"
            )
            await reached.wait()
            if moment == "while somebody waits":
                while not await real_redis.exists(f"{namespace}:jobs"):
                    await asyncio.sleep(0.01)
            push.cancel()
            await asyncio.gather(push, return_exceptions=True)
            if task := door.door.pusher._task:
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
    async with (
        running(services_on(real_redis, namespace, an_account("acme"), gateway=factus)),
        a_door(valkey_url, namespace, tmp_path) as next_door,
    ):
        end = await until_it_ends(next_door, "D-1")
    await is_once(real_redis, namespace, factus, {"D-1": end})
