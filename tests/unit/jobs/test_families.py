"""The rows of the families: what is read from their documents, and where they live."""

from __future__ import annotations

from decimal import Decimal

import pytest

from jobs.families import FAMILIES
from schemas.payload import validate


def test_a_row_and_a_document_are_read_alike():
    bill = FAMILIES["invoice"]
    assert bill.total_of({"total": "83300.00"}) == Decimal("83300.00")
    assert bill.total_of({"totals": {"total": "83300.00"}}) == Decimal("83300.00")
    assert bill.party_of({"customer": {"identification": "900"}}) == "900"
    assert bill.party_of({}) is None


def test_a_payroll_comes_to_its_net_balance_and_is_about_its_worker():
    payroll = FAMILIES["payroll"]
    assert payroll.total_of({"net_balance": "3262680.45", "total_accruals": "9"}) == Decimal("3262680.45")
    assert payroll.party_of({"worker": {"identification_number": "123"}}) == "123"


def test_an_elimination_is_about_the_payroll_that_it_eliminates():
    row = FAMILIES["payroll_adjustment"]
    assert row.party_of({"payroll": {"number": "NOM1"}}) == "NOM1"
    assert row.total_of({}) is None


@pytest.mark.parametrize("text", ["FV/2026/0001", "a b", "ñ", "..", "%2F"])
def test_what_goes_into_a_path_is_one_segment(text):
    path = FAMILIES["invoice"].show(text)
    assert path.count("/") == 3
    assert " " not in path


def test_words_agree_with_their_noun():
    assert FAMILIES["support_document"].said("validad") == "validado"
    assert FAMILIES["payroll"].said("rechazad") == "rechazada"


def test_what_can_be_issued_can_be_checked():
    assert validate.DOCUMENT_SPECS.keys() == FAMILIES.keys()


@pytest.mark.parametrize("text", [".", "..", "..."])
def test_dots_alone_name_no_other_place(text):
    """``/v2/bills/..`` is another route: a delete of that reference would be a delete of something else."""
    assert FAMILIES["invoice"].show(text) == "/v2/bills/" + "%2E" * len(text)
