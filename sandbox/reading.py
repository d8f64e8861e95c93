"""What is done with one stored document: show, delete, download, e-mail, RADIAN events."""

import base64
from hashlib import sha384
from typing import Any

from starlette.responses import Response

from sandbox import answers, bogota, ubl
from sandbox.bill_fields import ACCEPTANCE_BODY, EMAIL_BODY
from sandbox.catalogs import code_and_name
from sandbox.check_digit import check_digit
from sandbox.fields import Errors
from sandbox.files import email_archive, file_name, invoice_pdf
from sandbox.gate import Call
from sandbox.store import Document, State

TACIT_ACCEPTANCE = "034"


async def _find(call: Call) -> Document | None:
    await call.state.pause(call.state.config.reading_latency)
    document = call.shelf.find_number(call.reference)
    if document is not None:
        call.state.dian.settle(document, call.shelf, call.state.now())
    return document


async def show(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    return answers.ok(call.family.show(document, call.account.company))


async def delete(call: Call) -> Response:
    """
    Delete by reference code what is not validated.

    A document that waits for DIAN, was met by rule 90 or belongs to somebody else goes too, because Factus was not
    seen to refuse it; the report counts it as forbidden.
    """
    await call.state.pause(call.state.config.reading_latency)
    shelf, account, family = call.shelf, call.account, call.family
    document = shelf.find(call.reference)
    if document is None:
        account.count_delete(family, "unknown")
        return answers.unknown_reference(call.reference)
    call.state.dian.settle(document, shelf, call.state.now())
    if document.is_validated:
        account.count_delete(family, "refused")
        return answers.not_deletable(call.reference)
    may_go = document.state is State.REJECTED and "90" not in document.errors and not document.is_foreign
    account.count_delete(family, "rejected" if may_go else "forbidden")
    if not may_go:
        shelf.deleted_forbidden.append(document.reference)
    if shelf.under_way == document.reference:
        return answers.plain(409, family.conflict)
    shelf.remove(document)
    return answers.deleted(document.reference)


async def download_pdf(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    pdf = invoice_pdf(call.family.show(document, call.account.company))
    return answers.ok(
        {
            "file_name": file_name(call.family.file_letters[0], document, call.account.company),
            "pdf_base_64_encoded": base64.b64encode(pdf).decode(),
        }
    )


async def download_xml(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    shown = call.family.show(document, call.account.company)
    xml = ubl.invoice(shown, call.account.company, document.created_at)
    return _xml(call, call.family.file_letters[0], document, xml)


async def download_attached_document(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    shown = call.family.show(document, call.account.company)
    xml = ubl.attached_document(shown, call.account.company, document.created_at)
    return _xml(call, call.family.file_letters[1], document, xml)


def _xml(call: Call, letters: str, document: Document, xml: str) -> Response:
    return answers.ok(
        {
            "file_name": file_name(letters, document, call.account.company),
            "xml_base_64_encoded": base64.b64encode(xml.encode()).decode(),
        }
    )


async def send_email(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    if call.body is None:
        return answers.malformed()
    errors: Errors = {}
    EMAIL_BODY(call.body, "", errors)
    if errors:
        return answers.fields_refused(errors)
    return answers.plain(200, call.family.mailed)


async def email_content(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    company = call.account.company
    archive = email_archive(call.family.show(document, company), document, company, call.family.file_letters)
    return answers.ok(
        {
            "subject": f"{company.nit};{company.name};{document.number};{call.family.type_code};{company.name}",
            "attached_document": base64.b64encode(archive).decode(),
        }
    )


async def list_events(call: Call) -> Response:
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    return answers.ok(document.events)


async def accept_tacitly(call: Call) -> Response:
    """Event 034, only for a validated bill with a payment on credit, and only once."""
    document = await _find(call)
    if document is None:
        return answers.unknown_number(call.reference)
    if call.body is None:
        return answers.malformed()
    errors: Errors = {}
    person = ACCEPTANCE_BODY(call.body, "", errors)
    _check_person(person, errors)
    _check_event(call.request.path_params["event_type"], document, errors)
    if errors:
        return answers.fields_refused(errors)
    add_event(document, TACIT_ACCEPTANCE, call.state.now())
    return answers.ok(document.events)


def _check_person(person: dict[str, Any], errors: Errors) -> None:
    if person.get("identification_document_code") == "31" and not errors:
        digits = person["identification"]
        if not digits.isdecimal() or person.get("dv") != check_digit(digits):
            errors["dv"] = ["El campo dv es inválido."]


def _check_event(event_type: str, document: Document, errors: Errors) -> None:
    """The texts of these refusals were not recorded."""
    codes = {event["event_code"] for event in document.events}
    on_credit = any(payment["payment_form"] == "2" for payment in document.fields["payment_details"])
    if event_type != TACIT_ACCEPTANCE:
        errors["event_type"] = ["El campo event_type es inválido."]
    elif not document.is_validated:
        errors["event_type"] = ["La factura no ha sido validada por la DIAN"]
    elif not on_credit:
        errors["event_type"] = ["La aceptación tácita solo aplica a facturas con forma de pago a crédito"]
    elif codes & {"031", "033", "034"}:
        errors["event_type"] = ["La factura ya tiene un evento de aceptación o reclamo"]


def add_event(document: Document, code: str, now: float) -> dict[str, str]:
    """One more RADIAN event. These, unlike all else, carry ISO dates and a 24-hour clock."""
    moment = bogota.at(now)
    number = f"AP{68 + len(document.events)}"
    event = {
        "number": number,
        "cude": sha384(f"{document.code}|{number}|{code}".encode()).hexdigest(),
        "event_code": code,
        "event_name": code_and_name("radian-events", code)["name"],
        "effective_date": f"{moment:%Y-%m-%d}",
        "effective_time": f"{moment:%H:%M:%S}",
    }
    document.events.append(event)
    return event
