"""
A client that follows the documentation meets a storm of faults.

The client is naive but right: it looks before it sends again, repeats what is pending, deletes what was rejected. If
even it could lose or double a document, the sandbox would not behave as Factus is known to behave.
"""

from typing import Any

import httpx
import pytest

from tests.sandbox.api import Api, Clock, a_bill
from tests.sandbox.conftest import Start

_STORM: list[dict[str, Any]] = [
    {"on": "create", "share": 0.15, "effect": "drop_after"},
    {"on": "create", "share": 0.1, "effect": "drop_before"},
    {"on": "create", "share": 0.1, "effect": {"kind": "error_after", "status": 503}},
    {"on": "create", "share": 0.05, "effect": "error_before"},
    {"on": "create", "share": 0.05, "effect": "garbage"},
    {"on": "create", "share": 0.1, "effect": {"kind": "pending", "polls": 2}},
    {"on": "create", "share": 0.1, "effect": {"kind": "pending", "polls": 2, "shape": "accepted"}},
    {"on": "create", "share": 0.1, "effect": {"kind": "reject", "shape": "list"}},
    {"on": "create", "share": 0.05, "effect": {"kind": "reject", "shape": "body"}},
    {"on": "any", "share": 0.05, "effect": "rate_limited"},
    {"on": "list", "share": 0.1, "effect": "error_before"},
    {"on": "delete", "share": 0.1, "effect": "drop_after"},
]


async def _look(api: Api, reference: str) -> dict[str, Any] | None:
    while True:
        response = await api.call("GET", "/v2/bills", params={"filter[reference_code]": reference})
        if response.status_code == 200:
            rows: list[dict[str, Any]] = response.json()["data"]["data"]
            return rows[0] if rows else None


async def _quietly(api: Api, method: str, path: str, **more: Any) -> None:
    try:
        await api.call(method, path, **more)
    except ConnectionResetError:
        pass


async def _issue(api: Api, reference: str) -> str:
    """Until the document is validated; what the answers say is not even read, only what a look shows."""
    for _ in range(60):
        row = await _look(api, reference)
        if row is not None and row["is_validated"]:
            number: str = row["number"]
            return number
        if row is not None and any("Rechazo" in text for text in row["errors"].values()):
            await _quietly(api, "DELETE", f"/v2/bills/destroy/reference/{reference}")
        else:
            await _quietly(api, "POST", "/v2/bills/validate", json=a_bill(reference))
    raise AssertionError(f"{reference} was never validated")


@pytest.mark.parametrize("seed", range(5))
async def test_client_that_looks_first_gets_every_document_exactly_once(start: Start, clock: Clock, seed: int) -> None:
    api = await start(seed=seed)
    await api.faults(*_STORM)
    references = [f"FV-{number}" for number in range(60)]
    numbers = [await _issue(api, reference) for reference in references]
    report = await api.report()
    documents = await api.control("documents?account=acme", method="GET")
    assert [(one["reference_code"], one["number"], one["state"]) for one in documents] == [
        (reference, number, "validated") for reference, number in zip(references, numbers, strict=True)
    ]
    assert report["validated"] == 60
    assert report["duplicates"]["references"] == report["forbidden_deletes"] == []
    fired = {rule["effect"] for rule in (await api.control("report", method="GET"))["faults"] if rule["fired"]}
    assert fired == {rule["effect"] if isinstance(rule["effect"], str) else rule["effect"]["kind"] for rule in _STORM}


async def test_storm_on_a_real_socket_breaks_connections_and_nothing_else(start_served: Start) -> None:
    api = await start_served()
    await api.faults({"on": "create", "share": 0.5, "effect": "drop_after"})
    n_lost = 0
    for number in range(40):
        try:
            assert (await api.create(a_bill(f"FV-{number}"))).status_code == 201
        except httpx.TransportError:
            n_lost += 1
    assert 8 < n_lost < 32
    assert (await api.report())["validated"] == 40
    assert (await api.counted())["dropped"] == n_lost
