"""
A bill that the company received, as the routes show it.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sandbox.families.response_parts import money
from sandbox.state.radian import ACCEPTANCES, CLAIM, codes_of
from sandbox.state.receptions import ReceivedBill
from sandbox.values import datetimes
from sandbox.values.catalogs import code_and_name
from sandbox.values.check_digit import check_digit


def show_row(bill: ReceivedBill) -> dict[str, Any]:
    concept, codes = bill.claim_concept, codes_of(bill.events)
    moment = datetimes.at(bill.issued_at)
    return {
        "id": bill.id,
        "number": bill.number,
        "issue_date": f"{moment:%Y-%m-%d}",
        "issue_time": f"{moment:%H:%M:%S}",
        "cufe": bill.cufe,
        "company_nit": bill.company_nit,
        "company_name": bill.company_name,
        "payment_form": code_and_name("payment-forms", "2" if bill.is_on_credit else "1"),
        "claim_concept": code_and_name("claim-concepts", concept) if concept else None,
        "payment_due_date": f"{moment + timedelta(days=30):%Y-%m-%d}" if bill.is_on_credit else None,
        "is_negotiable_instrument": bool(codes & ACCEPTANCES),
        "has_claim": CLAIM in codes,
        "total": money(bill.total),
        "created_at": datetimes.latin_date_time(bill.created_at),
    }


def show_uploaded(bill: ReceivedBill) -> dict[str, Any]:
    row = show_row(bill)
    del row["claim_concept"]
    return {
        **row,
        "company_identification_type_code": "31",
        "dv": check_digit(bill.company_nit),
        "payment_method": code_and_name("payment-methods", "10"),
        "events": [],
    }
