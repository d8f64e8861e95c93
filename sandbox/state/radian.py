"""
RADIAN events: how one looks, who may act, and in which order they come.

Events, unlike all else, carry ISO dates and a 24-hour clock. The order is an official note of v1; the texts of
refusals were not recorded.
"""

from collections.abc import Iterable
from hashlib import sha384
from typing import Any, Final

from sandbox.values import datetimes
from sandbox.values.catalogs import code_and_name
from sandbox.values.check_digit import check_digit
from sandbox.values.fields import (
    Errors,
    Field,
    invalid,
    one_of,
    optional,
    optional_text,
    pattern,
    record,
    required,
    text,
)

RECEIPT: Final = "030"
CLAIM: Final = "031"
DELIVERY: Final = "032"
EXPRESS_ACCEPTANCE: Final = "033"
TACIT_ACCEPTANCE: Final = "034"
CODES: Final = (RECEIPT, CLAIM, DELIVERY, EXPRESS_ACCEPTANCE, TACIT_ACCEPTANCE)
ACCEPTANCES: Final = frozenset({EXPRESS_ACCEPTANCE, TACIT_ACCEPTANCE})
LAST_WORDS: Final = ACCEPTANCES | {CLAIM}
_NEEDS_BEFORE: Final = {DELIVERY: RECEIPT, CLAIM: DELIVERY, EXPRESS_ACCEPTANCE: DELIVERY, TACIT_ACCEPTANCE: DELIVERY}

_IDENTITIES: Final = ("11", "12", "13", "21", "22", "31", "41", "42", "47", "48", "50", "91")
PERSON_FIELDS: Final[dict[str, Field]] = {
    "identification_document_code": required(one_of(_IDENTITIES, numbers_too=True)),
    "identification": required(text()),
    "dv": optional(pattern(r"\d")),
    "first_name": required(text()),
    "last_name": required(text()),
    "job_title": optional_text(),
    "organization_department": optional_text(),
}


def nit_has_its_digit(person: dict[str, Any], prefix: str, errors: Errors) -> None:
    if person.get("identification_document_code") == "31" and not errors:
        digits = person["identification"]
        if not digits.isdecimal() or person.get("dv") != check_digit(digits):
            invalid(prefix + "dv", errors)


check_person = record(PERSON_FIELDS, nit_has_its_digit)


def codes_of(events: Iterable[dict[str, str]]) -> set[str]:
    return {event["event_code"] for event in events}


def why_not(code: str, before: set[str]) -> str | None:
    """What stands against an event, given the codes of the earlier ones; None when it may be."""
    needed = _NEEDS_BEFORE.get(code)
    if before & LAST_WORDS:
        return "La factura ya tiene un evento de aceptación o reclamo"
    if needed is not None and needed not in before:
        return f"La factura no tiene el evento {needed}"
    return None


def add_event(unique_code: str, events: list[dict[str, str]], code: str, at: float) -> dict[str, str]:
    """One more event for the bill of that CUFE."""
    moment = datetimes.at(at)
    number = f"AP{68 + len(events)}"
    event = {
        "number": number,
        "cude": sha384(f"{unique_code}|{number}|{code}".encode()).hexdigest(),
        "event_code": code,
        "event_name": code_and_name("radian-events", code)["name"],
        "effective_date": f"{moment:%Y-%m-%d}",
        "effective_time": f"{moment:%H:%M:%S}",
    }
    events.append(event)
    return event
