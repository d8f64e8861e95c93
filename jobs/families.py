"""
The families of documents: one row for each, with everything in which they differ at Factus.

Issuing, looking up, deleting, listing and downloading are the same code for all seven; a payload's model and rules
stand beside, in ``schemas/payload/validate.py``.
Source: Factus API v2, endpoints; contract, section 3.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal
from urllib.parse import quote

from schemas.factus import amount

Kind = Literal["pdf", "xml", "attached"]
_FILES: Final[Mapping[Kind, str]] = {
    "pdf": "download-pdf",
    "xml": "download-xml",
    "attached": "download-attached-document-xml",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """
    One family of documents.

    Attributes:
        noun: What a person calls a document; ``validated`` and ``rejected`` agree with it in gender.
        collection: Path of the list; a single document is one segment below it.
        delete: What stands before the reference code.
        unique_code: The key under which DIAN's code stands in a document.
        party: The key of the other side, and that of its identification; for an elimination, of what it eliminates.
        total: Path of the total in a document that is shown; rows of a list have it at the top.
        show_by_reference: What stands before the reference code, for families whose list has no filter by it.
        has_status_filter: Whether the list can be asked for documents that are not validated.
        is_mailed: Whether Factus sends a document by e-mail.
        has_radian: Whether RADIAN events are registered on a document.
        kinds: Which files a document has, and the last segment of their paths.
        undone_by: The family whose documents undo one that is validated; empty where there is none.
    """

    name: str
    noun: str
    is_masculine: bool = False
    collection: str
    create: str
    delete: str
    unique_code: str
    party: tuple[str, str] = ("customer", "identification")
    total: tuple[str, ...] = ("totals", "total")
    show_by_reference: str = ""
    has_status_filter: bool = True
    is_mailed: bool = True
    has_radian: bool = False
    kinds: Mapping[Kind, str] = field(default_factory=lambda: _only(*_FILES))
    undone_by: str = ""

    @property
    def has_day_filter(self) -> bool:
        """Whether the list can be asked for the documents of some days, and for a number of rows."""
        return self.has_status_filter

    @property
    def has_taxes(self) -> bool:
        """Whether a document has taxes that add up to a sum of its own."""
        return self.total == ("totals", "total")

    def show(self, number: str) -> str:
        return f"{self.collection}/{segment(number)}"

    def download(self, number: str, kind: Kind) -> str:
        return f"{self.show(number)}/{self.kinds[kind]}"

    def delete_of(self, reference_code: str) -> str:
        return f"{self.delete}/{segment(reference_code)}"

    def party_of(self, raw: Mapping[str, Any]) -> str | None:
        """Identification of the other side in a document or a row of a list; None when it is not there."""
        outer, inner = self.party
        party = raw.get(outer)
        found = party.get(inner) if isinstance(party, Mapping) else None
        return found if isinstance(found, str) and found else None

    def total_of(self, raw: Mapping[str, Any]) -> Decimal | None:
        """Total of a document, or of a row of a list; None when it is not there."""
        found: Any = raw
        for key in self.total:
            found = found.get(key) if isinstance(found, Mapping) else None
        return amount(raw.get("total")) if found is None or found is raw else amount(found)

    def said(self, participle: str) -> str:
        """A participle in the gender of the noun: ``validad`` becomes ``validada`` or ``validado``."""
        return participle + ("o" if self.is_masculine else "a")


def segment(text: str) -> str:
    """
    A number or reference as one segment of a path.

    Dots are encoded where nothing else stands beside them: ``.`` and ``..`` would name another place.
    """
    return quote(text, safe="") if text.strip(".") else "%2E" * len(text)


def _only(*kinds: Kind) -> Mapping[Kind, str]:
    return MappingProxyType({kind: _FILES[kind] for kind in kinds})


_ROWS: Final = (
    Family(
        name="invoice",
        noun="Factura",
        collection="/v2/bills",
        create="/v2/bills/validate",
        delete="/v2/bills/destroy/reference",
        unique_code="cufe",
        has_radian=True,
        undone_by="credit_note",
    ),
    Family(
        name="credit_note",
        noun="Nota crédito",
        collection="/v2/credit-notes",
        create="/v2/credit-notes/validate",
        delete="/v2/credit-notes/reference",
        unique_code="cude",
    ),
    Family(
        name="debit_note",
        noun="Nota débito",
        collection="/v2/debit-notes",
        create="/v2/debit-notes/validate",
        delete="/v2/debit-notes/reference",
        unique_code="cude",
    ),
    Family(
        name="support_document",
        noun="Documento soporte",
        is_masculine=True,
        collection="/v2/support-documents",
        create="/v2/support-documents/validate",
        delete="/v2/support-documents/reference",
        unique_code="cuds",
        party=("provider", "identification"),
        is_mailed=False,
        kinds=_only("pdf", "xml"),
        undone_by="adjustment_note",
    ),
    Family(
        name="adjustment_note",
        noun="Nota de ajuste",
        collection="/v2/adjustment-notes",
        create="/v2/adjustment-notes/validate",
        delete="/v2/adjustment-notes/reference",
        unique_code="cuds",
        party=("provider", "identification"),
        is_mailed=False,
        kinds=_only("pdf", "xml"),
    ),
    Family(
        name="payroll",
        noun="Nómina",
        collection="/v2/payrolls",
        create="/v2/payrolls",
        delete="/v2/payrolls/reference",
        unique_code="cune",
        party=("worker", "identification_number"),
        total=("net_balance",),
        show_by_reference="/v2/payrolls/reference",
        has_status_filter=False,
        is_mailed=False,
        kinds=_only("pdf", "xml"),
        undone_by="payroll_adjustment",
    ),
    Family(
        name="payroll_adjustment",
        noun="Nota de ajuste de nómina",
        collection="/v2/adjustment-payrolls",
        create="/v2/adjustment-payrolls",
        delete="/v2/adjustment-payrolls/reference",
        unique_code="cune",
        party=("payroll", "number"),
        total=(),
        show_by_reference="/v2/adjustment-payrolls/reference",
        has_status_filter=False,
        is_mailed=False,
        kinds=_only("xml"),
    ),
)

FAMILIES: Final = {row.name: row for row in _ROWS}
