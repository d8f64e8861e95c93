"""What public examples and tests of SDKs count on: ids, documents, rights and rejections of the public sandbox."""

from __future__ import annotations

import re
from typing import Any

import pytest

from sandbox.routes.example_documents import NUMBERS, RECEIVED
from tests.sandbox.api import Api, a_bill, example
from tests.sandbox.conftest import Start
from tests.sandbox.families import FAMILIES

PUBLIC = {
    "bills": (4, 8, 389),
    "credit-notes": (9, 390, 1776),
    "debit-notes": (6,),
    "support-documents": (148, 2058),
    "adjustment-notes": (149,),
}


@pytest.mark.parametrize(("name", "key"), [(name, key) for name, keys in PUBLIC.items() for key in keys], ids=str)
async def test_a_document_may_name_its_range_by_every_public_id(api: Api, name: str, key: int) -> None:
    family = FAMILIES[name]
    made = await family.create(api, await family.body(api, numbering_range_id=key))
    assert made.status_code == 201, made.text


async def test_ids_of_one_range_are_one_range(api: Api) -> None:
    """Two of them would be two active ranges, and a create that names none would be refused."""
    numbers = []
    for n, key in enumerate((8, 389, None)):
        made = await api.create(a_bill(f"FV-{n}", numbering_range_id=key))
        numbers.append(int(made.json()["data"]["number"].removeprefix("SETP")))
    assert numbers == [numbers[0], numbers[0] + 1, numbers[0] + 2]
    assert (await api.call("GET", "/v2/numbering-ranges")).json()["data"]["pagination"]["total"] == 5


class TestBadIdentification:
    """A document whose party DIAN does not know is kept, rejected, and bars its family until it is deleted."""

    @pytest.mark.parametrize("name", ["bills", "credit-notes", "support-documents", "adjustment-notes"])
    @pytest.mark.parametrize("bad", [{"identification": "INVALID_DOCUMENT", "dv": "6"}, {"dv": "3"}], ids=str)
    async def test_it_is_kept_and_can_be_deleted(self, api: Api, name: str, bad: dict[str, str]) -> None:
        family = FAMILIES[name]
        body = await family.body(api, reference_code="DEL-1")
        party = "provider" if "provider" in body else "customer"
        nit = {"identification_document_code": "31", "identification": "123456789"}
        body[party] = {**example("bills/estandar.request.json")["customer"], **body.get(party, {}), **nit, **bad}
        refused = await family.create(api, body)
        assert (refused.status_code, [*refused.json()["data"]["errors"]]) == (422, ["FAK24"])
        assert (await family.create(api, await family.body(api, reference_code="NEXT-1"))).status_code == 409
        assert (await family.delete(api, "DEL-1")).status_code == 200
        assert (await family.create(api, await family.body(api, reference_code="NEXT-1"))).status_code == 201

    async def test_it_is_kept_whatever_its_payments_add_up_to(self, api: Api) -> None:
        """So the tests of an SDK make a document that can be deleted; with a good NIT its payments are refused."""
        wrong = a_bill("DEL-1")
        wrong["payment_details"] = [{**wrong["payment_details"][0], "amount": "1.00"}]
        wrong["customer"] |= {"identification_document_code": "31", "identification": "123456789", "dv": "3"}
        assert [*(await api.create(wrong)).json()["data"]["errors"]] == ["FAK24"]
        assert (await api.delete("DEL-1")).status_code == 200
        wrong["customer"]["dv"] = "6"
        assert [*(await api.create(wrong)).json()["data"]["errors"]] == ["payment_details"]
        assert (await api.delete("DEL-1")).status_code == 404

    async def test_other_faults_of_its_fields_are_told_first(self, api: Api) -> None:
        wrong = a_bill("DEL-1", items=[])
        wrong["customer"] |= {"identification_document_code": "31", "identification": "X"}
        assert [*(await api.create(wrong)).json()["data"]["errors"]] == ["items"]


class TestExampleDocuments:
    async def test_there_are_none_unless_they_are_asked_for(self, api: Api) -> None:
        assert (await api.show("SETP990000203")).status_code == 404

    async def test_each_is_shown_listed_and_downloaded(self, start: Start) -> None:
        api = await start(has_examples=True)
        for name, numbers in NUMBERS.items():
            for number in numbers:
                shown = (await api.call("GET", f"/v2/{name}/{number}")).json()["data"]
                assert (shown["number"], shown["is_validated"]) == (number, True)
                assert (await api.call("GET", f"/v2/{name}/{number}/download-xml")).status_code == 200
        assert (await api.find(number="SETP990000203"))["pagination"]["total"] == 1
        assert (await api.call("GET", f"/v2/documents/{RECEIVED}/download-xml")).status_code == 200

    @pytest.mark.parametrize(
        ("name", "file"),
        [
            ("credit-notes", "credit-notes/create"),
            ("debit-notes", "debit-notes/derived-create-balanced"),
            ("adjustment-notes", "adjustment-notes/create"),
            ("adjustment-payrolls", "payroll/adjustment-create"),
        ],
    )
    async def test_official_notes_run_as_they_are(self, start: Start, name: str, file: str) -> None:
        api = await start(has_examples=True)
        made = await FAMILIES[name].create(api, example(f"{file}.request.json"))
        assert made.status_code == 201, made.text

    async def test_they_count_nowhere_and_take_no_number_of_the_next(self, start: Start) -> None:
        api = await start(has_examples=True)
        report = await api.report()
        assert (report["stored"], report["validated"], report["duplicates"]["n_same_content"]) == (0, 0, 0)
        assert (await api.create(a_bill("FV-1"))).json()["data"]["number"] == "SETP990000001"
        await api.control("accounts/acme", {"ranges": [389]})
        assert (await api.call("PATCH", "/v2/numbering-ranges/389/current", json={"current": 990_000_203})).is_success
        assert (await api.create(a_bill("FV-2"))).json()["data"]["number"] == "SETP990000204"

    async def test_they_come_later_too_and_after_a_reset(self, start: Start, api: Api) -> None:
        wanted = {number for numbers in NUMBERS.values() for number in numbers} | {RECEIVED}
        assert {*(await api.control("documents/examples"))["added"]} == wanted
        assert (await api.control("documents/examples"))["added"] == []
        other = await start(has_examples=True)
        await other.control("reset")
        await other.login()
        assert (await other.show("SETP990000203")).status_code == 200


async def test_the_shared_user_may_not_what_changes_things_for_everybody(start: Start) -> None:
    api = await start(has_examples=True, is_shared=True)

    async def status(method: str, path: str, body: Any = None) -> int:
        return (await api.call(method, path, json=body)).status_code

    assert await status("POST", "/v2/bills/SETP990000203/send-email", {"email": "a@b.co"}) == 403
    assert await status("GET", "/v2/bills/SETP990000203/email-content") == 200
    assert await status("POST", "/v2/credit-notes/NC856/send-email", {"email": "a@b.co"}) == 403
    assert await status("GET", "/v2/numbering-ranges/8") == 403
    assert await status("GET", "/v2/numbering-ranges") == 200
    assert await status("PATCH", "/v2/numbering-ranges/10/toggle-status") == 403
    assert await status("POST", "/v2/receptions/upload", {"track_id": RECEIVED}) == 403
    assert await status("PUT", "/v2/companies", {}) == 403
    assert (await api.create(a_bill("FV-1"))).status_code == 201


class TestRequestLog:
    async def test_it_tells_who_asked_what_and_how_it_ended(self, start_served: Start) -> None:
        lines: list[str] = []
        api = await start_served(log=lines.append)
        await api.faults({"on": "create", "times": 1, "effect": {"kind": "error_after", "status": 503}})
        await api.create(a_bill("FV-1"))
        await api.call("GET", "/v2/bills", params={"filter[reference_code]": "FV-1"})
        assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} ", line) for line in lines)
        told = [line.split(" ", 1)[1] for line in lines]
        assert [line.partition(",")[0] for line in told] == [
            "POST /oauth/token -> 200 OK",
            "POST /_sandbox/faults -> 200 OK",
            "POST /v2/bills/validate -> 503 Service Unavailable",
            "GET /v2/bills?filter%5Breference_code%5D=FV-1 -> 200 OK",
        ]
        assert told[2].endswith("acme FV-1 (error_after)")

    async def test_a_dropped_answer_is_told_and_looks_at_the_sandbox_are_not(self, start_served: Start) -> None:
        lines: list[str] = []
        api = await start_served(log=lines.append)
        await api.faults({"on": "create", "effect": "drop_after"})
        with pytest.raises(Exception, match=r"disconnected|reset|closed"):
            await api.create(a_bill("FV-1"))
        await api.report()
        assert "-> no answer," in lines[-1]
        assert "password" not in "".join(lines)

    async def test_a_path_moves_no_cursor(self, start_served: Start) -> None:
        lines: list[str] = []
        api = await start_served(log=lines.append)
        await api.call("GET", "/v2/%1b[2J")
        assert lines[-1].isprintable()
