"""The family lock, repeats of a reference, and deleting: what makes issuing through Factus hard."""

import asyncio

import pytest

from sandbox.server import AbortableProtocol
from tests.sandbox.api import Api, Hold, a_bill
from tests.sandbox.conftest import Start

SLOW = {"on": "create", "reference": "SLOW", "effect": "slow"}
PENDING = {"on": "create", "reference": "P", "effect": {"kind": "pending", "polls": 2}}


@pytest.fixture
def hold() -> Hold:
    return Hold()


@pytest.fixture
async def api(start: Start, hold: Hold) -> Api:
    return await start(sleep=hold)


async def _under_way(api: Api, hold: Hold) -> "asyncio.Task[object]":
    """A create that has been stored and waits until it is let go."""
    await api.faults(SLOW)
    task: asyncio.Task[object] = asyncio.create_task(api.create(a_bill("SLOW")))
    await hold.reached()
    assert [one["state"] for one in await api.control("documents?account=acme", method="GET")] == ["sending"]
    return task


async def test_create_under_way_bars_every_other_create(api: Api, hold: Hold) -> None:
    task = await _under_way(api, hold)
    assert (await api.create(a_bill("OTHER"))).status_code == 409
    assert (await api.create(a_bill("SLOW"))).status_code == 409
    hold.let_go()
    await task
    assert (await api.create(a_bill("OTHER"))).status_code == 201


async def test_create_under_way_is_seen_as_not_validated(api: Api, hold: Hold) -> None:
    task = await _under_way(api, hold)
    (row,) = (await api.find(reference_code="SLOW"))["data"]
    assert (row["is_validated"], row["errors"]) == (False, {})
    hold.let_go()
    await task
    (row,) = (await api.find(reference_code="SLOW"))["data"]
    assert row["is_validated"] is True


async def test_create_under_way_is_not_deleted(api: Api, hold: Hold) -> None:
    task = await _under_way(api, hold)
    assert (await api.delete("SLOW")).status_code == 409
    hold.let_go()
    await task
    assert (await api.report())["forbidden_deletes"] == ["SLOW"]


async def test_repeat_under_way_bars_and_is_not_deleted(api: Api, hold: Hold) -> None:
    await api.faults(
        {"on": "create", "reference": "P", "attempt": 1, "effect": {"kind": "pending", "polls": 1}},
        {"on": "create", "reference": "P", "attempt": 2, "effect": "slow"},
    )
    await api.create(a_bill("P"))
    repeat = asyncio.create_task(api.create(a_bill("P")))
    await hold.reached()
    assert (await api.report())["repeated"] == 1
    assert (await api.create(a_bill("P"))).status_code == 409
    assert (await api.delete("P")).status_code == 409
    await api.control("documents/settle", {"reference": "P"}, status=400)
    hold.let_go()
    assert (await repeat).json()["data"]["is_validated"] is True


async def test_create_that_is_stored_late_holds_the_lock_unseen(api: Api, hold: Hold) -> None:
    """The worst window: a look-up finds nothing, and a repeat is refused."""
    await api.faults({"on": "create", "effect": {"kind": "slow", "where": "before_store"}, "times": 1})
    task = asyncio.create_task(api.create(a_bill("SLOW")))
    await hold.reached()
    assert (await api.find(reference_code="SLOW"))["pagination"]["total"] == 0
    assert (await api.create(a_bill("SLOW"))).status_code == 409
    hold.let_go()
    assert (await task).status_code == 201


async def test_repeat_of_a_validated_reference_returns_the_old_document(api: Api) -> None:
    first = (await api.create(a_bill("A"))).json()
    other = a_bill("A", payment_details=[{"payment_form": "1", "payment_method_code": "10", "amount": "1"}])
    second = await api.create(other)
    assert (second.status_code, second.json()) == (201, first)
    assert (await api.report())["stored"] == 1


async def test_repeat_of_a_validated_reference_passes_the_lock(api: Api) -> None:
    await api.create(a_bill("A"))
    await api.control("documents/foreign", {})
    assert (await api.create(a_bill("A"))).status_code == 201
    assert (await api.create(a_bill("B"))).status_code == 409


async def test_repeat_of_a_pending_one_asks_dian_again(api: Api) -> None:
    await api.faults(PENDING)
    numbers, validated = set(), []
    for _ in range(4):
        data = (await api.create(a_bill("P"))).json()["data"]
        numbers.add(data["number"])
        validated.append(data["is_validated"])
    assert validated == [False, False, True, True]
    assert len(numbers) == 1


async def test_pending_one_bars_the_others(api: Api) -> None:
    await api.faults(PENDING)
    await api.create(a_bill("P"))
    assert (await api.create(a_bill("B"))).status_code == 409
    report = await api.report()
    assert (report["pending"], report["conflicts"]) == (1, 1)


async def test_rejected_one_bars_until_it_is_deleted(api: Api) -> None:
    wrong = a_bill("A")
    wrong["customer"]["dv"] = "0"
    rejected = await api.create(wrong)
    assert rejected.status_code == 422
    assert list(rejected.json()["data"]["errors"]) == ["FAK24"]
    assert (await api.create(a_bill("A"))).status_code == 409
    assert (await api.create(a_bill("B"))).status_code == 409
    assert (await api.delete("A")).status_code == 200
    again = await api.create(a_bill("A"))
    assert again.json()["data"]["number"] == "SETP990000002"


async def test_field_refusal_stores_nothing_and_takes_no_number(api: Api) -> None:
    assert (await api.create(a_bill("A", items=None))).status_code == 422
    created = await api.create(a_bill("A"))
    assert created.json()["data"]["number"] == "SETP990000001"


async def test_validated_one_is_not_deleted(api: Api) -> None:
    await api.create(a_bill("A"))
    assert (await api.delete("A")).status_code == 409
    assert (await api.find(reference_code="A"))["pagination"]["total"] == 1


async def test_deleting_what_waits_for_dian_works_and_is_put_on_record(api: Api) -> None:
    await api.faults(PENDING)
    await api.create(a_bill("P"))
    assert (await api.delete("P")).status_code == 200
    report = await api.report()
    assert report["forbidden_deletes"] == ["P"]
    assert report["deletes"] == {"rejected": 0, "forbidden": 1, "refused": 0, "unknown": 0}


@pytest.mark.parametrize("reference", ["FV/2026/0001", "a b", "ñ%2F?#", "FV//1", "100%"])
async def test_reference_with_odd_characters_can_be_found_and_deleted(start_served: Start, reference: str) -> None:
    api = await start_served()
    await api.faults({"on": "create", "effect": "reject", "times": 1})
    await api.create(a_bill(reference))
    assert (await api.find(reference_code=reference))["pagination"]["total"] == 1
    assert (await api.delete(reference)).status_code == 200
    assert (await api.find(reference_code=reference))["pagination"]["total"] == 0


async def test_reference_with_slashes_is_deleted_unencoded_too(start_served: Start) -> None:
    api = await start_served()
    await api.faults({"on": "create", "effect": "reject", "times": 1})
    await api.create(a_bill("FV/2026/0001"))
    response = await api.http.delete(
        "/v2/bills/destroy/reference/FV/2026/0001",
        headers={"User-Agent": "erp", "Authorization": f"Bearer {api.tokens['access_token']}"},
    )
    assert response.status_code == 200


async def test_accounts_share_neither_documents_nor_numbers_nor_locks(api: Api) -> None:
    other = Api(api.http, "other")
    await other.login()
    await api.create(a_bill("A"))
    await api.control("documents/foreign", {"account": "acme"})
    created = await other.create(a_bill("A"))
    assert created.status_code == 201
    assert created.json()["data"]["number"] == "SETP990000001"
    assert (await other.find())["pagination"]["total"] == 1
    assert (await api.find())["pagination"]["total"] == 2


async def test_create_goes_on_when_its_client_hangs_up(
    start_served: Start, hold: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    hung_up, lost = asyncio.Event(), AbortableProtocol.connection_lost

    def connection_lost(protocol: AbortableProtocol, error: Exception | None) -> None:
        lost(protocol, error)
        hung_up.set()

    api = await start_served(sleep=hold)
    await api.faults(SLOW)
    create = asyncio.create_task(api.create(a_bill("SLOW")))
    await hold.reached()
    monkeypatch.setattr(AbortableProtocol, "connection_lost", connection_lost)
    create.cancel()
    await asyncio.wait_for(hung_up.wait(), 40)
    hold.let_go()
    # Over a new connection: the create was let go before it, and has nothing left to wait for.
    assert await api.control("documents?account=acme&state=validated", method="GET")
    assert (await api.report())["stored"] == 1


async def test_of_two_that_were_taken_at_once_and_wait_for_dian_the_older_can_be_sent_again(start: Start) -> None:
    """Else neither ever could, and nobody would get them out of each other's way."""
    hold = Hold()
    api = await start(sleep=hold, lane_width=2)
    for reference in ("P", "Q"):
        await api.faults({**PENDING, "reference": reference}, {**SLOW, "reference": reference})
    older = asyncio.create_task(api.create(a_bill("P")))
    await hold.reached()
    younger = asyncio.create_task(api.create(a_bill("Q")))
    while len(await api.control("documents?account=acme", method="GET")) < 2:
        await asyncio.sleep(0)
    hold.let_go()
    assert [(await one).status_code for one in (older, younger)] == [201, 201]
    assert (await api.create(a_bill("Q"))).status_code == 409
    assert [(await api.create(a_bill("P"))).json()["data"]["is_validated"] for _ in range(2)] == [False, True]
    assert [(await api.create(a_bill("Q"))).json()["data"]["is_validated"] for _ in range(2)] == [False, True]
