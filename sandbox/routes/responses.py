"""
Bodies of answers as they were recorded from Factus.

Each one is checked against its file under `facts/examples` by a test; the few texts that nobody has recorded are
marked so.
"""

import base64
import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

FIELDS_REFUSED: Final = "Error de validación"
DIAN_REFUSED: Final = "El documento contiene errores de validación"
OK_MESSAGE: Final = "Solicitud exitosa"

_PHRASES: Final = {422: "Validation error"}


class DroppedConnection(Response):
    """No answer at all: the TCP connection is reset. In process, where there is none, an exception says the same."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        abort = scope.get("state", {}).get("abort_connection")
        if abort is None:
            raise ConnectionResetError("the sandbox dropped the connection")
        abort()
        # uvicorn takes a silent return for a bug unless it has seen the connection go.
        while (await receive())["type"] != "http.disconnect":
            pass


def answer(status: int, body: Mapping[str, Any], headers: Mapping[str, str] | None = None) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"), default=str)
    return Response(text.encode(), status, headers, media_type="application/json")


def plain(status: int, message: str, **more: Any) -> Response:
    """The usual envelope: the reason phrase, a message, and perhaps data."""
    phrase = _PHRASES.get(status) or HTTPStatus(status).phrase
    return answer(status, {"status": phrase, "message": message, **more})


def ok(data: Any) -> Response:
    return plain(200, OK_MESSAGE, data=data)


def xml_file(name: str, xml: str) -> Response:
    return ok({"file_name": name, "xml_base_64_encoded": base64.b64encode(xml.encode()).decode()})


def fields_refused(errors: Mapping[str, list[str]]) -> Response:
    return plain(422, FIELDS_REFUSED, data={"message": FIELDS_REFUSED, "errors": errors})


def no_detail() -> Response:
    """Seen when the account has no active numbering range."""
    return plain(422, FIELDS_REFUSED)


def dian_refused(errors: Mapping[str, str], shape: str) -> Response:
    shown = list(errors.values()) if shape == "list" else errors
    return plain(422, DIAN_REFUSED, data={"message": DIAN_REFUSED, "errors": shown})


def accepted(status: int) -> Response:
    return answer(status, {"status": "Accepted", "message": "Documento en proceso de validación"})


def registered(reference: str, data: Any) -> Response:
    # The text of a stored document that still waits was not recorded; the reconstructed one says "validado" too.
    return plain(201, f"Documento con el código de referencia {reference} registrado y validado con éxito", data=data)


def deleted(reference: str) -> Response:
    return plain(200, f"Documento con código de referencia {reference} eliminado con éxito")


def unknown_reference(reference: str) -> Response:
    return plain(404, f"No se encontró el documento con código de referencia {reference}")


def created(message: str, data: Any) -> Response:
    return plain(201, message, data=data)


def unknown_number(number: str) -> Response:
    # Not recorded.
    return plain(404, f"No se encontró el documento con número {number}")


def unknown_record(what: str) -> Response:
    # Not recorded, but for the acquirer.
    return plain(404, f"No se encontró el {what}")


def unknown_acquirer() -> Response:
    return answer(404, {"message": "No se encontró el adquirente"})


def not_deletable(reference: str) -> Response:
    # Not recorded.
    return plain(409, f"El documento con código de referencia {reference} ya fue validado por la DIAN")


def unauthenticated() -> Response:
    return answer(401, {"message": "Unauthenticated."})


def oauth_refused(status: int, error: str, description: str | None, message: str) -> Response:
    described = {} if description is None else {"error_description": description}
    return answer(status, {"error": error, **described, "message": message})


def too_many(headers: Mapping[str, str]) -> Response:
    return answer(429, {"message": "Too Many Attempts."}, headers)


def other_version() -> Response:
    return answer(403, {"message": "Version de API no disponible para esta empresa"})


def product_off() -> Response:
    return plain(403, "La empresa no tiene habilitada la creación de este documento")


def malformed() -> Response:
    # Not recorded; the general table of codes calls 400 so.
    return plain(400, "Solicitud mal formada")


def payment_required() -> Response:
    # Not recorded; the general table of codes calls 402 "Pago requerido".
    return plain(402, "Pago requerido")


def server_error(status: int) -> Response:
    if status == 500:
        return answer(500, {"message": "Ha ocurrido un error inesperado, vuelve a intentarlo"})
    return answer(status, {"message": HTTPStatus(status).phrase})


def no_route(path: str) -> Response:
    return answer(404, {"message": f"The route {path.lstrip('/')} could not be found."})


def edge_refusal() -> Response:
    page = (
        '<!DOCTYPE html>\n<html lang="en-US"><head><title>Access denied | api.factus.com.co used Cloudflare to '
        "restrict access</title></head>\n<body><h1>Error <span>1010</span></h1><h2>Access denied</h2><p>The owner of "
        "this website has banned your access based on your browser's signature.</p></body></html>\n"
    )
    return Response(page, 403, {"Server": "cloudflare"}, media_type="text/html")
