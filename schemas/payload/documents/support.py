"""
The bodies of ``POST /v2/support-documents/validate`` (documento soporte) and ``POST /v2/adjustment-notes/validate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Final

from schemas.payload.documents.items import Line, Tax
from schemas.payload.documents.parties import Provider
from schemas.payload.documents.shared import Established, Rounded
from schemas.payload.fields import MAX_ELEMENTS, Absent, Amount, DateText, Filled, Kind, Part, absent, part

_NOT_BOUGHT: Final = absent("DS-019", "customer send_email allowance_charges currency billing_period health")


class PurchaseTax(Tax):
    """The tax of a line that was bought: IVA, charged or excluded."""

    rule_ids: ClassVar[Mapping[str, str]] = {"ITM-011": "DS-012"}


class PurchaseLine(Line):
    """What lines of support documents and their notes share."""

    not_here: ClassVar[dict[str, Absent]] = (
        Line.not_here
        | absent("DS-019", "note mandate")
        | {"discount_amount": Absent("ITM-023", 'El descuento se perdería: use el porcentaje, "discount_rate".')}
    )

    discount_rate: Amount = part("porcentaje de descuento", '0 to 100; "0.00" without discount', missing="ITM-024")
    taxes: list[PurchaseTax] = part(
        "impuestos de la línea", "IVA only", bad="ITM-010", missing="ITM-010", min_length=1, max_length=1_000
    )


class PurchasePeriod(Part):
    """When a line was bought."""

    generation_mode: Annotated[str | int, Kind("whole", least=1, most=2)] = part(
        "forma de generación", "1 bought that day, 2 weekly summary", bad="DS-014"
    )
    start_date: DateText = part(
        "fecha de compra",
        "Required with mode 2, at most six days ago; ignored with mode 1",
        optional=True,
        bad="GEN-012",
    )


class PurchaseItem(PurchaseLine):
    """One product or service of a support document."""

    period: PurchasePeriod = part("período de compra", "When it was bought; today if left out", optional=True)


class SupportDocument(Rounded, Established):
    """A support document (documento soporte): a purchase from somebody who need not invoice."""

    not_here: ClassVar[dict[str, Absent]] = _NOT_BOUGHT

    provider: Provider = part("proveedor", "The seller")
    items: list[PurchaseItem] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )


class AdjustmentItem(PurchaseLine):
    """One product or service of an adjustment note."""

    not_here: ClassVar[dict[str, Absent]] = PurchaseLine.not_here | absent("DS-018", "period")


class AdjustmentNote(Rounded):
    """An adjustment note (nota de ajuste): corrects or cancels a support document."""

    not_here: ClassVar[dict[str, Absent]] = _NOT_BOUGHT | absent("DS-018", "establishment")

    support_document_number: Filled = part(
        "número del documento soporte", "Number of the support document that is corrected", bad="DS-020"
    )
    correction_concept_code: Annotated[str, Kind("code", "adjustment-note-correction-concepts")] = part(
        "motivo de la nota de ajuste", "Why the note is issued, 1 to 5", bad="DS-021"
    )
    provider: Provider = part("proveedor", "The seller, as on the support document")
    items: list[AdjustmentItem] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )
