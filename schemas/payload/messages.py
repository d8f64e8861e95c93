"""
What the shape stage says about a value, in Spanish that an accountant understands.

Messages name the field and the mend. They never repeat a value that could be personal data: a name may stand in any
field by mistake, so only amounts computed by us and codes of the tables are quoted.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from schemas.catalogs import tables, version_1
from schemas.money import Wrong
from schemas.payload.fields import Absent
from schemas.payload.findings import Violation
from schemas.payload.known_names import MAX_KEY, advise

_MAX_LISTED: Final = 17
_MAX_ZEROS: Final = 6
_MAX_OPTIONS: Final = 420


def named(label: str, key: str) -> str:
    """A field as it stands in a message: what it is called, and its key."""
    return f'{label} ("{key}")'


def subject(label: str, key: str) -> str:
    """The same at the head of a sentence."""
    return named(f"{label[0].upper()}{label[1:]}", key)


def short(key: str) -> str:
    """A key as it may stand in a path or message, however long it was sent."""
    return key if len(key) <= MAX_KEY else f"{key[:MAX_KEY]}…"


def not_an_object() -> Violation:
    return Violation("GEN-001", "", "El contenido del documento debe ser un objeto JSON con los campos de Factus.")


def missing(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"Falta un dato obligatorio: {named(label, key)}. Agréguelo.")


def null_for_required(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"Falta un dato obligatorio: {named(label, key)} llegó como null. Escriba su valor.")


def null_in_list(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"Un elemento de {named(label, key)} llegó como null. Quítelo de la lista.")


def too_few(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"La lista {named(label, key)} debe tener al menos un elemento.")


def too_many(rule: str, key: str, label: str, at: str, limit: int) -> Violation:
    return Violation(rule, at, f"La lista {named(label, key)} tiene más de {limit} elementos. Divida el documento.")


def too_long(rule: str, key: str, label: str, at: str, limit: int) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} admite como máximo {limit} caracteres. Acorte el texto.")


def too_short(rule: str, key: str, label: str, at: str, least: int) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} necesita al menos {least} caracteres. Complete el texto.")


def blank(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} está en blanco. Escriba su valor.")


def not_text(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} debe ser un texto entre comillas.")


def not_integer(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} debe ser un número entero mayor que cero, sin comillas.")


def not_flag(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} debe ser true o false, sin comillas; no 0, 1 ni textos.")


def not_list(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} debe ser una lista [ ... ].")


def not_part(rule: str, key: str, label: str, at: str) -> Violation:
    one = f"Cada elemento de {named(label, key)}" if at[-1].isdigit() else subject(label, key)
    return Violation(rule, at, f"{one} debe ser un objeto {{ ... }}.")


def unreadable(key: str, label: str, at: str) -> Violation:
    return Violation(
        "GEN-014", at, f"{subject(label, key)} tiene caracteres que no se pueden enviar. Escríbalo de nuevo."
    )


def bad_date(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(
        rule, at, f"{subject(label, key)} debe ser una fecha real con la forma AAAA-MM-DD, por ejemplo 2026-11-30."
    )


def bad_time(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(rule, at, f"{subject(label, key)} debe ser una hora HH:MM:SS de 24 horas, por ejemplo 17:05:00.")


def bad_moment(rule: str, key: str, label: str, at: str) -> Violation:
    return Violation(
        rule,
        at,
        f"{subject(label, key)} debe ser una fecha real con su hora, AAAA-MM-DDTHH:MM:SS, por ejemplo "
        "2026-11-30T18:00:00.",
    )


def bad_whole(rule: str, key: str, label: str, at: str, least: int, most: int) -> Violation:
    span = f"{least}" if least == most else f"un número entero de {least} a {most}"
    return Violation(rule, at, f"{subject(label, key)} debe ser {span}.")


_BEYOND: Final = "llega a mil billones (10^15) o más. Revise el valor."


def total_beyond(at: str) -> Violation:
    return Violation("GEN-007", at, f"El total del documento {_BEYOND}", is_bound=True)


def bad_decimal(key: str, label: str, at: str, wrong: Wrong) -> Violation:
    match wrong:
        case Wrong.PLACES:
            return Violation(
                "GEN-008",
                at,
                f"{subject(label, key)} tiene demasiados decimales: Factus admite dos. Redondee el valor, o use una "
                "unidad de medida menor.",
            )
        case Wrong.SIZE:
            return Violation("GEN-007", at, f"{subject(label, key)} {_BEYOND}", is_bound=True)
        case Wrong.FORM:
            return Violation(
                "GEN-007",
                at,
                f'{subject(label, key)} debe ser un número con punto decimal, por ejemplo "1500.50": sin separador de '
                "miles, coma, exponente ni signo pesos.",
            )


def negative(key: str, label: str, at: str) -> Violation:
    return Violation("GEN-007", at, f"{subject(label, key)} no puede ser negativo. Revise el signo.")


_MISNOMERS: Final = {
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


def bad_code(rule: str, key: str, label: str, at: str, value: str, table: str) -> Violation:
    if (table, value) in _MISNOMERS:
        other_rule, message = _MISNOMERS[table, value]
        return Violation(other_rule, at, f"{subject(label, key)}: {message}")
    if table == "unit-measures" and not _padded(value, table) and version_1.code_of(table, value):
        rule = "ITM-007"
    return Violation(rule, at, f"{subject(label, key)} no es un código de la tabla de Factus. {_hint(value, table)}")


def unquoted_code(rule: str, key: str, label: str, at: str, value: int, table: str) -> Violation:
    """A code that came as a number: the code itself, or the id that version 1 had for it."""
    if str(value) in tables.codes(table):
        return Violation(rule, at, f'{subject(label, key)} debe ser un texto entre comillas: "{value}".')
    return bad_code(rule, key, label, at, str(value), table)


def _hint(value: str, table: str) -> str:
    known = tables.codes(table)
    padded, of_version_1 = _padded(value, table), version_1.code_of(table, value)
    if of_version_1 and of_version_1 != padded:
        meant = f'El código "{value}" de la versión 1 es "{of_version_1}" ({tables.name_of(table, of_version_1)}).'
        # Of the standards version 1 had four, and none that a lost zero explains.
        if not padded or table == "product-standard-codes":
            return meant
        return f'Si perdió el cero inicial, es "{padded}" ({tables.name_of(table, padded)}). {meant}'
    if padded:
        # Spreadsheets and numeric columns lose leading zeros. We say so, and never pad silently.
        return f'Parece que perdió el cero inicial: ¿es "{padded}"?'
    if len(value) <= MAX_KEY and (upper := value.strip().upper()) in known:
        return f'Escríbalo exactamente así: "{upper}".'
    if len(known) <= _MAX_LISTED:
        options = ", ".join(f"{code} ({tables.name_of(table, code)})" for code in sorted(known))
        return f"Valores posibles: {options if len(options) <= _MAX_OPTIONS else ', '.join(sorted(known))}."
    return f'Búsquelo con un trabajo catalog.search en la tabla "{table}".'


def _padded(value: str, table: str) -> str:
    """The code that a value is without its leading zeros; empty when there is none."""
    if not (value.isascii() and value.isdigit()) or len(value) >= _MAX_ZEROS:
        return ""
    known = tables.codes(table)
    return next((value.zfill(width) for width in (2, 3, 5) if value not in known and value.zfill(width) in known), "")


def absent_key(absent: Absent, key: str, at: str) -> Violation:
    """A key of a sister document, where this one has none."""
    return Violation(
        absent.rule, at, f'La clave "{key}" no existe aquí en Factus; se ignoraría en silencio. {absent.mend}'
    )


def unknown_key(key: str, value: object, at: str, known: Collection[str], *, is_root: bool) -> Violation:
    """A key that Factus would drop without a word: the silent way in which taxes change."""
    found = advise(key, value, known, is_root=is_root)
    return Violation(
        found.rule, at, f'La clave "{short(key)}" no existe en Factus; se ignoraría en silencio. {found.mend}'
    )


def is_of_version_1() -> Violation:
    """Told once, before the keys one by one: mended by names alone, such a document bills its taxes twice."""
    return Violation(
        "GEN-003",
        "",
        "El documento está escrito para la versión 1 de Factus, y el servicio usa la 2. Cambie claves y códigos como "
        'se dice en cada una; divida cada "price" por 1 más su tarifa (por 1.19 con IVA de 19 %), porque en la versión '
        '2 va sin impuestos; y escriba los pagos en "payment_details", con el total que incluye los impuestos. O '
        'envíelo con "payload_version": "v1" en el sobre (factus-worker submit --from v1): el servicio lo convierte.',
    )
