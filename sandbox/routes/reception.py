"""Reception: upload a supplier's bill by its CUFE, list, answer with events; and the XML of anything by its code."""

from collections.abc import Callable, Mapping
from typing import Final
from xml.sax.saxutils import escape

from starlette.responses import Response

from sandbox.families.families import FAMILIES
from sandbox.families.received_bill import show_row, show_uploaded
from sandbox.routes import responses
from sandbox.routes.document_files import file_name, xml_of
from sandbox.routes.middleware import Call
from sandbox.routes.read_many import answer_passing
from sandbox.state.radian import (
    CLAIM,
    DELIVERY,
    EXPRESS_ACCEPTANCE,
    PERSON_FIELDS,
    RECEIPT,
    add_event,
    codes_of,
    nit_has_its_digit,
    why_not,
)
from sandbox.state.receptions import ReceivedBill, is_cufe, is_known_to_dian
from sandbox.values.fields import Errors, from_catalog, invalid, missing, optional, record

_EMITTED: Final = frozenset({RECEIPT, CLAIM, DELIVERY, EXPRESS_ACCEPTANCE})
_check_event = record(
    {**PERSON_FIELDS, "claim_concept_code": optional(from_catalog("claim-concepts"))}, nit_has_its_digit
)
_FAMILIES: Final = {family.name: family for family in FAMILIES}

_FILTERS: Final[Mapping[str, Callable[[ReceivedBill, str], bool]]] = {
    "filter[id]": lambda bill, wanted: str(bill.id) == wanted,
    "filter[number]": lambda bill, wanted: wanted in bill.number,
    "filter[issue_date]": lambda bill, wanted: show_row(bill)["issue_date"] == wanted,
    "filter[cufe]": lambda bill, wanted: bill.cufe == wanted.lower(),
    "filter[company_nit]": lambda bill, wanted: bill.company_nit == wanted,
    "filter[company_name]": lambda bill, wanted: wanted.casefold() in bill.company_name.casefold(),
    "filter[completed_events]": lambda bill, wanted: bill.is_completed is (wanted == "1"),
}


async def upload(call: Call) -> Response:
    """What a second upload answers was not recorded; here it is a conflict, and the first one stands."""
    await call.state.pause(call.state.config.reading_latency)
    if call.body is None:
        return responses.malformed()
    errors: Errors = {}
    cufe = call.reference.lower()
    if not call.body.get("track_id"):
        missing("track_id", errors)
    elif not is_cufe(cufe):
        invalid("track_id", errors)
    if errors:
        return responses.fields_refused(errors)
    if call.account.received.find(cufe) is not None:
        return responses.plain(409, "La factura ya fue cargada")
    if not is_known_to_dian(cufe):
        return responses.unknown_record("documento con el código único informado")
    bill = call.account.received.upload(cufe, call.state.config.seed, call.state.now())
    return responses.created(responses.OK_MESSAGE, show_uploaded(bill))


async def list_received(call: Call) -> Response:
    await call.state.pause(call.state.config.reading_latency)
    return answer_passing(call, call.account.received.newest_first(), _FILTERS, show_row)


async def emit_event(call: Call) -> Response:
    """Events 030 to 033 of the buyer, in their order and each once."""
    await call.state.pause(call.state.config.reading_latency)
    bill = call.account.received.find_id(call.reference)
    if bill is None:
        return responses.unknown_record("documento recibido")
    if call.body is None:
        return responses.malformed()
    code, before, errors = call.request.path_params["event_type"], codes_of(bill.events), Errors()
    sent = _check_event(call.body, "", errors)
    if code == CLAIM and not sent.get("claim_concept_code"):
        missing("claim_concept_code", errors)
    if code not in _EMITTED:
        invalid("event_type", errors)
    elif code in before:
        return responses.plain(409, f"El evento {code} ya fue registrado")
    elif refusal := why_not(code, before):
        errors["event_type"] = [refusal]
    if errors:
        return responses.fields_refused(errors)
    if code == CLAIM:
        bill.claim_concept = sent["claim_concept_code"]
    return responses.ok(add_event(bill.cufe, bill.events, code, call.state.now()))


async def download_by_code(call: Call) -> Response:
    """The XML of a document that the company issued or received."""
    await call.state.pause(call.state.config.reading_latency)
    code = call.reference.lower()
    document = call.account.find_code(code)
    if document is not None:
        family, company = _FAMILIES[document.family], call.account.company
        name = file_name(family.file_letters, document, company)
        return responses.xml_file(name, xml_of(family, document, company))
    received = call.account.received.find(code)
    if received is None:
        return responses.unknown_record("documento con el código único informado")
    xml = (
        '<?xml version="1.0" encoding="UTF-8" standalone="no"?>\n<Invoice '
        'xmlns="urn:oasis:names:specification:ubl:schema:xsd:Invoice-2">'
        f"<ID>{escape(received.number)}</ID><UUID>{received.cufe}</UUID></Invoice>\n"
    )
    return responses.xml_file(f"fv{received.company_nit:0>10}000{received.id:010d}", xml)
