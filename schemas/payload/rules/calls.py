"""
What ties the keys of a call's payload together: rules about the jobs that do not issue (CALL, EVT).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Collection
from datetime import date, timedelta
from typing import Final

from schemas.catalogs import search
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding, has_text
from schemas.payload.rules.identity import (
    NIT,
    check_digit_is_right,
    mail_address_has_the_form,
    nit_fault,
    nit_is_digits,
    numbered_nit_is_digits,
)

_OURS: Final = "factus-worker"
FAMILY_NAMES: Final = (
    "invoice",
    "credit_note",
    "debit_note",
    "support_document",
    "adjustment_note",
    "payroll",
    "payroll_adjustment",
)
"""The families that the service issues (jobs/families.py has their rows)."""
_CLAIM: Final = "031"
_EVENTS: Final = ("030", "031", "032", "033")
_CUFE: Final = re.compile("[0-9A-Fa-f]{96}")
_RECORD: Final = re.compile("(?=.*[0-9])[0-9A-Za-z-]{1,64}")
_CONSECUTIVE: Final = re.compile("[0-9]{1,15}")
_SWITCHES: Final = {
    "status": ("0", "1"),
    "completed_events": ("0", "1"),
    "is_active": ("0", "1"),
    "is_enabled": ("false", "true"),
}
_WITH_RESOLUTION: Final = frozenset({"21", "24", "30"})

NAMED: Final = RuleBook.about("")
PERSON: Final = RuleBook.about("")
PERSON.by_shape("EVT-005", "D, R")
PERSON.error("EVT-005", "D")(nit_is_digits)
PERSON.error("EVT-006", "D")(check_digit_is_right)
MAIL: Final = RuleBook.about("")
EVENT: Final = RuleBook.about("")
RANGE: Final = RuleBook.about("")
RESOLUTION: Final = RuleBook.about("")
CONSECUTIVE: Final = RuleBook.about("")
RECEIVED: Final = RuleBook.about("")
RECORD: Final = RuleBook.about("")
CODE: Final = RuleBook.about("")
COMPANY: Final = RuleBook.about("")
LOGO: Final = RuleBook.about("")
ACQUIRER: Final = RuleBook.about("")
ACQUIRER.error("CUS-003", "D")(numbered_nit_is_digits)
CATALOG: Final = RuleBook.about("")
CANCEL: Final = RuleBook.about("")
CLOSE: Final = RuleBook.about("")
FILTERS: Final = RuleBook.about("filters")
ISSUER_FILTERS: Final = RuleBook.about("filters")


@NAMED.error("CALL-001", _OURS)
def names_one_document(root: Node, document: Document) -> Findings:
    named = [key for key in ("number", "reference_code") if key in root]
    if len(named) == 1:
        return NO_FINDINGS
    if not named:
        return finding(
            "number", 'Falta decir qué documento: escriba "number" o "reference_code".', rests_on="reference_code"
        )
    return finding("reference_code", 'Llegaron "number" y "reference_code": deje solo uno de los dos.')


@MAIL.error("CALL-002", _OURS)
def mail_address_is_sure(root: Node, document: Document) -> Findings:
    # What a document is only warned of is refused here: the message is all that the job is about.
    return [found._replace(level=None) for found in mail_address_has_the_form(root, document)]


COMPANY.error("CALL-002", _OURS)(mail_address_is_sure)


@MAIL.error("CALL-003", _OURS)
def own_pdf_is_base64(root: Node, document: Document) -> Findings:
    text = root.get("pdf_base_64_encoded")
    if text is None or _decoded(text):
        return NO_FINDINGS
    return finding("pdf_base_64_encoded", 'El PDF ("pdf_base_64_encoded") no es base64. Codifique el archivo completo.')


@PERSON.error("EVT-006", "D")
def nit_has_its_digit(root: Node, document: Document) -> Findings:
    if root.get("identification_document_code") != NIT or has_text(root, "dv"):
        return NO_FINDINGS
    return finding("dv", 'Con NIT falta el dígito de verificación ("dv"). Agréguelo.')


@EVENT.error("EVT-002", "D")
def event_is_a_receivers(root: Node, document: Document) -> Findings:
    if root.get("event_type", _CLAIM) in _EVENTS:
        return NO_FINDINGS
    return finding("event_type", f'El evento ("event_type") debe ser uno de {", ".join(_EVENTS)}.')


@EVENT.error("EVT-004", "D")
def claim_has_its_concept(root: Node, document: Document) -> Findings:
    if root.get("event_type") != _CLAIM or "claim_concept_code" in root:
        return NO_FINDINGS
    return finding("claim_concept_code", 'El reclamo (031) necesita su concepto ("claim_concept_code": 01 a 04).')


@RECEIVED.error("EVT-001", "I")
def track_id_is_a_cufe(root: Node, document: Document) -> Findings:
    if _CUFE.fullmatch(root.get("track_id", "0" * 96)):
        return NO_FINDINGS
    return finding("track_id", 'El CUFE ("track_id") tiene 96 dígitos hexadecimales. Cópielo completo de la factura.')


@CODE.error("CALL-016", "D")
def unique_code_is_whole(root: Node, document: Document) -> Findings:
    if _CUFE.fullmatch(root.get("unique_code", "0" * 96)):
        return NO_FINDINGS
    text = 'El CUFE, CUDE, CUDS o CUNE ("unique_code") tiene 96 dígitos hexadecimales. Cópielo completo del documento.'
    return finding("unique_code", text)


@RECORD.error("CALL-013", "D")
def id_is_of_a_record(root: Node, document: Document) -> Findings:
    """Another text would name another place at Factus: ``payrolls``, ``dian``, ``..``."""
    for key in ("numbering_range_id", "bill_id"):
        found = root.get(key)
        if found is not None and not _RECORD.fullmatch(found):
            return finding(key, f'El id ("{key}") es el de su fila en la lista: un número, o letras y dígitos.')
    return NO_FINDINGS


@RESOLUTION.error("CALL-007", "D")
def range_has_its_resolution(root: Node, document: Document) -> Findings:
    if root.get("document") not in _WITH_RESOLUTION or has_text(root, "resolution_number"):
        return NO_FINDINGS
    return finding("resolution_number", 'Para este documento falta la resolución de la DIAN ("resolution_number").')


@RANGE.error("CALL-008", "D")
def prefix_is_plain(root: Node, document: Document) -> Findings:
    prefix = root.get("prefix", "A")
    if prefix.isascii() and prefix.isalnum():
        return NO_FINDINGS
    return finding("prefix", 'El prefijo ("prefix") admite de 1 a 4 letras o dígitos, sin espacios ni signos.')


@CONSECUTIVE.error("CALL-014", "D")
def consecutive_is_a_number(root: Node, document: Document) -> Findings:
    if _CONSECUTIVE.fullmatch(root.get("current", "1")):
        return NO_FINDINGS
    return finding("current", 'El consecutivo ("current") es un número entero, sin prefijo ni separadores.')


@FILTERS.error("CALL-015", "D")
def switches_are_on_or_off(filters: Node, document: Document) -> Findings:
    return [
        Finding(key, f'El filtro "{key}" es {off} o {on}.')
        for key, (off, on) in _SWITCHES.items()
        if filters.get(key, on) not in (off, on)
    ]


@ISSUER_FILTERS.error("CUS-003", "D")
def issuer_is_a_nit(filters: Node, document: Document) -> Findings:
    return nit_fault("company_nit", filters["company_nit"]) if "company_nit" in filters else NO_FINDINGS


@COMPANY.error("CALL-009", "D")
def company_has_its_name(root: Node, document: Document) -> Findings:
    wanted = {"1": ("company",), "2": ("names", "surnames")}.get(root.get("legal_organization_code", ""), ())
    return [Finding(key, f'Falta "{key}" para este tipo de organización.') for key in wanted if not has_text(root, key)]


@LOGO.error("CALL-010", "D")
def logo_is_an_image(root: Node, document: Document) -> Findings:
    content = _decoded(root.get("image_base_64_encoded", ""))
    if content.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff")) or "image_base_64_encoded" not in root:
        return NO_FINDINGS
    return finding("image_base_64_encoded", "La imagen debe ser PNG o JPEG, codificada en base64.")


@CATALOG.error("CALL-011", _OURS)
def catalog_exists(root: Node, document: Document) -> Findings:
    name = root.get("catalog")
    if name is None or search.exists(name):
        return NO_FINDINGS
    close = search.nearest(name)
    mend = f'¿Quiso decir "{close}"?' if close else f"Tablas: {', '.join(search.catalogs())}."
    return finding("catalog", f'La tabla ("catalog") no existe. {mend}')


@CANCEL.error("CALL-017", _OURS)
def names_what_to_cancel(root: Node, document: Document) -> Findings:
    named = [key for key in ("job_id", "reference_code", "batch") if key in root]
    if not named and "family" not in root:
        text = 'Falta decir qué se cancela: "job_id", o "family" y "reference_code", o "batch".'
        return finding("job_id", text, rests_on="reference_code")
    if len(named) > 1:
        return finding(named[1], f'Llegaron "{named[0]}" y "{named[1]}": deje solo uno de los dos.')
    if ("family" in root) != (named == ["reference_code"]):
        lacking = "family" if named == ["reference_code"] else "reference_code"
        return finding(lacking, f'"family" y "reference_code" van juntos: falta "{lacking}", o sobra el otro.')
    family = root.get("family")
    if family is not None and family not in FAMILY_NAMES:
        return finding("family", f'La familia ("family") debe ser una de {", ".join(FAMILY_NAMES)}.')
    return NO_FINDINGS


@CLOSE.error("CALL-018", _OURS)
def day_has_begun(root: Node, document: Document) -> Findings:
    """Anywhere on Earth: how far an account's own clock is ahead of Bogotá, is not known here."""
    day = root.get("day")
    if day is None or date.fromisoformat(day) <= date.fromisoformat(document.today) + timedelta(days=1):
        return NO_FINDINGS
    return finding("day", f'El día ("day") {day} no ha comenzado. Cierre el de hoy o uno anterior.')


@CLOSE.error("CALL-019", _OURS)
def control_is_of_prefixes(root: Node, document: Document) -> Findings:
    found: list[Finding] = []
    seen: set[tuple[str | None, str]] = set()
    for n, row in enumerate(root.get("control", ())):
        if not isinstance(row, dict):  # refused by its shape
            continue
        family, prefix = row.get("family"), row.get("prefix", "")
        if family is not None and family not in FAMILY_NAMES:
            text = f'La familia ("family") debe ser una de {", ".join(FAMILY_NAMES)}.'
            found.append(Finding(f"control.{n}.family", text))
        elif (family, prefix) in seen:
            text = f'La familia {family} con prefijo "{prefix}" está dos veces: deje una sola fila, con la suma.'
            found.append(Finding(f"control.{n}.prefix", text))
        elif not row.keys() & {"count", "total", "tax_amount"}:
            text = 'Esta fila no dice ningún total: escriba "count", "total" o "tax_amount".'
            found.append(Finding(f"control.{n}.total", text))
        seen.add((family, prefix))
    return found


def kinds_book(kinds: Collection[str]) -> RuleBook:
    book = RuleBook.about("")

    @book.error("CALL-012", "D")
    def kinds_exist(root: Node, document: Document) -> Findings:
        for position, kind in enumerate(root.get("kinds", ())):
            if kind not in kinds:
                return finding(f"kinds.{position}", f"Este documento solo tiene los archivos {', '.join(kinds)}.")
        return NO_FINDINGS

    return book


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode("".join(text.split()), validate=True)
    except (binascii.Error, ValueError):
        return b""
