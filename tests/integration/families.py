"""
The seven families as a producer and Factus know them, with bodies that are valid and what must exist before them.

Written down from the contract and Factus's reference, not from the service's own rows.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.builders import a_bill, changed
from tests.integration.service import Event, FactusUser, TestedAccount, new_reference
from tests.unit.schemas.payload.documents import a_document

ALL_KINDS = ("pdf", "xml", "attached")


@dataclass(frozen=True)
class FamilyCase:
    """
    One family of documents.

    Args:
        area: What Factus calls it in paths.
        code: Key of DIAN's code in a result.
        about: Key of the document that it corrects or eliminates, and that one's family.
        kinds: The files it has.
        total: What the valid body comes to; None where Factus tells no total.
        other: What makes the valid body another document: dotted path and value.
        bad: What breaks a documented rule: dotted path and value, and the rule that is told.
        unknown: What only Factus can refuse: dotted path and value.
    """

    name: str
    area: str
    code: str
    kinds: tuple[str, ...]
    total: str | None
    other: Mapping[str, Any]
    bad: tuple[str, Any, str]
    unknown: tuple[str, Any]
    about: tuple[str, str] | None = None
    is_mailed: bool = False
    is_payroll: bool = False

    def __str__(self) -> str:
        return self.name

    @property
    def create_path(self) -> str:
        return f"/v2/{self.area}" if self.is_payroll else f"/v2/{self.area}/validate"

    def body(self, tenant: FactusUser, reference: str | None = None, **changes: Any) -> dict[str, Any]:
        """A valid body under a reference of its own, about a document that Factus has."""
        if self.about is None or self.about[0] in changes:
            return self.body_about(None, reference, **changes)
        return self.body_about(FAMILY_CASES[self.about[1]].at_factus(tenant)["number"], reference, **changes)

    def body_about(self, number: str | None, reference: str | None = None, **changes: Any) -> dict[str, Any]:
        """A valid body, about the document of that number."""
        found = {**a_document(self.name), "reference_code": reference or new_reference(self.name)}
        found.pop("numbering_range_id", None)  # Factus takes the family's only active one
        if self.about and number:
            found[self.about[0]] = number
        return found | changes

    def other_than(self, tenant: FactusUser, body: Mapping[str, Any]) -> dict[str, Any]:
        """A valid body of another document under the same reference."""
        if not self.other:  # it says nothing but whom it eliminates
            return self.body(tenant, body["reference_code"])
        return changed(dict(body), dict(self.other))

    def at_factus(self, tenant: FactusUser, body: Mapping[str, Any] | None = None) -> Any:
        """Issue a document by somebody else's hand; what Factus shows of it."""
        answer = tenant.ask("POST", self.create_path, json=body or self.body(tenant))
        assert answer.status_code == 201, answer.text
        return answer.json()["data"]

    def number(self, tenant: FactusUser) -> str:
        """The number of some validated document, always the same."""
        if self.name not in tenant.numbers:
            tenant.numbers[self.name] = str(self.at_factus(tenant)["number"])
        return tenant.numbers[self.name]

    def rejected_at_factus(self, tenant: FactusUser) -> str:
        """A document that DIAN rejected and nobody deleted; its reference."""
        body = self.body_about(FAMILY_CASES[self.about[1]].number(tenant) if self.about else None)
        tenant.fault("reject", on="create", family=self.area, reference=body["reference_code"])
        assert tenant.ask("POST", self.create_path, json=body).status_code == 422
        return str(body["reference_code"])

    def pending_at_factus(self, tenant: FactusUser) -> str:
        """A document that waits for DIAN for ever; its reference."""
        body = self.body(tenant)
        effect = {"kind": "pending", "polls": 100_000}
        tenant.fault(effect, on="create", family=self.area, reference=body["reference_code"])
        assert tenant.ask("POST", self.create_path, json=body).status_code == 201
        return str(body["reference_code"])

    def shown_at_factus(self, tenant: FactusUser, number: str) -> Any:
        return tenant.data_at_factus(f"/v2/{self.area}/{number}")

    def issue(self, tenant: TestedAccount, body: Mapping[str, Any], **envelope: Any) -> Event:
        return tenant.run(f"{self.name}.issue", body, **envelope)


_SALE_TOTAL = "83300.00"
_OTHER_SALE = {"items.0.price": "20000.00", "payment_details.0.amount": "95200.00"}

_ROWS = (
    FamilyCase(
        name="invoice",
        area="bills",
        code="cufe",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("items.0.unit_measure_code", "metros", "ITM-005"),
        unknown=("numbering_range_id", 999_999),
        is_mailed=True,
    ),
    FamilyCase(
        name="credit_note",
        area="credit-notes",
        code="cude",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "NOTE-001"),
        unknown=("bill_number", "SETP1"),
        about=("bill_number", "invoice"),
        is_mailed=True,
    ),
    FamilyCase(
        name="debit_note",
        area="debit-notes",
        code="cude",
        kinds=ALL_KINDS,
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "NOTE-002"),
        unknown=("bill_number", "SETP1"),
        about=("bill_number", "invoice"),
        is_mailed=True,
    ),
    FamilyCase(
        name="support_document",
        area="support-documents",
        code="cuds",
        kinds=("pdf", "xml"),
        total=_SALE_TOTAL,
        other={"provider.identification": "900825759"},
        bad=("provider.dv", "9", "DS-003"),
        unknown=("numbering_range_id", 999_999),
    ),
    FamilyCase(
        name="adjustment_note",
        area="adjustment-notes",
        code="cuds",
        kinds=("pdf", "xml"),
        total=_SALE_TOTAL,
        other=_OTHER_SALE,
        bad=("correction_concept_code", "9", "DS-021"),
        unknown=("support_document_number", "SEDS1"),
        about=("support_document_number", "support_document"),
    ),
    FamilyCase(
        name="payroll",
        area="payrolls",
        code="cune",
        kinds=("pdf", "xml"),
        total="2825095.00",
        other={"worker.identification_number": "1234567891"},
        bad=("worker.contract_type", "99", "PAY-015"),
        unknown=("numbering_range_id", "01kpdv25zepw0vzn39th90h1zz"),
        is_payroll=True,
    ),
    FamilyCase(
        name="payroll_adjustment",
        area="adjustment-payrolls",
        code="cune",
        kinds=("xml",),
        total=None,
        other={},
        bad=("payroll_number", "", "PAY-035"),
        unknown=("payroll_number", "NEF99999"),
        about=("payroll_number", "payroll"),
        is_payroll=True,
    ),
)
FAMILY_CASES = {row.name: row for row in _ROWS}


def a_credit_bill(reference: str | None = None) -> dict[str, Any]:
    """A bill that is paid later: the only kind that RADIAN knows."""
    payment = {"payment_form": "2", "payment_method_code": "47", "amount": "83300.00", "due_date": "2030-01-31"}
    return a_bill(reference_code=reference or new_reference("FC"), payment_details=[payment])


def hold_file(file: dict[str, Any], archive: Path) -> bytes:
    """The event's file lies where it says, and is what it says; its content."""
    assert set(file) == {"kind", "uri", "sha256", "bytes"}
    path = Path(unquote(urlsplit(file["uri"]).path))
    assert path.is_relative_to(archive)
    content = path.read_bytes()
    assert (file["sha256"], file["bytes"]) == (hashlib.sha256(content).hexdigest(), len(content))
    return content
