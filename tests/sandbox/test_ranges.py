"""Numbering ranges: both collections, and what they mean for creates."""

from typing import Any

import pytest

from tests.sandbox.api import Api, Clock, a_bill, example
from tests.sandbox.families import FAMILIES

PATHS = {"invoicing": "/v2/numbering-ranges", "payroll": "/v2/numbering-ranges/payrolls"}
each_collection = pytest.mark.parametrize("collection", PATHS)
_NEW = {
    "invoicing": {"document": "22", "prefix": "NCC", "current": 5},
    "payroll": {"document": "26", "prefix": "NO", "current": "5"},
}
_KNOWN = {"invoicing": "389", "payroll": "01kpdv25zepw0vzn39th90h1a7"}


async def _list(api: Api, collection: str, **filters: str) -> list[dict[str, Any]]:
    query = {f"filter[{name}]": value for name, value in filters.items()}
    response = await api.call("GET", PATHS[collection], params=query)
    assert response.status_code == 200, response.text
    rows: list[dict[str, Any]] = response.json()["data"]["data"]
    return rows


async def _add(api: Api, collection: str, **changes: Any) -> Any:
    response = await api.call("POST", PATHS[collection], json=_NEW[collection] | changes)
    assert response.status_code == 201, response.text
    return response.json()["data"]


@each_collection
async def test_new_range_is_shown_and_listed_and_not_active(api: Api, collection: str) -> None:
    added = await _add(api, collection)
    assert (added["current"], added["is_active"], type(added["id"])) == (
        5,
        0,
        int if collection == "invoicing" else str,
    )
    shown = await api.call("GET", f"{PATHS[collection]}/{added['id']}")
    assert shown.json()["data"] == added
    row = (await _list(api, collection))[-1]
    assert (row["id"], row["document"]) == (added["id"], added["document_name"])


@each_collection
async def test_toggle_flips_each_time_and_is_counted(api: Api, collection: str) -> None:
    path = f"{PATHS[collection]}/{_KNOWN[collection]}/toggle-status"
    states = [(await api.call("PATCH", path)).json()["data"]["is_active"] for _ in range(3)]
    assert states == [0, 1, 0]
    area = "numbering-ranges" if collection == "invoicing" else "payroll-ranges"
    assert (await api.counted())["changes"] == {f"{area}.toggle": {_KNOWN[collection]: 3}}


@each_collection
async def test_consecutive_is_set_within_the_range(api: Api, collection: str) -> None:
    key = (await _add(api, collection))["id"]
    path = f"{PATHS[collection]}/{key}/current"
    assert (await api.call("PATCH", path, json={"current": "70"})).json()["data"]["current"] == 70
    for wrong in ({}, {"current": -1}, {"current": "x"}, {"current": 99_999_999}, {"current": True}):
        assert (await api.call("PATCH", path, json=wrong)).status_code == 422


@each_collection
async def test_unused_range_is_deleted_and_a_used_one_stays(api: Api, collection: str) -> None:
    key = (await _add(api, collection))["id"]
    deleted = await api.call("DELETE", f"{PATHS[collection]}/{key}")
    assert deleted.json() == example("numbering-ranges/delete.response.json")
    assert (await api.call("DELETE", f"{PATHS[collection]}/{key}")).status_code == 404
    await FAMILIES["payrolls"].make(api)
    assert (await api.call("DELETE", f"{PATHS[collection]}/{_KNOWN[collection]}")).status_code == 409


@each_collection
@pytest.mark.parametrize(
    ("method", "end"), [("GET", ""), ("DELETE", ""), ("PATCH", "/current"), ("PATCH", "/toggle-status")]
)
async def test_range_of_the_other_collection_is_unknown(api: Api, collection: str, method: str, end: str) -> None:
    other = next(key for name, key in _KNOWN.items() if name != collection)
    for key in (other, "777", "nonsense"):
        assert (await api.call(method, f"{PATHS[collection]}/{key}{end}")).status_code == 404


@pytest.mark.parametrize(
    ("collection", "changes", "told"),
    [
        ("invoicing", {"document": "21"}, "resolution_number"),
        ("invoicing", {"document": "26"}, "document"),
        ("invoicing", {"prefix": "TOO-LONG"}, "prefix"),
        ("invoicing", {"current": "x"}, "current"),
        ("invoicing", {"prefix": "NC"}, "prefix"),
        ("payroll", {"document": "21"}, "document"),
        ("payroll", {"prefix": "NEF"}, "prefix"),
    ],
)
async def test_new_range_is_checked(api: Api, collection: str, changes: dict[str, str], told: str) -> None:
    response = await api.call("POST", PATHS[collection], json=_NEW[collection] | changes)
    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, [told])
    assert (await api.call("POST", PATHS[collection], content=b"[")).status_code == 400


@pytest.mark.parametrize(
    "name", ["create-credit-note", "create-invoice", "create-support-document", "derived-payroll-create"]
)
async def test_published_request_makes_a_range(api: Api, name: str) -> None:
    body = example(f"numbering-ranges/{name}.request.json") | {"prefix": "ZZ"}
    path = PATHS["payroll" if "payroll" in name else "invoicing"]
    response = await api.call("POST", path, json=body)
    assert (response.status_code, response.json()["data"]["current"]) == (201, body["current"])


@pytest.mark.parametrize(
    ("collection", "filters", "expected"),
    [
        ("invoicing", {"document": "24"}, ["SEDS"]),
        ("invoicing", {"document": "Nota Crédito"}, ["NC"]),
        ("invoicing", {"document": "01"}, []),
        ("invoicing", {"id": "389"}, ["SETP"]),
        ("invoicing", {"resolution_number": "18760000003"}, ["SEDS"]),
        ("invoicing", {"technical_key": "fc8eac422eba16e22ffd8c6f94b3f40a6e38162c"}, ["SETP"]),
        ("invoicing", {"is_active": "0"}, ["ND"]),
        ("invoicing", {"is_active": "1"}, ["SETP", "NC", "SEDS", "NA"]),
        ("payroll", {"code": "27"}, ["NAN"]),
        ("payroll", {"is_enabled": "false"}, []),
        ("payroll", {"is_enabled": "true"}, ["NEF", "NAN"]),
    ],
)
async def test_filters_choose(api: Api, collection: str, filters: dict[str, str], expected: list[str]) -> None:
    await api.call("PATCH", "/v2/numbering-ranges/6/toggle-status")
    assert [row["prefix"] for row in await _list(api, collection, **filters)] == expected


async def test_list_is_paged_by_ten(api: Api) -> None:
    for index in range(8):
        await _add(api, "invoicing", prefix=f"N{index}")
    page = (await api.call("GET", "/v2/numbering-ranges?page=2")).json()["data"]
    assert (len(page["data"]), page["pagination"]["total"]) == (3, 13)


async def test_shapes_are_the_recorded_ones(api: Api) -> None:
    shown = (await api.call("GET", "/v2/numbering-ranges/389")).json()["data"]
    assert list(shown) == list(example("numbering-ranges/v1-show.response.json")["data"])
    (row,) = await _list(api, "invoicing", id="389")
    assert list(row) == list(example("numbering-ranges/v1-list.response.json")["data"]["data"][0])
    dian = (await api.call("GET", "/v2/numbering-ranges/dian")).json()["data"]
    assert list(dian[0]) == list(example("numbering-ranges/v1-dian.response.json")["data"][0])
    assert all(isinstance(value, str) for value in dian[0].values())


# --- what ranges mean for creates


async def _bill_errors(api: Api, **changes: Any) -> dict[str, Any]:
    response = await api.create(a_bill("R", **changes))
    errors: dict[str, Any] = response.json().get("data", {}).get("errors", {}) if response.status_code == 422 else {}
    return errors


async def test_inactive_range_and_one_of_another_document_are_refused(api: Api) -> None:
    invalid = {"numbering_range_id": ["El campo id rango de numeración es inválido."]}
    assert await _bill_errors(api, numbering_range_id=1776) == invalid
    await api.call("PATCH", "/v2/numbering-ranges/389/toggle-status")
    assert await _bill_errors(api, numbering_range_id=389) == invalid
    await api.call("PATCH", "/v2/numbering-ranges/389/toggle-status")
    assert await _bill_errors(api) == {}


async def test_range_must_be_named_when_there_are_two(api: Api) -> None:
    added = await _add(api, "invoicing", document="21", prefix="FV", resolution_number="18760000009")
    await api.call("PATCH", f"/v2/numbering-ranges/{added['id']}/toggle-status")
    assert list(await _bill_errors(api, numbering_range_id=None)) == ["numbering_range_id"]
    created = await api.create(a_bill("R", numbering_range_id=added["id"]))
    data = created.json()["data"]
    assert (data["number"], data["numbering_range"]["prefix"]) == ("FV5", "FV")


async def test_published_consecutive_is_the_next_number(api: Api) -> None:
    body = example("numbering-ranges/derived-update-current.request.json")
    updated = await api.call("PATCH", "/v2/numbering-ranges/2058/current", json=body)
    assert updated.json()["message"] == example("numbering-ranges/v1-update-current.response.json")["message"]
    assert (await FAMILIES["support-documents"].make(api))["number"] == f"SEDS{body['current']}"


async def test_range_that_is_used_up_numbers_nothing(api: Api) -> None:
    await api.call("PATCH", "/v2/numbering-ranges/389/current", json={"current": 995_000_000})
    assert (await api.create(a_bill("A"))).json()["data"]["number"] == "SETP995000000"
    assert "numbering_range_id" in await _bill_errors(api)


async def test_range_that_was_set_back_takes_no_number_twice(api: Api) -> None:
    first = (await api.create(a_bill("A"))).json()["data"]["number"]
    await api.call("PATCH", "/v2/numbering-ranges/389/current", json={"current": 990_000_001})
    second = (await api.create(a_bill("B"))).json()["data"]["number"]
    assert (first, second) == ("SETP990000001", "SETP990000002")


async def test_expired_range_numbers_nothing(api: Api, clock: Clock) -> None:
    clock.advance(4 * 365 * 86_400)
    await api.login()
    assert "numbering_range_id" in await _bill_errors(api)
    assert (await api.call("GET", "/v2/numbering-ranges/389")).json()["data"]["is_expired"] is True
