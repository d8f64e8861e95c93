"""
The body of ``POST /v2/bills/validate``: a sales invoice (factura de venta) of any operation type.
"""

from __future__ import annotations

from typing import Annotated

from schemas.fields import MAX_ELEMENTS, Amount, DateText, Filled, Flag, Kind, Part, RangeId, Text, TimeText, part
from schemas.items import Item
from schemas.parties import Beneficiary, Customer, Establishment
from schemas.payments import AllowanceCharge, Currency, Payment, Prepayment


class BillingPeriod(Part):
    """The period that is billed: utilities, rent, tuition, health."""

    start_date: DateText = part("fecha de inicio del período", "First day", bad="GEN-012", missing="EST-004")
    start_time: TimeText = part("hora de inicio del período", "First moment", optional=True, bad="GEN-013")
    end_date: DateText = part("fecha de fin del período", "Last day", bad="GEN-012", missing="EST-004")
    end_time: TimeText = part("hora de fin del período", "Last moment", optional=True, bad="GEN-013")


class OrderReference(Part):
    """The purchase order."""

    reference_code: Filled = part("número de la orden", "Order number", missing="BILL-010")
    issue_date: DateText = part("fecha de la orden", "Order date", optional=True, bad="BILL-010")


class RelatedDocument(Part):
    """A document behind a contingency bill."""

    code: Filled = part("tipo del documento relacionado", "The company's own coding", missing="BILL-003")
    issue_date: DateText = part("fecha del documento relacionado", "Its date", bad="GEN-012", missing="BILL-003")
    number: Filled = part("número del documento relacionado", "Prefix and number", missing="BILL-003")


class Health(Part):
    """Data of the health sector (SS-CUFE, SS-Reporte, SS-SinAporte)."""

    provider_code: Filled = part("código del prestador de salud", "Of the IPS or EPS", bad="OPT-013", missing="OPT-013")
    payment_method_code: Annotated[str, Kind("code", "health-payment-methods")] = part(
        "modalidad de pago en salud", "Not a code of payment-methods", bad="OPT-014", missing="OPT-013"
    )
    coverage_code: Annotated[str, Kind("code", "health-coverage-plans")] = part(
        "plan de cobertura en salud", "Coverage plan", bad="OPT-015", missing="OPT-013"
    )
    contract_number: Text = part("número de contrato de salud", "This or without_contract_code", optional=True)
    without_contract_code: Annotated[str, Kind("code", "health-without-contract-reasons")] = part(
        "causal de factura sin contrato", "Why there is no contract", optional=True, bad="OPT-017"
    )
    policy_number: Text = part("número de póliza", "When the plan is a policy; may be empty", optional=True)


class Bill(Part):
    """A sales invoice in the field names of Factus API v2."""

    reference_code: Filled = part(
        "código de referencia",
        "The document's idempotency key: 1 to 100 printable characters, no space at either end",
        bad="REF-001",
        max_length=100,
    )
    created_time: TimeText = part("hora de creación", "Time of creation", optional=True, bad="GEN-018")
    document: Annotated[str, Kind("code", "document-types")] = part(
        "tipo de documento", "01 invoice (default), 03 contingency", optional=True, bad="BILL-001"
    )
    numbering_range_id: RangeId = part(
        "rango de numeración", "Required with more than one active range", optional=True, bad="RNG-004"
    )
    operation_type: Annotated[str, Kind("code", "operation-types")] = part(
        "tipo de operación",
        "10 standard (default), 11 mandates, 12 transport, SS-* health",
        optional=True,
        bad="BILL-005",
    )
    currency: Currency = part("moneda extranjera", "Shows totals in a foreign currency", optional=True)
    send_email: Flag = part(
        "envío de correo", "Factus e-mails the customer (default true)", optional=True, bad="GEN-011"
    )
    observation: Text = part(
        "observación", "Free note, at most 500 characters", optional=True, bad="GEN-016", max_length=500
    )
    prepayment_details: list[Prepayment] = part("anticipos", "Advances", optional=True, max_length=MAX_ELEMENTS)
    payment_details: list[Payment] = part(
        "medios de pago",
        "At least one; they add up to total + cash_rounding_amount",
        bad="SUM-001",
        missing="SUM-001",
        min_length=1,
        max_length=MAX_ELEMENTS,
    )
    cash_rounding_amount: Amount = part(
        "redondeo", "Sum of payments minus total, -500.00 to 500.00", optional=True, bad="GEN-007"
    )
    establishment: Establishment = part("establecimiento", "Another establishment to print", optional=True)
    billing_period: BillingPeriod = part("período de facturación", "Period that is billed", optional=True)
    order_reference: OrderReference = part("orden de compra", "Purchase order", optional=True)
    related_documents: list[RelatedDocument] = part(
        "documentos relacionados", "Required with document 03", optional=True, max_length=MAX_ELEMENTS
    )
    customer: Customer = part("cliente", "The buyer")
    items: list[Item] = part(
        "líneas", "At least one", bad="ITM-001", missing="ITM-001", min_length=1, max_length=MAX_ELEMENTS
    )
    allowance_charges: list[AllowanceCharge] = part(
        "recargos y descuentos", "Of the whole bill", optional=True, max_length=MAX_ELEMENTS
    )
    beneficiary: Beneficiary = part("beneficiario", "The patient; required in SS-Recaudo", optional=True)
    health: Health = part("datos de salud", "Required in SS-CUFE, SS-Reporte, SS-SinAporte", optional=True)
