"""The server writes a slice while this process examines the next one."""

from __future__ import annotations

import pytest
from redis.asyncio.connection import AbstractConnection

from tests.contract.test_sales_pass_a_backlog import nothing_is_missing, push, until_all_is_taken_in, waiting
from tests.service_in_process import quick, running, services_on
from worker.store.scripts import Scripts, source

BOUNDS = {"read_entries": 6, "slice_entries": 2, "over_entries": 20, "look_entries": 3}
N = 12


async def test_a_slice_is_on_its_way_before_the_next_is_examined(real_redis, namespace, monkeypatch):
    built = services_on(real_redis, namespace, policies=quick(intake=BOUNDS))
    await push(built, *waiting(N))
    sha = (await real_redis.script_load(source("intake"))).encode()
    steps: list[str] = []
    run, send, prepare = Scripts.run, AbstractConnection.send_packed_command, built.intake._writer.prepare

    async def noted_run(self, name, *given, **how):
        steps.extend(["begun"] * (name == "intake"))
        return await run(self, name, *given, **how)

    async def noted_send(self, command, *given, **how):
        steps.extend(["sent"] * (sha in b"".join(command)))
        return await send(self, command, *given, **how)

    def noted_prepare(entry):
        steps.append("examined")
        return prepare(entry)

    monkeypatch.setattr(Scripts, "run", noted_run)
    monkeypatch.setattr(AbstractConnection, "send_packed_command", noted_send)
    monkeypatch.setattr(built.intake._writer, "prepare", noted_prepare)
    async with running(built):
        await until_all_is_taken_in(built)
    assert steps == ["examined", "examined", "begun", "sent"] * (N // 2)


class Killed(BaseException):
    """What no handler of ours takes for an error."""


@pytest.mark.parametrize("at", range(1, N + 1))
async def test_a_leader_that_dies_while_a_slice_is_on_its_way_loses_and_doubles_nothing(real_redis, namespace, at):
    """What was examined is pending, what was sent is written or pending: whoever leads next takes up the rest."""
    bounds = {**BOUNDS, "lease_ms": 200}
    first = services_on(real_redis, namespace, policies=quick(intake=bounds))
    await push(first, *waiting(N))
    intake, prepare, n_examined = first.intake, first.intake._writer.prepare, 0

    def dying(entry):
        nonlocal n_examined
        n_examined += 1
        if n_examined == at:
            raise Killed
        return prepare(entry)

    intake._writer.prepare = dying
    await intake._keep_lead()
    await intake._reader.begin()
    with pytest.raises(Killed):
        await intake._take_in(await intake._reader.more(), lambda: None, reads_on=lambda: True)
    second = services_on(real_redis, namespace, policies=quick(intake=bounds))
    async with running(second):
        await until_all_is_taken_in(second)
        await nothing_is_missing(second)
    lane = "acme/invoice"
    assert await real_redis.zcard(second.keys.waiting(lane)) + await real_redis.zcard(second.keys.later(lane)) == N
    facts = await real_redis.hgetall(second.keys.intake_facts())
    assert int(facts[f"taken:{second.keys.jobs()}".encode()]) == N
