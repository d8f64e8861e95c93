"""Every published request with any single member changed: judged as by the contract, and shown if it is taken."""

import json
import xml.etree.ElementTree as ET
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.families.families import FAMILIES, Family
from sandbox.routes.document_files import xml_of
from sandbox.state.company import Company
from sandbox.state.numbering import NumberingRange
from sandbox.state.store import Document
from tests.sandbox.api import EXAMPLES, example
from tests.sandbox.mutations import TEXTS, VALUES, changed, places, with_decimals
from tests.sandbox.openapi import schema

# Request and answer in the contracts.
_COMPONENTS = {
    "bills": ("BillCreate", "Bill"),
    "credit-notes": ("CreditNoteRequest", "CreditNote"),
    "debit-notes": ("DebitNoteRequest", "DebitNote"),
    "support-documents": ("SupportDocumentRequest", "SupportDocument"),
    "adjustment-notes": ("AdjustmentNoteRequest", "AdjustmentNote"),
    "payrolls": ("PayrollRequest", "Payroll"),
    "adjustment-payrolls": ("AdjustmentPayrollRequest", "AdjustmentPayroll"),
}
_OTHER_ROUTES = ("send-email", "enviar", "aceptacion")

# Where the sandbox knowingly refuses more than the schema: it knows catalogs and sums, and wants amounts above zero.
# An empty text is "not sent" to Laravel, so it is left out of the comparison.
_STRICTER = {
    *("amount", "quantity", "exchange_rate", "cash_rounding_amount", "numbering_range_id", "payment_details"),
    *("unit_measure_code", "municipality_code", "country_code", "type", "email", "taxes", "items", "issue_date"),
}
# The contract of the other families is looser still: codes, dates, rates and names are plain texts there.
_LOOSE = {
    *("identification", "dv", "names", "price", "rate", "discount_rate", "discount_amount", "percentage", "salary"),
    *("month", "year", "pay_period_half", "days_worked", "base_amount", "due_date", "payment_date", "entry_date"),
    *("start_date", "end_date", "start_time", "end_time", "created_time", "retirement_date", "reference_code"),
    *("payment_method_code", "accrual_type_code", "deduction_type_code", "responsibilities", "standard_code"),
    *("worker_type_code", "identification_document_code", "tribute_code", "code", "legal_organization_code"),
    *("bill_number", "support_document_number", "payroll_number", "second_surname", "observation", "company"),
    *("address", "first_name", "other_names", "first_surname", "identification_number", "employee_code"),
    *("withholding_taxes", "allowance_charges", "customer", "provider", "period", "billing_period", "establishment"),
}
# Numbers for codes are taken here as in bills, whose examples send them; what a range is called is looked up later.
_TAKEN_AS_NUMBER = {"payment_form", "unit_measure_code", "value", "quantity", "numbering_range_id"}


def _examples(family: Family) -> list[str]:
    folder = "payroll" if family.name.endswith("payrolls") else family.name
    names = sorted(entry.name for entry in (EXAMPLES / folder).iterdir() if entry.name.endswith(".request.json"))
    if folder == "payroll":
        names = [name for name in names if name.startswith("adjustment") == family.name.startswith("adjustment")]
    return [f"{folder}/{name}" for name in names if not name.startswith(_OTHER_ROUTES)]


_BY_NAME = {family.name: family for family in FAMILIES}
each_family = pytest.mark.parametrize("name", _BY_NAME)


@each_family
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_one_changed_member_is_judged_as_the_contract_judges_it(name: str, data: st.DataObject) -> None:
    """The hand-made checks against the published schema: the same verdict on any single change of an example."""
    family = _BY_NAME[name]
    file = data.draw(st.sampled_from(_examples(family)))
    place, value = data.draw(st.sampled_from(places(example(file)))), data.draw(VALUES)
    body = changed(file, place, value)
    errors: dict[str, Any] = {}
    family.check(with_decimals(body), errors)
    ours = {_member(path) for path in errors}
    theirs = [error.json_path for error in schema(_COMPONENTS[family.name][0]).iter_errors(body)]
    stricter = _STRICTER if family.name == "bills" else _STRICTER | _LOOSE
    member = _member(".".join(map(str, place)))
    is_looser = family.name != "bills" and isinstance(value, int) and member in _TAKEN_AS_NUMBER
    if theirs and value != "" and not is_looser:
        assert ours, (place, value, theirs)
    # A concept of a payroll that is sent must hold something (observed); the contract says nothing of it.
    is_empty_concept = place[0] in ("accruals", "deductions") and value in ([], {})
    if not theirs and member not in stricter and value != "" and not is_empty_concept:
        assert ours <= stricter, (place, value)


def _member(path: str) -> str:
    """The last name of a path, without the indexes behind it."""
    return next((name for name in reversed(path.split(".")) if not name.isdecimal()), path)


@each_family
@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_whatever_is_accepted_can_be_shown_and_printed(name: str, data: st.DataObject) -> None:
    """A body that passes the checks and breaks a page would be a 500 that Factus never gave."""
    family = _BY_NAME[name]
    file = data.draw(st.sampled_from(_examples(family)))
    place, value = data.draw(st.sampled_from(places(example(file)))), data.draw(VALUES | TEXTS)
    errors: dict[str, Any] = {}
    fields, amounts = family.check(with_decimals(changed(file, place, value)), errors)
    if amounts is None:
        return
    numbering = NumberingRange(389, family.range_documents[0], "X", 1, resolution_number="1")
    document = Document(family.name, "R", "X1", fields, amounts, amounts.total, "0" * 96, 0.0, numbering)
    shown = family.show(document, Company())
    written = json.loads(json.dumps(shown, default=str))
    assert not list(schema(_COMPONENTS[family.name][1]).iter_errors(written))
    json.dumps(family.show_row(document), default=str)
    assert family.print_pdf is None or family.print_pdf(shown).startswith(b"%PDF")
    ET.fromstring(xml_of(family, document, Company()).encode())
