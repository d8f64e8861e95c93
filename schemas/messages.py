"""
What the shape stage says about a value, in Spanish that an accountant understands.

Messages name the field and the mend. They never repeat a value that could be personal data: a name may stand in any
field by mistake, so only amounts computed by us and codes of the tables are quoted.
"""

from __future__ import annotations

import difflib
from collections.abc import Collection
from typing import Final

from schemas import tables
from schemas.fields import Absent
from schemas.money import Wrong
from schemas.rules.book import Fault

_MAX_LISTED: Final = 17
_MAX_OPTIONS: Final = 420
_MAX_KEY: Final = 64

V2_NAMES: Final = {
    "identification_document_id": "identification_document_code",
    "legal_organization_id": "legal_organization_code",
    "tribute_id": "tribute_code",
    "municipality_id": "municipality_code",
    "unit_measure_id": "unit_measure_code",
    "standard_code_id": "standard_code",
    "standard_id": "standard_code",
    "tax_rate": "taxes.0.rate",
    "withholding_tax_rate": "withholding_taxes.0.rate",
    "bill_id": "bill_number",
}
_V2_NAMES_AT_ROOT: Final = {
    "payment_form": "payment_details.0.payment_form",
    "payment_method_code": "payment_details.0.payment_method_code",
    "payment_due_date": "payment_details.0.due_date",
}
_ISSUE_DATES: Final = frozenset(
    {"issue_date", "date", "issued_at", "issue_time", "created_at", "created_date", "fecha"}
)


def named(label: str, key: str) -> str:
    """A field as it stands in a message: what it is called, and its key."""
    return f'{label} ("{key}")'


def subject(label: str, key: str) -> str:
    """The same at the head of a sentence."""
    return named(f"{label[0].upper()}{label[1:]}", key)


def short(key: str) -> str:
    """A key as it may stand in a path or message, however long it was sent."""
    return key if len(key) <= _MAX_KEY else f"{key[:_MAX_KEY]}…"


def not_an_object() -> Fault:
    return Fault("GEN-001", "", "El contenido del documento debe ser un objeto JSON con los campos de Factus.")


def missing(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"Falta un dato obligatorio: {named(label, key)}. Agréguelo.")


def null_for_required(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"Falta un dato obligatorio: {named(label, key)} llegó como null. Escriba su valor.")


def null_in_list(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"Un elemento de {named(label, key)} llegó como null. Quítelo de la lista.")


def too_few(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"La lista {named(label, key)} debe tener al menos un elemento.")


def too_many(rule: str, key: str, label: str, at: str, limit: int) -> Fault:
    return Fault(rule, at, f"La lista {named(label, key)} tiene más de {limit} elementos. Divida el documento.")


def too_long(rule: str, key: str, label: str, at: str, limit: int) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} admite como máximo {limit} caracteres. Acorte el texto.")


def too_short(rule: str, key: str, label: str, at: str, least: int) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} necesita al menos {least} caracteres. Complete el texto.")


def blank(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} está en blanco. Escriba su valor.")


def not_text(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} debe ser un texto entre comillas.")


def not_integer(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} debe ser un número entero mayor que cero, sin comillas.")


def not_flag(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} debe ser true o false, sin comillas; no 0, 1 ni textos.")


def not_list(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} debe ser una lista [ ... ].")


def not_part(rule: str, key: str, label: str, at: str) -> Fault:
    one = f"Cada elemento de {named(label, key)}" if at[-1].isdigit() else subject(label, key)
    return Fault(rule, at, f"{one} debe ser un objeto {{ ... }}.")


def unreadable(key: str, label: str, at: str) -> Fault:
    return Fault("GEN-014", at, f"{subject(label, key)} tiene caracteres que no se pueden enviar. Escríbalo de nuevo.")


def bad_date(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(
        rule, at, f"{subject(label, key)} debe ser una fecha real con la forma AAAA-MM-DD, por ejemplo 2026-11-30."
    )


def bad_time(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(rule, at, f"{subject(label, key)} debe ser una hora HH:MM:SS de 24 horas, por ejemplo 17:05:00.")


def bad_moment(rule: str, key: str, label: str, at: str) -> Fault:
    return Fault(
        rule,
        at,
        f"{subject(label, key)} debe ser una fecha real con su hora, AAAA-MM-DDTHH:MM:SS, por ejemplo "
        "2026-11-30T18:00:00.",
    )


def bad_whole(rule: str, key: str, label: str, at: str, least: int, most: int) -> Fault:
    span = f"{least}" if least == most else f"un número entero de {least} a {most}"
    return Fault(rule, at, f"{subject(label, key)} debe ser {span}.")


def bad_decimal(key: str, label: str, at: str, wrong: Wrong) -> Fault:
    match wrong:
        case Wrong.PLACES:
            return Fault(
                "GEN-008",
                at,
                f"{subject(label, key)} tiene demasiados decimales: Factus admite dos. Redondee el valor, o use una "
                "unidad de medida menor.",
            )
        case Wrong.SIZE:
            return Fault("GEN-007", at, f"{subject(label, key)} tiene demasiados dígitos. Revise el valor.")
        case Wrong.FORM:
            return Fault(
                "GEN-007",
                at,
                f'{subject(label, key)} debe ser un número con punto decimal, por ejemplo "1500.50": sin separador de '
                "miles, coma, exponente ni signo pesos.",
            )


def negative(key: str, label: str, at: str) -> Fault:
    return Fault("GEN-007", at, f"{subject(label, key)} no puede ser negativo. Revise el signo.")


_MISNOMERS: Final = {
    ("unit-measures", "70"): ("ITM-007", 'El código "70" es de la versión 1 de Factus: use "94" (unidad).'),
    ("unit-measures", "414"): ("ITM-007", 'El código "414" es de la versión 1 de Factus: use "KGM" (kilogramo).'),
    ("unit-measures", "874"): ("ITM-007", 'El código "874" es de la versión 1 de Factus: use "GLL" (galón).'),
    ("withholding-taxes", "07"): (
        "ITM-027",
        "ReteICA (07) no se puede enviar por Factus: use 05 (ReteIVA) o 06 (ReteRenta).",
    ),
    ("taxes", "03"): ("ITM-027", "ICA (03) no se puede enviar por Factus: use 01 (IVA), 04 (INC) o 35."),
    ("support-document-identity-document-types", "13"): (
        "DS-001",
        "No se admite cédula (13). Una persona natural residente va con NIT (31), el mismo número y su dígito.",
    ),
    ("currencies", "COP"): ("SUM-021", 'La moneda extranjera no puede ser COP. En pesos, quite "currency".'),
}


def bad_code(rule: str, key: str, label: str, at: str, value: str, table: str) -> Fault:
    if (table, value) in _MISNOMERS:
        other_rule, message = _MISNOMERS[table, value]
        return Fault(other_rule, at, f"{subject(label, key)}: {message}")
    return Fault(rule, at, f"{subject(label, key)} no es un código de la tabla de Factus. {_hint(value, table)}")


def _hint(value: str, table: str) -> str:
    known = tables.codes(table)
    for width in (2, 3, 5):
        # Spreadsheets and numeric columns lose leading zeros. We say so, and never pad silently.
        if value.isascii() and value.isdigit() and value.zfill(width) in known and value not in known:
            return f'Parece que perdió el cero inicial: ¿es "{value.zfill(width)}"?'
    if len(value) <= _MAX_KEY and (upper := value.strip().upper()) in known:
        return f'Escríbalo exactamente así: "{upper}".'
    if len(known) <= _MAX_LISTED:
        options = ", ".join(f"{code} ({tables.name_of(table, code)})" for code in sorted(known))
        return f"Valores posibles: {options if len(options) <= _MAX_OPTIONS else ', '.join(sorted(known))}."
    return f'Consulte la tabla "{table}".'


def absent_key(absent: Absent, key: str, at: str) -> Fault:
    """A key of a sister document, where this one has none."""
    return Fault(absent.rule, at, f'La clave "{key}" no existe aquí en Factus; se ignoraría en silencio. {absent.mend}')


def unknown_key(key: str, at: str, known: Collection[str], *, is_root: bool) -> Fault:
    """A key that Factus would drop without a word: the silent way in which taxes change."""
    named_key = short(key)
    silent = f'La clave "{named_key}" no existe en Factus; se ignoraría en silencio.'
    v2_name = V2_NAMES.get(key) or (_V2_NAMES_AT_ROOT.get(key) if is_root else None)
    if v2_name:
        mend = f'use "{v2_name}"' if v2_name.partition(".")[0] in known else "quítela"
        return Fault("GEN-003", at, f"{silent} Es un nombre de la versión 1: {mend}.")
    if is_root and key in _ISSUE_DATES:
        return Fault("GEN-015", at, f"{silent} La fecha del documento es la del envío: quite la clave.")
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6) if len(key) <= _MAX_KEY else []
    return Fault("GEN-002", at, f'{silent} ¿Quiso decir "{close[0]}"?' if close else f"{silent} Quítela.")
