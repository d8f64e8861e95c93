"""
The lines of a document: what is sold, its taxes and withholdings, and the cargo data of transport.

Each family makes its own line from these: no two have the same keys.
"""

from __future__ import annotations

from typing import Annotated, ClassVar

from schemas.payload.fields import Absent, Amount, Filled, FilledNumber, Flag, Kind, Part, Text, part


class Tax(Part):
    """One tax of a line. An excluded line is written as {"is_excluded": true}."""

    code: Annotated[str, Kind("code", "taxes")] = part(
        "impuesto", "01 IVA, 04 INC, 35; required unless excluded", optional=True, bad="ITM-011"
    )
    rate: Amount = part("tarifa del impuesto", "Percentage, 0 to 100; required unless excluded", optional=True)
    is_excluded: Flag = part("impuesto excluido", "The line is excluded from IVA", optional=True, bad="GEN-011")


class WithholdingTax(Part):
    """A withholding of a line, by the issuer on itself or from the provider; it does not reduce the total."""

    code: Annotated[str, Kind("code", "withholding-taxes")] = part(
        "retención", "05 ReteIVA (on the IVA), 06 ReteRenta (on the base)", bad="ITM-025", missing="ITM-025"
    )
    rate: Amount = part("tarifa de la retención", "Percentage, 0 to 100", missing="ITM-025")


class AdditionalProperty(Part):
    """Cargo data of a transport line."""

    code: Annotated[str, Kind("code", "transport-additional-properties")] = part(
        "código de la propiedad de transporte",
        "01 RNDC filing number, 02 own consecutive, 03 freight value",
        bad="OPT-007",
        missing="OPT-007",
    )
    value: FilledNumber = part("valor de la propiedad de transporte", "Value", bad="OPT-007", missing="OPT-007")
    quantity: Amount = part("cantidad transportada", "Required with code 03", optional=True)
    unit_measure_code: Text = part(
        "unidad de la cantidad transportada", "KGM or GLL, required with code 03", optional=True, bad="OPT-010"
    )


class Line(Part):
    """One product or service, as every family has it."""

    not_here: ClassVar[dict[str, Absent]] = {
        "is_excluded": Absent("ITM-013", 'El impuesto excluido va dentro de "taxes": [{"is_excluded": true}].')
    }

    code_reference: Filled = part("código del producto", "The issuer's product code", bad="ITM-002")
    name: Filled = part("nombre del producto", "What is sold", bad="ITM-002")
    quantity: Amount = part("cantidad", "Greater than 0, at most two decimals")
    discount_rate: Amount = part("porcentaje de descuento", "0 to 100", optional=True)
    price: Amount = part("precio unitario", "Net: without taxes and before discounts")
    unit_measure_code: Annotated[str, Kind("code", "unit-measures")] = part(
        "unidad de medida", "94 is the unit", bad="ITM-005"
    )
    standard_code: Annotated[str, Kind("code", "product-standard-codes")] = part(
        "estándar del código del producto", "999 own coding, 001 UNSPSC, 020 customs tariff, 010 GTIN", bad="ITM-008"
    )
    withholding_taxes: list[WithholdingTax] = part(
        "retenciones de la línea",
        "Withholdings; none reduces the total",
        optional=True,
        bad="ITM-025",
        max_length=1_000,
    )


class SaleLine(Line):
    """A line of a bill, credit or debit note."""

    taxes: list[Tax] = part(
        "impuestos de la línea", "At least one", bad="ITM-010", missing="ITM-010", min_length=1, max_length=1_000
    )


class DiscountedLine(SaleLine):
    """A line of a bill or credit note, which take a discount as an amount as well, and a note."""

    note: Text = part("nota de la línea", "Free note", optional=True)
    discount_amount: Amount = part("valor del descuento", "Of the whole line; this or discount_rate", optional=True)
