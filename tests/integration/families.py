"""
The families at work: documents issued through the service, and by somebody else's hand.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from tests.builders import a_bill, changed
from tests.families import FAMILIES, Family, a_document_payload
from tests.integration.service import Event, FactusUser, TestedAccount, new_reference


@dataclass(frozen=True)
class FamilyCase(Family):
    """A family, and what tests do with its documents."""

    def __str__(self) -> str:
        return self.name

    def body(self, tenant: FactusUser, reference: str | None = None, **changes: Any) -> dict[str, Any]:
        """A valid body under a reference of its own, about a document that Factus has."""
        if self.about is None or self.about[0] in changes:
            return self.body_about(None, reference, **changes)
        return self.body_about(FAMILY_CASES[self.about[1]].at_factus(tenant)["number"], reference, **changes)

    def body_about(self, number: str | None, reference: str | None = None, **changes: Any) -> dict[str, Any]:
        """A valid body, about the document of that number."""
        found = {**a_document_payload(self.name), "reference_code": reference or new_reference(self.name)}
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


FAMILY_CASES = {name: FamilyCase(**vars(row)) for name, row in FAMILIES.items()}


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
