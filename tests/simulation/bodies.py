"""
Valid documents of every family, each with a total and a party of its own: a mix-up of two shows.

What a note corrects, and what an elimination note eliminates, must be there before: see :class:`Known`.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from sandbox.values.check_digit import check_digit
from tests.builders import REMOVE, a_bill, changed
from tests.families import FAMILIES, a_document_payload

AT_FACTUS: Final = {name: row.area for name, row in FAMILIES.items()}
"""Our families, and what their part of the API is called."""

KINDS: Final = {name: frozenset(row.kinds) for name, row in FAMILIES.items()}
"""The files that a document of the family has."""

ABOUT: Final = {name: row.about[1] for name, row in FAMILIES.items() if row.about}
"""What a note is about."""

_CUSTOMERS: Final = ("900825759", "800197268", "860002964", "890903938")
_PERIOD: Final = {
    "start_date": "2026-10-01",
    "start_time": "00:00:00",
    "end_date": "2026-10-31",
    "end_time": "23:59:59",
}


@dataclass(frozen=True)
class Known:
    """A validated document that stood at Factus before the first job."""

    account: str
    family: str
    reference: str
    number: str
    party: str


@dataclass(frozen=True)
class Body:
    """A payload, and what Factus must show of it. ``total`` is empty where the family has none."""

    payload: dict[str, Any]
    total: str
    party: str
    is_on_credit: bool = False


def a_body(family: str, n: int, reference: str, chance: random.Random, about: Known | None = None) -> Body:
    """
    The *n*-th document of a run.

    Args:
        about: What a note corrects or eliminates; None for a note that names no bill.
    """
    if family == "payroll":
        return _payroll(n, reference)
    if family == "payroll_adjustment":
        assert about is not None
        payload = a_document_payload(family) | {"reference_code": reference, "payroll_number": about.number}
        return Body(payload, "", about.party)
    return _sale(family, n, reference, chance, about)


def _sale(family: str, n: int, reference: str, chance: random.Random, about: Known | None) -> Body:
    total = f"{10_000 + n * 10}.00"
    bill = a_bill(total=total)
    party = chance.choice(_CUSTOMERS)
    side = "provider" if family in ("support_document", "adjustment_note") else "customer"
    payload = bill if family == "invoice" else a_document_payload(family)
    changes = {
        "reference_code": reference,
        "numbering_range_id": FAMILIES[family].range_id,
        "items": bill["items"],
        "payment_details": bill["payment_details"],
        f"{side}.identification": party,
        f"{side}.dv": check_digit(party),
    }
    is_on_credit = family == "invoice" and chance.random() < 0.5
    if is_on_credit:
        payment = bill["payment_details"][0] | {"payment_form": "2", "due_date": "2099-12-31"}
        changes["payment_details"] = [payment]
    if family in ("credit_note", "debit_note"):
        changes |= _relation(family, about)
    if family == "adjustment_note":
        assert about is not None
        changes["support_document_number"] = about.number
    return Body(changed(payload, changes), total, party, is_on_credit)


def _relation(family: str, about: Known | None) -> dict[str, Any]:
    if about is not None:
        return {"bill_number": about.number}
    return {
        "bill_number": REMOVE,
        "customization_id": "22" if family == "credit_note" else "32",
        "correction_concept_code": "1" if family == "credit_note" else "4",
        "billing_period": _PERIOD,
    }


def _payroll(n: int, reference: str) -> Body:
    allowance, worker = 200_000 + n * 10, str(1_000_000_000 + n)
    payload = changed(
        a_document_payload("payroll"),
        {
            "reference_code": reference,
            "accruals.tra.0.amount": f"{allowance}.00",
            "worker.identification_number": worker,
        },
    )
    paid = 2_800_000 + allowance - 2 * 112_000
    return Body(payload, f"{paid}.00", worker)


def respelt(payload: Mapping[str, Any]) -> dict[str, Any]:
    """The same document: keys in another order, a number spelt differently."""
    found = copy.deepcopy(dict(reversed(list(payload.items()))))
    if "items" in found:
        found["items"][0]["price"] = float(found["items"][0]["price"])
    elif "worker" in found:
        found["worker"]["salary"] = float(found["worker"]["salary"])
    return found


def is_on_credit(payload: Mapping[str, Any]) -> bool:
    payments = payload.get("payment_details") or [{}]
    return bool(payments[0].get("payment_form") == "2")
