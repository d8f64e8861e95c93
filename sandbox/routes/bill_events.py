"""The RADIAN events of issued bills: their list, and the tacit acceptance that the issuer declares."""

from starlette.responses import Response

from sandbox.routes import responses
from sandbox.routes.middleware import Call
from sandbox.routes.read_one import by_number
from sandbox.state.bill_life import CONFLICT, REGISTERED, WANTS_PERSON, is_on_credit
from sandbox.state.radian import TACIT_ACCEPTANCE, add_event, check_person, codes_of, why_not
from sandbox.state.store import Document
from sandbox.values.fields import Errors


@by_number
def list_events(call: Call, document: Document) -> Response:
    now = call.state.radian_now()
    call.account.life.come_about(document, now)
    return responses.ok(call.account.life.listed(document.events, now))


@by_number
def accept_tacitly(call: Call, document: Document) -> Response:
    """
    Event 034: for a validated bill with a payment on credit, after 032, and only once.

    The three business days that the law wants between the two are not counted: nobody has seen Factus do it.
    """
    if call.body is None:
        return responses.malformed()
    call.account.life.come_about(document, call.state.radian_now())
    errors: Errors = {}
    check_person(call.body, "", errors)
    refusal = _refusal(call.request.path_params["event_type"], document)
    if refusal is not None:
        errors["event_type"] = [refusal]
    if errors:
        return responses.fields_refused(errors)
    return _answer(call, document)


def _answer(call: Call, document: Document) -> Response:
    """A 034 that nothing stands against, as the account's Factus answers it."""
    answers, now = call.account.life.answers, call.state.radian_now()
    if answers == WANTS_PERSON:
        # The words were not recorded; integrators have seen one that asks for a natural person.
        wanted = "Los datos de identificación deben ser de una persona natural"
        return responses.fields_refused({"identification": [wanted]})
    if answers == CONFLICT:
        return responses.plain(409, "El evento 034 está en proceso para esta factura")
    add_event(document.code, document.events, TACIT_ACCEPTANCE, now)
    if answers == REGISTERED:
        return responses.dian_refused({"LGC01": "Evento registrado previamente"}, "map")
    return responses.ok(document.events)


def _refusal(event_type: str, document: Document) -> str | None:
    if event_type != TACIT_ACCEPTANCE:
        return "El campo event_type es inválido."
    if not document.is_validated:
        return "La factura no ha sido validada por la DIAN"
    if not is_on_credit(document):
        return "La aceptación tácita solo aplica a facturas con forma de pago a crédito"
    return why_not(event_type, codes_of(document.events))
