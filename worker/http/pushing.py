"""
``POST /jobs`` and ``POST /jobs/{type}``: into the stream, and where somebody waits for it, the final event.
"""

from __future__ import annotations

import hashlib
import time
from typing import Any, Final
from urllib.parse import quote

import structlog
from redis.exceptions import RedisError
from starlette.requests import Request
from starlette.responses import Response

from jobs.intake import DEFAULT_ACCOUNT
from jobs.registry import JOB_TYPES
from schemas import strict_json
from schemas.contract.envelope import Envelope
from schemas.names import ending_of
from worker.guard import log_unavailable
from worker.http.answers import Refusal, answer, error, forbidden, not_found, raw_answer, unavailable
from worker.http.bodies import body_of
from worker.http.callers import Caller
from worker.http.door import Door
from worker.http.drafts import Draft, draft_of_envelope, draft_of_payload, idempotency_key, wait_of
from worker.http.requests import first, left
from worker.http.routes import PREFIX
from worker.http.waits import Pushed

log = structlog.get_logger()

_RECEIVED: Final = "Recibido. Su resultado llega como evento."
_LOST: Final = "No se sabe si el trabajo entró. Envíelo otra vez con el mismo Idempotency-Key: no se hace dos veces."


class Pushing:
    """The two routes."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def push(self, request: Request) -> Response:
        """The body is an envelope."""
        return await self._push(request, None)

    async def push_type(self, request: Request) -> Response:
        """The body is the payload of the type that the address names."""
        return await self._push(request, request.path_params["type"])

    async def _push(self, request: Request, job_type: str | None) -> Response:
        door = self._door
        authorization = request.headers.getlist("authorization")
        caller = door.gate.identify(authorization)
        if job_type is not None and job_type not in JOB_TYPES:
            raise not_found(f"No existe el tipo de trabajo {job_type[:64]}. Todos están en {PREFIX}/docs.")
        if not caller.may_push and not caller.is_bound:
            raise forbidden()
        key = idempotency_key(request.headers.getlist("idempotency-key"))
        wait_s = wait_of(request.headers.getlist("prefer"), door.policy.longest_wait_s)
        async with body_of(request, door.bodies, door.policy, door.policy.most_body) as raw:
            if job_type is None:
                draft = draft_of_envelope(raw, key)
            else:
                draft = draft_of_payload(job_type, raw, _query(request), key)
            account = await self._account_of(draft)
            job = draft.to_push(account)
            if caller.is_bound:
                caller = door.gate.identify(authorization, job=job)
            caller.check_push(account, draft.envelope.type)
        # Outside of the block: who waits for a minute holds no room that others need for their bodies.
        return await self._into_the_stream(request, draft.envelope, account, job, caller, wait_s)

    async def _account_of(self, draft: Draft) -> str:
        account = draft.envelope.account or await self._door.accounts.default()
        if account is None:
            text = f"El trabajo no nombra una cuenta, y no hay una única ni una llamada {DEFAULT_ACCOUNT}."
            raise Refusal(422, (error("account.unknown", text, field="envelope.account"),))
        return account

    async def _into_the_stream(
        self, request: Request, envelope: Envelope, account: str, job: bytes, caller: Caller, wait_s: int
    ) -> Response:
        door = self._door
        owner = account if account in door.accounts.own_streams else None
        stream = door.keys.jobs(owner)
        fields: dict[str, bytes | str] = {"job": job}
        if door.settings.jobs_signed:
            fields["token"] = caller.token or self._signed(account, envelope.type, job)
        with door.waiting.place(caller.name) as may_wait:
            before = door.feed.seen
            try:
                entry = await door.pusher.push(stream, fields)
            except (RedisError, OSError) as exc:
                log_unavailable("door", exc)
                raise unavailable(_LOST) from exc
            pushed = Pushed(account, envelope.id or entry, entry, stream, owner, before)
            found = None
            if wait_s and may_wait:
                found = await door.waits.final_of(pushed, wait_s, lambda: first(left(request), door.stopping.wait()))
        return _accepted(pushed) if found is None else final_answer(found)

    def _signed(self, account: str, job_type: str, job: bytes) -> str:
        key = self._door.key
        assert key is not None  # a person has come in by it
        return key.job(account, job_type, hashlib.sha256(job).hexdigest(), time.time())


def _query(request: Request) -> dict[str, str]:
    pairs = request.query_params.multi_items()
    if len(dict(pairs)) != len(pairs):
        raise Refusal(422, (error("envelope.invalid", "Un parámetro está dos veces."),))
    return dict(pairs)


def href_of(account: str, job_id: str) -> str:
    """The address of a job."""
    return f"{PREFIX}/jobs/{quote(job_id, safe='')}?account={account}"


def _accepted(pushed: Pushed) -> Response:
    href = href_of(pushed.account, pushed.id)
    data = {"job_id": pushed.id, "account": pushed.account, "href": href}
    return answer(True, _RECEIVED, data, status=202, headers={"Location": href})


def final_answer(event: bytes) -> Response:
    """A final event as the answer to who waited for it."""
    read: dict[str, Any] = strict_json.parse_written(event)
    status = 200 if read["success"] else 502 if ending_of(read["type"]) == "failed" else 422
    return raw_answer(
        read["success"],
        read["message"],
        event,
        errors=read["errors"],
        status=status,
        headers={"Preference-Applied": "wait"},
    )
