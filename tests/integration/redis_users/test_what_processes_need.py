"""A worker, a door and webhooks do all their work as the Redis users of ``deploy/users.acl``."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

from jobs.webhooks.verdict import Answer
from tests.builders import a_bill
from tests.door_in_process import a_door
from tests.integration.redis_users.users import Connect
from tests.service_in_process import an_account, running, services_on
from tests.webhooks_rig import an_endpoint, hooks
from worker.store import connection

OWN = frozenset({"own"})


async def test_the_service_needs_no_more_than_its_user_may(socket: Path, connect: Connect) -> None:
    """Good, repeated and broken jobs alike: no script names a key outside the namespace."""
    admin, producer, consumer = connect("admin"), connect("producer"), connect("consumer")
    admin.flushall()
    admin.acl_log_reset()
    own = connection.connect(f"unix://worker:worker@{socket}")
    async with running(services_on(own, "factus")) as rig:
        bill = json.dumps({"type": "invoice.issue", "account": "acme", "payload": a_bill(reference_code="FV/1")})
        for job in (bill, bill, "not JSON", '{"type": "invoice.issue", "account": "nobody", "payload": {}}'):
            await asyncio.to_thread(producer.xadd, "factus:jobs", {"job": job})
        found = await rig.events(4)
    await connection.close(own)

    assert sorted(event["type"] for event in found) == ["invoice.validated"] * 2 + ["job.refused"] * 2
    consumer.xgroup_create("factus:results", "erp", id="0")
    ((_, entries),) = consumer.xreadgroup("erp", "one", {"factus:results": ">"})
    assert len(entries) == 4
    denials = [entry["object"] for entry in admin.acl_log() if entry["username"] == "worker"]
    assert not denials


async def test_a_door_and_webhooks_need_no_more_than_their_users_may(
    socket: Path, connect: Connect, tmp_path: Path
) -> None:
    """Three processes' worth of work, each with its own user: pushed, waited for, looked at, listened to, delivered."""
    admin = connect("admin")
    admin.flushall()
    admin.acl_log_reset()
    own, of_webhooks = (connection.connect(f"unix://{user}:{user}@{socket}") for user in ("worker", "webhooks"))
    endpoint = an_endpoint()
    async with (
        running(services_on(own, "factus", an_account("acme"), an_account("own", own_streams=True))) as rig,
        hooks(of_webhooks, f"unix://webhooks:webhooks@{socket}", "factus", endpoint, own_streams=OWN) as told,
        a_door(f"unix://door:door@{socket}", "factus", tmp_path) as door,
    ):
        for account in ("acme", "own"):
            payload = a_bill(reference_code=f"U-{account}")
            job = {"type": "invoice.issue", "account": account, "id": "u-1", "payload": payload}
            mine = door.bearer(accounts=["*"])
            answer = await door.post(job, Prefer="wait=60", **mine)
            again = await door.post(job, Prefer="wait=60", **mine)
            assert (answer.status_code, again.json()) == (200, answer.json()), answer.text
            for path in ("/jobs/u-1", f"/documents/invoice/U-{account}"):
                assert (await door.get(path, mine, account=account)).status_code == 200, path
        events = (await door.get("/events", door.bearer(accounts=["*"]))).json()["data"]["events"]
        assert [one["event"]["account"] for one in events] == ["acme", "own"]
        await told.until(lambda: len(told.sender.of("shop")) == 2)
        # What fails is written down and told by the same user.
        told.sender.answers["shop"] = [Answer(410)]
        await rig.push_bill("U-3")
        await told.until(lambda: told.operator_events())
    await connection.close(own)
    await connection.close(of_webhooks)
    denials = {(entry["username"], entry["object"]) for entry in admin.acl_log()}
    # A story tells what it may not see, an account's token among it, as not seen.
    assert {one for one in denials if not one[1].startswith("factus:token:")} == set()
