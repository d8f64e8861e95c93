"""
The bodies of ``POST /v2/credit-notes/validate`` and ``POST /v2/debit-notes/validate``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar

from schemas.payload.documents.items import AdditionalProperty, DiscountedLine, Line, SaleLine
from schemas.payload.documents.parties import Customer, Mandate
from schemas.payload.documents.sectors import Coverage
from schemas.payload.documents.shared import BillingPeriod, Paid, Rounded, Sold
from schemas.payload.fields import MAX_ELEMENTS, Absent, Filled, Kind, Nullable, TimeText, absent, part


class NotePeriod(BillingPeriod):
    """The period of a note: unlike that of a bill, it has both hours."""

    start_time: TimeText = part("hora de inicio del período", "First moment", bad="GEN-013", missing="EST-005")
    end_time: TimeText = part("hora de fin del período", "Last moment", bad="GEN-013", missing="EST-005")


class Note(Sold):
    """What credit and debit notes have beyond a bill."""

    bill_number: Filled = part(
        "número de la factura",
        "Number of the bill that is corrected, with its prefix; required unless the note refers to none",
        optional=True,
        bad="NOTE-007",
    )
    billing_period: NotePeriod = part(
        "período de facturación", "Required when the note refers to no bill", optional=True
    )
    # Factus may copy it from the bill, and has refused notes without it all the same: NOTE-010 and NOTE-011 decide.
    customer: Customer = part("cliente", "The buyer, as on the bill; required when it refers to none", optional=True)


class NoteProperty(AdditionalProperty):
    """Cargo data of a credit note's line."""

    rule_ids: ClassVar[Mapping[str, str]] = {"OPT-007": "NOTE-022", "OPT-010": "GEN-010"}


class NoteCoverage(Coverage):
    """Data of the health sector in a credit note, which has to name a contract."""

    not_here: ClassVar[dict[str, Absent]] = absent("NOTE-020", "without_contract_code")
    rule_ids: ClassVar[Mapping[str, str]] = {"OPT-013": "NOTE-020"}

    contract_number: Filled = part("número de contrato de salud", "Contract", bad="NOTE-020", missing="NOTE-020")
    policy_number: Nullable = part("número de póliza", "When the plan is a policy", optional=True)


class CreditItem(DiscountedLine):
    """One product or service of a credit note."""

    not_here: ClassVar[dict[str, Absent]] = Line.not_here | absent(
        "NOTE-017", "scheme_id mandate collection_concept_code"
    )

    additional_properties: list[NoteProperty] = part(
        "propiedades de transporte", "Freight", optional=True, bad="NOTE-022", max_length=1_000
    )


class CreditNote(Paid, Note):
    """A credit note (nota crédito): corrects or cancels a bill."""

    not_here: ClassVar[dict[str, Absent]] = absent(
        "NOTE-017",
        "created_time cash_rounding_amount document operation_type prepayment_details order_reference "
        "related_documents beneficiary",
    )

    correction_concept_code: Annotated[str, Kind("code", "credit-note-correction-concepts")] = part(
        "motivo de la nota crédito", "Why the note is issued, 1 to 6", bad="NOTE-001"
    )
    customization_id: Annotated[str, Kind("code", "credit-note-operation-types")] = part(
        "tipo de nota crédito", "20 refers to a bill (default), 22 does not", optional=True, bad="NOTE-003"
    )
    health: NoteCoverage = part("datos de salud", "Of the health sector", optional=True)
    items: list[CreditItem] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )


class NoteMandate(Mandate):
    """On whose account a line of a debit note is charged."""

    rule_ids: ClassVar[Mapping[str, str]] = {"OPT-002": "NOTE-021", "OPT-003": "NOTE-021"}


class DebitItem(SaleLine):
    """One product or service of a debit note."""

    not_here: ClassVar[dict[str, Absent]] = (
        Line.not_here
        | absent("NOTE-018", "note scheme_id collection_concept_code additional_properties")
        | {"discount_amount": Absent("ITM-023", 'El descuento se perdería: use el porcentaje, "discount_rate".')}
    )

    mandate: NoteMandate = part("mandante", "On whose account the line is charged", optional=True, bad="NOTE-021")


class DebitNote(Rounded, Note):
    """A debit note (nota débito): adds value to a bill."""

    not_here: ClassVar[dict[str, Absent]] = absent(
        "NOTE-018",
        "document operation_type prepayment_details order_reference related_documents beneficiary health",
    )

    correction_concept_code: Annotated[str, Kind("code", "debit-note-correction-concepts")] = part(
        "motivo de la nota débito", "Why the note is issued, 1 to 4", bad="NOTE-002"
    )
    customization_id: Annotated[str, Kind("code", "debit-note-operation-types")] = part(
        "tipo de nota débito", "30 refers to a bill (default), 32 does not", optional=True, bad="NOTE-004"
    )
    items: list[DebitItem] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )
