"""
Checks of request fields, compiled once from small parts.

A check takes a value as parsed from JSON and its path, adds Spanish texts to *errors* and returns what Factus keeps of
the value: keys it does not know are dropped without a word. No JSON Schema here, because one document passes in some
tens of microseconds this way; a test holds the result against the schemas.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, Final

from sandbox.values import catalogs

Errors = dict[str, list[str]]
Check = Callable[[Any, str, Errors], Any]
Rule = Callable[[dict[str, Any], str, Errors], None]

_MONEY: Final = re.compile(r"\d{1,15}(\.\d{1,2})?", re.ASCII)
_SIGNED: Final = re.compile(r"[+-]?\d{1,15}(\.\d{1,2})?", re.ASCII)
_ANY_DECIMALS: Final = re.compile(r"\d{1,15}(\.\d{1,10})?", re.ASCII)
# A cut number is above every bound that is used, and a text of a thousand digits is no work to read.
_MOST_DIGITS: Final = 15
_TIME: Final = re.compile(r"([01]\d|2[0-3]):[0-5]\d:[0-5]\d", re.ASCII)
_DATE: Final = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")

# Labels that were seen in answers; every other field goes by its path, as in `items.0.tribute_id`.
_LABELS: Final = {
    "numbering_range_id": "id rango de numeración",
    "unit_measure_code": "código unidad de medida",
    "due_date": "fecha de vencimiento",
    "start_date": "fecha de inicio",
    "end_date": "fecha de fin",
    "responsibilities": "responsabilidades fiscales",
    "bill_number": "número de factura",
}


def label(path: str) -> str:
    return _LABELS.get(path.rpartition(".")[2], path)


def invalid(path: str, errors: Errors) -> None:
    errors.setdefault(path, []).append(f"El campo {label(path)} es inválido.")


def missing(path: str, errors: Errors) -> None:
    errors.setdefault(path, []).append(f"El campo {label(path)} es obligatorio.")


@dataclass(frozen=True, slots=True)
class Field:
    """
    One member of an object. An empty text is "not sent" to Laravel.

    Args:
        is_container: Sent as null it is refused; other members take null for "not sent".
        keeps_empty: The document shows an empty text as it was sent.
    """

    check: Check
    is_required: bool = False
    is_container: bool = False
    keeps_empty: bool = False


def required(check: Check) -> Field:
    return Field(check, is_required=True)


def optional(check: Check) -> Field:
    return Field(check)


def optional_text(*, at_most: int | None = None) -> Field:
    return Field(text(at_most=at_most), keeps_empty=True)


def optional_container(check: Check) -> Field:
    """An object or list that may be left out; sent empty, its inside is checked."""
    return Field(check, is_container=True)


def record(fields: Mapping[str, Field], *rules: Rule) -> Check:
    """An object: each known field by its own check, then rules that look at several of them."""
    known = tuple(fields.items())

    def check(value: Any, path: str, errors: Errors) -> dict[str, Any]:
        kept: dict[str, Any] = {}
        if not isinstance(value, dict):
            invalid(path, errors)
            return kept
        prefix = path + "." if path else ""
        for name, field in known:
            raw = value.get(name)
            if raw is not None and raw != "":
                kept[name] = field.check(raw, prefix + name, errors)
            elif field.is_required:
                missing(prefix + name, errors)
            elif raw is None and field.is_container and name in value:
                invalid(prefix + name, errors)
            elif raw == "" and field.keeps_empty:
                kept[name] = ""
        for rule in rules:
            rule(kept, prefix, errors)
        return kept

    return check


def many(item: Check, *, at_least: int = 0) -> Check:
    def check(value: Any, path: str, errors: Errors) -> list[Any]:
        if not isinstance(value, list):
            invalid(path, errors)
            return []
        if len(value) < at_least:
            missing(path, errors)
        return [item(element, f"{path}.{index}", errors) for index, element in enumerate(value)]

    return check


def text(*, at_most: int | None = None) -> Check:
    def check(value: Any, path: str, errors: Errors) -> str:
        if not isinstance(value, str):
            errors.setdefault(path, []).append(f"El campo {label(path)} debe ser una cadena de caracteres.")
            return ""
        if at_most is not None and len(value) > at_most:
            errors.setdefault(path, []).append(f"El campo {label(path)} no debe ser mayor que {at_most} caracteres.")
        return value

    return check


def pattern(expression: str) -> Check:
    compiled = re.compile(expression, re.ASCII)

    def check(value: Any, path: str, errors: Errors) -> str:
        if isinstance(value, str) and compiled.fullmatch(value):
            return value
        invalid(path, errors)
        return ""

    return check


def one_of(codes: Collection[str], *, numbers_too: bool = False) -> Check:
    """A code of a short list. Some official examples send the code as a number, where that is taken too."""
    allowed = frozenset(codes)

    def check(value: Any, path: str, errors: Errors) -> str:
        if numbers_too and isinstance(value, int) and not isinstance(value, bool):
            value = str(value)
        if isinstance(value, str) and value in allowed:
            return value
        invalid(path, errors)
        return ""

    return check


def from_catalog(catalog: str, *, without: Collection[str] = ()) -> Check:
    refused = frozenset(without)

    def check(value: Any, path: str, errors: Errors) -> str:
        if isinstance(value, str) and value in catalogs.rows(catalog) and value not in refused:
            return value
        invalid(path, errors)
        return ""

    return check


def boolean(value: Any, path: str, errors: Errors) -> bool:
    if isinstance(value, bool):
        return value
    invalid(path, errors)
    return False


def integer(value: Any, path: str, errors: Errors) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    invalid(path, errors)
    return 0


def whole(low: int, high: int) -> Check:
    """A number without a fraction within the bounds, as text or JSON number; kept as int."""

    def check(value: Any, path: str, errors: Errors) -> int:
        digits = str(value)
        if isinstance(value, str | int) and not isinstance(value, bool) and digits.isascii() and digits.isdecimal():
            number = int(digits[:_MOST_DIGITS])
            if low <= number <= high:
                return number
        invalid(path, errors)
        return low

    return check


def text_or_number(value: Any, path: str, errors: Errors) -> Any:
    if isinstance(value, str | int | Decimal) and not isinstance(value, bool):
        return value
    invalid(path, errors)
    return ""


def text_or_integer(value: Any, path: str, errors: Errors) -> Any:
    if isinstance(value, str | int) and not isinstance(value, bool):
        return value
    invalid(path, errors)
    return ""


def email(value: Any, path: str, errors: Errors) -> str:
    if isinstance(value, str) and _EMAIL.fullmatch(value):
        return value
    invalid(path, errors)
    return ""


def iso_date(value: Any, path: str, errors: Errors) -> str:
    if isinstance(value, str) and _DATE.fullmatch(value):
        try:
            date.fromisoformat(value)
        except ValueError:
            pass
        else:
            return value
    invalid(path, errors)
    return ""


def clock_time(value: Any, path: str, errors: Errors) -> str:
    if isinstance(value, str) and _TIME.fullmatch(value):
        return value
    invalid(path, errors)
    return ""


def amount(*, low: Decimal = Decimal(0), high: Decimal | None = None, above: Decimal | None = None) -> Check:
    """A decimal with at most two places, as text or JSON number, within the bounds; kept as Decimal."""
    shape = _SIGNED if low < 0 else _MONEY
    return _decimal(shape, low, high, above)


def exchange_rate() -> Check:
    return _decimal(_ANY_DECIMALS, Decimal(0), None, Decimal(0))


def _written_out(value: str | int | Decimal) -> str:
    """Digits without an exponent, as the patterns want them; 1e999999 is not spelled out."""
    if isinstance(value, Decimal) and abs(value.adjusted()) < 20:
        return f"{value:f}"
    return str(value)


def _decimal(shape: re.Pattern[str], low: Decimal, high: Decimal | None, above: Decimal | None) -> Check:
    def check(value: Any, path: str, errors: Errors) -> Decimal:
        if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
            invalid(path, errors)
            return Decimal(0)
        written = _written_out(value)
        if shape.fullmatch(written):
            number = Decimal(written)
            if number >= low and (high is None or number <= high) and (above is None or number > above):
                return number
        invalid(path, errors)
        return Decimal(0)

    return check
