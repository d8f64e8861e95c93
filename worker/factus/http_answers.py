"""
Answers of Factus as read: from status, headers and bytes to what we have seen (``jobs/answers.py``). Knows no network.

Nothing here raises, whatever the bytes are: what cannot be read is an answer whose body says nothing. What a status and
a voice mean on a route is :mod:`jobs.answer_policy`'s word.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any, Final, Literal

from jobs import answers
from jobs.answer_policy import Route, Voice, meaning
from jobs.answers import Answer
from schemas import strict_json
from schemas.factus import DocumentView, message_of, remarks, shortened, word_of
from worker.factus.token_cache import Issued

Form = Literal["json", "page", "empty", "cut"]

_LONGEST_TOKEN: Final = 8192
_LONGEST_LIFE_S: Final = 86_400
_TOKEN: Final = re.compile(r"[\x21-\x7e]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A response as read. ``body`` is None when it is not JSON (or JSON's null); ``form`` says what it is then."""

    status: int
    body: Any
    form: Form = "json"
    retry_after_s: float | None = None

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def data(self) -> Any:
        return self.body.get("data") if isinstance(self.body, dict) else None


def read_body(raw: bytes, content_type: str, *, is_whole: bool) -> tuple[Any, Form]:
    """
    A body and what it is.

    Args:
        is_whole: False where it was broken off: too large, too slow, an encoding that is none.
    """
    if not is_whole:
        return None, "cut"
    if not raw.strip():
        return None, "empty"
    try:
        return strict_json.parse_lenient(raw), "json"
    except strict_json.JsonRefused:
        looks_like_json = raw.lstrip()[:1] in (b"{", b"[") or "json" in content_type.casefold()
        return None, "cut" if looks_like_json else "page"


def voice_of(answer: HttpAnswer, route: Route) -> Voice:
    """Who speaks."""
    if answer.form != "json":
        return answer.form
    body = answer.body
    if route == "token" and isinstance(body, dict) and isinstance(body.get("error"), str) and body["error"].strip():
        return "oauth"
    return word_of(body)


# -- refusals ----------------------------------------------------------------------------------------------------------
def read_refusal(answer: HttpAnswer, route: Route) -> Answer:
    """A status that is no success."""
    status, voice = answer.status, voice_of(answer, route)
    message = message_of(answer.body) if voice in ("rules", "fields", "message", "oauth") else ""
    match meaning(route, status, voice):
        case "credentials":
            return answers.CredentialsRefused(
                _oauth_words(answer.body) or message or f"Factus respondió {status}", status
            )
        case "expired":
            return answers.CredentialsRefused("un token recién obtenido también fue rechazado (401)", status)
        case "no_route":
            return answers.Misrouted(status, at_token=route == "token")
        case "no_token":
            return answers.NoToken(f"el servidor de tokens respondió {status} sin dar un token", status)
        case "throttled":
            return answers.Throttled(answer.retry_after_s or 0.0)
        case "payment":
            return answers.PaymentRequired(message or "pago requerido (402)", status)
        case "denied":
            return _denied(voice, message, status)
        case "not_there":
            return answers.NotFound(message, status)
        case "conflict":
            return answers.Conflicted(message, status)
        case "rules":
            return answers.RulesRefused(remarks(answer.body), message, _number_of(answer), status)
        case "fields":
            return answers.FieldsRefused(message, remarks(answer.body), status)
        case "unnamed":
            return answers.FieldsRefused(message, (), status)
        case "refused":
            return answers.BadRequest(status, message)
        case _:
            return answers.Unknown(_unknown_words(answer), status)


def _unknown_words(answer: HttpAnswer) -> str:
    what = {"cut": " y su respuesta no se puede leer", "empty": " sin decir nada"}
    return f"Factus respondió {answer.status}{what.get(answer.form, '') if answer.status < 500 else ''}"


def _oauth_words(body: Any) -> str:
    if not isinstance(body, dict):
        return ""
    told = [body.get(key) for key in ("error", "error_description", "message")]
    return shortened(": ".join(dict.fromkeys(text for text in told if isinstance(text, str) and text.strip())))


def _denied(voice: Voice, message: str, status: int) -> answers.Denied:
    if voice in ("page", "empty", "cut"):
        return answers.Denied("edge", "el borde de Factus respondió una página (403)", status)
    lowered = message.casefold()
    if "version de api" in lowered or "versión de api" in lowered:
        return answers.Denied("version", message, status)
    if "no tiene habilitada" in lowered:
        return answers.Denied("product", message, status)
    return answers.Denied("permission", message or "sin permiso", status)


def _number_of(answer: HttpAnswer) -> str:
    data = answer.data
    return DocumentView(data).number or "" if isinstance(data, dict) else ""


# -- successes ---------------------------------------------------------------------------------------------------------
def read_create(answer: HttpAnswer) -> Answer:
    """The answer to a create."""
    if not answer.is_success:
        return read_refusal(answer, "create")
    if (document := _document_of(answer)) is not None:
        return document
    if isinstance(answer.body, dict) and not answer.data and answer.body.get("status") == "Accepted":
        return answers.Acknowledged()
    return answers.Unknown(f"respuesta {answer.status} sin documento legible", answer.status)


def read_list(answer: HttpAnswer, reference_code: str, *, must_be_whole: bool = False) -> Answer:
    """
    A look-up by reference code. The filter is not trusted: only a row with that very reference counts.

    Args:
        must_be_whole: Nothing but the list tells that it is not there, and the list has no filter: what is not on its
            one page may be on the next.
    """
    if not answer.is_success:
        return read_refusal(answer, "look")
    rows = _rows(answer)
    if rows is None:
        return answers.Unknown("lista ilegible", answer.status)
    for row in rows:
        if isinstance(row, dict) and row.get("reference_code") == reference_code:
            return answers.DocumentSeen(DocumentView(row))
    if must_be_whole and not _is_only_page(answer.data):
        return answers.Unknown("la lista no dice si el documento está", answer.status)
    return answers.Absent()


def _is_only_page(data: Any) -> bool:
    pagination = data.get("pagination") if isinstance(data, dict) else None
    last = pagination.get("last_page") if isinstance(pagination, dict) else None
    return isinstance(last, int) and last <= 1


def read_unvalidated(answer: HttpAnswer) -> Answer:
    """A list of documents that are not validated: the first that really is not."""
    if not answer.is_success:
        return read_refusal(answer, "look")
    rows = _rows(answer)
    if rows is None:
        return answers.Unknown("lista ilegible", answer.status)
    for row in rows:
        if isinstance(row, dict) and row.get("is_validated") is False:
            return answers.DocumentSeen(DocumentView(row))
    return answers.Absent()


def _rows(answer: HttpAnswer) -> list[Any] | None:
    page = answer.data
    rows = page.get("data") if isinstance(page, dict) else None
    return rows if isinstance(rows, list) else None


def read_show(answer: HttpAnswer) -> Answer:
    """One document by its number or reference."""
    if not answer.is_success:
        return read_refusal(answer, "look")
    return _document_of(answer) or answers.Unknown("documento ilegible", answer.status)


def _document_of(answer: HttpAnswer) -> answers.DocumentSeen | None:
    """The one document of a success; None where there is none that can be read."""
    data = answer.data
    if isinstance(data, dict) and isinstance(data.get("is_validated"), bool):
        return answers.DocumentSeen(DocumentView(data))
    return None


def read_reply(answer: HttpAnswer) -> Answer:
    """Any other call: the body of a success. A page with a 200 is a proxy's, and says nothing."""
    if not answer.is_success:
        return read_refusal(answer, "call")
    if isinstance(answer.body, dict) or answer.form == "empty":
        return answers.Replied(answer.body)
    return answers.Unknown(f"respuesta {answer.status} ilegible", answer.status)


def read_delete(answer: HttpAnswer) -> Answer:
    """The removal of a document that is not validated. Only Factus's own words say that there was none."""
    if answer.is_success:
        is_told = isinstance(answer.body, dict) or answer.status == 204
        return answers.Done() if is_told else answers.Unknown(f"respuesta {answer.status} ilegible", answer.status)
    found = read_refusal(answer, "delete")
    return answers.Absent() if isinstance(found, answers.NotFound) else found


# -- the token ---------------------------------------------------------------------------------------------------------
def read_token(answer: HttpAnswer) -> Issued | Answer:
    """The answer of the token endpoint."""
    if not answer.is_success:
        return read_refusal(answer, "token")
    body = answer.body if isinstance(answer.body, dict) else {}
    access, life_s = body.get("access_token"), _life_s(body.get("expires_in"))
    # What is no header would end every call in an error of the HTTP library.
    if isinstance(access, str) and len(access) <= _LONGEST_TOKEN and _TOKEN.fullmatch(access) and life_s:
        return Issued(access, life_s)
    return answers.NoToken(f"el servidor de tokens respondió {answer.status} con algo ilegible", answer.status)


def _life_s(told: Any) -> int:
    """Seconds of a token's life, a day at most; 0 where nothing useful is told."""
    if isinstance(told, str) and re.fullmatch(r"[0-9]{1,18}", told, re.ASCII):
        told = int(told)
    if isinstance(told, bool) or not isinstance(told, (int, Decimal)):
        return 0
    return int(min(max(told, 0), _LONGEST_LIFE_S))


# -- without secrets ---------------------------------------------------------------------------------------------------
def tokens_in(answer: HttpAnswer) -> tuple[str, ...]:
    """The tokens that a body holds under their own names: a refusal may bring them along."""
    body = answer.body if isinstance(answer.body, dict) else {}
    found = (body.get(name) for name in ("access_token", "refresh_token"))
    return tuple(one for one in found if isinstance(one, str))


def without_secrets(answer: HttpAnswer, clean: Callable[[Any], Any]) -> HttpAnswer:
    """The same answer with a body that may be told on."""
    if answer.body is None:
        return answer
    return replace(answer, body=clean(answer.body))


def retry_after_s(headers: Mapping[str, str], now_s: float) -> float | None:
    """Seconds until the next try, as ``Retry-After`` or ``X-RateLimit-Reset`` say (seconds, or an instant)."""
    asked = number(headers.get("Retry-After"))
    if asked is not None:
        return float(asked)
    until = number(headers.get("X-RateLimit-Reset"))
    if until is None:
        return None
    return float(max(until - int(now_s), 0)) if until > 1_000_000_000 else float(until)


def number(text: str | None) -> int | None:
    """A whole number of a header; None when it is not there or none."""
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None
