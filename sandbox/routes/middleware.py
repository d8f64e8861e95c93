"""
What every request passes before and after its own work: the edge, the token, the allowance, the fault plan.

A handler gets a Call and returns an answer; everything that disturbs it from outside is here, in the order in which
Factus was seen to look: agent, token, allowance.
"""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from sandbox.families.families import Family
from sandbox.routes import responses
from sandbox.routes.request_log import NOTE
from sandbox.state.accounts import Account
from sandbox.state.faults import Effects
from sandbox.state.limits import UNLIMITED
from sandbox.state.sandbox_state import SandboxState
from sandbox.state.store import FamilyStore
from sandbox.state.tokens import Bearer

# Default agents of libraries, as the edge (Cloudflare, error 1010) refuses them. curl is let pass: people try by hand.
_LIBRARY_AGENTS: Final = ("python-httpx/", "python-requests/", "python-urllib/", "go-http-client/", "aiohttp/")

Body = dict[str, Any] | None


@dataclass(frozen=True, slots=True)
class RouteKind:
    """
    What a route is called in fault plans and in the report.

    Args:
        area: The family, or the part of the API that has no documents.
        kind: What is done there, such as `create` or `toggle`.
    """

    area: str
    kind: str
    family: Family | None = None

    @property
    def operation(self) -> str:
        return f"{self.area}.{self.kind}"


@dataclass(slots=True)
class Call:
    """
    One request that has been let in.

    Args:
        route: Which part of the API it belongs to, and what is asked of it.
        reference: What fault plans know it by: a reference code, a document's number, an id, or nothing.
        body: The JSON object that was sent; None when it was not one.
    """

    request: Request
    state: SandboxState
    account: Account
    route: RouteKind
    reference: str
    body: Body
    effects: Effects

    @property
    def kind(self) -> str:
        return self.route.kind

    @property
    def family(self) -> Family:
        """The family of documents; only handlers that are routed with one ask for it."""
        if self.route.family is None:
            raise LookupError(f"{self.route.operation} is about no family of documents")
        return self.route.family

    @property
    def shelf(self) -> FamilyStore:
        return self.account.shelf(self.family.name)


Handler = Callable[[Call], Awaitable[Response]]
Reader = Callable[[Request], Awaitable[tuple[str, Body]]]
Endpoint = Callable[[Request], Awaitable[Response]]


async def read_body(request: Request) -> Body:
    """The JSON object of a request; None when there is none, or when it holds text that UTF-8 cannot write."""
    raw = await request.body()
    try:
        parsed = json.loads(raw, parse_float=Decimal, parse_constant=_refuse_constant)
        if b"\\u" in raw:
            json.dumps(parsed, ensure_ascii=False, default=str).encode()
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


async def by_reference_in_body(request: Request) -> tuple[str, Body]:
    body = await read_body(request)
    reference = body.get("reference_code") if body else None
    return (reference if isinstance(reference, str) else ""), body


async def by_track_id(request: Request) -> tuple[str, Body]:
    body = await read_body(request)
    code = body.get("track_id") if body else None
    return (code if isinstance(code, str) else ""), body


async def by_path(request: Request) -> tuple[str, Body]:
    """The first variable segment."""
    reference = str(next(iter(request.path_params.values()), ""))
    return reference, await read_body(request) if request.method in ("POST", "PUT", "PATCH") else None


async def by_filter(request: Request) -> tuple[str, Body]:
    return request.query_params.get("filter[reference_code]", ""), None


def is_library_default(agent: str) -> bool:
    lowered = agent.lower()
    return (
        not lowered or lowered.startswith(_LIBRARY_AGENTS) or (lowered.startswith("python/") and "aiohttp/" in lowered)
    )


def guard(route: RouteKind, handler: Handler, read: Reader, state: SandboxState) -> Endpoint:
    """The endpoint of a route that needs a token."""

    async def endpoint(request: Request) -> Response:
        if is_library_default(request.headers.get("user-agent", "")):
            state.n_edge_refusals += 1
            return responses.edge_refusal()
        account = _authenticate(request, state)
        if account is None:
            return responses.unauthenticated()
        try:
            reference, body = await read(request)
        except ClientDisconnect:
            # Hung up in the middle of its request: nothing arrived, and nobody reads this answer.
            return Response(status_code=400)
        return await admit(request, state, account, route, reference, body, handler)

    return endpoint


async def admit(
    request: Request,
    state: SandboxState,
    account: Account,
    route: RouteKind,
    reference: str,
    body: Body,
    handler: Handler,
) -> Response:
    """Count the request, then let it through the allowance and the fault plan to its handler."""
    account.requests[route.kind] += 1
    now = state.now()
    account.busiest.note(now)
    allowance = account.window.take(now)
    if allowance.retry_after_s is not None:
        account.answers[429] += 1
        return responses.too_many(allowance.headers)
    effects = state.plan.effects_for(route.kind, route.area, account.user, reference)
    call = Call(request, state, account, route, reference, body, effects)
    request.scope.setdefault("state", {})[NOTE] = _note(call)
    response = await (_disturbed(call, handler) if effects else _processed(call, handler))
    account.answers[0 if isinstance(response, responses.DroppedConnection) else response.status_code] += 1
    if allowance is not UNLIMITED:
        for name, value in allowance.headers.items():
            response.headers.setdefault(name, value)
    return response


def _note(call: Call) -> str:
    reference = f" {call.reference}" if call.kind == "create" and call.reference else ""
    faults = f" ({', '.join(call.effects.kinds)})" if call.effects else ""
    return f"{call.account.user}{reference}{faults}"


def _authenticate(request: Request, state: SandboxState) -> Account | None:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    bearer, user = state.tokens.look_up(token.strip(), state.now()) if scheme.lower() == "bearer" else (None, "")
    if bearer is Bearer.VALID:
        return state.accounts.open(user)
    if user:
        account = state.accounts.open(user)
        account.answers[401] += 1
        account.busiest.note(state.now())
    else:
        state.n_unidentified += 1
    return None


async def _processed(call: Call, handler: Handler) -> Response:
    """The answer of the handler, on record: what was asked, and what was changed by anything but a create."""
    if (closed := _closed(call)) is not None:
        return closed
    operation = call.route.operation
    call.account.operations[operation] += 1
    response = await handler(call)
    if call.request.method != "GET" and call.kind not in ("create", "token") and response.status_code < 300:
        target = "/".join(map(str, call.request.path_params.values())) or call.reference
        call.account.count_change(operation, target)
    return response


def _closed(call: Call) -> Response | None:
    """The answers of an account that is switched off in some way, through the control routes."""
    account = call.account
    if call.kind == "token":
        return None
    if not account.serves_v2:
        return responses.other_version()
    if call.kind == "create" and not account.has_paid:
        return responses.payment_required()
    if call.kind == "create" and not account.has_product:
        return responses.product_off()
    if account.forbids(call.request.method, call.route.operation):
        return responses.product_off()
    return None


async def _disturbed(call: Call, handler: Handler) -> Response:
    if (slow := call.effects.get("slow")) and call.kind != "create":
        await call.state.sleep(slow["seconds"])
    if (refused := _before(call)) is not None:
        return refused
    return _after(call, await _processed(call, handler))


def _before(call: Call) -> Response | None:
    """The effect that keeps the request from being processed, if one fired."""
    effects = call.effects
    if effects.get("drop_before"):
        return responses.DroppedConnection()
    if effects.get("html_403"):
        return responses.edge_refusal()
    if unauthorized := effects.get("unauthorized"):
        if unauthorized["revoke"]:
            call.state.tokens.revoke(call.account.user)
        return responses.unauthenticated()
    if limited := effects.get("rate_limited"):
        after_s = int(limited["retry_after"])
        resets_at = str(int(call.state.now()) + after_s)
        return responses.too_many(
            {"Retry-After": str(after_s), "X-RateLimit-Reset": resets_at, "X-RateLimit-Remaining": "0"}
        )
    if effects.get("forbidden_version"):
        return responses.other_version()
    if effects.get("forbidden_product"):
        return responses.product_off()
    if effects.get("payment_required"):
        return responses.payment_required()
    if error := effects.get("error_before"):
        return responses.server_error(int(error["status"]))
    return None


def _after(call: Call, response: Response) -> Response:
    """The effect that spoils the answer of a request that was processed."""
    effects = call.effects
    if effects.get("drop_after"):
        return responses.DroppedConnection()
    if error := effects.get("error_after"):
        return responses.server_error(int(error["status"]))
    if garbage := effects.get("garbage"):
        return _spoilt(response, garbage["text"], int(garbage["status"]))
    if empty := effects.get("empty"):
        return _spoilt(response, "", int(empty["status"]))
    return response


def _spoilt(response: Response, text: str, status: int) -> Response:
    """What was refused keeps its status: 200 would say that it was done."""
    is_refusal = response.status_code >= 400
    return Response(text, response.status_code if is_refusal else status, media_type="application/json")
