"""
Factus over HTTP, for one account: the only module that knows httpx, and the border where what HTTP says becomes what
we have seen (``jobs/seen.py``).

Owns the order token, connection, permit, send; the one refresh after a 401; and the reading of answers. Decides
nothing about documents.
"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any, Final

import httpx
import structlog

from jobs import seen as s
from jobs.families import FAMILIES, Family, segment
from jobs.requests import Request
from jobs.seen import Seen
from schemas import strict_json
from schemas.factus import DocumentView, is_dian_refusal, message_of, remarks
from schemas.records import JobRecord
from worker.keys import Keys
from worker.rate_limit import Granted, NotYet, Passed, RateLimit, SendMark
from worker.settings import Account, ApiLimits
from worker.token_cache import Issued, Token, TokenCache

log = structlog.get_logger()

USER_AGENT: Final = f"factus-worker/{version('factus-worker')}"
"""The edge answers library defaults with an HTML 403."""

_JSON: Final = "application/json"
_CONNECT_TIMEOUT_S: Final = 10.0
_PERMIT_PATIENCE_S: Final = 2.0
"""How long a call that is at the front waits for its permit, before it gives its place back."""

_LARGEST_ANSWER: Final = 32 * 1024 * 1024


@cache
def _tls() -> ssl.SSLContext:
    """One for all accounts of the process: loading the certificates takes 26 ms and half a megabyte each time."""
    return httpx.create_ssl_context(trust_env=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """A response as read: ``body`` is None when it is not JSON."""

    status: int
    body: Any
    is_html: bool
    retry_after_s: float | None


class FactusClient:
    """The port ``Gateway`` over HTTP. One per account and process, with a small pool of connections."""

    def __init__(
        self,
        account: Account,
        limits: ApiLimits,
        rate_limit: RateLimit,
        tokens: TokenCache,
        keys: Keys,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._account = account
        self._limits = limits
        self._rate_limit = rate_limit
        self._tokens = tokens
        self._keys = keys
        self.n_calls = 0
        # httpx slows down with many connections; documents go one at a time per family, so few are needed. Its client
        # would merge URLs, cookies and redirects into every request (a fifth of a request's processor time): we have
        # none of these, and speak to the transport under it.
        pool = httpx.Limits(max_connections=account.concurrency + 4, max_keepalive_connections=4, keepalive_expiry=30.0)
        self._transport = transport or httpx.AsyncHTTPTransport(verify=_tls(), limits=pool, trust_env=False)
        self._base = httpx.URL(account.base_url)

    async def close(self) -> None:
        await self._transport.aclose()

    # -- port ------------------------------------------------------------------------------------------------------
    async def create(self, job: JobRecord, *, latest_ms: int) -> Seen:
        mark = SendMark(self._keys.job(job.account, job.id), job.fence, latest_ms)
        answer = await self._call("POST", FAMILIES[job.family].create, content=job.payload.encode(), mark=mark)
        return read_create(answer) if isinstance(answer, Answer) else answer

    async def find(self, family: str, reference_code: str) -> Seen:
        row = FAMILIES[family]
        if row.show_by_reference:
            answer = await self._call("GET", f"{row.show_by_reference}/{segment(reference_code)}")
            shown = read_show(answer) if isinstance(answer, Answer) else answer
            if not isinstance(shown, s.NotFound):
                return shown
            # The route stands in one of two official texts only: its 404 alone does not prove that nothing is there.
            return await self._find_in_list(row, reference_code, {})
        return await self._find_in_list(row, reference_code, {"filter[reference_code]": reference_code})

    async def _find_in_list(self, row: Family, reference_code: str, params: Mapping[str, str]) -> Seen:
        answer = await self._call("GET", row.collection, params=params)
        found = read_list(answer, reference_code) if isinstance(answer, Answer) else answer
        if not isinstance(found, s.DocumentSeen) or not found.document.number:
            return found
        # Rows of a list lack DIAN's code and the links; the document itself has them.
        answer = await self._call("GET", row.show(found.document.number))
        return read_show(answer) if isinstance(answer, Answer) else answer

    async def find_unvalidated(self, family: str) -> Seen:
        row = FAMILIES[family]
        answer = await self._call(
            "GET", row.collection, params={"filter[status]": "0"} if row.has_status_filter else {}
        )
        return read_unvalidated(answer) if isinstance(answer, Answer) else answer

    async def delete(self, family: str, reference_code: str) -> Seen:
        answer = await self._call("DELETE", FAMILIES[family].delete_of(reference_code))
        return read_delete(answer) if isinstance(answer, Answer) else answer

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Seen:
        mark = SendMark(self._keys.job(marks.account, marks.id), marks.fence, 0) if marks else None
        content, content_type = _encoded(request)
        answer = await self._call(
            request.method, request.path, params=request.params, content=content, content_type=content_type, mark=mark
        )
        return read_reply(answer) if isinstance(answer, Answer) else answer

    # -- one call --------------------------------------------------------------------------------------------------
    async def _call(
        self,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        content_type: str = _JSON,
        mark: SendMark | None = None,
    ) -> Answer | Seen:
        """One call with a token, once more with a fresh one after a 401."""
        headers = {"Content-Type": content_type} if content is not None else {}
        timeout_s = self._limits.create_timeout_s if mark else self._limits.read_timeout_s
        refused_generation = 0
        # Three times, because the token that another process fetched meanwhile may have been revoked as well.
        for _ in range(3):
            token = await self._tokens.get(self._fetch_token, refused_generation=refused_generation)
            if not isinstance(token, Token):
                return token
            headers["Authorization"] = f"Bearer {token.access}"
            # None, or an empty mapping would cut off a query that the path brings along.
            request = self._request(method, path, timeout_s, params=params or None, content=content, headers=headers)
            answer = await self._exchange(request, timeout_s, mark)
            if not isinstance(answer, Answer) or answer.status != 401:
                return answer
            if refused_generation and token.is_new:
                break
            refused_generation = token.generation
        return s.CredentialsRefused("un token recién obtenido también fue rechazado (401)")

    def _request(self, method: str, path: str, timeout_s: float, **parts: Any) -> httpx.Request:
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", **parts.pop("headers", {})}
        timeout = {"connect": _CONNECT_TIMEOUT_S, "pool": _CONNECT_TIMEOUT_S, "read": timeout_s, "write": timeout_s}
        url = self._base.copy_with(raw_path=self._base.raw_path.rstrip(b"/") + path.encode())
        return httpx.Request(method, url, headers=headers, extensions={"timeout": timeout}, **parts)

    async def _fetch_token(self) -> Issued | Seen:
        """The password grant, always: a refresh costs the same call and may be refused for reasons of its own."""
        account = self._account
        form = {
            "grant_type": "password",
            "client_id": account.client_id.get_secret_value(),
            "client_secret": account.client_secret.get_secret_value(),
            "username": account.username.get_secret_value(),
            "password": account.password.get_secret_value(),
        }
        timeout_s = self._limits.read_timeout_s
        request = self._request("POST", "/oauth/token", timeout_s, data=form)
        answer = await self._exchange(request, timeout_s, None)
        if isinstance(answer, s.Unknown):
            return s.NotSent(f"sin token: {answer.reason}")  # the document was not sent
        if not isinstance(answer, Answer):
            return answer
        return read_token(answer)

    async def _exchange(self, request: httpx.Request, timeout_s: float, mark: SendMark | None) -> Answer | Seen:
        permit = await self._rate_limit.acquire(patience_s=_PERMIT_PATIENCE_S, mark=mark)
        match permit:
            case NotYet(wait_s):
                return s.NoPermit(wait_s)
            case Passed():
                return s.TooLate()
            case Granted():
                self.n_calls += 1
        answer = await self._transfer(request, timeout_s)
        if isinstance(answer, Answer):
            if answer.status == 429:
                return s.Throttled(await self._rate_limit.throttled(answer.retry_after_s))
            if answer.status >= 500:
                return s.Unknown(f"Factus respondió {answer.status}")
        return answer

    async def _transfer(self, request: httpx.Request, timeout_s: float) -> Answer | Seen:
        started = time.perf_counter()
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._transport.handle_async_request(request)
                try:
                    await response.aread()
                finally:
                    await response.aclose()
        except TimeoutError:
            return s.Unknown(f"sin respuesta en {timeout_s:g} s")
        except httpx.HTTPError as exc:
            return translate(exc)
        except httpx.InvalidURL:
            return s.NotSent("dirección de Factus no válida")
        finally:
            log.debug("factus.called", method=request.method, duration_ms=_elapsed_ms(started))
        if response.status_code != 429:  # there "none left" is all it says, and Retry-After until when
            await self._heed_headers(response.headers)
        return read(response)

    async def _heed_headers(self, headers: httpx.Headers) -> None:
        """Correct our count when Factus has clearly counted more than we sent."""
        limit, remaining = _number(headers.get("X-RateLimit-Limit")), _number(headers.get("X-RateLimit-Remaining"))
        if limit is None or remaining is None:
            return
        if remaining == 0 and limit > 1:
            await self._rate_limit.correct(self._account.rate_limit)


def _encoded(request: Request) -> tuple[bytes | None, str]:
    """Body and content type of a call."""
    if request.upload is None:
        return (strict_json.dump(dict(request.body)).encode() if request.body is not None else None), _JSON
    file = request.upload
    form = httpx.Request("POST", "/", files={file.field: (file.file_name, file.content, file.content_type)})
    return form.read(), form.headers["Content-Type"]


def translate(error: httpx.HTTPError) -> s.NotSent | s.Unknown:
    """Every error of httpx as a fact: surely not sent, or unknown."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return s.NotSent(f"sin conexión ({type(error).__name__})")
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return s.NotSent(f"la solicitud no se pudo formar ({type(error).__name__})")
        case _:
            return s.Unknown(f"se perdió la respuesta ({type(error).__name__})")


def read(response: httpx.Response) -> Answer:
    """The parts of a response that count."""
    body: Any = None
    if len(response.content) <= _LARGEST_ANSWER:
        try:
            body = strict_json.parse_trusted(response.content)
        except strict_json.JsonRefused:
            body = None
    return Answer(
        status=response.status_code,
        body=body,
        is_html="html" in response.headers.get("content-type", ""),
        retry_after_s=_seconds(response.headers.get("Retry-After"), response.headers.get("X-RateLimit-Reset")),
    )


def read_create(answer: Answer) -> Seen:
    """The answer to a create."""
    if not 200 <= answer.status < 300:
        return read_refusal(answer)
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if isinstance(data, dict) and isinstance(data.get("is_validated"), bool):
        return s.DocumentSeen(DocumentView(data))
    if isinstance(answer.body, dict) and not data and answer.body.get("status") == "Accepted":
        return s.Acknowledged()
    return s.Unknown(f"respuesta {answer.status} sin documento legible")


def read_list(answer: Answer, reference_code: str) -> Seen:
    """A look-up by reference code. The filter is not trusted: only a row with that very reference counts."""
    if not 200 <= answer.status < 300:
        return read_refusal(answer)
    rows = _rows(answer)
    if rows is None:
        return s.Unknown("lista ilegible")
    for row in rows:
        if isinstance(row, dict) and row.get("reference_code") == reference_code:
            return s.DocumentSeen(DocumentView(row))
    return s.Absent()


def read_unvalidated(answer: Answer) -> Seen:
    """A list of documents that are not validated: the first that really is not."""
    if not 200 <= answer.status < 300:
        return read_refusal(answer)
    rows = _rows(answer)
    if rows is None:
        return s.Unknown("lista ilegible")
    for row in rows:
        if isinstance(row, dict) and row.get("is_validated") is False:
            return s.DocumentSeen(DocumentView(row))
    return s.Absent()


def _rows(answer: Answer) -> list[Any] | None:
    page = answer.body.get("data") if isinstance(answer.body, dict) else None
    rows = page.get("data") if isinstance(page, dict) else None
    return rows if isinstance(rows, list) else None


def read_show(answer: Answer) -> Seen:
    """One document by its number."""
    if not 200 <= answer.status < 300:
        return read_refusal(answer)
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if isinstance(data, dict) and isinstance(data.get("is_validated"), bool):
        return s.DocumentSeen(DocumentView(data))
    return s.Unknown("documento ilegible")


def read_reply(answer: Answer) -> Seen:
    """Any other call: the body of a success."""
    if 200 <= answer.status < 300:
        return s.Replied(answer.body)
    return read_refusal(answer)


def read_delete(answer: Answer) -> Seen:
    """The removal of a document that is not validated."""
    if 200 <= answer.status < 300:
        return s.Done()
    if answer.status == 404:
        return s.Absent()
    return read_refusal(answer)


def read_token(answer: Answer) -> Issued | Seen:
    """The answer of the token endpoint."""
    body = answer.body if isinstance(answer.body, dict) else {}
    if 200 <= answer.status < 300:
        access, expires_in = body.get("access_token"), body.get("expires_in")
        if isinstance(access, str) and access and isinstance(expires_in, int) and expires_in > 0:
            return Issued(access, expires_in)
        return s.NotSent("el servidor de tokens respondió algo ilegible")
    if answer.status in (400, 401, 422):
        return s.CredentialsRefused(str(body.get("error") or message_of(body) or answer.status))
    return read_refusal(answer)


def read_refusal(answer: Answer) -> Seen:
    """A status that is no success."""
    message = message_of(answer.body)
    match answer.status:
        case 402:
            return s.PaymentRequired(message or "pago requerido")
        case 403:
            return _denied(answer, message)
        case 404:
            return s.NotFound(message or "no encontrado")
        case 409:
            return s.Conflicted(message or "conflicto")
        case 422 if is_dian_refusal(answer.body):
            return s.RulesRefused(remarks(answer.body), message)
        case 422:
            return s.FieldsRefused(message, remarks(answer.body))
        case status if 400 <= status < 500:
            return s.BadRequest(status, message)
        case status:
            return s.Unknown(f"Factus respondió {status}")


def _denied(answer: Answer, message: str) -> s.Denied:
    if answer.body is None or answer.is_html:
        return s.Denied("edge", "el borde de Factus respondió una página HTML (403)")
    lowered = message.casefold()
    if "version de api" in lowered or "versión de api" in lowered:
        return s.Denied("version", message)
    if "no tiene habilitada" in lowered:
        return s.Denied("product", message)
    return s.Denied("permission", message or "sin permiso")


def _seconds(retry_after: str | None, reset: str | None) -> float | None:
    asked = _number(retry_after)
    if asked is not None:
        return float(asked)
    until = _number(reset)
    if until is None:
        return None
    return float(max(until - int(time.time()), 0)) if until > 1_000_000_000 else float(until)


def _number(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() and len(text) < 12 else None


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
