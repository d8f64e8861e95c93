"""
What the bodies of several families have in common; each family composes its own from these.
"""

from __future__ import annotations

from schemas.payload.documents.parties import Establishment
from schemas.payload.documents.payments import AllowanceCharge, Currency, Payment
from schemas.payload.fields import (
    MAX_ELEMENTS,
    DateText,
    Filled,
    Flag,
    Nullable,
    Part,
    RangeId,
    SignedAmount,
    TimeText,
    part,
)


class Referenced(Part):
    """Every create."""

    reference_code: Filled = part(
        "código de referencia",
        "The document's idempotency key: 1 to 100 printable characters, no space at either end",
        bad="REF-001",
        max_length=100,
    )


class Paid(Referenced):
    """Bills, notes and support documents."""

    numbering_range_id: RangeId = part(
        "rango de numeración", "Required with more than one active range", optional=True, bad="RNG-004"
    )
    observation: Nullable = part(
        "observación", "Free note, at most 500 characters", optional=True, bad="GEN-016", max_length=500
    )
    payment_details: list[Payment] = part(
        "medios de pago",
        "At least one; they add up to the total, and the rounding where there is one",
        bad="SUM-001",
        missing="SUM-001",
        min_length=1,
        max_length=MAX_ELEMENTS,
    )


class Rounded(Paid):
    """The same without credit notes, which have neither an hour nor a rounding."""

    created_time: TimeText = part("hora de creación", "Time of creation", optional=True, bad="GEN-018")
    cash_rounding_amount: SignedAmount = part(
        "redondeo", "Sum of payments minus total, -500.00 to 500.00", optional=True, bad="GEN-007"
    )


class Established(Part):
    """All of them but adjustment notes."""

    establishment: Establishment = part("establecimiento", "Another establishment to print", optional=True)


class Sold(Established):
    """Bills, credit and debit notes."""

    currency: Currency = part("moneda extranjera", "Shows totals in a foreign currency", optional=True)
    send_email: Flag = part(
        "envío de correo", "Factus e-mails the customer (default true)", optional=True, bad="GEN-011"
    )
    allowance_charges: list[AllowanceCharge] = part(
        "recargos y descuentos", "Of the whole document", optional=True, max_length=MAX_ELEMENTS
    )


class BillingPeriod(Part):
    """The period that is billed: utilities, rent, tuition, health."""

    start_date: DateText = part("fecha de inicio del período", "First day", bad="GEN-012", missing="EST-004")
    start_time: TimeText = part("hora de inicio del período", "First moment", optional=True, bad="GEN-013")
    end_date: DateText = part("fecha de fin del período", "Last day", bad="GEN-012", missing="EST-004")
    end_time: TimeText = part("hora de fin del período", "Last moment", optional=True, bad="GEN-013")
