"""
Rules about lines, their taxes and withholdings (ITM).
"""

from __future__ import annotations

from typing import Final

from schemas.money import HUNDRED, ZERO, render
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding

IVA: Final = "01"
INC: Final = "04"
RETE_IVA: Final = "05"
UNIT: Final = "94"
_GLOSSARY_UNITS: Final = {"57": "KGM", "30": "LTR", "60": "HUR"}
_USUAL_RATES: Final = {IVA: (0, 5, 19), INC: (4, 8, 16), "35": (10, 15, 20)}

ITEM: Final = RuleBook.about("items.*")
ITEM.by_shape("ITM-001 ITM-002 ITM-008 ITM-010")
ITEM.by_shape("ITM-005", "D, R")
ITEM.by_shape("ITM-013", "R")
ITEM.by_shape("ITM-027")

TAX: Final = RuleBook.about("items.*.taxes.*")
PRICE: Final = RuleBook.about("items.*")
SALE_ITEM: Final = RuleBook.about("items.*")
SALE_TAX: Final = RuleBook.about("items.*.taxes.*")
DISCOUNT: Final = RuleBook.about("items.*")

WITHHOLDING: Final = RuleBook.about("items.*.withholding_taxes.*")


@ITEM.error("ITM-003", "D, sign I")
def quantity_is_above_zero(item: Node, document: Document) -> Findings:
    return (
        NO_FINDINGS
        if item.get("quantity", 1) > 0
        else finding("quantity", 'La cantidad ("quantity") debe ser mayor que cero.')
    )


@PRICE.error("ITM-004", "P")
def price_is_not_negative(item: Node, document: Document) -> Findings:
    if item.get("price", 0) >= 0:
        return NO_FINDINGS
    return finding("price", 'El precio unitario ("price") no puede ser negativo.')


@ITEM.error("ITM-004", "P")
def price_is_not_zero(item: Node, document: Document) -> Findings:
    if item.get("price", 1):
        return NO_FINDINGS
    return finding(
        "price",
        'El precio unitario ("price") es cero: la DIAN pide un precio de referencia que Factus no recibe.',
        Level.WARNING,
    )


@ITEM.warning("ITM-006", "R")
def unit_is_the_proven_one(item: Node, document: Document) -> Findings:
    unit = item.get("unit_measure_code", UNIT)
    if unit == UNIT or unit in _GLOSSARY_UNITS:
        return NO_FINDINGS
    return finding(
        "unit_measure_code", f'Factus ha rechazado algunas unidades de su tabla; "{UNIT}" (unidad) siempre pasa.'
    )


@ITEM.error("ITM-007", "D")
def unit_is_the_one_meant(item: Node, document: Document) -> Findings:
    # The ids of version 1 are refused by the shape stage: the table does not have them.
    meant = _GLOSSARY_UNITS.get(item.get("unit_measure_code", ""))
    if meant is None:
        return NO_FINDINGS
    return finding(
        "unit_measure_code",
        f'El código "{item["unit_measure_code"]}" es otra unidad en la tabla de Factus. Quizá quiso decir "{meant}".',
        Level.WARNING,
    )


@ITEM.warning("ITM-009", "P")
def product_code_follows_its_standard(item: Node, document: Document) -> Findings:
    code = item.get("code_reference")
    standard = item.get("standard_code", "999")
    if standard == "999" or code is None:
        return NO_FINDINGS
    lengths, name = {"001": ((8,), "UNSPSC"), "010": ((8, 12, 13, 14), "GTIN"), "020": ((10,), "partida arancelaria")}[
        standard
    ]
    if code.isascii() and code.isdigit() and len(code) in lengths:
        return NO_FINDINGS
    expected = " o ".join(map(str, lengths))
    return finding(
        "code_reference", f"Con el estándar {standard} ({name}) el código del producto tiene {expected} dígitos."
    )


@TAX.error("ITM-014", "R (v1)")
def only_iva_is_excluded(tax: Node, document: Document) -> Findings:
    if not tax.get("is_excluded") or tax.get("code", IVA) == IVA:
        return NO_FINDINGS
    return finding("is_excluded", 'El impuesto excluido solo puede ser IVA: quite "code", o use "01".')


@TAX.error("ITM-015", "P")
def excluded_tax_has_no_rate(tax: Node, document: Document) -> Findings:
    if not tax.get("is_excluded") or tax.get("rate", ZERO) <= 0:
        return NO_FINDINGS
    return finding("rate", 'Un impuesto excluido no lleva tarifa: quite "rate".')


@ITEM.error("ITM-015", "P")
def excluded_line_has_no_iva(item: Node, document: Document) -> Findings:
    taxes = item.get("taxes", ())
    if len(taxes) < 2 or not any(tax.get("is_excluded") for _, tax in _taxes(item)):
        return NO_FINDINGS
    return [
        Finding(f"taxes.{position}.code", "La línea está excluida de IVA y además lleva IVA. Deje uno.")
        for position, tax in _taxes(item)
        if not tax.get("is_excluded") and tax.get("code") == IVA
    ]


@ITEM.error("ITM-016", "I, X")
def no_tax_comes_twice(item: Node, document: Document) -> Findings:
    taxes = item.get("taxes", ())
    if len(taxes) < 2:
        return NO_FINDINGS
    # An excluded IVA beside a charged one is told by ITM-015.
    told = [(position, _tax_identity(tax)) for position, tax in _taxes(item)]
    return _repeated("taxes", told, "El impuesto está repetido en la línea. Deje uno.")


def _tax_identity(tax: Node) -> object:
    return (IVA, True) if tax.get("is_excluded") else tax.get("code")


@SALE_ITEM.warning("ITM-017", "P")
def not_both_iva_and_inc(item: Node, document: Document) -> Findings:
    taxes = item.get("taxes", ())
    if len(taxes) < 2 or not {IVA, INC} <= {tax.get("code") for _, tax in _taxes(item)}:
        return NO_FINDINGS
    return finding("taxes", "La línea lleva IVA e impuesto al consumo (INC) a la vez, lo que no es usual. Revísela.")


@DISCOUNT.error("ITM-020", "D")
def one_kind_of_discount(item: Node, document: Document) -> Findings:
    if not (item.get("discount_amount") and item.get("discount_rate")):
        return NO_FINDINGS
    return finding(
        "discount_amount", 'Use el porcentaje ("discount_rate") o el valor ("discount_amount") del descuento, no ambos.'
    )


@DISCOUNT.error("ITM-021", "I")
def discount_fits_the_line(item: Node, document: Document) -> Findings:
    discount = item.get("discount_amount")
    if not discount or "quantity" not in item or "price" not in item:
        return NO_FINDINGS
    full = item["quantity"] * item["price"]
    if 0 <= discount <= full or full < 0:
        return NO_FINDINGS
    return finding(
        "discount_amount",
        f'El descuento ("discount_amount") debe estar entre 0 y el valor de la línea, {render(full)}.',
    )


@ITEM.error("ITM-022", "D")
def discount_rate_is_a_percentage(item: Node, document: Document) -> Findings:
    if 0 <= item.get("discount_rate", 0) <= HUNDRED:
        return NO_FINDINGS
    return finding("discount_rate", 'El porcentaje de descuento ("discount_rate") debe estar entre 0 y 100.')


@SALE_TAX.error("ITM-011", "D")
def tax_has_a_code(tax: Node, document: Document) -> Findings:
    if "code" in tax or tax.get("is_excluded"):
        return NO_FINDINGS
    return finding(
        "code",
        'Falta el impuesto ("code"): "01" IVA, "04" INC o "35"; o envíe "is_excluded": true.',
        rests_on="is_excluded",
    )


@TAX.error("ITM-012", "D")
def tax_has_a_rate(tax: Node, document: Document) -> Findings:
    if "rate" not in tax:
        if tax.get("is_excluded"):
            return NO_FINDINGS
        return finding(
            "rate",
            'Falta la tarifa del impuesto ("rate"), por ejemplo "19.00"; "0.00" si es exento.',
            rests_on="is_excluded",
        )
    if 0 <= tax["rate"] <= HUNDRED:
        return NO_FINDINGS
    return finding("rate", 'La tarifa del impuesto ("rate") debe estar entre 0 y 100.')


@SALE_TAX.warning("ITM-018", "P (tax law)")
def tax_rate_is_usual(tax: Node, document: Document) -> Findings:
    usual = _USUAL_RATES.get(tax.get("code", ""))
    rate = tax.get("rate")
    if usual is None or rate is None or tax.get("is_excluded") or rate in usual:
        return NO_FINDINGS
    options = ", ".join(map(str, usual))
    return finding("rate", f"La tarifa no es una de las usuales de este impuesto ({options}). Revísela.")


@WITHHOLDING.error("ITM-025", "D, repeats P")
def withholding_rate_is_a_percentage(withholding: Node, document: Document) -> Findings:
    if 0 <= withholding.get("rate", 0) <= HUNDRED:
        return NO_FINDINGS
    return finding("rate", 'La tarifa de la retención ("rate") debe estar entre 0 y 100.')


@ITEM.error("ITM-025", "D, repeats P")
def no_withholding_comes_twice(item: Node, document: Document) -> Findings:
    withholdings = item.get("withholding_taxes", ())
    if len(withholdings) < 2:
        return NO_FINDINGS
    told = [(position, one.get("code")) for position, one in enumerate(withholdings) if one]
    return _repeated("withholding_taxes", told, "La retención está repetida en la línea. Deje una.")


@ITEM.warning("ITM-026", "P")
def rete_iva_needs_iva(item: Node, document: Document) -> Findings:
    withholdings = item.get("withholding_taxes")
    if not withholdings or any(tax.get("code") == IVA and tax.get("rate", ZERO) > 0 for _, tax in _taxes(item)):
        return NO_FINDINGS
    return [
        Finding(
            f"withholding_taxes.{position}.code",
            "ReteIVA (05) sin IVA en la línea da una retención de 0.00. Quítela.",
            rests_on="taxes",
        )
        for position, one in enumerate(withholdings)
        if one and one.get("code") == RETE_IVA
    ]


def _taxes(item: Node) -> list[tuple[int, Node]]:
    return [(position, tax) for position, tax in enumerate(item.get("taxes", ())) if tax]


def _repeated(key: str, told: list[tuple[int, object]], message: str) -> Findings:
    seen: set[object] = set()
    found: list[Finding] = []
    for position, code in told:
        if code is not None and code in seen:
            found.append(Finding(f"{key}.{position}.code", message))
        seen.add(code)
    return found


ITEM_BOOKS: Final = (ITEM, TAX, WITHHOLDING)

PRICE_BOOKS: Final = (PRICE,)
"""All but notes, where a negative price has a rule of its own (NOTE-024)."""

SALE_ITEM_BOOKS: Final = (SALE_ITEM, SALE_TAX)
"""What lines of bills, credit and debit notes have beyond them: taxes other than IVA."""

DISCOUNT_BOOKS: Final = (DISCOUNT,)
"""Bills and credit notes, which take a discount as an amount too."""
