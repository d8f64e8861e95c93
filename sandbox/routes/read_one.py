"""What is done with one stored document: show, delete, download, e-mail."""

import base64
from collections.abc import Callable
from typing import Final

from starlette.responses import Response

from sandbox.routes import responses
from sandbox.routes.document_files import ATTACHED, attached_document_of, email_archive, file_name, xml_of
from sandbox.routes.middleware import Call, Handler
from sandbox.state.store import Document, State
from sandbox.values.fields import Check, Errors, email, optional_text, record, required

_EMAIL_BODY: Final[Check] = record({"email": required(email), "pdf_base_64_encoded": optional_text()})


def by_number(act: Callable[[Call, Document], Response]) -> Handler:
    """The handler of what is done with the document whose number is in the path."""

    async def handle(call: Call) -> Response:
        await call.state.pause(call.state.config.reading_latency)
        document = call.shelf.find_number(call.reference)
        if document is None:
            return responses.unknown_number(call.reference)
        call.state.dian.settle(document, call.shelf, call.state.now())
        return act(call, document)

    return handle


@by_number
def show(call: Call, document: Document) -> Response:
    return responses.ok(call.family.show(document, call.account.company))


async def show_by_reference(call: Call) -> Response:
    """Of payrolls, whose lists know no filter by reference."""
    await call.state.pause(call.state.config.reading_latency)
    shelf, now = call.shelf, call.state.now()
    document = shelf.find(call.reference)
    if document is None:
        return responses.unknown_reference(call.reference)
    call.state.dian.settle(document, shelf, now)
    call.state.dian.look_up(document, shelf, now)
    return responses.ok(call.family.show(document, call.account.company))


async def delete(call: Call) -> Response:
    """
    Delete by reference code what is not validated.

    A document that waits for DIAN, was met by rule 90 or belongs to somebody else goes too, because Factus was not
    seen to refuse it; the report counts it as forbidden.
    """
    await call.state.pause(call.state.config.reading_latency)
    shelf, account, name = call.shelf, call.account, call.family.name
    document = shelf.find(call.reference)
    if document is None:
        account.count_delete(name, "unknown")
        return responses.unknown_reference(call.reference)
    call.state.dian.settle(document, shelf, call.state.now())
    if document.is_validated:
        account.count_delete(name, "refused")
        return responses.not_deletable(call.reference)
    may_go = document.state is State.REJECTED and "90" not in document.errors and not document.is_foreign
    account.count_delete(name, "rejected" if may_go else "forbidden")
    if not may_go:
        shelf.deleted_forbidden.append(document.reference)
    if document.reference in shelf.under_way:
        return responses.plain(409, call.family.conflict)
    account.remove(name, document)
    return responses.deleted(document.reference)


def _pdf_of(call: Call, document: Document) -> bytes:
    """Only families that have a PDF are routed here."""
    if call.family.print_pdf is None:
        raise LookupError(f"{call.family.name} have no PDF")
    return call.family.print_pdf(call.family.show(document, call.account.company))


@by_number
def download_pdf(call: Call, document: Document) -> Response:
    return responses.ok(
        {
            "file_name": file_name(call.family.file_letters, document, call.account.company),
            "pdf_base_64_encoded": base64.b64encode(_pdf_of(call, document)).decode(),
        }
    )


@by_number
def download_xml(call: Call, document: Document) -> Response:
    company = call.account.company
    name = file_name(call.family.file_letters, document, company)
    return responses.xml_file(name, xml_of(call.family, document, company))


@by_number
def download_attached_document(call: Call, document: Document) -> Response:
    company = call.account.company
    return responses.xml_file(
        file_name(ATTACHED, document, company), attached_document_of(call.family, document, company)
    )


@by_number
def send_email(call: Call, document: Document) -> Response:
    if call.body is None:
        return responses.malformed()
    errors: Errors = {}
    _EMAIL_BODY(call.body, "", errors)
    if errors:
        return responses.fields_refused(errors)
    return responses.plain(200, call.family.mailed or "")


@by_number
def email_content(call: Call, document: Document) -> Response:
    company = call.account.company
    archive = email_archive(call.family, document, company, _pdf_of(call, document))
    return responses.ok(
        {
            "subject": f"{company.nit};{company.name};{document.number};{call.family.type_code};{company.name}",
            "attached_document": base64.b64encode(archive).decode(),
        }
    )
