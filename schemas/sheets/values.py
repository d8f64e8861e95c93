"""
The value of one cell by the kind of its column: what goes into the payload, or what is wrong with it.
"""

from __future__ import annotations

import re
from datetime import date
from decimal import Decimal
from typing import Final, NamedTuple

from schemas.money import HUNDRED, render
from schemas.sheets import dates, numbers
from schemas.sheets.cells import Broken, Value, plain, shown
from schemas.sheets.codes import CodeFound, find_code, near_codes
from schemas.sheets.columns import Style, percentage, tax_word
from schemas.sheets.faults import Problem, digits_lost, of_broken, of_number
from schemas.sheets.fields import Field, Profile
from schemas.sheets.numbers import Reason

EXCLUDED: Final = "excluded"
_LOST: Final = re.compile(r"[0-9]+(?:[.,][0-9]+)?[eE]\+[0-9]+", re.ASCII)
_MOST_EXACT_DIGITS: Final = 15
_CODED_TEXTS: Final = frozenset({"reference_code", "code_reference", "bill_number"})
_GROUPED_DIGITS: Final = re.compile(r"\d+|\d{1,3}(?:[.,\s]\d{3})+|\d[\d\s]*\d", re.ASCII)
_WITH_CHECK_DIGIT: Final = re.compile(r"(\d[\d.,\s]*\d)\s*-\s*(\d)", re.ASCII)
_OF_FLOAT: Final = re.compile(r"\d+[.,]0{1,2}", re.ASCII)
_NUMBERED: Final = re.compile(r"\d[\d.,\s]*\d", re.ASCII)
_SPLIT: Final = re.compile(r"[;,|\s]+")
_FIRST_SERIAL: Final = 36_526
_LAST_SERIAL: Final = 73_050
"""2000-01-01 to 2099-12-31 as Excel counts days."""
_KNOWN_RATES: Final = frozenset(map(Decimal, ("0", "5", "19")))


class Read(NamedTuple):
    """A value for the payload. ``restored`` where zeros at its head were put back."""

    value: str
    restored: bool = False


class Identified(NamedTuple):
    """An identification, and the check digit that was written behind it."""

    number: str
    dv: str = ""


def text(field: Field, value: Value) -> Read | Problem:
    """Free text, references and codes of one's own: as they stand."""
    match value:
        case Broken():
            return of_broken(value)
        case Decimal():
            if value == value.to_integral_value() and len(plain(abs(value))) > _MOST_EXACT_DIGITS:
                return digits_lost()
            return Read(plain(value))
        case date():
            if field.key in _CODED_TEXTS:
                return Problem(
                    "SHT-010", "Excel lo volvió una fecha: dé a la columna el formato Texto y escríbalo otra vez."
                )
            return Read(shown(value))
        case str():
            found = value.strip()
            if field.key in _CODED_TEXTS and _LOST.fullmatch(found):
                return digits_lost()
            return Read(found if field.key == "observation" else " ".join(found.split()))
        case None:
            return Read("")


def digits(field: Field, value: Value) -> Identified | Problem:
    """An identification, a check digit or a telephone: never a number with decimals, and no digit lost."""
    match value:
        case Broken():
            return of_broken(value)
        case Decimal():
            if value != value.to_integral_value() or value < 0:
                return Problem("SHT-010", "No es una identificación: tiene decimales o signo.")
            whole = plain(value)
            return digits_lost() if len(whole) > _MOST_EXACT_DIGITS else Identified(whole)
        case str():
            return _digits_of_text(field, " ".join(value.split()))
        case _:
            return Problem("SHT-010", "Excel lo volvió una fecha: dé a la columna el formato Texto.")


def _digits_of_text(field: Field, found: str) -> Identified | Problem:
    if numbers.SCIENTIFIC.fullmatch(found):
        return digits_lost()
    if _OF_FLOAT.fullmatch(found):  # as programs write a column of numbers: the zero is no digit of it
        found = found.replace(",", ".").partition(".")[0]
    if field.key == "identification":
        parts = _WITH_CHECK_DIGIT.fullmatch(found)
        number, dv = (parts[1], parts[2]) if parts else (found, "")
        if _GROUPED_DIGITS.fullmatch(number):
            return Identified(_only_digits(number), dv)
        if _NUMBERED.fullmatch(number):
            text = "Los puntos no separan miles: escriba solo las cifras de la identificación, sin puntos ni comas."
            return Problem("SHT-010", text)
    return Identified(found)


def _only_digits(found: str) -> str:
    return "".join(char for char in found if char.isdigit())


def amount(value: Value, style: Style) -> Decimal | Problem:
    """Money or a quantity: exact, with two decimals at most."""
    if isinstance(value, Broken):
        return of_broken(value)
    if isinstance(value, date):
        return Problem("SHT-010", "Excel lo volvió una fecha: escriba el número.")
    found = numbers.parse(value, style.decimal)
    cents = found if isinstance(found, Reason) else numbers.to_cents(found, is_double=isinstance(value, Decimal))
    return of_number(cents, shown(value)) if isinstance(cents, Reason) else cents


def percent(value: Value, style: Style) -> Decimal | Problem:
    """A discount: 10 or 10%. A bare 0.1 may be a tenth or a thousandth, and is refused."""
    rate = percentage(value, style.decimal)
    found = amount(value, style) if rate is None else _cents(rate)
    if rate is None and isinstance(found, Decimal) and 0 < found < 1:
        return Problem("SHT-010", f"No se sabe si es {found} % o {plain(found * HUNDRED)} %: escríbalo con el signo %.")
    return found


def tax(value: Value, style: Style, profile: Profile | None) -> str | Problem:
    """A rate with two decimals, or EXCLUDED."""
    if word := tax_word(value):
        return word if word == EXCLUDED else render(Decimal(word))
    rate = percentage(value, style.decimal)
    if rate is not None:
        found = _cents(rate)
        return render(found) if isinstance(found, Decimal) else found
    if style.is_fraction and not isinstance(value, (Broken, date)):
        fraction = numbers.parse(value, style.decimal)
        is_double = isinstance(value, Decimal)
        found = (
            of_number(fraction, shown(value))
            if isinstance(fraction, Reason)
            else _cents(fraction * HUNDRED, is_double=is_double)
        )
    else:
        found = amount(value, style)
    if isinstance(found, Problem):
        if found.rule == "SHT-010" and isinstance(value, str):
            return Problem("SHT-010", "No es una tarifa: escriba 19, 19%, 5, exento o excluido.")
        return found
    if profile and profile.has_own_tax_codes and found not in _KNOWN_RATES:
        return Problem("SHT-021", "Parece un código de impuesto de Siigo, no una tarifa: escriba 19%, 5% o excluido.")
    return render(found)


def _cents(number: Decimal, *, is_double: bool = False) -> Decimal | Problem:
    found = numbers.to_cents(number, is_double=is_double)
    return of_number(found, plain(number)) if isinstance(found, Reason) else found


def day(value: Value) -> Read | Problem:
    """A date, as the payload has it."""
    if isinstance(value, Broken):
        return of_broken(value)
    found = dates.parse(value)
    if found is None and isinstance(value, Decimal) and _FIRST_SERIAL <= value <= _LAST_SERIAL:
        text = "Es el número con que Excel guarda una fecha: dé a la columna formato de fecha, o escriba 31/12/2026."
        return Problem("SHT-015", text)
    if found is None:
        return Problem("SHT-015", "No es una fecha que se entienda: escríbala como 31/12/2026 o 2026-12-31.")
    return Read(found.isoformat())


def code(field: Field, value: Value, family: str, *, is_searched: bool = True) -> Read | Problem:
    """
    A code of a table, from the code itself, its name or a usual word.

    Args:
        is_searched: Whether what is none is searched for, to say what may be meant.
    """
    if isinstance(value, Broken):
        return of_broken(value)
    found = find_code(field.catalog(family), shown(value).removesuffix(".0"))
    if isinstance(found, CodeFound):
        return Read(found.code, found.is_restored)
    if field.key == "identification_document_code" and family == "support_document":
        elsewhere = find_code("identity-document-types", shown(value))
        if isinstance(elsewhere, CodeFound):
            return Read(elsewhere.code)  # the rule about providers says what to use instead
    if found.is_ambiguous:
        return Problem("SHT-014", f"Hay varios con ese nombre: {'; '.join(found.options)}. Escriba el código.")
    options = near_codes(field.catalog(family), shown(value)) if is_searched else ()
    near = f" ¿Quiso decir {'; '.join(options)}?" if options else ""
    return Problem(
        "SHT-014", f"{field.label}: no está en la tabla.{near} La hoja Catálogos de la plantilla tiene los códigos."
    )


def codes(value: Value) -> list[str] | Problem:
    """Several codes of fiscal responsibilities in one cell."""
    if isinstance(value, Broken):
        return of_broken(value)
    return [one.upper() for one in _SPLIT.split(shown(value)) if one]


def whole(value: Value) -> int | Problem:
    """The number of a range at Factus."""
    if isinstance(value, Broken):
        return of_broken(value)
    found = shown(value).removesuffix(".0")
    if found.isascii() and found.isdigit() and len(found) <= _MOST_EXACT_DIGITS:
        return int(found)
    return Problem("SHT-010", "El rango es un número entero de Factus.")
