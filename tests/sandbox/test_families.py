"""What holds for every family alike: storing, repeating, the lock, deleting, lists, files, e-mail, faults."""

import base64
import io
import xml.etree.ElementTree as ET
import zipfile
from datetime import datetime, timedelta
from typing import Any

import httpx
import pypdf
import pytest

from sandbox.values.datetimes import BOGOTA
from tests.sandbox.api import Api, Clock, example
from tests.sandbox.conftest import Start
from tests.sandbox.families import ALL, FAMILIES, SandboxFamily

each_family = pytest.mark.parametrize("family", ALL, ids=str)
each_searchable = pytest.mark.parametrize("family", [one for one in ALL if not one.is_payroll], ids=str)
each_payroll = pytest.mark.parametrize("family", [one for one in ALL if one.is_payroll], ids=str)
each_mailed = pytest.mark.parametrize("family", [one for one in ALL if one.has_email], ids=str)


async def _fault(api: Api, family: SandboxFamily, effect: Any, **more: Any) -> None:
    await api.faults({"on": "create", "family": family.name, "effect": effect, "times": 1, **more})


async def _documents(api: Api, family: SandboxFamily) -> Any:
    return await api.control(f"documents?account=acme&family={family}", method="GET")


async def _states(api: Api, family: SandboxFamily) -> list[tuple[str, str]]:
    return [(one["reference_code"], one["state"]) for one in await _documents(api, family)]


# --- create, show, repeat


@each_family
async def test_created_document_is_shown_and_has_its_unique_code(api: Api, family: SandboxFamily) -> None:
    created = await family.make(api)
    shown = (await family.show(api, created["number"])).json()
    assert (shown["status"], shown["data"]) == ("OK", created)
    assert len(created[family.code]) == 96


@each_family
async def test_repeat_of_a_validated_reference_returns_the_old_document(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api)
    first = await family.create(api, body)
    again = await family.create(api, {"reference_code": body["reference_code"]})
    assert (again.status_code, again.json()) == (201, first.json())
    report = await family.report(api)
    assert (report["stored"], report["repeated"], report["duplicates"]["references"]) == (1, 1, [])


@each_family
async def test_field_refusal_stores_nothing_and_takes_no_number(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api)
    refused = await family.create(api, {**body, "numbering_range_id": 5})
    assert refused.json()["data"]["errors"] == {"numbering_range_id": ["El campo id rango de numeración es inválido."]}
    assert (await family.create(api, {})).status_code == 422
    assert (await family.create(api, [])).status_code == 400
    assert await _documents(api, family) == []
    number = (await family.create(api, body)).json()["data"]["number"]
    assert number.endswith("1")
    assert (await family.report(api))["refused"] == 2


@each_family
async def test_unknown_keys_are_dropped_without_a_word(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api)
    assert (await family.create(api, {**body, "nonsense": {"a": 1}})).status_code == 201


@each_family
@pytest.mark.parametrize("path", ["", "/download-xml", "/download-pdf", "/email-content"])
async def test_unknown_number_is_not_found(api: Api, family: SandboxFamily, path: str) -> None:
    response = await api.http.get(
        f"/v2/{family}/X1{path}",
        headers={"User-Agent": "erp", "Authorization": f"Bearer {api.tokens['access_token']}"},
    )
    assert response.status_code == 404


@each_family
async def test_unknown_reference_is_not_deleted(api: Api, family: SandboxFamily) -> None:
    response = await family.delete(api, "NONE")
    assert (response.status_code, response.json()["message"]) == (
        404,
        "No se encontró el documento con código de referencia NONE",
    )


# --- lock, pending, rejected


@each_family
async def test_pending_document_bars_its_family_and_no_other(api: Api, family: SandboxFamily) -> None:
    bodies = {one.name: await one.body(api, f"N-{one.name}") for one in ALL}
    await api.control("documents/foreign", {"family": family.name, "reference": "THEIRS"})
    for one in ALL:
        response = await one.create(api, bodies[one.name])
        assert response.status_code == (409 if one is family else 201), (one.name, response.text)
        if one is family:
            assert "pendiente por enviar a la DIAN" in response.json()["message"]
    await api.control("documents/settle", {"family": family.name, "reference": "THEIRS", "outcome": "gone"})
    assert (await family.create(api, bodies[family.name])).status_code == 201


@each_family
async def test_pending_document_is_validated_by_repeating_it(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api)
    await _fault(api, family, {"kind": "pending", "polls": 2})
    seen = [(await family.create(api, body)).json()["data"] for _ in range(3)]
    assert [one["is_validated"] for one in seen] == [False, False, True]
    assert len({one["number"] for one in seen}) == 1


@each_family
async def test_rejected_document_bars_until_it_is_deleted(api: Api, family: SandboxFamily) -> None:
    body, other = await family.body(api, "A"), await family.body(api, "B")
    await _fault(api, family, "reject")
    rejected = await family.create(api, body)
    assert (rejected.status_code, rejected.json()["message"]) == (422, "El documento contiene errores de validación")
    assert (await family.create(api, other)).status_code == 409
    deleted = await family.delete(api, "A")
    assert deleted.json()["message"] == "Documento con código de referencia A eliminado con éxito"
    assert (await family.create(api, other)).status_code == 201
    report = await family.report(api)
    assert (report["rejections"], report["deletes"]["rejected"], report["conflicts"]) == (1, 1, 1)


@each_family
async def test_validated_document_is_not_deleted(api: Api, family: SandboxFamily) -> None:
    await family.make(api, "A")
    assert (await family.delete(api, "A")).status_code == 409
    assert await _states(api, family) == [("A", "validated")]


@each_family
async def test_deleting_what_waits_for_dian_is_put_on_record(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api, "A")
    await _fault(api, family, {"kind": "pending", "polls": 9})
    await family.create(api, body)
    assert (await family.delete(api, "A")).status_code == 200
    assert (await family.report(api))["forbidden_deletes"] == ["A"]


# --- faults


@each_family
@pytest.mark.parametrize(
    ("effect", "status", "left"),
    [
        ("error_before", 500, []),
        ("error_after", 500, ["validated"]),
        ("unauthorized", 401, []),
        ("forbidden_product", 403, []),
        ("payment_required", 402, []),
        ("rate_limited", 429, []),
        ("rule_90", 422, ["rejected"]),
        ({"kind": "pending", "polls": 1}, 201, ["pending"]),
        ({"kind": "dian_down", "seconds": 9}, 201, ["pending"]),
        ({"kind": "pending", "shape": "accepted"}, 202, ["pending"]),
        ({"kind": "reject", "shape": "list"}, 422, ["rejected"]),
        ({"kind": "reject", "shape": "body"}, 201, ["rejected"]),
    ],
)
async def test_fault_leaves_what_it_says(
    api: Api, family: SandboxFamily, effect: Any, status: int, left: list[str]
) -> None:
    body = await family.body(api, "A")
    await _fault(api, family, effect)
    assert (await family.create(api, body)).status_code == status
    assert [state for _, state in await _states(api, family)] == left


@each_family
async def test_connection_drops_before_or_after_the_commit(api: Api, family: SandboxFamily) -> None:
    bodies = [await family.body(api, "A"), await family.body(api, "B")]
    for body, effect in zip(bodies, ("drop_before", "drop_after"), strict=True):
        await _fault(api, family, effect)
        with pytest.raises(ConnectionResetError):
            await family.create(api, body)
    assert await _states(api, family) == [("B", "validated")]


@each_family
async def test_foreign_document_gets_there_first_and_goes_by_itself(
    api: Api, clock: Clock, family: SandboxFamily
) -> None:
    body = await family.body(api, "A")
    await _fault(api, family, {"kind": "foreign_pending", "reference": "THEIRS", "seconds": 20})
    assert (await family.create(api, body)).status_code == 409
    clock.advance(20)
    assert (await family.create(api, body)).status_code == 201
    theirs = next(one for one in await _documents(api, family) if one["is_foreign"])
    assert (await family.show(api, theirs["number"])).status_code == 200


async def test_fault_of_one_family_spares_the_others(api: Api) -> None:
    await api.faults({"on": "create", "family": "*payrolls", "effect": "forbidden_product"})
    assert (await FAMILIES["bills"].create(api, await FAMILIES["bills"].body(api))).status_code == 201
    payrolls = FAMILIES["payrolls"]
    refused = await payrolls.create(api, await payrolls.body(api))
    assert refused.json()["message"] == "La empresa no tiene habilitada la creación de este documento"


async def test_account_without_a_product_or_a_route_is_told_403(api: Api) -> None:
    bills, payrolls = FAMILIES["bills"], FAMILIES["payrolls"]
    await api.control("accounts/acme", {"forbidden": ["*payrolls.create", "*.toggle", "bills.email"]})
    assert (await payrolls.create(api, await payrolls.body(api))).status_code == 403
    assert (await api.call("PATCH", "/v2/numbering-ranges/389/toggle-status")).status_code == 403
    number = (await bills.make(api))["number"]
    assert (await api.call("POST", f"/v2/bills/{number}/send-email", json={"email": "a@b.co"})).status_code == 403
    assert await payrolls.list(api) == {"data": [], "pagination": (await payrolls.list(api))["pagination"]}


# --- lists


@each_family
async def test_list_has_ten_rows_newest_first(api: Api, family: SandboxFamily) -> None:
    for index in range(12):
        await family.make(api, f"R-{index:02d}")
    page, rest = await family.list(api), await family.list(api, page="2")
    assert [row["reference_code"] for row in page["data"]] == [f"R-{index:02d}" for index in range(11, 1, -1)]
    assert (page["pagination"]["total"], page["pagination"]["last_page"], len(rest["data"])) == (12, 2, 2)
    assert (await family.list(api, page="3"))["data"] == []


@each_searchable
@pytest.mark.parametrize("per_page", ["filter[per_page]", "per_page"])
async def test_documented_filters_choose(api: Api, family: SandboxFamily, per_page: str) -> None:
    for reference in ("A", "B"):
        await family.make(api, reference)
    body = await family.body(api, "P")
    await _fault(api, family, {"kind": "pending", "polls": 9})
    await family.create(api, body)
    party = body.get("customer") or body["provider"]

    async def found(**filters: str) -> list[str]:
        query = {f"filter[{name}]": value for name, value in filters.items()}
        return [row["reference_code"] for row in (await family.list(api, **query))["data"]]

    assert await found(reference_code="B") == ["B"]
    assert await found(reference_code="NONE") == []
    assert await found(status="0") == ["P"]
    assert await found(status="1") == ["B", "A"]
    assert await found(identification=party["identification"]) == ["P", "B", "A"]
    assert await found(names=(party.get("company") or party["names"])[:4].upper()) == ["P", "B", "A"]
    assert await found(names="nobody") == []
    assert (await family.list(api, **{per_page: "2"}))["pagination"]["per_page"] == 2


@each_payroll
async def test_payrolls_are_neither_filtered_by_reference_nor_by_status(api: Api, family: SandboxFamily) -> None:
    await family.make(api, "A")
    data = await family.make(api, "B")
    for query in ({"filter[reference_code]": "A"}, {"filter[status]": "0"}, {"per_page": "1"}):
        assert len((await family.list(api, **query))["data"]) == 2
    for query, expected in (
        ({"filter[number]": data["number"]}, 1),
        ({"filter[identification_number]": "1234567890"}, 2),
        ({"filter[names]": "mateo gonz"}, 2),
        ({"filter[names]": "nobody"}, 0),
    ):
        assert len((await family.list(api, **query))["data"]) == expected


@each_payroll
async def test_payroll_is_shown_by_reference_too(api: Api, family: SandboxFamily) -> None:
    data = await family.make(api, "A/1")
    shown = await api.call("GET", f"/v2/{family}/reference/A%2F1")
    assert shown.json()["data"] == data
    assert (await api.call("GET", f"/v2/{family}/reference/NONE")).status_code == 404


@each_payroll
async def test_acknowledged_payroll_is_polled_by_reference(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api, "A")
    await _fault(api, family, {"kind": "pending", "polls": 2, "shape": "accepted"})
    assert (await family.create(api, body)).json()["status"] == "Accepted"
    seen = [(await api.call("GET", f"/v2/{family}/reference/A")).json()["data"]["is_validated"] for _ in range(2)]
    assert seen == [False, True]


# --- files and e-mail


async def _download(api: Api, family: SandboxFamily, number: str, what: str) -> Any:
    response = await api.call("GET", f"/v2/{family}/{number}/{what}")
    assert response.status_code == 200, response.text
    return response.json()["data"]


@each_family
async def test_xml_is_well_formed_and_can_be_had_by_its_code(api: Api, family: SandboxFamily) -> None:
    created = await family.make(api)
    data = await _download(api, family, created["number"], "download-xml")
    xml = base64.b64decode(data["xml_base_64_encoded"])
    ET.fromstring(xml)
    assert created["number"] in xml.decode()
    assert created[family.code] in xml.decode()
    by_code = await api.call("GET", f"/v2/documents/{created[family.code]}/download-xml")
    assert by_code.json()["data"] == data


@pytest.mark.parametrize("family", [one for one in ALL if one.has_pdf], ids=str)
async def test_pdf_opens_and_names_the_document(api: Api, family: SandboxFamily) -> None:
    created = await family.make(api)
    data = await _download(api, family, created["number"], "download-pdf")
    reader = pypdf.PdfReader(io.BytesIO(base64.b64decode(data["pdf_base_64_encoded"])), strict=True)
    assert created["number"] in reader.pages[0].extract_text()
    assert not data["file_name"].endswith(".pdf")


async def test_elimination_note_has_no_pdf(api: Api) -> None:
    family = FAMILIES["adjustment-payrolls"]
    number = (await family.make(api))["number"]
    response = await api.http.get(
        f"/v2/{family}/{number}/download-pdf", headers={"Authorization": f"Bearer {api.tokens['access_token']}"}
    )
    assert "The route" in response.json()["message"]


@each_mailed
async def test_email_is_sent_each_time_and_counted(api: Api, family: SandboxFamily) -> None:
    number = (await family.make(api))["number"]
    path = f"/v2/{family}/{number}/send-email"
    published = "bills/enviar-correo" if family.name == "bills" else f"{family}/send-email"
    for _ in range(2):
        sent = await api.call("POST", path, json=example(f"{published}.request.json"))
        assert sent.json()["message"].endswith("al cliente con éxito")
    assert (await api.call("POST", path, json={"email": "x"})).status_code == 422
    counted = await api.counted()
    assert counted["changes"] == {f"{family}.email": {number: 2}}
    assert counted["operations"][f"{family}.email"] == 3


@each_mailed
async def test_email_content_is_a_zip_of_pdf_and_attached_document(
    api: Api, clock: Clock, family: SandboxFamily
) -> None:
    made_at = datetime.fromtimestamp(clock.at, BOGOTA)
    number = (await family.make(api))["number"]
    data = await _download(api, family, number, "email-content")
    kind = {"bills": "01", "credit-notes": "91", "debit-notes": "92"}[family.name]
    assert data["subject"] == f"1000789002;FACTUS V2;{number};{kind};FACTUS V2"
    with zipfile.ZipFile(io.BytesIO(base64.b64decode(data["attached_document"]))) as archive:
        assert sorted(name[-4:] for name in archive.namelist()) == [".pdf", ".xml"]
        written_at = {datetime(*entry.date_time, tzinfo=BOGOTA) for entry in archive.infolist()}
    clock.advance(60)
    assert await _download(api, family, number, "email-content") == data
    assert {timedelta(0) <= made_at - one < timedelta(seconds=2) for one in written_at} == {True}, "when it was issued"
    attached = await _download(api, family, number, "download-attached-document-xml")
    assert b"<AttachedDocument" in base64.b64decode(attached["xml_base_64_encoded"])


# --- report


async def test_report_covers_every_family(api: Api) -> None:
    whole = await api.control("report", method="GET")
    assert list(whole["accounts"]["acme"]["families"]) == [family.name for family in ALL]


@each_family
async def test_report_finds_the_same_deed_under_two_references(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api, "A")
    for reference in ("A", "B"):
        await family.create(api, {**body, "reference_code": reference})
    contents = (await family.report(api))["duplicates"]["same_content"]
    # A payroll takes one elimination note only.
    assert contents == ([] if family.name == "adjustment-payrolls" else [["A", "B"]])


async def test_payrolls_of_one_worker_in_two_months_are_no_duplicates(api: Api) -> None:
    family = FAMILIES["payrolls"]
    for month in ("5", "6"):
        period = {"month": month, "year": "2026", "payroll_period_code": "5"}
        await family.make(api, f"R-{month}", settlement_period=period)
    assert (await family.report(api))["duplicates"]["n_same_content"] == 0


async def test_families_share_no_reference(start_served: Start) -> None:
    api = await start_served()
    for family in ALL:
        await family.make(api, "SAME")
        response: httpx.Response = await family.delete(api, "SAME")
        assert response.status_code == 409
