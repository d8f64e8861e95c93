"""
The body of ``POST /v2/bills/validate``: a sales invoice (factura de venta) of any operation type.
"""

from __future__ import annotations

from typing import Annotated

from schemas.payload.documents.items import AdditionalProperty, DiscountedLine
from schemas.payload.documents.parties import Customer, Mandate
from schemas.payload.documents.sectors import Beneficiary, Health
from schemas.payload.documents.shared import BillingPeriod, Rounded, Sold
from schemas.payload.fields import MAX_ELEMENTS, Amount, DateText, Filled, Kind, Part, Text, part


class OrderReference(Part):
    """The purchase order."""

    reference_code: Filled = part("número de la orden", "Order number", missing="BILL-010")
    issue_date: DateText = part("fecha de la orden", "Order date", optional=True, bad="BILL-010")


class RelatedDocument(Part):
    """A document behind a contingency bill."""

    code: Filled = part("tipo del documento relacionado", "The company's own coding", missing="BILL-003")
    issue_date: DateText = part("fecha del documento relacionado", "Its date", bad="GEN-012", missing="BILL-003")
    number: Filled = part("número del documento relacionado", "Prefix and number", missing="BILL-003")


class Prepayment(Part):
    """An advance (anticipo); it reduces neither the total nor what the payments add up to."""

    reference_code: Filled = part("referencia del anticipo", "Reference", missing="BILL-006")
    received_date: DateText = part("fecha del anticipo", "Day received", bad="GEN-012", missing="BILL-006")
    concept_code: Annotated[str, Kind("code", "health-prepayment-concepts")] = part(
        "concepto del anticipo", "Health bills only", optional=True, bad="OPT-020"
    )
    amount: Amount = part("valor del anticipo", "Greater than 0", missing="BILL-006")
    note: Text = part("nota del anticipo", "At most 5000 characters", optional=True, bad="BILL-007", max_length=5_000)


class Item(DiscountedLine):
    """One product or service of a bill, and what its operation type adds."""

    scheme_id: Annotated[str | int, Kind("code", "item-schemes-mandates", takes_number=True)] = part(
        "esquema de la línea",
        "Operation types 11, 12, SS-Recaudo: 0 own income or additional service, 1 for third parties or consignment",
        optional=True,
        bad="OPT-001",
    )
    mandate: Mandate = part("mandante", "With scheme_id 1 in 11 and SS-Recaudo", optional=True, bad="OPT-002")
    additional_properties: list[AdditionalProperty] = part(
        "propiedades de transporte",
        "Operation type 12, lines of scheme_id 1",
        optional=True,
        bad="OPT-006",
        max_length=1_000,
    )
    collection_concept_code: Annotated[str, Kind("code", "health-collection-concepts")] = part(
        "concepto de recaudo", "SS-Recaudo: COP, CUO, PAC", optional=True, bad="OPT-026"
    )


class Bill(Rounded, Sold):
    """A sales invoice in the field names of Factus API v2."""

    document: Annotated[str, Kind("code", "document-types")] = part(
        "tipo de documento", "01 invoice (default), 03 contingency", optional=True, bad="BILL-001"
    )
    operation_type: Annotated[str, Kind("code", "operation-types")] = part(
        "tipo de operación",
        "10 standard (default), 11 mandates, 12 transport, SS-* health",
        optional=True,
        bad="BILL-005",
    )
    prepayment_details: list[Prepayment] = part("anticipos", "Advances", optional=True, max_length=MAX_ELEMENTS)
    billing_period: BillingPeriod = part("período de facturación", "Period that is billed", optional=True)
    order_reference: OrderReference = part("orden de compra", "Purchase order", optional=True)
    related_documents: list[RelatedDocument] = part(
        "documentos relacionados", "Required with document 03", optional=True, max_length=MAX_ELEMENTS
    )
    customer: Customer = part("cliente", "The buyer")
    items: list[Item] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )
    beneficiary: Beneficiary = part("beneficiario", "The patient; required in SS-Recaudo", optional=True)
    health: Health = part("datos de salud", "Required in SS-CUFE, SS-Reporte, SS-SinAporte", optional=True)
