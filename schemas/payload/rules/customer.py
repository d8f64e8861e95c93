"""
Rules about the buyer of a bill or note (CUS).
"""

from __future__ import annotations

from typing import Final

from schemas.catalogs import tables
from schemas.check_digit import check_digit
from schemas.payload.findings import Level
from schemas.payload.rules.book import NO_FINDINGS, Document, Finding, Findings, Node, RuleBook, finding, has_text
from schemas.payload.rules.identity import (
    COLOMBIA,
    NIT,
    check_digit_is_right,
    email_fault,
    foreigner_has_no_municipality,
    is_digits,
    nit_has_a_check_digit,
    nit_is_digits,
    only_a_nit_has_a_check_digit,
)
from schemas.payload.rules.payments import CREDIT

_CITIZEN_CARD: Final = "13"
_DIGITS_ONLY: Final = frozenset({"11", "12", "13", "91"})
_FINAL_CONSUMER: Final = "2" * 12
# Twelve are agreed on; other runs are slips. A shorter one may be somebody's number.
_FINAL_CONSUMERS: Final = frozenset("2" * n for n in range(9, 16))
_COMPANY: Final = "1"
_PERSON: Final = "2"
_NO_RESPONSIBILITY: Final = "R-99-PN"

CUSTOMER: Final = RuleBook.about("customer")
CUSTOMER.by_shape("CUS-001 CUS-002 CUS-014 CUS-017")
CUSTOMER.by_shape("CUS-019", "D, R+")
CUSTOMER.error("CUS-003", "D")(nit_is_digits)
CUSTOMER.error("CUS-006", "D, R")(check_digit_is_right)
CUSTOMER.warning("CUS-007", "D, R")(nit_has_a_check_digit)
CUSTOMER.error("CUS-008", "D")(only_a_nit_has_a_check_digit)
CUSTOMER.error("CUS-018", "D")(foreigner_has_no_municipality)

CUSTOMER_PAYMENT: Final = RuleBook.about("payment_details.*")


def is_final_consumer(customer: Node) -> bool:
    """Whether the customer is nobody in particular, slips included."""
    return customer.get("identification") in _FINAL_CONSUMERS


@CUSTOMER.warning("CUS-004", "P")
def nit_has_a_usual_length(customer: Node, document: Document) -> Findings:
    number = customer.get("identification", "")
    if customer.get("identification_document_code") != NIT or not is_digits(number):
        return NO_FINDINGS
    carries_its_digit = len(number) == 10 and check_digit(number[:9]) == number[9]
    if carries_its_digit and customer.get("dv") != check_digit(number):
        return finding(
            "identification",
            f"El NIT {number} parece llevar al final su dígito de verificación. Si es así, envíe {number[:9]} y el "
            f'dígito {number[9]} en "dv".',
        )
    if 6 <= len(number) <= 10:
        return NO_FINDINGS
    return finding("identification", f"Un NIT tiene de 6 a 10 dígitos; este tiene {len(number)}. Revíselo.")


@CUSTOMER.warning("CUS-005", "P")
def card_is_digits(customer: Node, document: Document) -> Findings:
    if customer.get("identification_document_code") not in _DIGITS_ONLY or is_digits(
        customer.get("identification", "0")
    ):
        return NO_FINDINGS
    return finding("identification", 'La identificación del cliente ("identification") debería llevar solo dígitos.')


@CUSTOMER.error("CUS-009", "D")
def organization_is_told(customer: Node, document: Document) -> Findings:
    if "legal_organization_code" in customer:
        return NO_FINDINGS
    if document.is_final_consumer:
        return finding(
            "legal_organization_code",
            'Para el consumidor final envíe "legal_organization_code": "2" (persona natural).',
            Level.WARNING,
        )
    return finding(
        "legal_organization_code",
        'Falta el tipo de organización del cliente ("legal_organization_code"): "1" persona jurídica, "2" natural.',
    )


@CUSTOMER.error("CUS-010", "D")
def company_has_a_name(customer: Node, document: Document) -> Findings:
    if customer.get("legal_organization_code") != _COMPANY or has_text(customer, "company"):
        return NO_FINDINGS
    return finding("company", 'Falta la razón social ("company"): es obligatoria para una persona jurídica.')


@CUSTOMER.error("CUS-011", "D")
def person_has_a_name(customer: Node, document: Document) -> Findings:
    if customer.get("legal_organization_code") != _PERSON or has_text(customer, "names"):
        return NO_FINDINGS
    return finding("names", 'Faltan los nombres ("names"): son obligatorios para una persona natural.')


@CUSTOMER.warning("CUS-012", "R")
def one_kind_of_name(customer: Node, document: Document) -> Findings:
    if not (has_text(customer, "company") and has_text(customer, "names")):
        return NO_FINDINGS
    return finding(
        "names", 'Llegaron razón social ("company") y nombres ("names"): el nombre impreso puede cambiar. Deje uno.'
    )


@CUSTOMER.warning("CUS-013", "P")
def citizen_is_a_person(customer: Node, document: Document) -> Findings:
    if customer.get("identification_document_code") != _CITIZEN_CARD or document.is_final_consumer:
        return NO_FINDINGS
    if customer.get("legal_organization_code") != _COMPANY:
        return NO_FINDINGS
    return finding("legal_organization_code", 'Una cédula (13) corresponde a una persona natural: use "2".')


@CUSTOMER.error("CUS-015", "D")
def responsibilities_exist(customer: Node, document: Document) -> Findings:
    codes = customer.get("responsibilities")
    if not codes:
        return NO_FINDINGS
    known = tables.codes("fiscal-responsibilities")
    seen: set[str] = set()
    found: list[Finding] = []
    for position, code in enumerate(codes):
        if code is None:
            continue
        if code not in known:
            options = ", ".join(sorted(known))
            found.append(
                Finding(
                    f"responsibilities.{position}",
                    f"La responsabilidad fiscal no existe. Use {options} (letra O, no cero).",
                )
            )
        elif code in seen:
            found.append(
                Finding(f"responsibilities.{position}", f"La responsabilidad fiscal {code} está repetida. Deje una.")
            )
        seen.add(code)
    return found


@CUSTOMER.warning("CUS-016", "P")
def no_responsibility_stands_alone(customer: Node, document: Document) -> Findings:
    codes = customer.get("responsibilities", ())
    if len(codes) < 2 or _NO_RESPONSIBILITY not in codes:
        return NO_FINDINGS
    return finding(
        "responsibilities", f"{_NO_RESPONSIBILITY} (no aplica) no va con otras responsabilidades. Deje una u otras."
    )


@CUSTOMER.warning("CUS-020", "X")
def colombian_has_an_address(customer: Node, document: Document) -> Findings:
    if document.is_final_consumer or customer.get("country_code", COLOMBIA) != COLOMBIA:
        return NO_FINDINGS
    if not has_text(customer, "address"):
        return finding(
            "address",
            'Falta la dirección del cliente ("address"); la DIAN puede dejar una notificación.',
            rests_on="country_code",
        )
    if "municipality_code" in customer:
        return NO_FINDINGS
    return finding(
        "municipality_code",
        'Falta el municipio del cliente ("municipality_code"); la DIAN puede dejar una notificación.',
        rests_on="country_code",
    )


@CUSTOMER.error("CUS-021", "I, X")
def mail_address_has_the_form(customer: Node, document: Document) -> Findings:
    if has_text(customer, "email"):
        return email_fault("email", customer["email"])
    if document.root.get("send_email", True):
        # With mail asked for, GEN-019 says the same.
        return NO_FINDINGS
    return finding(
        "email", 'El cliente no tiene correo ("email"); la DIAN puede dejar una notificación.', Level.WARNING
    )


@CUSTOMER.warning("CUS-022", "D, uncertain")
def final_consumer_is_written_as_agreed(customer: Node, document: Document) -> Findings:
    if not document.is_final_consumer:
        return NO_FINDINGS
    found: list[Finding] = []
    if customer["identification"] != _FINAL_CONSUMER:
        n_digits = len(customer["identification"])
        found.append(
            Finding(
                "identification", f"El consumidor final se escribe con doce dígitos 2; llegaron {n_digits}. Corríjalo."
            )
        )
    if customer.get("identification_document_code", _CITIZEN_CARD) != _CITIZEN_CARD:
        found.append(Finding("identification_document_code", "El consumidor final va con cédula de ciudadanía (13)."))
    if customer.get("legal_organization_code", _PERSON) != _PERSON:
        found.append(Finding("legal_organization_code", 'El consumidor final va como persona natural ("2").'))
    return found


@CUSTOMER_PAYMENT.warning("CUS-023", "P")
def final_consumer_pays_at_once(payment: Node, document: Document) -> Findings:
    if not document.is_final_consumer or payment.get("payment_form") != CREDIT:
        return NO_FINDINGS
    return finding(
        "payment_form", "Una venta a crédito a consumidor final no es usual. Revise el cliente o la forma de pago."
    )


CUSTOMER_BOOKS: Final = (CUSTOMER, CUSTOMER_PAYMENT)
