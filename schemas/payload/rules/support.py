"""
Rules about support documents and their adjustment notes: provider, IVA, days of purchase (DS).
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding
from schemas.payload.rules.identity import (
    COLOMBIA,
    check_digit_is_right,
    colombian_has_a_municipality,
    foreigner_has_no_municipality,
    mail_address_has_the_form,
    nit_has_a_check_digit,
    nit_is_digits,
    only_a_nit_has_a_check_digit,
)
from schemas.payload.rules.items import IVA
from schemas.payload.rules.sums import ROUNDED, ROUNDING, WITHHELD, sums

_FOREIGN_NIT: Final = "50"
_WEEKLY: Final = 2
_DAYS_BACK: Final = timedelta(days=6)

PROVIDER: Final = RuleBook.about("provider")
PROVIDER.by_shape("DS-001", "D, R, X")
PROVIDER.by_shape("DS-004 DS-005 DS-006 DS-009")
PROVIDER.error("DS-002", "D")(nit_is_digits)
PROVIDER.error("DS-003", "D")(check_digit_is_right)
PROVIDER.error("DS-003", "D")(nit_has_a_check_digit)
PROVIDER.error("DS-003", "D")(only_a_nit_has_a_check_digit)
PROVIDER.error("DS-007", "R")(colombian_has_a_municipality)
PROVIDER.error("DS-008", "D")(foreigner_has_no_municipality)
PROVIDER.error("DS-011", "I")(mail_address_has_the_form)

PURCHASE: Final = RuleBook.about("")
PURCHASE.by_shape("DS-019 ITM-023", "D, R")
PURCHASE.by_shape("ITM-024")
PURCHASE_TAX: Final = RuleBook.about("items.*.taxes.*")
PURCHASE_SUMS: Final = sums("SUM-008", WITHHELD, spare=ROUNDED)

PERIOD: Final = RuleBook.about("items.*.period")
PERIOD.by_shape("DS-014", "D9")

ADJUSTMENT: Final = RuleBook.about("")
ADJUSTMENT.by_shape("DS-018", "D9, R")
ADJUSTMENT.by_shape("DS-020 DS-021")


@PROVIDER.warning("DS-010", "P")
def foreign_nit_is_foreign(provider: Node, document: Document) -> Findings:
    if provider.get("identification_document_code") != _FOREIGN_NIT or provider.get("country_code") != COLOMBIA:
        return NO_FINDINGS
    return finding(
        "country_code", "Un NIT de otro país (50) no va con Colombia (CO). Revise el país o el tipo de documento."
    )


@PURCHASE_TAX.error("DS-012", "D")
def tax_is_iva(tax: Node, document: Document) -> Findings:
    # Of an excluded line ITM-014 says the same.
    if tax.get("code") == IVA or tax.get("is_excluded"):
        return NO_FINDINGS
    return finding(
        "code",
        'El impuesto ("code") de un documento soporte es "01" (IVA); otros no se admiten.',
        rests_on="is_excluded",
    )


@PERIOD.error("DS-015", "D9")
def weekly_purchase_has_its_day(period: Node, document: Document) -> Findings:
    if period.get("generation_mode") != _WEEKLY or "start_date" in period:
        return NO_FINDINGS
    return finding("start_date", 'Falta la fecha de compra ("start_date"): es obligatoria en el acumulado semanal (2).')


@PERIOD.error("DS-016", "D9")
def weekly_purchase_is_of_this_week(period: Node, document: Document) -> Findings:
    if period.get("generation_mode") != _WEEKLY or "start_date" not in period:
        return NO_FINDINGS
    first = (date.fromisoformat(document.today) - _DAYS_BACK).isoformat()
    if first <= period["start_date"] <= document.today:
        return NO_FINDINGS
    return finding(
        "start_date",
        f'La fecha de compra ("start_date") del acumulado semanal debe estar entre {first} y el día del envío.',
    )


@PERIOD.warning("DS-017", "D9")
def purchase_of_the_day_has_no_date(period: Node, document: Document) -> Findings:
    if period.get("generation_mode", _WEEKLY) == _WEEKLY or "start_date" not in period:
        return NO_FINDINGS
    return finding("start_date", 'Con la forma 1 Factus usa la fecha de hoy e ignora "start_date". Quite la clave.')


PURCHASE_BOOKS: Final = (PROVIDER, PURCHASE, PURCHASE_TAX, PURCHASE_SUMS, ROUNDING)
"""Of both."""

SUPPORT_DOCUMENT_BOOKS: Final = (PERIOD,)

ADJUSTMENT_NOTE_BOOKS: Final = (ADJUSTMENT,)
