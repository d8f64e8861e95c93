"""
The lines of a document: what is sold, its taxes and withholdings, and what transport and health lines add.
"""

from __future__ import annotations

from typing import Annotated

from schemas.fields import Amount, Filled, Flag, Kind, NumberText, Part, Text, part
from schemas.parties import Mandate


class Tax(Part):
    """One tax of a line. An excluded line is written as {"is_excluded": true}."""

    code: Annotated[str, Kind("code", "taxes")] = part(
        "impuesto", "01 IVA, 04 INC, 35; required unless excluded", optional=True, bad="ITM-011"
    )
    rate: Amount = part("tarifa del impuesto", "Percentage, 0 to 100; required unless excluded", optional=True)
    is_excluded: Flag = part("impuesto excluido", "The line is excluded from IVA", optional=True, bad="GEN-011")


class WithholdingTax(Part):
    """A self-withholding of a line; it does not reduce the total."""

    code: Annotated[str, Kind("code", "withholding-taxes")] = part(
        "autorretención", "05 ReteIVA (on the IVA), 06 ReteRenta (on the base)", bad="ITM-025", missing="ITM-025"
    )
    rate: Amount = part("tarifa de la autorretención", "Percentage, 0 to 100", missing="ITM-025")


class AdditionalProperty(Part):
    """Cargo data of a transport line."""

    code: Annotated[str, Kind("code", "transport-additional-properties")] = part(
        "código de la propiedad de transporte",
        "01 RNDC filing number, 02 own consecutive, 03 freight value",
        bad="OPT-007",
        missing="OPT-007",
    )
    value: NumberText = part("valor de la propiedad de transporte", "Value", bad="OPT-007", missing="OPT-007")
    quantity: Amount = part("cantidad transportada", "Required with code 03", optional=True)
    unit_measure_code: Text = part(
        "unidad de la cantidad transportada", "KGM or GLL, required with code 03", optional=True, bad="OPT-010"
    )


class Item(Part):
    """One product or service of a bill or credit note."""

    note: Text = part("nota de la línea", "Free note", optional=True)
    code_reference: Filled = part("código del producto", "The issuer's product code", bad="ITM-002")
    name: Filled = part("nombre del producto", "What is sold", bad="ITM-002")
    quantity: Amount = part("cantidad", "Greater than 0, at most two decimals")
    discount_rate: Amount = part("porcentaje de descuento", "0 to 100; this or discount_amount", optional=True)
    discount_amount: Amount = part("valor del descuento", "Of the whole line; this or discount_rate", optional=True)
    price: Amount = part("precio unitario", "Net: without taxes and before discounts")
    unit_measure_code: Annotated[str, Kind("code", "unit-measures")] = part(
        "unidad de medida", "94 is the unit", bad="ITM-005"
    )
    standard_code: Annotated[str, Kind("code", "product-standard-codes")] = part(
        "estándar del código del producto", "999 own coding, 001 UNSPSC, 020 customs tariff, 010 GTIN", bad="ITM-008"
    )
    taxes: list[Tax] = part(
        "impuestos de la línea", "At least one", bad="ITM-010", missing="ITM-010", min_length=1, max_length=1_000
    )
    withholding_taxes: list[WithholdingTax] = part(
        "autorretenciones de la línea", "Self-withholdings", optional=True, bad="ITM-025", max_length=1_000
    )
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
