"""
What the door answers: one shape for all, and the refusals that it makes itself.

    {"success", "message", "data", "errors"}

``data`` is JSON already where it comes from a stream or the ledger: nothing of it is read and written again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from starlette.responses import Response

from schemas import strict_json
from schemas.contract.event import ErrorDetail

JSON: Final = "application/json"

OWN_CODES: Final[Mapping[str, str]] = {
    "request.invalid": "The request has a fault: a parameter, its form, its method",
    "request.not_found": "No such address, job, document, file or table, or none that the caller may see",
    "request.limited": "Too much at once, or too many wrong passwords: again after `Retry-After` seconds",
    "service.unavailable": "Redis does not answer, or the door is full; `retryable`",
    "service.defect": "A defect of the door",
}
"""Codes of the door's own refusals, beside those of docs/contract.md, section 2."""

DENIED: Final = "Falta un token válido: use uno de productor, o el de /api/v1/auth/login."
FORBIDDEN: Final = "El token no permite esta cuenta, este tipo de trabajo o esta acción."
NOT_FOUND: Final = "No existe, o no es de una cuenta que este token permita."
AWAY: Final = "El servicio no puede leer ni escribir ahora. Intente otra vez en unos segundos."


def error(
    code: str, message: str, *, field: str | None = None, retryable: bool = False, rule: str | None = None
) -> dict[str, Any]:
    """One error, with all five of its fields."""
    return {"code": code, "message": message, "field": field, "rule": rule, "retryable": retryable}


def told(errors: Iterable[ErrorDetail]) -> tuple[dict[str, Any], ...]:
    """Errors of the contract as they are answered."""
    return tuple(one.model_dump() for one in errors)


class Refusal(Exception):
    """A request that is not served, as it is answered. Raised anywhere below a route, made an answer by the app."""

    def __init__(
        self, status: int, errors: tuple[dict[str, Any], ...], headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(status)
        self.status = status
        self.errors = errors
        self.headers = headers or {}

    def answer(self) -> Response:
        return answer(False, self.errors[0]["message"], errors=self.errors, status=self.status, headers=self.headers)


def refusal(
    status: int,
    code: str,
    message: str,
    *,
    field: str | None = None,
    retryable: bool = False,
    headers: Mapping[str, str] | None = None,
) -> Refusal:
    """A refusal with one error."""
    return Refusal(status, (error(code, message, field=field, retryable=retryable),), headers or {})


def unauthorized() -> Refusal:
    """One and the same answer, whatever is wrong with a token."""
    return refusal(401, "auth.denied", DENIED, headers={"WWW-Authenticate": "Bearer"})


def forbidden(message: str = FORBIDDEN) -> Refusal:
    return refusal(403, "auth.denied", message)


def not_found(message: str = NOT_FOUND) -> Refusal:
    return refusal(404, "request.not_found", message)


def invalid(message: str, field: str | None = None) -> Refusal:
    return refusal(422, "request.invalid", message, field=field)


def unavailable(message: str = AWAY) -> Refusal:
    return refusal(503, "service.unavailable", message, retryable=True, headers={"Retry-After": "2"})


def limited(message: str, after_s: int) -> Refusal:
    headers = {"Retry-After": str(max(after_s, 1))}
    return refusal(429, "request.limited", message, retryable=True, headers=headers)


def answer(
    success: bool,
    message: str,
    data: Any = None,
    *,
    errors: Iterable[Any] | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """An answer in the one shape; *data* is what :func:`schemas.strict_json.dump` takes."""
    return raw_answer(success, message, strict_json.dump(data), errors=errors, status=status, headers=headers)


def raw_answer(
    success: bool,
    message: str,
    data: str | bytes,
    *,
    errors: Iterable[Any] | None = None,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The same; *data* is JSON."""
    return Response(
        body_of(success, message, data, errors), status_code=status, media_type=JSON, headers=dict(headers or {})
    )


def body_of(success: bool, message: str, data: str | bytes, errors: Iterable[Any] | None = None) -> bytes:
    held = data.encode() if isinstance(data, str) else data
    head = f'{{"success":{"true" if success else "false"},"message":{strict_json.dump(message)},"data":'
    tail = f',"errors":{strict_json.dump(list(errors) if errors else None)}}}'
    return b"".join((head.encode(), held, tail.encode()))
