"""
Looking a code up in the shipped tables: by code, or by what one remembers of the name.

Answers which rows fit, best first; which codes are valid is for ``tables.py``. No call is made, the tables are Factus's
published ones.
"""

from __future__ import annotations

import copy
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from enum import IntEnum
from functools import cache
from operator import itemgetter
from types import MappingProxyType
from typing import Any, Final

from schemas.catalogs import tables

_LONGEST_NAME: Final = 64
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+")
_TITLES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "municipalities": "Municipios",
        "departments": "Departamentos",
        "countries": "Países",
        "currencies": "Tipos de moneda",
        "unit-measures": "Unidades de medida",
        "document-types": "Tipos de documentos para la factura",
        "operation-types": "Tipos de operación",
        "credit-note-correction-concepts": "Conceptos de corrección (notas crédito)",
        "credit-note-operation-types": "Tipos de operación (notas crédito)",
        "debit-note-correction-concepts": "Conceptos de corrección (notas débito)",
        "debit-note-operation-types": "Tipos de operación (notas débito)",
        "product-standard-codes": "Estándares de identificación del producto",
        "claim-concepts": "Conceptos de reclamo",
        "radian-events": "Eventos",
        "identity-document-types": "Tipos de documentos de identidad",
        "customer-tributes": "Tributos de clientes",
        "taxes": "Impuestos",
        "withholding-taxes": "Retenciones",
        "legal-organizations": "Tipos de organizaciones",
        "payment-methods": "Métodos de pago",
        "payment-forms": "Formas de pago",
        "numbering-range-document-types": "Tipos de documento para los rangos de numeración",
        "payroll-numbering-range-document-types": "Tipos de documento para los rangos de numeración de nómina",
        "support-document-identity-document-types": (
            "Tipos de documentos de identidad para documentos soporte y notas de ajuste"
        ),
        "adjustment-note-correction-concepts": "Motivos para la generación de notas de ajuste",
        "allowance-charge-concepts": "Recargos y descuentos",
        "fiscal-responsibilities": "Responsabilidades fiscales",
        "health-coverage-plans": "Planes de cobertura en salud",
        "health-identity-document-types": "Documentos de identificación para el sector salud",
        "health-payment-methods": "Métodos de pago en salud",
        "health-payment-methods-2026-08": "Métodos de pago en salud (agosto de 2026, reemplazados)",
        "health-without-contract-reasons": "Causales de factura sin contrato en salud",
        "health-prepayment-concepts": "Conceptos de anticipo o recaudo previo en salud",
        "health-collection-concepts": "Conceptos de recaudo en salud",
        "payroll-periods": "Periodos de nómina",
        "payroll-account-types": "Tipos de cuenta",
        "payroll-worker-types": "Tipos de trabajador",
        "payroll-worker-subtypes": "Subtipos de trabajadores",
        "payroll-contract-types": "Tipos de contratos",
        "payroll-severance-types": "Tipos de cesantías",
        "payroll-service-bonus-types": "Tipos de primas",
        "payroll-bonus-types": "Tipos de bonificaciones",
        "payroll-epctv-voucher-types": "Tipos de bonos EPCTV",
        "payroll-transport-allowance-types": "Tipos de auxilios de transporte",
        "payroll-compensation-types": "Tipos de compensaciones",
        "payroll-other-concept-types": "Tipos de otros conceptos de nómina",
        "payroll-leave-types": "Tipos de licencia",
        "payroll-vacation-types": "Tipos de vacaciones",
        "payroll-sick-leave-types": "Tipos de incapacidades",
        "payroll-aid-types": "Tipos de auxilio",
        "payroll-overtime-types": "Tipos de horas extra o recargos",
        "payroll-pension-fund-types": "Tipos de fondos de seguridad pensional",
        "payroll-sanction-types": "Tipos de sanciones",
        "payroll-identity-document-types": "Tipos de identificación para nómina",
        "item-schemes-mandates": "Esquemas de ítems en mandatos",
        "item-schemes-transport": "Esquemas de ítems en transporte",
        "transport-additional-properties": "Propiedades adicionales de ítems de transporte",
    }
)


class _Fit(IntEnum):
    """How well a row fits; lower is better."""

    CODE = 0
    CODE_IN_OTHER_CASE = 1
    NAME = 2
    START_OF_NAME = 3
    STARTS_OF_WORDS = 4
    PART_OF_NAME = 5
    STARTS_OF_WORDS_WITH_EXTRAS = 6
    """Words that the other columns supply: the department of a municipality, the short name of a tax."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A row with what it is compared by, folded once."""

    row: Mapping[str, Any]
    code: str
    code_in_one_case: str
    name: str
    """A space before each word, so that the start of a word is found as quickly as any text."""
    name_with_extras: str


def catalogs() -> dict[str, str]:
    """Every table with its Spanish title."""
    return dict(_TITLES)


def search(catalog: str, query: str, limit: int) -> list[dict[str, Any]]:
    """
    The rows that fit, best first; rows that fit equally well stay in the published order.

    Better to worse: the code; the name; the start of the name; every word of the query starts a word of the name;
    the query is somewhere in the name; the same words, other columns included. Accents, case and punctuation do not
    count in names.

    Args:
        catalog: A table's name, with ``-`` or ``_``.
        query: A code or a name; empty for the first rows of the table.
        limit: Most rows to give back; none below 1.

    Returns:
        Whole rows, the caller's to change. A code that the table publishes twice comes twice.

    Raises:
        KeyError: No such table; :func:`nearest` may know which was meant.
    """
    table = _spelled(catalog)
    # The name comes from a producer: it is compared, never made a path of.
    if table not in _TITLES:
        raise KeyError(catalog)
    found: Sequence[_Row] = _rows(table)
    if text := query.strip():
        found = _best_first(found, text)
    return [copy.deepcopy(dict(row.row)) for row in found[: max(limit, 0)]]


def exists(catalog: str) -> bool:
    """Whether there is a table of that name."""
    return _spelled(catalog) in _TITLES


def nearest(catalog: str) -> str | None:
    """The table whose name is most like this one, for an error message; None when none is."""
    # The comparison takes quadratic time, and the name is a producer's.
    close = get_close_matches(_spelled(catalog[:_LONGEST_NAME]), _TITLES, n=1)
    return close[0] if close else None


def _best_first(rows: Sequence[_Row], text: str) -> list[_Row]:
    code, name = text.casefold(), _folded(text)
    # Each word once: "a a a a …" in a job of a megabyte would be looked for that often in every row.
    starts = [f" {word}" for word in dict.fromkeys(name.split())]
    fits = [(fit, row) for row in rows if (fit := _fit(row, text, code, name, starts)) is not None]
    fits.sort(key=itemgetter(0))
    return [row for _, row in fits]


def _fit(row: _Row, text: str, code: str, name: str, starts: Sequence[str]) -> _Fit | None:
    if row.code_in_one_case == code:
        return _Fit.CODE if row.code == text else _Fit.CODE_IN_OTHER_CASE
    if not name:
        return None
    if row.name.startswith(name, 1):
        return _Fit.NAME if len(row.name) == len(name) + 1 else _Fit.START_OF_NAME
    # Most rows end here. The other columns' text holds the name as well.
    if starts[0] not in row.name_with_extras:
        return _Fit.PART_OF_NAME if name in row.name else None
    if all(start in row.name for start in starts):
        return _Fit.STARTS_OF_WORDS
    if name in row.name:
        return _Fit.PART_OF_NAME
    return _Fit.STARTS_OF_WORDS_WITH_EXTRAS if all(start in row.name_with_extras for start in starts) else None


def _spelled(catalog: str) -> str:
    return catalog.strip().lower().replace("_", "-")


def _folded(text: str) -> str:
    """Without accents, case and punctuation: ``Bogotá, D.C.`` is ``bogota dc``."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", text.casefold()) if not unicodedata.combining(char))
    return " ".join(_BETWEEN_WORDS.sub(" ", plain.replace(".", "")).split())


@cache
def _rows(table: str) -> tuple[_Row, ...]:
    return tuple(_prepared(row) for row in tables.rows(table))


def _prepared(row: Mapping[str, Any]) -> _Row:
    name = f" {_folded(row['name'])}"
    extras = " ".join(_texts({key: value for key, value in row.items() if key not in ("code", "name")}))
    return _Row(
        row=row,
        code=row["code"],
        code_in_one_case=row["code"].casefold(),
        name=name,
        name_with_extras=f"{name} {_folded(extras)}",
    )


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _texts(inner)
