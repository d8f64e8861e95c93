"""
Rules about any document: keys, texts, characters, the reference code and the range (GEN, REF, RNG).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Final

from schemas.payload import messages
from schemas.payload.findings import Level, Violation
from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, RuleBook, finding, has_text
from schemas.payload.shape import Walk

MAX_REFERENCE: Final = 100
MAX_OLD_OBSERVATION: Final = 250

# XML 1.0, 2.2: tab and line ends are the only control characters that a document may hold.
_NOT_XML: Final = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
# Two or three bytes of one letter in UTF-8, each shown as a letter of latin-1, Windows-1252 or a DOS console.
_NEXT: Final = "[\x80-\xbf" + bytes(range(0x80, 0xA0)).decode("cp1252", errors="ignore") + "]"
_GARBLED: Final = re.compile(f"[\xc2\xc3]{_NEXT}|\xe2{_NEXT}{{2}}|[\u251c\u252c]\\S")
_SIGNS_OF_DAMAGE: Final = ("\xc3", "\xc2", "\xe2", "\u251c", "\u252c", "\ufffd")
_ULID: Final = re.compile("[0-9A-HJKMNP-TV-Z]{26}", re.IGNORECASE | re.ASCII)
_DAMAGED: Final = (
    "El texto parece tener la codificación dañada, como «JosÃ©» por «José», y así se imprimiría. Guarde el archivo "
    "como UTF-8, o lea la base de datos con su codificación."
)
# Slashes are common in references, and go out percent-encoded (docs/contract.md, section 1).
_SAFE_REFERENCE: Final = re.compile(r"[A-Za-z0-9._/-]+")

ROOT: Final = RuleBook.about("")
ROOT.by_shape("GEN-001 GEN-004 GEN-007 GEN-008 GEN-010 GEN-011 GEN-012 GEN-013")
ROOT.by_shape("GEN-002 GEN-003 GEN-015", "R")
ROOT.by_shape("GEN-005", "I")
ROOT.by_shape("GEN-006", "D, R")
ROOT.by_shape("GEN-009", "D (examples)", Level.WARNING)
ROOT.by_shape("GEN-014", "P")

PAID: Final = RuleBook.about("")
PAID.by_shape("GEN-016 RNG-004")

HOUR: Final = RuleBook.about("")
HOUR.by_shape("GEN-018", "D, P")

MAIL: Final = RuleBook.about("")

PAYROLL_RANGE: Final = RuleBook.about("")


@PAID.warning("GEN-017", "D")
def observation_fits_the_old_limit(root: Node, document: Document) -> Findings:
    if len(root.get("observation", "")) <= MAX_OLD_OBSERVATION:
        return NO_FINDINGS
    return finding(
        "observation",
        f'La observación ("observation") pasa de {MAX_OLD_OBSERVATION} caracteres; parte de la documentación de Factus '
        "aún da ese límite. Acórtela si Factus la rechaza.",
    )


@MAIL.warning("GEN-019", "D, R")
def mail_has_an_address(root: Node, document: Document) -> Findings:
    customer = root.get("customer")
    if customer is None or root.get("send_email", True) is False or has_text(customer, "email"):
        return NO_FINDINGS
    return finding(
        "send_email",
        'Factus no enviará el documento por correo: el cliente no tiene correo ("customer.email"). Agréguelo, o envíe '
        '"send_email": false.',
        rests_on="customer.email",
    )


@PAYROLL_RANGE.error("RNG-005", "D, uncertain")
def payroll_range_is_an_ulid(root: Node, document: Document) -> Findings:
    found = root.get("numbering_range_id")
    if found is None or _ULID.fullmatch(found):
        return NO_FINDINGS
    # The table of payrolls calls it an integer, so a number may pass as well.
    return finding(
        "numbering_range_id",
        'El rango de nómina ("numbering_range_id") es un código de 26 letras y dígitos, como lo da Factus al consultar '
        "los rangos de nómina.",
        Level.WARNING if found.strip() else None,
    )


@ROOT.error("REF-001", "D")
def reference_is_usable(root: Node, document: Document) -> Findings:
    reference = root.get("reference_code")
    if reference is None or readable_reference(reference):
        return NO_FINDINGS
    return finding(
        "reference_code",
        f'El código de referencia ("reference_code") debe tener de 1 a {MAX_REFERENCE} caracteres visibles, sin '
        "espacios al inicio ni al final.",
    )


@ROOT.warning("REF-004", "P")
def reference_is_plain(root: Node, document: Document) -> Findings:
    reference = root.get("reference_code")
    if reference is None or not readable_reference(reference) or _SAFE_REFERENCE.fullmatch(reference):
        return NO_FINDINGS
    return finding(
        "reference_code",
        'El código de referencia ("reference_code") lleva signos distintos de letras, dígitos, "-", "_", "." y "/"; '
        "consultar o borrar por referencia podría fallar en Factus.",
    )


def readable_reference(reference: object) -> str:
    """The reference code when it is one that the contract takes, else an empty text."""
    if not isinstance(reference, str) or not 1 <= len(reference) <= MAX_REFERENCE:
        return ""
    return reference if reference.isprintable() and reference.strip() == reference else ""


def number_warnings(walk: Walk) -> list[Violation]:
    """GEN-009, once per document: a producer that sends numbers sends all of them so."""
    if not walk.first_decimal_number:
        return []
    message = (
        "Hay valores escritos como números JSON (este es el primero); Factus los documenta como textos con comillas, "
        'por ejemplo "1500.50". Se enviarán así.'
    )
    return [Violation("GEN-009", walk.first_decimal_number, message, Level.WARNING)]


def bad_characters(node: Any, at: str, faults: list[Violation], limit: int) -> None:
    """GEN-014: find the texts with characters that XML does not allow. Slow; called when there is a suspicion."""
    if len(faults) >= limit:
        return
    if isinstance(node, str):
        if _NOT_XML.search(node):
            faults.append(_bad_character(at))
    elif isinstance(node, (dict, list)):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            step = messages.short(key) if isinstance(key, str) else key
            bad_characters(item, f"{at}.{step}" if at else f"{step}", faults, limit)


def may_be_garbled(wire: str) -> bool:
    """Whether a JSON text may hold words that were read in the wrong encoding; True is a mere suspicion."""
    return not wire.isascii() and any(sign in wire for sign in _SIGNS_OF_DAMAGE)


def garbled_texts(node: Any, at: str = "") -> Iterator[Violation]:
    """GEN-014 as a warning: texts whose UTF-8 somebody took for another encoding (``JosÃ©``), or lost letters of."""
    if isinstance(node, str):
        if not node.isascii() and ("\ufffd" in node or any(_letter(found) for found in _GARBLED.findall(node))):
            yield Violation("GEN-014", at, _DAMAGED, Level.WARNING)
    elif isinstance(node, (dict, list)):
        for key, item in node.items() if isinstance(node, dict) else enumerate(node):
            step = messages.short(key) if isinstance(key, str) else key
            yield from garbled_texts(item, f"{at}.{step}" if at else f"{step}")


def _letter(garbled: str) -> str:
    """What the letters stand for, read in the right encoding; empty when they are what they look like."""
    for encoding in ("cp1252", "latin-1", "cp850"):
        try:
            return garbled.encode(encoding).decode()
        except UnicodeError:
            continue
    return ""


def _bad_character(at: str) -> Violation:
    return Violation("GEN-014", at, f'"{at}" tiene caracteres de control que la DIAN no admite. Escríbalo de nuevo.')


GENERAL_BOOKS: Final = (ROOT,)

PAID_BOOKS: Final = (PAID,)
"""Bills, notes and support documents."""

HOUR_BOOKS: Final = (HOUR,)
"""The same without credit notes."""

MAIL_BOOKS: Final = (MAIL,)
"""Bills, credit and debit notes."""

PAYROLL_RANGE_BOOKS: Final = (PAYROLL_RANGE,)
