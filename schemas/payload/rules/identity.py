"""
Who somebody is, for whoever stands on a document: the NIT and its check digit, the municipality, the mail address.

Checks without a rule of their own: the books of customers, providers and workers register them under theirs.
"""

from __future__ import annotations

import re
from typing import Final

from schemas.check_digit import check_digit
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Findings, Node, finding, has_text

NIT: Final = "31"
COLOMBIA: Final = "CO"
_MAX_EMAIL: Final = 254
_MAX_LOCAL: Final = 64
_ATOM: Final = r"[\w!#$%&'*+/=?^`{|}~-]+"
_LABEL: Final = r"[^\W_](?:[^\W_]|-){0,62}(?<!-)"
# RFC 5321 and 6531: atoms with single dots between them, and labels of letters, digits and inner hyphens.
_EMAIL: Final = re.compile(rf"{_ATOM}(?:\.{_ATOM})*@{_LABEL}(?:\.{_LABEL})*")


def is_digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


def nit_fault(field: str, identification: str) -> Findings:
    """A NIT is digits only and nothing else."""
    if is_digits(identification):
        return NO_FINDINGS
    return finding(
        field,
        f'El NIT ("{field}") debe llevar solo dígitos: sin dígito de verificación, guion, puntos ni espacios.',
    )


def nit_is_digits(party: Node, document: Document) -> Findings:
    return _nit_is_digits(party, "identification")


def numbered_nit_is_digits(party: Node, document: Document) -> Findings:
    """The same where Factus calls the key ``identification_number``."""
    return _nit_is_digits(party, "identification_number")


def _nit_is_digits(party: Node, key: str) -> Findings:
    if party.get("identification_document_code") != NIT or key not in party:
        return NO_FINDINGS
    return nit_fault(key, party[key])


def check_digit_is_right(party: Node, document: Document) -> Findings:
    number = party.get("identification", "")
    if party.get("identification_document_code") != NIT or not has_text(party, "dv"):
        return NO_FINDINGS
    right = check_digit(number)
    if right is None or party["dv"] == right:
        return NO_FINDINGS
    if len(party["dv"]) == 1 and is_digits(party["dv"]):
        return finding("dv", f"El dígito de verificación del NIT {number} es {right}, no {party['dv']}.")
    return finding("dv", f'El dígito de verificación ("dv") del NIT {number} debe ser un solo dígito: {right}.')


def nit_has_a_check_digit(party: Node, document: Document) -> Findings:
    if party.get("identification_document_code") != NIT or has_text(party, "dv"):
        return NO_FINDINGS
    right = check_digit(party.get("identification", ""))
    if right is None:
        return NO_FINDINGS
    return finding(
        "dv",
        f'Agregue el dígito de verificación del NIT ("dv": "{right}"); sin él la DIAN ha llegado a rechazar.',
        Level.WARNING,
    )


def only_a_nit_has_a_check_digit(party: Node, document: Document) -> Findings:
    kind = party.get("identification_document_code")
    if kind is None or kind == NIT or not has_text(party, "dv"):
        return NO_FINDINGS
    return finding("dv", 'El dígito de verificación ("dv") va solo con NIT (31). Quite la clave.')


def foreigner_has_no_municipality(party: Node, document: Document) -> Findings:
    if party.get("country_code", COLOMBIA) == COLOMBIA or "municipality_code" not in party:
        return NO_FINDINGS
    return finding("municipality_code", 'El municipio ("municipality_code") es solo para Colombia. Quite la clave.')


def colombian_has_a_municipality(party: Node, document: Document) -> Findings:
    if party.get("country_code") != COLOMBIA or "municipality_code" in party:
        return NO_FINDINGS
    return finding("municipality_code", 'Falta el municipio ("municipality_code"): es obligatorio para Colombia.')


def mail_address_has_the_form(party: Node, document: Document) -> Findings:
    return email_fault("email", party["email"]) if has_text(party, "email") else NO_FINDINGS


def email_fault(field: str, email: str) -> Findings:
    """
    The form of an address: refuses what no mail system takes unquoted, and several addresses in one field.

    Bounded before it is matched, and no two parts of the pattern can share a character: no address is slow to judge.
    """
    if len(email) > _MAX_EMAIL or not _EMAIL.fullmatch(email) or email.rindex("@") > _MAX_LOCAL:
        return finding(
            field, f'El correo ("{field}") no tiene la forma nombre@dominio.com. Corríjalo; admite uno solo.'
        )
    if "." not in email[email.rindex("@") :]:
        return finding(field, f'El dominio del correo ("{field}") no tiene punto. Revíselo.', Level.WARNING)
    return NO_FINDINGS
