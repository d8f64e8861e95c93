"""
Factus over HTTP, for one account. Only this module and ``transport.py`` import httpx.

Keeps the order: token, permit, then connect and send; makes the one refresh after a 401; bounds how much of an answer
is read, and for how long. What an answer says is read in ``http_answers.py``. Decides nothing about documents, and
raises for nothing that Factus or the network does.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from typing import Any, Final

import httpx
import structlog

from jobs import answers
from jobs.answers import Answer
from jobs.factus_requests import Request
from jobs.families import FAMILIES, Family, segment
from schemas import strict_json
from schemas.records import JobRecord
from worker.factus import http_answers
from worker.factus.bounded_body import LARGEST_ANSWER, LARGEST_FILE, Room, read_bounded
from worker.factus.http_answers import HttpAnswer
from worker.factus.rate_limit import DeadlinePassed, Granted, NoPermitYet, RateLimit, SendMark
from worker.factus.redaction import Redactor, without_opaque_words
from worker.factus.token_cache import LOCK_MS, Issued, Token, TokenCache, Tokens
from worker.factus.transport import Transport
from worker.figures import Figures, Operation
from worker.settings.account import Account
from worker.settings.model import ApiLimits, Settings
from worker.store.keys import Keys
from worker.store.scripts import Scripts
from worker.version import VERSION

log = structlog.get_logger()

USER_AGENT: Final = f"factus-worker/{VERSION}"
"""The edge answers library defaults with an HTML 403."""

_JSON: Final = "application/json"
_CONNECT_TIMEOUT_S: Final = 10.0
_PERMIT_PATIENCE_S: Final = 2.0
"""How long a call that is at the front waits for its permit, before it gives its place back."""

_TOKENS_KNOWN: Final = 4
_REFUSES_THE_ACCOUNT: Final = frozenset({401, 402, 403, 407})
"""These words are about rights and credentials, and go to the operator; those about a document stay as they are."""

_LARGE: Final = 64 * 1024
"""Bytes of an answer."""

_URLS_KEPT: Final = 32
"""An account creates under a few addresses, again and again; making one takes a tenth of a millisecond."""

_STALE_PERMIT_S: Final = 5.0
"""After how long a permit that names a job is not used: a process that stood still has lost the job meanwhile, and its
DELETE would take what bears the reference by then."""


Hear = Callable[[Mapping[str, str], float, float], None]
"""Heads of an answer, and the wall clock when its request left and when they came, seconds since 1970."""


@cache
def _room() -> Room:
    """One for all accounts of the process."""
    return Room()


class FactusClient:
    """The port ``Gateway`` over HTTP. One per account and process, with a small pool of connections."""

    def __init__(
        self,
        account: Account,
        limits: ApiLimits,
        rate_limit: RateLimit,
        tokens: Tokens,
        keys: Keys,
        *,
        transport: httpx.AsyncBaseTransport | None = None,
        figures: Figures | None = None,
        heard: Hear | None = None,
    ) -> None:
        """
        Args:
            heard: Is told the heads of every answer.
        """
        self._heard = heard
        self._account = account
        self._limits = limits
        self._rate_limit = rate_limit
        self._tokens = tokens
        self._keys = keys
        self.n_calls = 0
        self._figures = figures or Figures()
        secrets = (account.client_secret, account.password, account.username, account.client_id)
        self._redactor = Redactor(secret.get_secret_value() for secret in secrets)
        self._tokens_known: deque[str] = deque(maxlen=_TOKENS_KNOWN)
        # Documents go one at a time per family, so few connections are needed. httpx's client would merge URLs, cookies
        # and redirects into every request: we have none of these, and speak to the transport under it.
        self._transport = transport or Transport(most_connections=account.concurrency + 4)
        self._base = httpx.URL(account.base_url)
        self._url_of = lru_cache(maxsize=_URLS_KEPT)(self._url)

    async def close(self) -> None:
        await self._transport.aclose()

    # -- port ------------------------------------------------------------------------------------------------------
    async def create(self, job: JobRecord, *, latest_ms: int) -> Answer:
        mark = SendMark(self._keys.job(job.account, job.id), job.fence, latest_ms)
        answer = await self._call(
            "create", "POST", FAMILIES[job.family].create, content=job.payload.encode(), mark=mark
        )
        return http_answers.read_create(answer) if isinstance(answer, HttpAnswer) else answer

    async def find(self, family: str, reference_code: str) -> Answer:
        row = FAMILIES[family]
        if row.show_by_reference:
            answer = await self._call("look", "GET", f"{row.show_by_reference}/{segment(reference_code)}")
            shown = http_answers.read_show(answer) if isinstance(answer, HttpAnswer) else answer
            if not isinstance(shown, (answers.NotFound, answers.Misrouted)):
                return shown
            # The route stands in one of two official texts only: its 404 alone does not prove that nothing is there.
            # The list has no filter: where the route itself is missing, a first page of many proves nothing either.
            is_alone = isinstance(shown, answers.Misrouted)
            return await self._find_in_list(row, reference_code, {}, must_be_whole=is_alone)
        return await self._find_in_list(row, reference_code, {"filter[reference_code]": reference_code})

    async def _find_in_list(
        self, row: Family, reference_code: str, params: Mapping[str, str], *, must_be_whole: bool = False
    ) -> Answer:
        answer = await self._call("look", "GET", row.collection, params=params)
        if not isinstance(answer, HttpAnswer):
            return answer
        found = http_answers.read_list(answer, reference_code, must_be_whole=must_be_whole)
        if not isinstance(found, answers.DocumentSeen) or not found.document.number:
            return found
        # Rows of a list lack DIAN's code and the links; the document itself has them.
        answer = await self._call("look", "GET", row.show(found.document.number))
        return http_answers.read_show(answer) if isinstance(answer, HttpAnswer) else answer

    async def find_unvalidated(self, family: str) -> Answer:
        row = FAMILIES[family]
        params = {"filter[status]": "0"} if row.has_status_filter else {}
        answer = await self._call("look", "GET", row.collection, params=params)
        return http_answers.read_unvalidated(answer) if isinstance(answer, HttpAnswer) else answer

    async def delete(self, job: JobRecord, reference_code: str, *, settle_ms: int) -> Answer:
        is_own = reference_code == job.reference_code
        mark = SendMark(
            self._keys.job(job.account, job.id),
            job.fence,
            what="deleting",
            document_key=self._keys.document(job.account, job.family, reference_code),
            settle_ms=settle_ms,
            is_own=is_own,
        )
        answer = await self._call("delete", "DELETE", FAMILIES[job.family].delete_of(reference_code), mark=mark)
        return http_answers.read_delete(answer) if isinstance(answer, HttpAnswer) else answer

    async def call(self, request: Request, *, marks: JobRecord | None = None) -> Answer:
        mark = SendMark(self._keys.job(marks.account, marks.id), marks.fence, 0) if marks else None
        content, content_type = _encoded(request)
        answer = await self._call(
            "call",
            request.method,
            request.path,
            params=request.params,
            content=content,
            content_type=content_type,
            mark=mark,
            limit=LARGEST_FILE if "/download-" in request.path else LARGEST_ANSWER,
        )
        return http_answers.read_reply(answer) if isinstance(answer, HttpAnswer) else answer

    # -- one call --------------------------------------------------------------------------------------------------
    async def _call(
        self,
        operation: Operation,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        content: bytes | None = None,
        content_type: str = _JSON,
        mark: SendMark | None = None,
        limit: int = LARGEST_ANSWER,
    ) -> HttpAnswer | Answer:
        """One call with a token, once more with a fresh one after a 401."""
        headers = {"Content-Type": content_type} if content is not None else {}
        is_write = mark is not None and mark.what == "sending"
        timeout_s = self._limits.create_timeout_s if is_write else self._limits.read_timeout_s
        refused_generation = 0
        # Three times, because the token that another process fetched meanwhile may have been revoked as well.
        for _ in range(3):
            token = await self._tokens.get(self._fetch_token, refused_generation=refused_generation)
            if not isinstance(token, Token):
                return token
            headers["Authorization"] = f"Bearer {token.access}"
            if token.access not in self._tokens_known:
                self._tokens_known.append(token.access)
            # None, or an empty mapping would cut off a query that the path brings along.
            request = self._request(method, path, timeout_s, params=params or None, content=content, headers=headers)
            if not isinstance(request, httpx.Request):
                return request
            answer = await self._exchange(operation, request, timeout_s, mark, limit)
            if not isinstance(answer, HttpAnswer):
                return answer
            if answer.status != 401:
                return self._without_secrets(answer)
            if refused_generation and token.is_new:
                break
            refused_generation = token.generation
        return answers.CredentialsRefused("un token recién obtenido también fue rechazado (401)")

    def _request(self, method: str, path: str, timeout_s: float, **parts: Any) -> httpx.Request | answers.NotSent:
        """A request; or that none can be made of these parts, as when a path is longer than any URL may be."""
        headers = {"User-Agent": USER_AGENT, "Accept": "application/json", "Accept-Encoding": "gzip"}
        headers |= parts.pop("headers", {})
        # Before the time of the whole call is up: what never had a connection was surely not sent.
        connect_s = min(_CONNECT_TIMEOUT_S, timeout_s / 2)
        timeout = {"connect": connect_s, "pool": connect_s, "read": timeout_s, "write": timeout_s}
        try:
            return httpx.Request(method, self._url_of(path), headers=headers, extensions={"timeout": timeout}, **parts)
        except (httpx.InvalidURL, ValueError) as exc:  # ValueError: a text that has no bytes
            return answers.NotSent(f"la solicitud no se pudo formar ({type(exc).__name__})")

    def _url(self, path: str) -> httpx.URL:
        return self._base.copy_with(raw_path=self._base.raw_path.rstrip(b"/") + path.encode())

    async def _fetch_token(self) -> Issued | Answer:
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
        if not isinstance(request, httpx.Request):
            return request
        answer = await self._exchange("token", request, timeout_s, None, LARGEST_ANSWER)
        if isinstance(answer, answers.Unknown):
            return answers.NotSent(f"sin token: {answer.reason}")  # the document was not sent
        if not isinstance(answer, HttpAnswer):
            return answer
        # The token itself stands in a good answer: only what refuses is cleaned.
        if answer.is_success:
            return http_answers.read_token(answer)
        cleaned = http_answers.without_secrets(self._without_secrets(answer), without_opaque_words)
        return http_answers.read_token(cleaned)

    def _without_secrets(self, answer: HttpAnswer) -> HttpAnswer:
        """
        The answer without the account's secrets, the tokens that it had lately, and any that it brings along itself.

        What refuses the account may quote one that another process had: there whatever may be a token goes.
        """
        tokens = (*self._tokens_known, *http_answers.tokens_in(answer))
        cleaned = http_answers.without_secrets(answer, lambda body: self._redactor.value(body, *tokens))
        is_of_the_account = answer.status in _REFUSES_THE_ACCOUNT
        return http_answers.without_secrets(cleaned, without_opaque_words) if is_of_the_account else cleaned

    async def _exchange(
        self, operation: Operation, request: httpx.Request, timeout_s: float, mark: SendMark | None, limit: int
    ) -> HttpAnswer | Answer:
        permit = await self._rate_limit.acquire(patience_s=_PERMIT_PATIENCE_S, mark=mark)
        match permit:
            case NoPermitYet(wait_s):
                return answers.NoPermit(wait_s)
            case DeadlinePassed():
                return answers.TooLate()
            case Granted():
                if mark and time.monotonic() - permit.asked_at > _STALE_PERMIT_S:
                    return answers.NotSent("el proceso estuvo detenido entre el permiso y el envío")
                self.n_calls += 1
        started = time.perf_counter()
        answer = await self._transfer(request, timeout_s, limit, permit)
        status = answer.status if isinstance(answer, HttpAnswer) else None
        self._figures.called(operation, status, time.perf_counter() - started)
        if isinstance(answer, HttpAnswer) and answer.status == 429:
            return answers.Throttled(await self._rate_limit.throttled(answer.retry_after_s))
        return answer

    async def _transfer(
        self, request: httpx.Request, timeout_s: float, limit: int, permit: Granted
    ) -> HttpAnswer | Answer:
        """
        Send, and read what comes back.

        A status that came counts, also where its body did not come to an end.
        """
        started, sent_at = time.perf_counter(), time.time()
        response: httpx.Response | None = None
        answer: HttpAnswer | Answer
        try:
            async with asyncio.timeout(timeout_s):
                response = await self._transport.handle_async_request(request)
                if self._heard:
                    self._heard(response.headers, sent_at, time.time())
                raw, is_whole = await _body_of(response, limit)
        except TimeoutError:
            answer = answers.Unknown(f"sin respuesta en {timeout_s:g} s")
        except httpx.HTTPError as exc:
            answer = translate(exc)
        except httpx.InvalidURL:
            answer = answers.NotSent("dirección de Factus no válida")
        except Exception as exc:  # noqa: BLE001 - what a peer's bytes trip in a library: it was sent, no more is known
            log.warning("factus.unreadable", error=type(exc).__name__, method=request.method)
            answer = answers.Unknown(f"la respuesta no se puede leer ({type(exc).__name__})")
        else:
            answer = _answer_of(response, raw, is_whole=is_whole)
            if len(raw) > _LARGE:
                await asyncio.sleep(0)  # what is done with megabytes of values is done in steps: others have their turn
        finally:
            if response is not None:
                await _close(response)
        if response is not None and not isinstance(answer, HttpAnswer):
            answer = _answer_of(response, b"", is_whole=False)
        status = response.status_code if response is not None else None
        log.debug("factus.called", method=request.method, status=status, duration_ms=_elapsed_ms(started))
        if response is not None and status != 429:  # there "none left" is all it says, and Retry-After until when
            await self._apply_rate_limit_headers(response.headers, permit)
        return answer

    async def _apply_rate_limit_headers(self, headers: httpx.Headers, permit: Granted) -> None:
        """Correct our count when Factus has counted more than we sent, or somebody else is known to send too."""
        limit, remaining = (
            http_answers.number(headers.get("X-RateLimit-Limit")),
            http_answers.number(headers.get("X-RateLimit-Remaining")),
        )
        if limit is None or remaining is None:
            return
        if permit.is_shared or (remaining == 0 and limit > 1):
            n_used = limit - remaining if remaining else max(limit, self._account.rate_limit)
            await self._rate_limit.note_usage(max(n_used, 0), permit)


def client_of(
    account: Account,
    settings: Settings,
    scripts: Scripts,
    keys: Keys,
    worker_id: str,
    *,
    token_lock_ms: int = LOCK_MS,
    transport: httpx.AsyncBaseTransport | None = None,
    figures: Figures | None = None,
) -> FactusClient:
    """The client over HTTP of one account."""
    return FactusClient(
        account,
        settings.api_limits,
        RateLimit(scripts, keys, account, longest_hold_s=settings.backoff_max),
        TokenCache(scripts, keys, account.name, worker_id, lock_ms=token_lock_ms),
        keys,
        transport=transport,
        figures=figures,
    )


def _encoded(request: Request) -> tuple[bytes | None, str]:
    """Body and content type of a call."""
    if request.upload is None:
        return (strict_json.dump(dict(request.body)).encode() if request.body is not None else None), _JSON
    file = request.upload
    form = httpx.Request("POST", "/", files={file.field: (file.file_name, file.content, file.content_type)})
    return form.read(), form.headers["Content-Type"]


def translate(error: httpx.HTTPError) -> answers.NotSent | answers.Unknown:
    """Every error of httpx as a fact: surely not sent, or unknown."""
    match error:
        case httpx.ConnectError() | httpx.ConnectTimeout() | httpx.PoolTimeout() | httpx.ProxyError():
            return answers.NotSent(f"sin conexión ({type(error).__name__})")
        case httpx.UnsupportedProtocol() | httpx.LocalProtocolError():
            return answers.NotSent(f"la solicitud no se pudo formar ({type(error).__name__})")
        case _:
            return answers.Unknown(f"se perdió la respuesta ({type(error).__name__})")


async def _body_of(response: httpx.Response, limit: int) -> tuple[bytes, bool]:
    """The body, and whether it is whole. Not through httpx's own reading, which has no bound."""
    assert isinstance(response.stream, httpx.AsyncByteStream)
    return await read_bounded(
        response.stream,
        encoding=response.headers.get("Content-Encoding", "").strip().casefold(),
        length=http_answers.number(response.headers.get("Content-Length")),
        limit=limit,
        room=_room(),
    )


def _answer_of(response: httpx.Response, raw: bytes, *, is_whole: bool) -> HttpAnswer:
    headers = response.headers
    body, form = http_answers.read_body(raw, headers.get("Content-Type", ""), is_whole=is_whole)
    return HttpAnswer(response.status_code, body, form, http_answers.retry_after_s(headers, time.time()))


async def _close(response: httpx.Response) -> None:
    try:
        await response.aclose()
    except Exception as exc:  # noqa: BLE001 - the answer in hand is worth more than an orderly end
        log.debug("factus.unreadable", error=type(exc).__name__)


def _elapsed_ms(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
