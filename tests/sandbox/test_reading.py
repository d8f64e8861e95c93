"""Lists, files, e-mail and RADIAN events of stored bills."""

import base64
import io
import xml.etree.ElementTree as ET
import zipfile
from datetime import UTC, datetime
from typing import Any

import pypdf
import pytest

from tests.sandbox.api import Api, Clock, a_bill, example

_CBC = "{urn:oasis:names:specification:ubl:schema:xsd:CommonBasicComponents-2}"


@pytest.fixture
async def number(api: Api) -> str:
    """A validated bill on credit."""
    body = a_bill("C/1")
    body["payment_details"][0] |= {"payment_form": "2", "due_date": "2030-01-01"}
    body["items"][0]["name"] = "Árbol (grande) \\ <b> & ]]>"
    data = (await api.create(body)).json()["data"]
    made: str = data["number"]
    return made


# --- lists


async def _fill(api: Api, count: int) -> None:
    for index in range(count):
        await api.create(a_bill(f"FV-{index:02d}"))


async def test_page_has_ten_rows_newest_first(api: Api) -> None:
    await _fill(api, 23)
    first, last, beyond = await api.find(), await api.find(page="3"), await api.find(page="4")
    assert [row["reference_code"] for row in first["data"]] == [f"FV-{index}" for index in range(22, 12, -1)]
    assert len(last["data"]) == 3
    assert {name: last["pagination"][name] for name in ("total", "last_page", "from", "to")} == {
        "total": 23, "last_page": 3, "from": 21, "to": 23,
    }  # fmt: skip
    assert (beyond["data"], beyond["pagination"]["from"]) == ([], None)


async def test_page_links_keep_the_filters(api: Api) -> None:
    await _fill(api, 12)
    links = (await api.find(page="2", prefix="SETP", per_page="3"))["pagination"]["links"]
    assert [link["label"] for link in links] == ["&laquo; Anterior", 1, 2, 3, 4, "Siguiente &raquo;"]
    assert [link["label"] for link in links if link["active"]] == [2]
    assert links[-1]["url"] == "http://factus/v2/bills?filter%5Bprefix%5D=SETP&filter%5Bper_page%5D=3&page=3"


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"reference_code": "B"}, ["B"]),
        ({"reference_code": "b"}, []),
        ({"number": "0002"}, ["B"]),
        ({"number": "99000000"}, ["P", "B", "A"]),
        ({"prefix": "SETP"}, ["P", "B", "A"]),
        ({"prefix": "SET"}, []),
        ({"identification": "1098"}, ["B"]),
        ({"names": "turing"}, ["B"]),
        ({"status": "0"}, ["P"]),
        ({"status": "1"}, ["B", "A"]),
        ({"status": "1", "names": "turing"}, ["B"]),
        ({"created_at][start_date": "2026-09-22"}, ["P"]),
        ({"created_at][start_date": "2026-09-21", "created_at][end_date": "2026-09-21"}, ["B", "A"]),
    ],
)
async def test_filters_choose(api: Api, clock: Clock, filters: dict[str, str], expected: list[str]) -> None:
    clock.at = datetime(2026, 9, 22, 4, 59, 0, tzinfo=UTC).timestamp()
    await api.login()
    person = {"identification_document_code": "13", "identification": "1098", "names": "Alan Turing"}
    await api.create(a_bill("A"))
    await api.create(a_bill("B", customer={**person, "legal_organization_code": "2"}))
    clock.advance(60)
    await api.faults({"on": "create", "effect": {"kind": "pending", "polls": 9}})
    await api.create(a_bill("P"))
    assert [row["reference_code"] for row in (await api.find(**filters))["data"]] == expected


async def test_far_pages_are_left_out_of_the_links(api: Api) -> None:
    await _fill(api, 12)
    links = (await api.find(page="1", per_page="1"))["pagination"]["links"]
    assert [link["label"] for link in links[1:-1]] == [1, 2, 3, 4, "...", 12]


@pytest.mark.parametrize(
    "query", ["filter[created_at][end_date]=x", "page=0", "page=x", "filter[per_page]=-1", "filter[status]=7"]
)
async def test_senseless_filter_is_refused(api: Api, query: str) -> None:
    assert (await api.call("GET", f"/v2/bills?{query}")).status_code == 422


async def test_dates_are_in_bogota_and_on_a_twelve_hour_clock(api: Api, clock: Clock) -> None:
    shown = []
    for hour in (4, 5, 17, 18):
        clock.at = datetime(2026, 1, 1, hour, 5, 9, tzinfo=UTC).timestamp()
        await api.login()
        shown.append((await api.create(a_bill(f"H{hour}"))).json()["data"]["created_at"])
    assert shown == [
        "31-12-2025 11:05:09 PM",
        "01-01-2026 12:05:09 AM",
        "01-01-2026 12:05:09 PM",
        "01-01-2026 01:05:09 PM",
    ]


# --- files


async def _download(api: Api, number: str, what: str) -> Any:
    return (await api.call("GET", f"/v2/bills/{number}/{what}")).json()["data"]


def _text_of(pdf: bytes) -> str:
    reader = pypdf.PdfReader(io.BytesIO(pdf), strict=True)
    assert len(reader.pages) == 1
    return reader.pages[0].extract_text()


async def test_pdf_opens_and_names_what_was_billed(api: Api, number: str) -> None:
    data = await _download(api, number, "download-pdf")
    text = _text_of(base64.b64decode(data["pdf_base_64_encoded"], validate=True))
    cufe = (await api.show(number)).json()["data"]["cufe"]
    for expected in (number, "Alan company name", "Árbol (grande) \\ <b>", "83300.00", cufe):
        assert expected in text
    assert data["file_name"].startswith("fv1000789002000")


@pytest.mark.parametrize("path", ["download-xml", "download-xml/"])
async def test_xml_is_well_formed_and_carries_the_bill(api: Api, number: str, path: str) -> None:
    data = await _download(api, number, path)
    root = ET.fromstring(base64.b64decode(data["xml_base_64_encoded"]))
    assert root.findtext(f"{_CBC}ID") == number
    assert root.findtext(f".//{_CBC}PayableAmount") == "83300.00"
    assert root.findtext(f".//{_CBC}Description") == "Árbol (grande) \\ <b> & ]]>"


async def test_attached_document_holds_the_invoice(api: Api, number: str) -> None:
    data = await _download(api, number, "download-attached-document-xml")
    attached = ET.fromstring(base64.b64decode(data["xml_base_64_encoded"]))
    assert attached.tag.endswith("AttachedDocument")
    inner = attached.findtext(f".//{_CBC}Description")
    assert inner is not None
    assert ET.fromstring(inner.encode()).findtext(f"{_CBC}ID") == number


async def test_email_content_is_a_zip_with_pdf_and_xml(api: Api, number: str) -> None:
    data = await _download(api, number, "email-content")
    assert data["subject"] == f"1000789002;FACTUS V2;{number};01;FACTUS V2"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(data["attached_document"]))) as archive:
        names = sorted(archive.namelist())
        assert [name[-4:] for name in names] == [".xml", ".pdf"]
        assert number in _text_of(archive.read(names[1]))


async def test_pdf_of_many_items_stays_one_page(api: Api) -> None:
    body = a_bill("MANY")
    body["items"] = [{**body["items"][0], "price": "100"} for _ in range(300)]
    body["payment_details"][0]["amount"] = "35700"
    number = (await api.create(body)).json()["data"]["number"]
    text = _text_of(base64.b64decode((await _download(api, number, "download-pdf"))["pdf_base_64_encoded"]))
    assert "35700.00" in text


async def test_email_is_sent_to_an_address_only(api: Api, number: str) -> None:
    path = f"/v2/bills/{number}/send-email"
    for name in ("enviar-correo", "enviar-correo-representacion-grafica"):
        sent = await api.call("POST", path, json=example(f"bills/{name}.request.json"))
        assert (sent.status_code, sent.json()) == (200, example("bills/enviar-correo.response.json"))
    for body in ({}, {"email": "nobody"}):
        assert (await api.call("POST", path, json=body)).status_code == 422


async def test_published_acceptance_of_the_reception_page_is_taken(api: Api, number: str) -> None:
    await api.control("events", {"number": number, "event_code": "032"})
    body = example("reception/emit-event-034-on-issued-bill.request.json")
    response = await api.call("POST", f"/v2/bills/{number}/radian/events/034", json=body)
    assert [event["event_code"] for event in response.json()["data"]] == ["032", "034"]


@pytest.mark.parametrize(
    "path",
    ["", "/download-pdf", "/download-xml", "/download-attached-document-xml", "/email-content", "/radian/events"],
)
async def test_unknown_number_is_not_found(api: Api, path: str) -> None:
    response = await api.call("GET", f"/v2/bills/SETP1{path}")
    assert (response.status_code, response.json()["status"]) == (404, "Not Found")


# --- events


async def _accept(api: Api, number: str, event: str = "034", **changes: Any) -> Any:
    body = example("bills/aceptacion-tacita.request.json") | changes
    return await api.call("POST", f"/v2/bills/{number}/radian/events/{event}", json=body)


async def test_bill_begins_without_events(api: Api, number: str) -> None:
    response = await api.call("GET", f"/v2/bills/{number}/radian/events")
    assert response.json() == example("observed/bill-events-empty.json")


async def test_tacit_acceptance_adds_an_event(api: Api, number: str) -> None:
    await api.control("events", {"number": number, "event_code": "030"})
    await api.control("events", {"reference": "C/1", "event_code": "032"})
    response = await _accept(api, number)
    recorded = example("bills/aceptacion-tacita.response.json")
    assert [(event["event_code"], event["event_name"]) for event in response.json()["data"]] == [
        (event["event_code"], event["event_name"]) for event in recorded["data"]
    ]
    assert (await api.call("GET", f"/v2/bills/{number}/radian/events")).json() == response.json()
    assert (await api.show(number)).json()["data"]["is_negotiable_instrument"] is True


async def test_tacit_acceptance_needs_credit_a_person_and_the_delivery(api: Api, number: str) -> None:
    cash = (await api.create(a_bill("CASH"))).json()["data"]["number"]
    for refused in (cash, number):
        assert list((await _accept(api, refused)).json()["data"]["errors"]) == ["event_type"]
    await api.control("events", {"number": number, "event_code": "032", "days_ago": 4})
    assert (await _accept(api, number, event="031")).status_code == 422
    assert (await _accept(api, number, first_name="")).status_code == 422
    assert (await _accept(api, number, identification_document_code="31", dv="1")).status_code == 422
    assert (await _accept(api, number)).status_code == 200
    assert (await _accept(api, number)).status_code == 422
    assert (await api.counted())["changes"] == {"bills.accept": {f"{number}/034": 1}}


async def test_tacit_acceptance_needs_that_nobody_has_claimed(api: Api, number: str) -> None:
    for code in ("032", "031"):
        await api.control("events", {"number": number, "event_code": code})
    assert (await _accept(api, number)).status_code == 422
    assert (await api.show(number)).json()["data"]["has_claim"] is True
