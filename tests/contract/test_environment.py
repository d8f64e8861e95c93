"""
Which Factus a document was issued at is in its event (A.12): nobody shall work for a week without one legal invoice.
"""

from __future__ import annotations

from typing import Any

import pytest

from jobs.example_payloads import example
from tests.service_in_process import ServiceInProcess, an_account

WHERE = {
    "shop": ("https://api.factus.com.co", "production"),
    "trial": ("https://api-sandbox.factus.com.co", "sandbox"),
    "here": ("http://127.0.0.1:8400", "local"),
    "compose": ("http://sandbox:8400", "local"),
}
pytestmark = pytest.mark.service(*(an_account(name, base_url=url) for name, (url, _) in WHERE.items()))


async def issued(rig: ServiceInProcess, account: str, family: str = "invoice", **changes: Any) -> dict[str, Any]:
    payload = {**example(f"{family}.issue"), **changes}
    await rig.push({"type": f"{family}.issue", "account": account, "payload": payload})
    (event,) = await rig.events(1)
    assert event["success"], event
    return event


@pytest.mark.parametrize("account", WHERE)
async def test_a_validated_document_says_which_factus_it_is_of(rig: ServiceInProcess, account: str) -> None:
    first = await issued(rig, account)
    again = await issued(rig, account)
    assert [event["data"]["environment"] for event in (first, again)] == [WHERE[account][1]] * 2
    assert again["data"]["replayed"]


@pytest.mark.parametrize("family", ["credit_note", "debit_note", "support_document", "adjustment_note", "payroll"])
async def test_so_does_one_of_every_other_family(rig: ServiceInProcess, family: str) -> None:
    assert (await issued(rig, "trial", family))["data"]["environment"] == "sandbox"
