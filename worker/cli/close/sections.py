"""
A certificate as tables for people: the same on the screen, on the printed page and in the spreadsheet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from jobs.families import FAMILIES
from worker.speech import Speech

Certificate = Mapping[str, Any]

_ENGLISH: Final = {
    "invoice": "Invoice",
    "credit_note": "Credit note",
    "debit_note": "Debit note",
    "support_document": "Support document",
    "adjustment_note": "Adjustment note",
    "payroll": "Payroll",
    "payroll_adjustment": "Payroll adjustment",
}
"""Families; their Spanish names are their nouns."""
_CLASSES: Final = {
    "issued": ("emitido", "issued"),
    "foreign": ("ajeno", "foreign"),
    "deleted": ("eliminado", "deleted"),
    "waiting": ("en espera", "waiting"),
    "unexplained": ("sin explicar", "unexplained"),
}
_STATES: Final = {
    "waiting": ("en cola", "waiting"),
    "delayed": ("aplazado", "delayed"),
    "sent": ("enviándose", "being sent"),
    "pending": ("espera a la DIAN", "waits for the DIAN"),
}
_WHATS: Final = {"count": ("cantidad", "count"), "total": ("total", "total"), "tax_amount": ("impuestos", "taxes")}


@dataclass(frozen=True, slots=True)
class Section:
    """A table: its title, headings and rows, all text; ``right``: columns of numbers."""

    title: str
    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: tuple[int, ...] = ()


def family_name(family: str, speech: Speech) -> str:
    row = FAMILIES.get(family)
    return speech.say(row.noun if row else family, _ENGLISH.get(family, family))


def verdict(certificate: Certificate, speech: Speech) -> tuple[str, bool]:
    """What a person must know first, and whether it is good."""
    n_bare = sum(row["unexplained"] for row in certificate["prefixes"])
    control = certificate["control"]
    n_off = len(control["differences"]) if control else 0
    found = []
    if n_bare:
        found.append(
            speech.of(
                n_bare, ("número sin explicar", "unexplained number"), ("números sin explicar", "unexplained numbers")
            )
        )
    if n_off:
        found.append(
            speech.of(n_off, ("diferencia con el control", "difference from the control"),
                      ("diferencias con el control", "differences from the control"))
        )  # fmt: skip
    if found:
        return "; ".join(found), False
    balanced = speech.say("; los totales de control cuadran", "; the control totals agree") if control else ""
    return speech.say("Todos los números están explicados", "Every number is explained") + balanced, True


def standing(certificate: Certificate, speech: Speech) -> str:
    """Whether it is the last word on its day."""
    if certificate["is_final"]:
        return speech.say(
            "Definitivo: el día terminó y nada quedó abierto.", "Final: the day is over, nothing is open."
        )
    return speech.say(
        "Provisional: el día no ha terminado, o algo sigue abierto.", "Provisional: the day is not over, or not all is."
    )


def sections(certificate: Certificate, speech: Speech) -> list[Section]:
    """The tables that have rows, in reading order."""
    every = (
        _prefixes(certificate, speech),
        _control(certificate, speech),
        _gaps(certificate, speech),
        _open(certificate, speech),
        _not_issued(speech.say("Rechazados o no aceptados", "Refused or rejected"), certificate["refused"], speech),
        _not_issued(speech.say("Fallidos", "Failed"), certificate["failed"], speech),
        _warnings(certificate, speech),
    )
    return [one for one in every if one.rows]


def _prefixes(certificate: Certificate, speech: Speech) -> Section:
    say = speech.say
    rows = tuple(
        (
            family_name(row["family"], speech), row["prefix"] or "-", row["first"], row["last"],
            speech.count(row["span"]), *(speech.count(row[name]) for name in _CLASSES),
            speech.money(Decimal(row["total"])), speech.money(Decimal(row["tax_amount"])),
        )
        for row in certificate["prefixes"]
    )  # fmt: skip
    heads = (
        say("Clase", "Family"), say("Prefijo", "Prefix"), say("Primero", "First"), say("Último", "Last"),
        say("Números", "Numbers"), say("Emitidos", "Issued"), say("Ajenos", "Foreign"), say("Eliminados", "Deleted"),
        say("En espera", "Waiting"), say("Sin explicar", "Unexplained"), "Total", say("Impuestos", "Taxes"),
    )  # fmt: skip
    return Section(say("Números del día", "Numbers of the day"), heads, rows, right=tuple(range(4, 12)))


def _control(certificate: Certificate, speech: Speech) -> Section:
    say = speech.say
    control = certificate["control"] or {"differences": []}
    rows = tuple(
        (
            family_name(one["family"], speech), one["prefix"] or "-", say(*_WHATS[one["what"]]),
            _figure(one["control"], speech), _figure(one["found"], speech), one["reference_code"] or "-",
        )
        for one in control["differences"]
    )  # fmt: skip
    heads = (
        say("Clase", "Family"), say("Prefijo", "Prefix"), say("Qué", "What"), say("Control", "Control"),
        say("Encontrado", "Found"), say("Documento", "Document"),
    )  # fmt: skip
    return Section(say("Diferencias con el control", "Differences from the control"), heads, rows, right=(3, 4))


def _figure(value: Any, speech: Speech) -> str:
    if value is None:
        return "-"
    return speech.count(value) if isinstance(value, int) else speech.money(Decimal(value))


def _gaps(certificate: Certificate, speech: Speech) -> Section:
    say = speech.say
    rows = tuple(
        (
            gap["number"], say(*_CLASSES[gap["class"]]), gap["reference_code"] or "-", gap["rule"] or "-",
            gap["reason"] or "-", gap["at"] or "-",
        )
        for row in certificate["prefixes"]
        for gap in row["gaps"]
    )  # fmt: skip
    heads = (
        say("Número", "Number"), say("Qué es", "Class"), say("Referencia", "Reference"), say("Regla", "Rule"),
        say("Motivo", "Reason"), say("Cuándo", "When"),
    )  # fmt: skip
    return Section(say("Números no emitidos aquí", "Numbers not issued here"), heads, rows)


def _open(certificate: Certificate, speech: Speech) -> Section:
    say = speech.say
    rows = tuple(
        (one["reference_code"], family_name(one["family"], speech), say(*_STATES[one["state"]]), one["why"])
        for one in certificate["open"]
    )
    heads = (say("Referencia", "Reference"), say("Clase", "Family"), say("Estado", "State"), say("Por qué", "Why"))
    return Section(say("Abiertos", "Open"), heads, rows)


def _not_issued(title: str, found: Sequence[Mapping[str, Any]], speech: Speech) -> Section:
    say = speech.say
    rows = tuple(
        (
            one["reference_code"] or one["job_id"], family_name(one["family"], speech),
            one["rule"] or one["code"] or "-", one["reason"] or "-", one["number"] or "-", one["at"] or "-",
        )
        for one in found
    )  # fmt: skip
    heads = (
        say("Referencia", "Reference"), say("Clase", "Family"), say("Regla", "Rule"), say("Motivo", "Reason"),
        say("Emitido después", "Issued since"), say("Cuándo", "When"),
    )  # fmt: skip
    return Section(title, heads, rows)


def _warnings(certificate: Certificate, speech: Speech) -> Section:
    rows = tuple(
        (family_name(one["family"], speech) if one["family"] else "-", one["message"])
        for one in certificate.get("warnings", ())
    )
    heads = (speech.say("Clase", "Family"), speech.say("Qué", "What"))
    return Section(speech.say("Tenga en cuenta", "To be known"), heads, rows)
