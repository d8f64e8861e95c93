"""
How a document is paid: payments, allowances and surcharges, the currency that is printed.
"""

from __future__ import annotations

from typing import Annotated

from schemas.payload.fields import Amount, DateText, ExchangeRate, Filled, Flag, Kind, Part, Text, part


class Payment(Part):
    """One means of payment."""

    payment_form: Annotated[str | int, Kind("code", "payment-forms", takes_number=True)] = part(
        "forma de pago", "1 cash, 2 credit", bad="SUM-002"
    )
    payment_method_code: Annotated[str, Kind("code", "payment-methods")] = part(
        "medio de pago", "Means of payment", bad="SUM-003"
    )
    reference_code: Text = part("referencia del pago", "Payment reference", optional=True)
    amount: Amount = part("valor del pago", "Greater than 0", missing="SUM-004")
    due_date: DateText = part("fecha de vencimiento", "Required with payment_form 2", optional=True, bad="GEN-012")


class AllowanceCharge(Part):
    """A discount or surcharge of the whole document."""

    concept_type: Annotated[str, Kind("code", "allowance-charge-concepts")] = part(
        "concepto del recargo o descuento", "Only 03 is available", bad="SUM-018"
    )
    is_surcharge: Flag = part("indicador de recargo", "True surcharge, false discount", bad="GEN-011")
    reason: Filled = part("motivo del recargo o descuento", "Reason", bad="SUM-020", missing="SUM-020")
    base_amount: Amount = part("base del recargo o descuento", "Free base, greater than 0", missing="SUM-020")
    amount: Amount = part("valor del recargo o descuento", "Added or subtracted as it stands", missing="SUM-020")


class Currency(Part):
    """Totals in a foreign currency, printed in the PDF only."""

    type: Annotated[str, Kind("code", "currencies")] = part("moneda", "ISO code, not COP", bad="SUM-021")
    exchange_rate: ExchangeRate = part("tasa de cambio", "Pesos for one unit", missing="GEN-004")
