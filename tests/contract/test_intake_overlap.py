"""The server writes a slice while this process examines the next one."""

from __future__ import annotations

from redis.asyncio.connection import AbstractConnection

from tests.contract.test_sales_pass_a_backlog import push, until_all_is_taken_in, waiting
from tests.service_in_process import quick, running, services_on
from worker.store.scripts import Scripts, source

BOUNDS = {"read_entries": 6, "slice_entries": 2, "over_entries": 20, "look_entries": 20}
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
