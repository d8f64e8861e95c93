"""
What is wrong with a cell, or doubtful: where, what stands there, and what to do, in Spanish.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

from schemas.sheets.cells import Broken, Value, address, shown
from schemas.sheets.numbers import Reason

_LONGEST_VALUE: Final = 120


class Problem(NamedTuple):
    """A rule of this reader and what to do; ``RULES`` lists them."""

    rule: str
    message: str


@dataclass(frozen=True, slots=True)
class Fault:
    """One problem at one place. ``column`` is None for what concerns a row or the sheet as a whole."""

    file: str
    sheet: str
    row: int
    column: int | None
    heading: str
    value: str
    rule: str
    message: str
    reference: str = ""

    @property
    def cell(self) -> str:
        """``F12``; the row alone where there is no column, and empty for the sheet as a whole."""
        if not self.row:
            return ""
        return address(self.row, self.column) if self.column is not None else f"A{self.row}"

    @property
    def place(self) -> str:
        """``Facturas!F12``."""
        return f"{self.sheet}!{self.cell}" if self.cell else self.sheet or self.file


RULES: Final = {
    "SHT-001": "Ninguna hoja, o varias, tienen encabezados de documentos",
    "SHT-002": "Falta una columna obligatoria",
    "SHT-003": "Dos columnas para un mismo dato",
    "SHT-004": "Una fila sin referencia",
    "SHT-005": "Dos filas de un documento se contradicen",
    "SHT-006": "Una celda de error (#DIV/0!, #REF!)",
    "SHT-007": "Una fórmula sin valor calculado",
    "SHT-008": "Un dato obligatorio vacío",
    "SHT-009": "Un número que se puede leer de dos maneras (1.234)",
    "SHT-010": "Un valor que no es un número",
    "SHT-011": "Cifras que Excel ya perdió (9,00123E+08; 16 cifras como número)",
    "SHT-012": "Más de dos decimales, o un valor fuera de rango",
    "SHT-013": "Una columna de tarifas con 0,19 y con 19",
    "SHT-014": "Un código o nombre que no está en la tabla, o que es de varios",
    "SHT-015": "Una fecha que no se entiende",
    "SHT-016": "Una columna de fechas con el mes antes del día",
    "SHT-017": "El total no coincide con lo calculado",
    "SHT-018": "Precio y Precio con IVA que no concuerdan, o que no se pueden separar",
    "SHT-019": "Dos descuentos, o un descuento que no se sabe si incluye el IVA",
    "SHT-020": "No se puede saber el tipo de identificación",
    "SHT-021": "Una columna de otro programa cuyo significado no se conoce",
    "SHT-022": "Ninguna fila con datos",
    "SHT-023": "Un documento de demasiadas líneas, o con demasiado texto",
    "SHT-101": "Filas ocultas que se enviarán",
    "SHT-102": "Columnas que no se usan",
    "SHT-103": "Ceros a la izquierda que se repusieron",
    "SHT-104": "Un dato que se dedujo",
    "SHT-105": "La codificación del archivo parece otra",
}
"""The rules of the reader; those from 101 on are warnings."""


def cut(value: Value) -> str:
    """A value as seen, within a line."""
    text = " ".join(shown(value).split())
    return text if len(text) <= _LONGEST_VALUE else f"{text[: _LONGEST_VALUE - 1]}…"


def of_broken(value: Broken) -> Problem:
    if value.kind == "error":
        return Problem("SHT-006", f"La celda tiene el error {value.text}: corrija la fórmula o escriba el valor.")
    return Problem("SHT-007", "La fórmula no tiene un valor guardado: abra el archivo en Excel, guárdelo y envíelo.")


def of_number(reason: Reason, text: str) -> Problem:
    match reason:
        case Reason.AMBIGUOUS:
            whole = text.replace(".", "").replace(",", "").strip()
            return Problem(
                "SHT-009",
                f"No se sabe si es {whole} o un número con decimales: indique el signo decimal, --decimal , o "
                "--decimal . (o escríbalo sin separador de miles).",
            )
        case Reason.DIGITS_LOST:
            return digits_lost()
        case Reason.NEGATIVE_FORM:
            return Problem("SHT-010", "Es un valor negativo (entre paréntesis o con el signo al final): no se admite.")
        case Reason.GROUPS:
            return Problem("SHT-010", "Los separadores no forman un número: escríbalo como 1234567,89.")
        case Reason.PLACES:
            return Problem("SHT-012", "Tiene más de dos decimales: redondéelo a dos.")
        case Reason.SIZE:
            return Problem("SHT-012", "Es demasiado grande.")
        case Reason.NOT_A_NUMBER:
            return Problem("SHT-010", "No es un número: escríbalo como 1234567,89.")


def digits_lost() -> Problem:
    return Problem(
        "SHT-011",
        "Excel ya perdió cifras de este valor: dé a la columna el formato Texto y escríbalo otra vez completo.",
    )


def empty(label: str) -> Problem:
    return Problem("SHT-008", f"Falta {label}: complete la celda (vacía no cuenta como 0).")


def too_large(n_lines: int) -> Problem:
    n = f"{n_lines:,}".replace(",", ".")
    text = (
        f"El documento tiene {n} líneas y es demasiado grande para un envío (1 MB, unas 5.000 líneas): divídalo, o "
        "revise si la columna de la referencia es la correcta."
    )
    return Problem("SHT-023", text)


def unlike_total(stated: Decimal, found: Decimal) -> Problem:
    return Problem(
        "SHT-017",
        f"El total escrito es {colombian(stated)} y lo calculado suma {colombian(found)}: corrija el total, los "
        "precios, los descuentos o las tarifas.",
    )


def colombian(amount: Decimal) -> str:
    """An amount as it is written in Colombia: ``1.234.567,89``."""
    text = f"{amount:,.2f}"
    return text.translate(str.maketrans(",.", ".,"))
