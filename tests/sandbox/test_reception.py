"""Bills of suppliers: upload, list, and events in their order."""

import base64
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from tests.sandbox.api import Api, Clock, example
from tests.sandbox.conftest import Start

CUFE = example("reception/derived-upload.request.json")["track_id"]


async def _upload(api: Api, cufe: str = CUFE) -> Any:
    response = await api.call("POST", "/v2/receptions/upload", json={"track_id": cufe})
    assert response.status_code == 201, response.text
    return response.json()["data"]


async def _emit(api: Api, key: Any, code: str, **changes: Any) -> Any:
    name = "031" if code == "031" else "030"
    body = example(f"reception/derived-emit-event-{name}.request.json") | changes
    sent = {name: value for name, value in body.items() if value is not None}
    return await api.call("PATCH", f"/v2/receptions/bills/{key}/radian/events/{code}", json=sent)


async def _list(api: Api, **filters: str) -> list[dict[str, Any]]:
    query = {f"filter[{name}]": value for name, value in filters.items()}
    rows: list[dict[str, Any]] = (await api.call("GET", "/v2/receptions/bills", params=query)).json()["data"]["data"]
    return rows


async def test_upload_shows_a_bill_that_depends_on_seed_and_cufe_alone(start: Start) -> None:
    made = [await _upload(await start(seed=seed)) for seed in (1, 1, 2)]
    assert made[0] == made[1]
    assert made[0]["total"] != made[2]["total"]
    assert (made[0]["cufe"], made[0]["events"]) == (CUFE, [])


@pytest.mark.parametrize(
    ("cufe", "status"), [("", 422), ("abc", 422), ("g" * 96, 422), ("0" * 96, 404), (7, 422), (None, 422)]
)
async def test_upload_needs_a_cufe_that_somebody_knows(api: Api, cufe: Any, status: int) -> None:
    assert (await api.call("POST", "/v2/receptions/upload", json={"track_id": cufe})).status_code == status
    assert await _list(api) == []


async def test_second_upload_is_a_conflict(api: Api) -> None:
    await _upload(api)
    again = await api.call("POST", "/v2/receptions/upload", json={"track_id": CUFE.upper()})
    assert again.status_code == 409
    assert (await api.counted())["changes"] == {"receptions.upload": {CUFE: 1}}
    assert (await api.counted())["operations"]["receptions.upload"] == 2


async def test_filters_choose(api: Api) -> None:
    first, second = await _upload(api), await _upload(api, "a1" * 48)
    for code in ("030", "032", "033"):
        assert (await _emit(api, first["id"], code)).status_code == 200
    both = [second["id"], first["id"]]
    for filters, expected in (
        ({}, both),
        ({"cufe": CUFE}, [first["id"]]),
        ({"id": str(second["id"])}, [second["id"]]),
        ({"number": first["number"]}, [first["id"]]),
        ({"company_nit": second["company_nit"]}, [second["id"]]),
        ({"company_name": "PROVEEDOR"}, both),
        ({"issue_date": "1999-01-01"}, []),
        ({"issue_date": first["issue_date"], "cufe": CUFE}, [first["id"]]),
        ({"completed_events": "1"}, [first["id"]]),
        ({"completed_events": "0"}, [second["id"]]),
    ):
        assert [row["id"] for row in await _list(api, **filters)] == expected, filters


async def test_list_is_paged_by_ten(api: Api) -> None:
    for index in range(12):
        await _upload(api, f"{index:02d}" + "ab" * 47)
    page = (await api.call("GET", "/v2/receptions/bills?page=2")).json()["data"]
    assert (len(page["data"]), page["pagination"]["total"]) == (2, 12)


@pytest.mark.parametrize("last", ["031", "033"])
async def test_events_come_in_their_order_and_the_last_word_closes(api: Api, last: str) -> None:
    key = (await _upload(api))["id"]
    for early in ("031", "032", "033"):
        assert list((await _emit(api, key, early)).json()["data"]["errors"]) == ["event_type"]
    event = (await _emit(api, key, "030")).json()["data"]
    assert (event["event_code"], event["event_name"]) == ("030", "Acuse de recibo de Factura Electrónica de Venta")
    assert (await _emit(api, key, last)).status_code == 422
    assert (await _emit(api, key, "032")).status_code == 200
    assert (await _emit(api, key, last)).status_code == 200
    other = "033" if last == "031" else "031"
    assert (await _emit(api, key, other)).status_code == 422
    (row,) = await _list(api)
    assert (row["has_claim"], row["is_negotiable_instrument"]) == (last == "031", last == "033")
    claimed = {"code": "02", "name": "Mercancía no entregada totalmente"}
    assert row["claim_concept"] == (claimed if last == "031" else None)


async def test_repeated_event_is_a_conflict_and_counted_once(api: Api) -> None:
    key = (await _upload(api))["id"]
    assert [(await _emit(api, key, "030")).status_code for _ in range(2)] == [200, 409]
    counted = await api.counted()
    assert counted["changes"]["receptions.emit"] == {f"{key}/030": 1}
    assert counted["operations"]["receptions.emit"] == 2


@pytest.mark.parametrize(
    ("code", "changes", "told"),
    [
        ("034", {}, "event_type"),
        ("030", {"first_name": ""}, "first_name"),
        ("030", {"identification_document_code": "31"}, "dv"),
        ("030", {"identification_document_code": "99"}, "identification_document_code"),
        ("031", {"claim_concept_code": None}, "claim_concept_code"),
        ("031", {"claim_concept_code": "09"}, "claim_concept_code"),
    ],
)
async def test_event_is_checked(api: Api, code: str, changes: dict[str, Any], told: str) -> None:
    key = (await _upload(api))["id"]
    response = await _emit(api, key, code, **changes)
    assert (response.status_code, told in response.json()["data"]["errors"]) == (422, True)


async def test_identity_code_may_be_a_number(api: Api) -> None:
    key = (await _upload(api))["id"]
    assert (await _emit(api, key, "030", identification_document_code=13)).status_code == 200


async def test_unknown_bill_has_no_events(api: Api) -> None:
    assert (await _emit(api, 7, "030")).status_code == 404
    key = (await _upload(api))["id"]
    response = await api.call("PATCH", f"/v2/receptions/bills/{key}/radian/events/030", content=b"[")
    assert response.status_code == 400


async def test_event_from_outside_is_found_by_the_next_one(api: Api, clock: Clock) -> None:
    key = (await _upload(api))["id"]
    event = await api.control("events", {"cufe": CUFE, "event_code": "030", "days_ago": 2})
    assert event["effective_date"] == "2026-09-19"
    assert (await _emit(api, key, "030")).status_code == 409
    assert (await _emit(api, key, "032")).status_code == 200
    await api.control("events", {"cufe": "ff" * 48}, status=400)


async def test_xml_is_had_by_its_code(api: Api) -> None:
    bill = await _upload(api)
    response = await api.call("GET", f"/v2/documents/{CUFE}/download-xml")
    xml = base64.b64decode(response.json()["data"]["xml_base_64_encoded"])
    assert bill["number"] in [element.text for element in ET.fromstring(xml)]
    assert (await api.call("GET", f"/v2/documents/{'ab' * 48}/download-xml")).status_code == 404


async def test_accounts_share_no_received_bills(api: Api) -> None:
    await _upload(api)
    other = Api(api.http, "other")
    await other.login()
    assert await _list(other) == []
    assert (await other.call("GET", f"/v2/documents/{CUFE}/download-xml")).status_code == 404
