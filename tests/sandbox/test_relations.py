"""Documents about documents: what a note may name, what it takes from there, and what becomes of the other one."""

from typing import Any

import pytest

from tests.sandbox.api import Api, Clock
from tests.sandbox.families import ALL, FAMILIES, SandboxFamily

_NOTES = [one for one in ALL if one.related]
_OF_BILLS = [FAMILIES["credit-notes"], FAMILIES["debit-notes"]]
_PERIOD = {
    "start_date": "2026-08-01",
    "start_time": "00:00:00",
    "end_date": "2026-08-31",
    "end_time": "23:59:59",
}


def _related(family: SandboxFamily) -> str:
    assert family.related is not None
    return family.related[0]


async def _errors(api: Api, family: SandboxFamily, body: Any) -> dict[str, list[str]]:
    response = await family.create(api, body)
    assert response.status_code == 422, response.text
    assert response.json()["message"] == "Error de validación"
    errors: dict[str, list[str]] = response.json()["data"]["errors"]
    return errors


@pytest.mark.parametrize("family", _NOTES, ids=str)
async def test_note_names_a_document_that_exists(api: Api, family: SandboxFamily) -> None:
    body = await family.body(api, **{_related(family): "X1"})
    assert list(await _errors(api, family, body)) == [_related(family)]


@pytest.mark.parametrize("family", _NOTES, ids=str)
async def test_note_names_a_document_that_is_validated(api: Api, family: SandboxFamily) -> None:
    assert family.related is not None
    member, name = family.related
    body = await family.body(api)
    waiting = await FAMILIES[name].body(api, "WAITS")
    await api.faults({"on": "create", "family": name, "effect": {"kind": "pending", "polls": 1}, "times": 1})
    number = (await FAMILIES[name].create(api, waiting)).json()["data"]["number"]
    assert list(await _errors(api, family, {**body, member: number})) == [member]
    await FAMILIES[name].create(api, waiting)
    assert (await family.create(api, {**body, member: number})).status_code == 201


@pytest.mark.parametrize("family", _OF_BILLS, ids=str)
async def test_note_takes_the_customer_of_its_bill(api: Api, family: SandboxFamily) -> None:
    note = await family.make(api, customer=None)
    bill = (await FAMILIES["bills"].show(api, note["related_bill"]["number"])).json()["data"]
    assert note["customer"] == bill["customer"]
    (row,) = (await family.list(api, **{"filter[identification]": bill["customer"]["identification"]}))["data"]
    assert row["number"] == note["number"]


@pytest.mark.parametrize(("family", "without"), list(zip(_OF_BILLS, ("22", "32"), strict=True)), ids=str)
async def test_note_without_a_bill_says_its_period_and_customer(api: Api, family: SandboxFamily, without: str) -> None:
    body = await family.body(api, customization_id=without, customer=None)
    assert set(await _errors(api, family, body)) == {"billing_period", "customer"}
    note = await family.make(api, customization_id=without, billing_period=_PERIOD)
    assert (note["related_bill"], note["customization"]["code"]) == (None, without)
    assert note["billing_period"]["start_date"] == "01-08-2026"


async def test_bill_lists_its_validated_notes(api: Api) -> None:
    number = (await FAMILIES["bills"].make(api, "BILL"))["number"]
    made = [await family.make(api, bill_number=number) for family in _OF_BILLS]
    rejected = await _OF_BILLS[0].body(api, "BAD", bill_number=number)
    await api.faults({"on": "create", "effect": "reject", "times": 1})
    await _OF_BILLS[0].create(api, rejected)
    notes = (await FAMILIES["bills"].show(api, number)).json()["data"]["related_notes"]
    assert [note["number"] for note in notes["credit_notes"]] == [made[0]["number"]]
    assert [note["number"] for note in notes["debit_notes"]] == [made[1]["number"]]


@pytest.mark.parametrize("code", ["033", "034"])
async def test_accepted_bill_takes_no_credit_note(api: Api, code: str) -> None:
    credit, debit = _OF_BILLS
    number = (await FAMILIES["bills"].make(api, "BILL"))["number"]
    await api.control("events", {"number": number, "event_code": code})
    body = await credit.body(api, bill_number=number)
    assert list(await _errors(api, credit, body)) == ["bill_number"]
    assert (await debit.create(api, await debit.body(api, bill_number=number))).status_code == 201


async def test_deleted_note_leaves_its_bill(api: Api) -> None:
    family = _OF_BILLS[0]
    body = await family.body(api)
    await api.faults({"on": "create", "effect": "reject", "times": 1})
    await family.create(api, body)
    await family.delete(api, "R-1")
    await family.create(api, body)
    bill = (await FAMILIES["bills"].show(api, body["bill_number"])).json()["data"]
    assert len(bill["related_notes"]["credit_notes"]) == 1


async def test_support_document_lists_its_adjustment_notes(api: Api) -> None:
    note = await FAMILIES["adjustment-notes"].make(api)
    number = note["support_document"]["number"]
    whole = (await FAMILIES["support-documents"].show(api, number)).json()["data"]
    assert [one["number"] for one in whole["adjustment_notes"]] == [note["number"]]
    assert note["support_document"]["cuds"] == whole["cuds"]


async def test_payroll_is_eliminated_once(api: Api) -> None:
    family = FAMILIES["adjustment-payrolls"]
    note = await family.make(api)
    number = note["payroll"]["number"]
    assert list(await _errors(api, family, {"reference_code": "R-2", "payroll_number": number})) == ["payroll_number"]
    payroll = (await FAMILIES["payrolls"].show(api, number)).json()["data"]
    assert payroll["related_documents"] == [
        {
            "adjustment_payroll": {
                "reference_code": "R-1",
                "number": note["number"],
                "validated_at": note["validated_at"],
            }
        }
    ]
    assert note["payroll"]["cune"] == payroll["cune"]


# --- providers


@pytest.mark.parametrize("family", [FAMILIES["support-documents"], FAMILIES["adjustment-notes"]], ids=str)
@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"identification_document_code": "13"}, "provider.identification_document_code"),
        ({"municipality_code": ""}, "provider.municipality_code"),
        ({"names": ""}, "provider.names"),
    ],
)
async def test_provider_is_checked(api: Api, family: SandboxFamily, changes: dict[str, str], told: str) -> None:
    body = await family.body(api)
    body["provider"] |= changes
    assert list(await _errors(api, family, body)) == [told]


async def test_wrong_digit_of_a_provider_is_rejected_by_dian(api: Api) -> None:
    family = FAMILIES["support-documents"]
    body = await family.body(api)
    body["provider"]["dv"] = "1"
    response = await family.create(api, body)
    assert (response.status_code, list(response.json()["data"]["errors"])) == (422, ["FAK24"])


async def test_support_documents_know_iva_only_and_a_discount_rate(api: Api) -> None:
    family = FAMILIES["support-documents"]
    body = await family.body(api)
    del body["items"][0]["discount_rate"]
    body["items"][0]["taxes"] = [{"code": "04", "rate": "8.00"}]
    assert set(await _errors(api, family, body)) == {"items.0.discount_rate", "items.0.taxes.0.code"}


@pytest.mark.parametrize(
    ("day", "is_taken"),
    [("2026-09-21", True), ("2026-09-15", True), ("2026-09-14", False), ("2026-09-22", False), (None, False)],
)
async def test_weekly_purchase_lies_within_a_week(api: Api, clock: Clock, day: str | None, is_taken: bool) -> None:
    family = FAMILIES["support-documents"]
    body = await family.body(api)
    body["items"][0]["period"] = {"generation_mode": "2"} | ({"start_date": day} if day else {})
    if is_taken:
        assert (await family.create(api, body)).status_code == 201
    else:
        assert list(await _errors(api, family, body)) == ["items.0.period.start_date"]


# --- payrolls


async def _payroll(api: Api, path: str, value: Any) -> dict[str, list[str]] | Any:
    family = FAMILIES["payrolls"]
    body = await family.body(api)
    holder: Any = body
    *parents, last = path.split(".")
    for name in parents:
        holder = holder[name]
    if value is ...:
        del holder[last]
    else:
        holder[last] = value
    response = await family.create(api, body)
    return response.json()["data"] if response.status_code == 201 else response.json()["data"]["errors"]


@pytest.mark.parametrize(
    ("path", "value", "told"),
    [
        ("settlement_period.month", "13", "settlement_period.month"),
        ("settlement_period.payroll_period_code", "4", "settlement_period.pay_period_half"),
        ("payment.bank_name", ..., "payment.bank_name"),
        ("payment.payment_method_code", "99", "payment.payment_method_code"),
        ("worker.municipality_code", ..., "worker.municipality_code"),
        ("worker.identification_document_code", "48", "worker.identification_document_code"),
        ("worker.has_high_risk", "no", "worker.has_high_risk"),
        ("accruals.suel", ..., "accruals.suel"),
        ("accruals.cesa", [{"amount": "1", "accrual_type_code": 2}], "accruals.cesa.0.percentage"),
        ("accruals.prim", {"amount": "1", "accrual_type_code": "1"}, "accruals.prim.quantity"),
        ("accruals.lice", [{"quantity": 1, "accrual_type_code": "1"}], "accruals.lice.0.amount"),
        ("accruals.otro", [{"amount": "1", "accrual_type_code": "1"}], "accruals.otro.0.description"),
        ("accruals.bono", [{"amount": "1", "accrual_type_code": "9"}], "accruals.bono.0.accrual_type_code"),
        ("accruals.comi", [], "accruals.comi"),
        ("accruals.dota", None, "accruals.dota"),
        ("deductions.pens", ..., "deductions.pens"),
        ("deductions.libr", [{"amount": "1"}], "deductions.libr.0.description"),
        ("deductions.dedu", [{"amount": "1", "percentage": "1"}], "deductions.dedu.0.deduction_type_code"),
    ],
)
async def test_payroll_fault_is_told_at_its_path(api: Api, path: str, value: Any, told: str) -> None:
    assert list(await _payroll(api, path, value)) == [told]


async def test_payroll_takes_cats_and_an_unpaid_leave(api: Api) -> None:
    data = await _payroll(api, "payment.payment_method_code", "98")
    assert data["payment"]["payment_method"] == {"code": "98", "name": "CATS"}


@pytest.mark.parametrize("is_list", [True, False])
async def test_solidarity_fund_is_taken_as_list_and_as_object(api: Api, is_list: bool) -> None:
    fund = {"amount": "10.00", "percentage": "1", "deduction_type_code": 1}
    data = await _payroll(api, "deductions.dedu", [fund] if is_list else fund)
    shown = data["deductions"]["dedu"]
    assert isinstance(shown, list) is is_list
    assert data["total_deductions"] == "262060.90"


async def test_unpaid_leave_has_no_amount(api: Api) -> None:
    data = await _payroll(api, "accruals.lice", [{"quantity": "2", "accrual_type_code": "3"}])
    assert "amount" not in data["accruals"]["lice"][0]


@pytest.mark.parametrize(
    ("half", "first", "last"), [(1, "2026-02-01", "2026-02-15"), ("2", "2026-02-16", "2026-02-28")]
)
async def test_fortnight_has_its_days(api: Api, half: int | str, first: str, last: str) -> None:
    period = {"month": 2, "year": 2026, "payroll_period_code": "4", "pay_period_half": half}
    shown = (await _payroll(api, "settlement_period", period))["settlement_period"]
    assert (shown["settlement_start_date"], shown["settlement_end_date"]) == (first, last)
    assert shown["pay_period_half"] == str(half)
